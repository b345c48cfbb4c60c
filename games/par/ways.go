package par

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Ways is a game in which a symbol pays on every way from the left: one place
// on each reel, whatever the row. Wilds stand for any symbol but the scatter.
// One source has variants that differ in their strips alone.
type Ways struct {
	Version int    `json:"design"` // format of this document, 1
	Kind    string `json:"kind"`   // "ways"
	Family  string `json:"family"` // also the id of the first variant
	Release string `json:"version"`
	Name    string `json:"name"`
	// UnitsPerStake is what pays are counted in; stakes are multiples of it.
	UnitsPerStake int64    `json:"units_per_stake"`
	Symbols       []Symbol `json:"symbols"` // pays in units
	Wild          int      `json:"wild"`    // not on the first reel
	Scatter       int      `json:"scatter"` // at most one in a window
	ScatterPaysX  []int64  `json:"scatter_pays_x"`
	// Expand is a reel, from 0, that turns wild altogether when it shows a wild,
	// in the mode of that name.
	Expand   int       `json:"expand"`
	Modes    []Mode    `json:"modes"`
	Variants []Variant `json:"variants"`
}

// Variant is one set of strips. Its name is its return, roughly, in per cent.
type Variant struct {
	Variant string  `json:"variant"`
	Strips  [][]int `json:"strips"`
}

// ante is the mode in which a reel expands.
const ante = "ante"

// ParseWays reads a design strictly and checks that it can be computed.
func ParseWays(b []byte) (*Ways, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	d := &Ways{}
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("%w: %w", errDesign, err)
	}
	if d.Version != 1 || d.Kind != "ways" || d.UnitsPerStake < 1 || len(d.ScatterPaysX) != Reels+1 || len(d.Variants) == 0 || len(d.Modes) == 0 {
		return nil, fmt.Errorf("%w: version, kind, units, scatter pays, variants and modes are needed", errDesign)
	}
	for _, s := range d.Symbols {
		if len(s.Pays) != Reels+1 || s.Name == "" || len(s.Name) > 15 {
			return nil, fmt.Errorf("%w: symbol %q", errDesign, s.Name)
		}
	}
	for _, v := range d.Variants {
		for reel, s := range v.Strips {
			if err := d.checkStrip(reel, s); err != nil {
				return nil, fmt.Errorf("variant %s: %w", v.Variant, err)
			}
		}
		if len(v.Strips) != Reels {
			return nil, fmt.Errorf("%w: variant %s has %d strips", errDesign, v.Variant, len(v.Strips))
		}
	}
	return d, nil
}

func (d *Ways) checkStrip(reel int, s []int) error {
	if len(s) < Rows || len(s) > 30 {
		return fmt.Errorf("%w: reel %d has %d stops", errDesign, reel+1, len(s))
	}
	for i, x := range s {
		switch {
		case x < 0 || x >= len(d.Symbols):
			return fmt.Errorf("%w: reel %d has symbol %d", errDesign, reel+1, x)
		case x == d.Wild && reel == 0:
			return fmt.Errorf("%w: a wild on the first reel", errDesign)
		case x == d.Scatter && (s[(i+1)%len(s)] == x || s[(i+2)%len(s)] == x):
			return fmt.Errorf("%w: two scatters in a window of reel %d", errDesign, reel+1)
		}
	}
	return nil
}

// ID of a variant: that of the family for the first one.
func (d *Ways) ID(v int) string {
	if v == 0 {
		return d.Family
	}
	return d.Family + "-" + d.Variants[v].Variant
}

// window is what a reel shows: how many of each symbol, and scatters.
type window struct {
	count   []int64
	scatter int
}

func (d *Ways) windows(strip []int, expand bool) []window {
	out := make([]window, len(strip))
	for stop := range strip {
		w := window{count: make([]int64, len(d.Symbols))}
		wilds := int64(0)
		for row := range Rows {
			switch x := strip[(stop+row)%len(strip)]; x {
			case d.Scatter:
				w.scatter++
			case d.Wild:
				wilds++
			default:
				w.count[x]++
			}
		}
		for x := range w.count {
			if expand && wilds > 0 {
				w.count[x] = Rows
			} else {
				w.count[x] += wilds
			}
		}
		out[stop] = w
	}
	return out
}

// Walk goes through every combination of stops of a variant and counts them by
// what they pay, in units.
func (d *Ways) Walk(variant int, mode string) map[int64]uint64 {
	var reels [Reels][]window
	for r, strip := range d.Variants[variant].Strips {
		reels[r] = d.windows(strip, mode == ante && r == d.Expand)
	}
	out := map[int64]uint64{}
	type run struct {
		symbol int
		ways   int64
	}
	var reel func(r int, alive []run, units int64, scatters int)
	reel = func(r int, alive []run, units int64, scatters int) {
		if r == Reels {
			for _, a := range alive {
				units += a.ways * d.Symbols[a.symbol].Pays[Reels]
			}
			out[units+d.ScatterPaysX[scatters]*d.UnitsPerStake]++
			return
		}
		buffer := make([]run, 0, len(alive))
		for _, w := range reels[r] {
			next, won := buffer[:0], units
			for _, a := range alive {
				if n := w.count[a.symbol]; n > 0 {
					next = append(next, run{a.symbol, a.ways * n})
				} else {
					won += a.ways * d.Symbols[a.symbol].Pays[r]
				}
			}
			reel(r+1, next, won, scatters+w.scatter)
		}
	}
	var all []run
	for x := range d.Symbols {
		if x != d.Wild && x != d.Scatter {
			all = append(all, run{x, 1})
		}
	}
	reel(0, all, 0, 0)
	return out
}

// Evaluate pays a screen from the rules, place by place; it shares nothing with
// Walk.
func (d *Ways) Evaluate(s Screen, mode string) (units int64) {
	scatters := 0
	for _, reel := range s {
		for _, x := range reel {
			if x == d.Scatter {
				scatters++
			}
		}
	}
	units = d.ScatterPaysX[scatters] * d.UnitsPerStake
	if mode == ante && slices.Contains(s[d.Expand][:], d.Wild) {
		s[d.Expand] = [Rows]int{d.Wild, d.Wild, d.Wild} // its scatter is counted all the same
	}
	for symbol, info := range d.Symbols {
		if symbol == d.Wild || symbol == d.Scatter {
			continue
		}
		length, ways := 0, int64(1)
		for _, reel := range s {
			n := int64(0)
			for _, x := range reel {
				if x == symbol || x == d.Wild {
					n++
				}
			}
			if n == 0 {
				break
			}
			length++
			ways *= n
		}
		if length > 0 {
			units += ways * info.Pays[length]
		}
	}
	return units
}

// Compute derives the sheet of a variant.
func (d *Ways) Compute(variant int) *Sheet {
	s := &Sheet{
		Version: 1, ID: d.ID(variant), Family: d.Family, Variant: d.Variants[variant].Variant, Release: d.Release,
		Name: d.Name, Method: "full cycle of the reels; every figure is exact", StakeMultipleMinor: d.UnitsPerStake, BaseCombinations: 1,
	}
	for _, strip := range d.Variants[variant].Strips {
		s.BaseCombinations *= uint64(len(strip))
	}
	if variant > 0 {
		s.Name += " " + s.Variant
	}
	for _, m := range d.Modes {
		s.Modes = append(s.Modes, counted(d.Walk(variant, m.Name)).figures(m, d.UnitsPerStake))
	}
	own := *d
	own.Variants = d.Variants[variant : variant+1]
	s.Design.Ways = &own
	return s
}

// Files renders what follows from the design: the sheets of all variants, those
// but the first in folders of their own, and one table of the module's source.
func (d *Ways) Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	var sheets []*Sheet
	for v := range d.Variants {
		s := d.Compute(v)
		folder := ""
		if v > 0 {
			folder = s.Variant + "/"
		}
		b, err := s.JSON()
		if err != nil {
			return nil, err
		}
		files[folder+"par.json"], files[folder+"PAR.md"] = b, d.markdown(s)
		sheets = append(sheets, s)
	}
	files["assembly/maths.ts"] = d.guest(sheets)
	return files, nil
}

func (d *Ways) guest(sheets []*Sheet) []byte {
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString("// VARIANT is a constant of the build.\n\n")
	choose := func(name, kind string, value func(v int) string) {
		fmt.Fprintf(&b, "export const %s: %s =\n", name, kind)
		for v := range d.Variants[1:] {
			fmt.Fprintf(&b, "  VARIANT == %s ? %s :\n", d.Variants[v+1].Variant, value(v+1))
		}
		fmt.Fprintf(&b, "  %s;\n", value(0))
	}
	choose("MANIFEST", "string", func(v int) string {
		return "'" + sheets[v].manifest(shape{draws: Reels, actions: []string{"spin"}}) + "'"
	})
	var pays, names []int64
	for _, x := range d.Symbols {
		pays = append(pays, x.Pays...)
		names = append(names, name24(x.Name)...)
	}
	table(&b, "PAYS", "u32", "per symbol: pay of a way of 0 to 5, in units", pays)
	table(&b, "NAMES", "u8", "per symbol: length, then its name, 24 bytes in all", names)
	table(&b, "SCATTER_PAYS_X", "u32", "by number of scatters, in stakes", d.ScatterPaysX)
	choose("STOPS", "usize", func(v int) string {
		var stops []int64
		for _, s := range d.Variants[v].Strips {
			stops = append(stops, int64(len(s)))
		}
		return data("u32", stops)
	})
	b.WriteString("// symbols, 32 bytes per reel\n")
	choose("STRIPS", "usize", func(v int) string { return data("u8", stripCells(d.Variants[v].Strips)) })
	fmt.Fprintf(&b, "export const SYMBOLS: i32 = %d;\nexport const UNITS: i64 = %d;\n", len(d.Symbols), d.UnitsPerStake)
	fmt.Fprintf(&b, "export const WILD: i32 = %d;\nexport const SCATTER: i32 = %d;\nexport const EXPAND: i32 = %d;\n", d.Wild, d.Scatter, d.Expand)
	return []byte(b.String())
}

func (d *Ways) markdown(s *Sheet) []byte {
	var b strings.Builder
	s.heading(&b)
	fmt.Fprintf(&b, "Variant %s of the family `%s`: the variants differ in their strips alone, and each is a game of its own.\n\n", s.Variant, s.Family)
	fmt.Fprintf(&b, "%d×%d screen, %d ways, cycle %d combinations. Stakes are multiples of %d minor units.\n\n", Reels, Rows, 243, s.BaseCombinations, d.UnitsPerStake)
	s.figureTable(&b)
	fmt.Fprintf(&b, "\nA symbol pays for each way to read it on consecutive reels from the left, %s standing for any other. 3, 4, 5 %ss anywhere pay %d, %d, %d × the stake. In mode `ante` reel %d turns wild altogether when it shows a %s.\n",
		d.Symbols[d.Wild].Name, d.Symbols[d.Scatter].Name, d.ScatterPaysX[3], d.ScatterPaysX[4], d.ScatterPaysX[5], d.Expand+1, d.Symbols[d.Wild].Name)
	fmt.Fprintf(&b, "\nPays for a way in %dths of the stake:\n\n| symbol | 3 | 4 | 5 |\n|---|---|---|---|\n", d.UnitsPerStake)
	for i, x := range d.Symbols {
		if i != d.Wild && i != d.Scatter {
			fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", x.Name, x.Pays[3], x.Pays[4], x.Pays[5])
		}
	}
	return []byte(b.String())
}
