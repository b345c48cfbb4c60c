package par

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// Side of the square screen of a hold-and-respin game.
const side = 3

// Hold is a game of three reels whose locking symbol, once on every reel,
// starts a feature: the player picks a plan, then what is locked stays, and
// each respin may lock one further cell. A new one gives all respins back; a
// full screen pays a bonus.
type Hold struct {
	Version       int     `json:"design"` // format of this document, 1
	Kind          string  `json:"kind"`   // "hold"
	ID            string  `json:"id"`
	Release       string  `json:"version"`
	Name          string  `json:"name"`
	UnitsPerStake int64   `json:"units_per_stake"` // what line pays are counted in
	Lines         [][]int `json:"lines"`           // row on each reel
	Symbols       []Paid  `json:"symbols"`         // symbol 0 locks, and pays nothing on lines
	Strips        [][]int `json:"strips"`          // at most one locking symbol in a window
	LockPaysX     int64   `json:"lock_pays_x"`     // for each cell that starts the feature, stakes
	Plans         []Plan  `json:"plans"`           // the player's choice
	Declared      int     `json:"declared"`        // the plan the figures assume
	Modes         []Mode  `json:"modes"`           // "buy" opens with the feature
}

// Paid is a symbol and what three of it on a line pay, in units.
type Paid struct {
	Name string `json:"name"`
	Pays int64  `json:"pays"`
}

// Plan is how a feature is played.
type Plan struct {
	Name    string  `json:"name"`
	Respins int     `json:"respins"`
	Hits    int64   `json:"hits"` // of Of draws lock a cell
	Of      int64   `json:"of"`
	Values  []int64 `json:"values_x"` // of a locked cell, one drawn, stakes
	FullX   int64   `json:"full_x"`   // for a full screen, stakes
}

// ParseHold reads a design strictly and checks that it can be computed.
func ParseHold(b []byte) (*Hold, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	d := &Hold{}
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("%w: %w", errDesign, err)
	}
	if d.Version != 1 || d.Kind != "hold" || d.UnitsPerStake < 1 || len(d.Strips) != side || len(d.Modes) == 0 || d.Declared < 0 || d.Declared >= len(d.Plans) {
		return nil, fmt.Errorf("%w: version, kind, units, three strips, modes and a declared plan are needed", errDesign)
	}
	for _, l := range d.Lines {
		if len(l) != side || min(l[0], l[1], l[2]) < 0 || max(l[0], l[1], l[2]) >= side {
			return nil, fmt.Errorf("%w: line %v", errDesign, l)
		}
	}
	for reel, s := range d.Strips {
		if len(s) < side || len(s) > 30 {
			return nil, fmt.Errorf("%w: reel %d has %d stops", errDesign, reel+1, len(s))
		}
		for i, x := range s {
			if x < 0 || x >= len(d.Symbols) || x == 0 && (s[(i+1)%len(s)] == 0 || s[(i+2)%len(s)] == 0) {
				return nil, fmt.Errorf("%w: reel %d, stop %d", errDesign, reel+1, i)
			}
		}
	}
	for _, p := range d.Plans {
		if p.Respins < 1 || p.Hits < 1 || p.Hits > p.Of || len(p.Values) == 0 {
			return nil, fmt.Errorf("%w: plan %q", errDesign, p.Name)
		}
	}
	return d, nil
}

// opening is the distribution of the first step: plain rounds, and those that
// start the feature, out of all combinations.
func (d *Hold) opening(m Mode) (plain, started map[int64]uint64, total uint64) {
	plain, started = map[int64]uint64{}, map[int64]uint64{}
	lock := side * d.LockPaysX * d.UnitsPerStake
	if m.Name == "buy" {
		started[lock] = side * side * side // a row on each reel
		return plain, started, side * side * side
	}
	for a := range d.Strips[0] {
		for b := range d.Strips[1] {
			for c := range d.Strips[2] {
				var screen [side][side]int
				for reel, stop := range []int{a, b, c} {
					for row := range side {
						screen[reel][row] = d.Strips[reel][(stop+row)%len(d.Strips[reel])]
					}
				}
				total++
				if units, locks := d.Evaluate(screen); locks == side {
					started[lock]++
				} else {
					plain[units]++
				}
			}
		}
	}
	return plain, started, total
}

// Evaluate pays the lines of a screen, reel by reel from the top, and counts
// the reels that show a locking symbol.
func (d *Hold) Evaluate(s [side][side]int) (units int64, locks int) {
	for _, l := range d.Lines {
		if x := s[0][l[0]]; x == s[1][l[1]] && x == s[2][l[2]] {
			units += d.Symbols[x].Pays
		}
	}
	for _, reel := range s {
		for _, x := range reel {
			if x == 0 {
				locks++
			}
		}
	}
	return units, locks
}

// chances are probabilities by win in stakes.
type chances map[int64]*big.Rat

func (c chances) add(win int64, p *big.Rat) {
	if c[win] == nil {
		c[win] = new(big.Rat)
	}
	c[win].Add(c[win], p)
}

// feature is what a plan wins in all. It follows how many cells are locked and
// how many respins are left: which cells does not matter.
func (p *Plan) feature() chances {
	known := map[[2]int]chances{}
	hit := big.NewRat(p.Hits, p.Of)
	miss := new(big.Rat).Sub(big.NewRat(1, 1), hit)
	each := new(big.Rat).Quo(hit, big.NewRat(int64(len(p.Values)), 1))
	var from func(locked, left int) chances
	from = func(locked, left int) chances {
		switch {
		case locked == side*side:
			return chances{p.FullX: big.NewRat(1, 1)}
		case left == 0:
			return chances{0: big.NewRat(1, 1)}
		}
		at := [2]int{locked, left}
		if known[at] == nil {
			c := chances{}
			for win, q := range from(locked, left-1) {
				c.add(win, new(big.Rat).Mul(q, miss))
			}
			for win, q := range from(locked+1, p.Respins) {
				for _, x := range p.Values {
					c.add(win+x, new(big.Rat).Mul(q, each))
				}
			}
			known[at] = c
		}
		return known[at]
	}
	return from(side, p.Respins)
}

// round is the distribution of a whole round with a plan.
func (d *Hold) round(m Mode, p *Plan) *weights {
	plain, started, total := d.opening(m)
	share := func(n uint64) *big.Rat {
		return new(big.Rat).SetFrac(new(big.Int).SetUint64(n), new(big.Int).SetUint64(total))
	}
	all := chances{}
	for units, n := range plain {
		all.add(units, share(n))
	}
	for win, q := range p.feature() {
		for units, n := range started {
			all.add(units+win*d.UnitsPerStake, new(big.Rat).Mul(q, share(n)))
		}
	}
	return all.weights()
}

// weights brings probabilities to one denominator.
func (c chances) weights() *weights {
	w := &weights{big.NewInt(1), map[int64]*big.Int{}}
	for _, p := range c {
		gcd := new(big.Int).GCD(nil, nil, w.total, p.Denom())
		w.total.Mul(w.total, new(big.Int).Quo(p.Denom(), gcd))
	}
	for win, p := range c {
		n := new(big.Int).Quo(w.total, p.Denom())
		w.add(win, n.Mul(n, p.Num()))
	}
	return w
}

// Compute derives the sheet.
func (d *Hold) Compute() *Sheet {
	s := &Sheet{
		Version: 1, ID: d.ID, Release: d.Release, Name: d.Name, StakeMultipleMinor: d.UnitsPerStake, BaseCombinations: 1,
		Method:   "full cycle of the reels; the feature followed over cells locked and respins left; every figure is exact",
		Strategy: fmt.Sprintf("takes the plan %q", d.Plans[d.Declared].Name), Design: Rules{Hold: d},
	}
	for _, strip := range d.Strips {
		s.BaseCombinations *= uint64(len(strip))
	}
	for _, m := range d.Modes {
		f := d.round(m, &d.Plans[d.Declared]).figures(m, d.UnitsPerStake)
		cost := big.NewRat(d.UnitsPerStake*m.CostX100, 100)
		var best, worst *big.Rat
		for i := range d.Plans {
			w := d.round(m, &d.Plans[i])
			f.MaxWinX = max(f.MaxWinX, (w.sorted()[len(w.wins)-1]+d.UnitsPerStake-1)/d.UnitsPerStake)
			rtp := w.moment(1)
			rtp.Quo(rtp, cost)
			if best == nil || rtp.Cmp(best) > 0 {
				best = rtp
			}
			if worst == nil || rtp.Cmp(worst) < 0 {
				worst = rtp
			}
		}
		f.RTPOptimal, f.RTPWorst = best.FloatString(12), worst.FloatString(12)
		_, started, total := d.opening(m)
		n := uint64(0)
		for _, k := range started {
			n += k
		}
		f.FeatureOneIn = decimal(float64(total)/float64(n), 6)
		s.Modes = append(s.Modes, f)
	}
	return s
}

// Files renders what follows from the design.
func (d *Hold) Files() (map[string][]byte, error) {
	s := d.Compute()
	sheet, err := s.JSON()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"par.json": sheet, "PAR.md": d.markdown(s), "assembly/maths.ts": d.guest(s)}, nil
}

func (d *Hold) guest(s *Sheet) []byte {
	var b strings.Builder
	b.WriteString(generated)
	choose := fmt.Sprintf("choose/%d", len(d.Plans))
	fmt.Fprintf(&b, "export const MANIFEST: string = '%s';\n\n", s.manifest(shape{side, 6, []string{"spin", choose, "respin"}}))
	var lines, pays, names, plans, values, planNames []int64
	for _, l := range d.Lines {
		for _, row := range l {
			lines = append(lines, int64(row))
		}
	}
	for _, x := range d.Symbols {
		pays = append(pays, x.Pays)
		names = append(names, name24(x.Name)...)
	}
	names = append(names, name24("empty")...)
	for _, p := range d.Plans {
		plans = append(plans, int64(p.Respins), p.Hits, p.Of, int64(len(p.Values)), p.FullX)
		values = append(values, append(p.Values, make([]int64, 16-len(p.Values))...)...)
		planNames = append(planNames, name24(p.Name)...)
	}
	fmt.Fprintf(&b, "export const LINES: i32 = %d;\n", len(d.Lines))
	table(&b, "ROWS_OF_LINES", "u8", "row of each line on each reel", lines)
	table(&b, "PAYS", "u32", "per symbol: three on a line, in units", pays)
	table(&b, "NAMES", "u8", "per symbol and for an empty cell: length, then the name, 24 bytes in all", names)
	strips(&b, "BASE", d.Strips)
	fmt.Fprintf(&b, "export const PLANS: i32 = %d;\nexport const DECLARED: i32 = %d;\n", len(d.Plans), d.Declared)
	table(&b, "PLAN", "u32", "per plan: respins, hits, of, values, pay of a full screen in stakes", plans)
	table(&b, "VALUES", "u32", "per plan: values of a locked cell in stakes, 16 of them", values)
	table(&b, "PLAN_NAMES", "u8", "per plan: its name, like those of symbols", planNames)
	fmt.Fprintf(&b, "export const EMPTY: i32 = %d;\nexport const UNITS: i64 = %d;\nexport const LOCK_PAYS_X: i64 = %d;\n", len(d.Symbols), d.UnitsPerStake, d.LockPaysX)
	return []byte(b.String())
}

func (d *Hold) markdown(s *Sheet) []byte {
	var b strings.Builder
	s.heading(&b)
	fmt.Fprintf(&b, "%d×%d screen, %d lines, cycle %d combinations. Stakes are multiples of %d minor units. The declared strategy %s.\n\n", side, side, len(d.Lines), s.BaseCombinations, d.UnitsPerStake, s.Strategy)
	s.figureTable(&b)
	b.WriteString("\n| mode | RTP, optimal | RTP, declared | RTP, worst |\n|---|---|---|---|\n")
	for _, m := range s.Modes {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Name, m.RTPOptimal, m.RTP, m.RTPWorst)
	}
	lock := d.Symbols[0].Name
	fmt.Fprintf(&b, "\nAn %s on every reel (one round in %s) pays %d × the stake for each and starts the feature instead of paying lines. The player takes a plan; then each respin may lock one more of the empty cells, all equally likely, which pays its value and gives all respins back. A full screen pays and ends the round. Mode `buy` opens with the feature.\n\n",
		lock, s.Modes[0].FeatureOneIn, d.LockPaysX)
	b.WriteString("| plan | respins | locks a cell | values × stake, equally likely | full screen × stake |\n|---|---|---|---|---|\n")
	for _, p := range d.Plans {
		fmt.Fprintf(&b, "| %s | %d | %d in %d | %s | %d |\n", p.Name, p.Respins, p.Hits, p.Of, strings.Trim(fmt.Sprint(p.Values), "[]"), p.FullX)
	}
	fmt.Fprintf(&b, "\nThree on a line pay, in %dths of the stake:\n\n| symbol | pays |\n|---|---|\n", d.UnitsPerStake)
	for _, x := range d.Symbols[1:] {
		fmt.Fprintf(&b, "| %s | %d |\n", x.Name, x.Pays)
	}
	return []byte(b.String())
}
