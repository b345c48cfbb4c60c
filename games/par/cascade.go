package par

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// tumbleRows is the height of the screen of a cascade game.
const tumbleRows = 4

// maxTumbles is more than any screen of a design may need.
const maxTumbles = 16

// Cascade is a game in which a symbol pays by how often it is on the screen,
// wherever. What paid is removed, the rest falls, and the strips move on to
// fill the gaps, until nothing pays. Every tumble has a greater multiplier.
// Since strips fill the gaps, the stops decide the whole round.
type Cascade struct {
	Version       int       `json:"design"` // format of this document, 1
	Kind          string    `json:"kind"`   // "cascade"
	ID            string    `json:"id"`
	Release       string    `json:"version"`
	Name          string    `json:"name"`
	UnitsPerStake int64     `json:"units_per_stake"` // what pays are counted in
	Counts        []int     `json:"counts"`          // least number of a symbol for each pay, ascending
	Symbols       []Symbol  `json:"symbols"`         // pays by those numbers, in units
	Strips        [][]int   `json:"strips"`
	Modes         []Mode    `json:"modes"`
	Ladders       [][]int64 `json:"ladders"` // of each mode: multipliers of the tumbles, the last one stays
}

// ParseCascade reads a design strictly and checks that it can be computed.
func ParseCascade(b []byte) (*Cascade, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	d := &Cascade{}
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("%w: %w", errDesign, err)
	}
	if d.Version != 1 || d.Kind != "cascade" || d.UnitsPerStake < 1 || len(d.Counts) == 0 || !slices.IsSorted(d.Counts) || len(d.Strips) != Reels || len(d.Modes) == 0 || len(d.Ladders) != len(d.Modes) {
		return nil, fmt.Errorf("%w: version, kind, units, counts, five strips, modes and their ladders are needed", errDesign)
	}
	for _, s := range d.Symbols {
		if len(s.Pays) != len(d.Counts) || s.Name == "" || len(s.Name) > 15 {
			return nil, fmt.Errorf("%w: symbol %q", errDesign, s.Name)
		}
	}
	for reel, s := range d.Strips {
		for _, x := range s {
			if x < 0 || x >= len(d.Symbols) {
				return nil, fmt.Errorf("%w: reel %d has symbol %d", errDesign, reel+1, x)
			}
		}
		if len(s) < tumbleRows || len(s) > 28 {
			return nil, fmt.Errorf("%w: reel %d has %d stops", errDesign, reel+1, len(s))
		}
	}
	for _, l := range d.Ladders {
		if len(l) == 0 || slices.Min(l) < 1 {
			return nil, fmt.Errorf("%w: ladder %v", errDesign, l)
		}
	}
	return d, nil
}

// Tumbling is a screen of a cascade game, and what each strip shows next.
type Tumbling struct {
	Cells [Reels][tumbleRows]int // from the top
	above [Reels]int             // stop of the strip over the top cell
}

// At is the screen that shows the strips at the stops.
func (d *Cascade) At(stops [Reels]int) (s Tumbling) {
	for r, strip := range d.Strips {
		for row := range tumbleRows {
			s.Cells[r][row] = strip[(stops[r]+row)%len(strip)]
		}
		s.above[r] = (stops[r] + len(strip) - 1) % len(strip)
	}
	return s
}

// Pay is what the symbols of the screen pay in units, without multiplier, and
// which of them do.
func (d *Cascade) Pay(s *Tumbling) (units int64, paying uint32) {
	var count [32]int
	for r := range s.Cells {
		for _, x := range s.Cells[r] {
			count[x]++
		}
	}
	for x := range d.Symbols {
		for i := len(d.Counts) - 1; i >= 0; i-- {
			if count[x] >= d.Counts[i] {
				units += d.Symbols[x].Pays[i]
				paying |= 1 << x
				break
			}
		}
	}
	return units, paying
}

// Fall removes the paying symbols and fills the gaps.
func (d *Cascade) Fall(s *Tumbling, paying uint32) {
	for r := range s.Cells {
		to := tumbleRows - 1
		for row := tumbleRows - 1; row >= 0; row-- {
			if x := s.Cells[r][row]; paying>>x&1 == 0 {
				s.Cells[r][to] = x
				to--
			}
		}
		strip := d.Strips[r]
		for ; to >= 0; to-- {
			s.Cells[r][to] = strip[s.above[r]]
			s.above[r] = (s.above[r] + len(strip) - 1) % len(strip)
		}
	}
}

// step is the multiplier of a tumble, from 0.
func (d *Cascade) step(mode, tumble int) int64 {
	return d.Ladders[mode][min(tumble, len(d.Ladders[mode])-1)]
}

// Walk goes through every combination of stops and counts them by what they pay
// in each mode. It also counts rounds by their number of tumbles.
func (d *Cascade) Walk() (wins []map[int64]uint64, tumbles map[int]uint64, err error) {
	wins, tumbles = make([]map[int64]uint64, len(d.Modes)), map[int]uint64{}
	for m := range d.Modes {
		wins[m] = map[int64]uint64{}
	}
	won := make([]int64, len(d.Modes))
	var stops [Reels]int
	for {
		s := d.At(stops)
		clear(won)
		tumble := 0
		for ; ; tumble++ {
			units, paying := d.Pay(&s)
			if paying == 0 {
				break
			}
			if tumble == maxTumbles {
				return nil, nil, fmt.Errorf("%w: the stops %v tumble on and on", errDesign, stops)
			}
			for m := range won {
				won[m] += units * d.step(m, tumble)
			}
			d.Fall(&s, paying)
		}
		for m := range won {
			wins[m][won[m]]++
		}
		tumbles[tumble]++
		if !d.next(&stops) {
			return wins, tumbles, nil
		}
	}
}

// next moves to further stops; false behind the last ones.
func (d *Cascade) next(stops *[Reels]int) bool {
	for r := range stops {
		if stops[r]++; stops[r] < len(d.Strips[r]) {
			return true
		}
		stops[r] = 0
	}
	return false
}

// Compute derives the sheet.
func (d *Cascade) Compute() (*Sheet, map[int]uint64, error) {
	wins, tumbles, err := d.Walk()
	if err != nil {
		return nil, nil, err
	}
	s := &Sheet{
		Version: 1, ID: d.ID, Release: d.Release, Name: d.Name, Method: "full cycle of the reels; every figure is exact",
		StakeMultipleMinor: d.UnitsPerStake, BaseCombinations: 1, Design: Rules{Cascade: d},
	}
	for _, strip := range d.Strips {
		s.BaseCombinations *= uint64(len(strip))
	}
	for i, m := range d.Modes {
		s.Modes = append(s.Modes, counted(wins[i]).figures(m, d.UnitsPerStake))
	}
	return s, tumbles, nil
}

// Files renders what follows from the design.
func (d *Cascade) Files() (map[string][]byte, error) {
	s, tumbles, err := d.Compute()
	if err != nil {
		return nil, err
	}
	sheet, err := s.JSON()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"par.json": sheet, "PAR.md": d.markdown(s, tumbles), "assembly/maths.ts": d.guest(s)}, nil
}

func (d *Cascade) guest(s *Sheet) []byte {
	var b strings.Builder
	b.WriteString(generated)
	fmt.Fprintf(&b, "export const MANIFEST: string = '%s';\n\n", s.manifest(shape{draws: Reels, actions: []string{"spin"}}))
	var counts, pays, names, ladders, cells []int64
	for _, n := range d.Counts {
		counts = append(counts, int64(n))
	}
	for _, x := range d.Symbols {
		pays = append(pays, x.Pays...)
		names = append(names, name24(x.Name)...)
	}
	for m := range d.Modes {
		for tumble := range maxTumbles {
			ladders = append(ladders, d.step(m, tumble))
		}
	}
	for _, strip := range d.Strips {
		row := make([]int64, 32)
		for i := range len(strip) + tumbleRows - 1 {
			row[i] = int64(strip[i%len(strip)])
		}
		cells = append(cells, row...)
	}
	fmt.Fprintf(&b, "export const SYMBOLS: i32 = %d;\nexport const BANDS: i32 = %d;\nexport const UNITS: i64 = %d;\nexport const MODES: u32 = %d;\nexport const TUMBLES: i32 = %d;\n",
		len(d.Symbols), len(d.Counts), d.UnitsPerStake, len(d.Modes), maxTumbles)
	table(&b, "COUNTS", "u32", "least number of a symbol for each pay", counts)
	table(&b, "PAYS", "u32", "per symbol: those pays, in units", pays)
	table(&b, "LADDERS", "u32", "per mode: multiplier of each tumble", ladders)
	table(&b, "NAMES", "u8", "per symbol: length, then its name, 24 bytes in all", names)
	table(&b, "STOPS", "u32", "stops of each reel: the bounds of a spin's draws", stopCounts(d.Strips))
	table(&b, "STRIPS", "u8", "symbols, 32 bytes per reel", cells)
	return []byte(b.String())
}

func (d *Cascade) markdown(s *Sheet, tumbles map[int]uint64) []byte {
	var b strings.Builder
	s.heading(&b)
	fmt.Fprintf(&b, "%d×%d screen, cycle %d combinations. Stakes are multiples of %d minor units.\n\n", Reels, tumbleRows, s.BaseCombinations, d.UnitsPerStake)
	s.figureTable(&b)
	b.WriteString("\nSymbols pay anywhere, by how many there are. What paid is removed, the rest falls, and each strip moves on to fill the gaps, until nothing pays. Multipliers of the tumbles, of which the last stays:\n\n| mode | multipliers |\n|---|---|\n")
	for i, m := range d.Modes {
		fmt.Fprintf(&b, "| %s | %s |\n", m.Name, strings.Trim(fmt.Sprint(d.Ladders[i]), "[]"))
	}
	b.WriteString("\n| tumbles | one round in |\n|---|---|\n")
	for n := 0; n <= maxTumbles; n++ {
		if k := tumbles[n]; k > 0 {
			fmt.Fprintf(&b, "| %d | %s |\n", n, decimal(float64(s.BaseCombinations)/float64(k), 2))
		}
	}
	fmt.Fprintf(&b, "\nPays in %dths of the stake:\n\n| symbol |", d.UnitsPerStake)
	for _, n := range d.Counts {
		fmt.Fprintf(&b, " %d or more |", n)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(d.Counts)) + "\n")
	for _, x := range d.Symbols {
		fmt.Fprintf(&b, "| %s |", x.Name)
		for _, p := range x.Pays {
			fmt.Fprintf(&b, " %d |", p)
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
