package par

import (
	"errors"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func readDesign(t *testing.T, game string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", game, "design.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The walk that carries runs counts what the rules say, screen by screen. Strips
// are cut short, so that all their screens can be looked at.
func TestWaysWalk_EqualsRules(t *testing.T) {
	d, err := ParseWays(readDesign(t, "lantern-ways"))
	if err != nil {
		t.Fatal(err)
	}
	for v := range d.Variants {
		for r, strip := range d.Variants[v].Strips {
			from := min(max(r, slices.Index(strip, d.Wild)-7), len(strip)-10) // with the wild
			d.Variants[v].Strips[r] = strip[from : from+10]
		}
		for _, mode := range []string{"base", ante} {
			want := map[int64]uint64{}
			var stops [Reels]int
			for done := false; !done; {
				want[d.Evaluate(ScreenAt(d.Variants[v].Strips, stops), mode)]++
				done = true
				for r := range stops {
					if stops[r]++; stops[r] < len(d.Variants[v].Strips[r]) {
						done = false
						break
					}
					stops[r] = 0
				}
			}
			if got := d.Walk(v, mode); !maps.Equal(got, want) {
				t.Errorf("variant %d, mode %s: the walk counts otherwise than the rules", v, mode)
			}
		}
	}
}

// The return of ways has a closed form: reels are independent, so the expected
// number of ways is a product. It shares nothing with counting screens.
func TestWaysReturn_ClosedForm(t *testing.T) {
	d, err := ParseWays(readDesign(t, "lantern-ways"))
	if err != nil {
		t.Fatal(err)
	}
	for v := range d.Variants {
		for i, m := range d.Modes {
			total := new(big.Rat)
			var scatter [Reels]*big.Rat
			for symbol, info := range d.Symbols {
				ways := big.NewRat(1, 1)
				for r, strip := range d.Variants[v].Strips {
					sum, none, stops := int64(0), int64(0), int64(len(strip))
					scatters := int64(0)
					for _, w := range d.windows(strip, m.Name == ante && r == d.Expand) {
						sum += w.count[symbol]
						if w.count[symbol] == 0 {
							none++
						}
						scatters += int64(w.scatter)
					}
					scatter[r] = big.NewRat(scatters, stops)
					ends := new(big.Rat).Mul(ways, big.NewRat(none, stops))
					total.Add(total, ends.Mul(ends, big.NewRat(info.Pays[r], 1)))
					ways.Mul(ways, big.NewRat(sum, stops))
				}
				total.Add(total, ways.Mul(ways, big.NewRat(info.Pays[Reels], 1)))
			}
			for mask := range 1 << Reels {
				p, n := big.NewRat(1, 1), 0
				for r, q := range scatter {
					if mask>>r&1 == 1 {
						p.Mul(p, q)
						n++
					} else {
						p.Mul(p, new(big.Rat).Sub(big.NewRat(1, 1), q))
					}
				}
				total.Add(total, p.Mul(p, big.NewRat(d.ScatterPaysX[n]*d.UnitsPerStake, 1)))
			}
			total.Quo(total, big.NewRat(d.UnitsPerStake*m.CostX100, 100))
			if got := d.Compute(v).Modes[i].RTPFraction; got != total.String() {
				t.Errorf("variant %s, mode %s: %s, in closed form %s", d.Variants[v].Variant, m.Name, got, total)
			}
		}
	}
}

// Two cells short of a full screen there is little enough to write down: with
// one respin, value 1 and a full screen worth 5 a hit of 1/2 leads to the next
// cell with a respin again, and from there to the full screen.
func TestPlanFeature_ByHand(t *testing.T) {
	p := Plan{Respins: 1, Hits: 1, Of: 2, Values: []int64{1}, FullX: 5}
	got := p.feature()
	want := chances{0: big.NewRat(1, 2), 11: big.NewRat(1, 64)} // six hits in a row: 6 + 5
	for n := int64(1); n <= 5; n++ {
		want[n] = big.NewRat(1, 1<<(n+1))
	}
	if !maps.EqualFunc(got, want, func(a, b *big.Rat) bool { return a.Cmp(b) == 0 }) {
		t.Errorf("%v, want %v", got, want)
	}
	w := got.weights()
	if w.total.Int64() != 64 || w.wins[11].Int64() != 1 || w.wins[0].Int64() != 32 {
		t.Errorf("weights %v of %v", w.wins, w.total)
	}
}

// What falls is what stood above, and the strips go on where they were.
func TestCascadeFall_ByHand(t *testing.T) {
	d := &Cascade{Counts: []int{2}, Symbols: make([]Symbol, 10)}
	for range Reels {
		d.Strips = append(d.Strips, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	}
	s := d.At([Reels]int{1, 8, 0, 0, 0}) // reel 1: 1 2 3 4, reel 2: 8 9 0 1, others: 0 1 2 3
	d.Fall(&s, 1<<1|1<<3)                // 1 and 3 go
	want := [Reels][tumbleRows]int{{9, 0, 2, 4}, {7, 8, 9, 0}, {8, 9, 0, 2}, {8, 9, 0, 2}, {8, 9, 0, 2}}
	if s.Cells != want {
		t.Errorf("%v, want %v", s.Cells, want)
	}
	d.Fall(&s, 1<<9)
	if s.Cells[0] != [tumbleRows]int{8, 0, 2, 4} || s.Cells[1] != [tumbleRows]int{6, 7, 8, 0} {
		t.Errorf("then %v", s.Cells)
	}
}

// A strip of one symbol pays for ever.
func TestCascadeWalk_RefusesEndless(t *testing.T) {
	d, err := ParseCascade([]byte(`{"design":1,"kind":"cascade","id":"a","version":"1.0.0","name":"A","units_per_stake":10,
		"counts":[7],"symbols":[{"name":"a","pays":[1]}],"strips":[[0,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,0]],
		"modes":[{"id":0,"name":"base","cost_x100":100}],"ladders":[[1]]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Walk(); !errors.Is(err, errDesign) {
		t.Errorf("error %v", err)
	}
}

func TestGenerate_Refuses(t *testing.T) {
	for _, c := range []struct{ game, old, bad string }{
		{"lantern-ways", `"kind": "ways"`, `"kind": "cards"`},
		{"lantern-ways", `"design": 1`, `"design": 2`},
		{"lantern-ways", `[6, 8, 3,`, `[0, 8, 3,`}, // a wild on the first reel
		{"lantern-ways", `[6, 8, 3,`, `[6, 8, 99,`},
		{"lantern-ways", `"expand": 2`, `"expands": 2`},
		{"ember-vault", `"declared": 1`, `"declared": 3`},
		{"ember-vault", `"hits": 3`, `"hits": 9`},
		{"ember-vault", `[0, 1, 2]`, `[0, 1, 3]`},
		{"quarry-falls", `"counts": [7, 8, 10]`, `"counts": [7, 8]`},
		{"quarry-falls", `"counts": [7, 8, 10]`, `"counts": [8, 7, 10]`},
		{"quarry-falls", `"ladders": [`, `"ladders": [[1], `},
	} {
		good := string(readDesign(t, c.game))
		bad := strings.Replace(good, c.old, c.bad, 1)
		if bad == good {
			t.Fatalf("%s has no %s", c.game, c.old)
		}
		if _, err := Generate([]byte(bad)); err == nil {
			t.Errorf("%s with %s: no error", c.game, c.bad)
		}
	}
}
