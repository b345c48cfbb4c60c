package par

import (
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func design(t *testing.T, path ...string) *Design {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDesign(b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A published game of five lines (strips and pays by slotopol/server, MIT),
// whose line return of 89.653 % others have reproduced.
func TestCompute_PublishedGame(t *testing.T) {
	s := Compute(design(t, "testdata", "published-five-lines.json"))
	if s.BaseCombinations != 9765625 || !strings.HasPrefix(s.Modes[0].RTP, "0.89653248") {
		t.Fatalf("%d combinations, RTP %s, want 9765625 and 0.89653248", s.BaseCombinations, s.Modes[0].RTP)
	}
}

// shorten keeps the first stops of each strip, few enough for brute force.
func shorten(strips [][]int, stops int) (short [][]int) {
	for _, s := range strips {
		short = append(short, s[:min(stops, len(s))])
	}
	return short
}

// The walk with its cut subtrees counts what evaluating every screen counts.
func TestWalk_EqualsBruteForce(t *testing.T) {
	for _, id := range []string{"harbor-lines", "comet-spins"} {
		d := design(t, "..", id, "design.json")
		all := [][][]int{d.Base}
		if d.Feature != nil {
			all = append(all, d.Feature.Free)
		}
		for _, full := range all {
			strips := shorten(full, 9)
			want := Cycle{Plain: map[int64]uint64{}, Triggered: map[int64]uint64{}}
			var stops [Reels]int
			for n := range 9 * 9 * 9 * 9 * 9 {
				for r, k := 0, n; r < Reels; r, k = r+1, k/9 {
					stops[r] = k % 9
				}
				_, units, scatters := d.Evaluate(ScreenAt(strips, stops))
				want.Combinations++
				if d.Feature != nil && scatters >= d.Feature.Scatters {
					want.Triggered[units]++
				} else {
					want.Plain[units]++
				}
			}
			got := d.Walk(strips)
			if got.Combinations != want.Combinations || !maps.Equal(got.Plain, want.Plain) || !maps.Equal(got.Triggered, want.Triggered) {
				t.Errorf("%s: the walk counts otherwise than brute force", id)
			}
		}
	}
}

// featureTree follows every sequence of free spins, one by one, as the rules
// are written: the plain counterpart of featureWins.
func featureTree(f *Feature, k map[[2]int64]float64, played, awarded int, won int64, p float64, out map[int64]float64) {
	if played == awarded {
		out[won] += p
		return
	}
	for spin, q := range k {
		next := awarded
		if spin[1] == 1 {
			next = min(awarded+f.Retrigger, f.MaxSpins)
		}
		featureTree(f, k, played+1, next, won+spin[0]*f.Multiplier, p*q, out)
	}
}

func TestFeatureWins_EqualsTree(t *testing.T) {
	d := &Design{
		Lines:   [][]int{{0, 0, 0, 0, 0}},
		Feature: &Feature{Spins: 3, Retrigger: 2, MaxSpins: 7, Multiplier: 2, MaxWinX: 20},
	}
	free := Cycle{Combinations: 10, Plain: map[int64]uint64{0: 5, 1: 2, 4: 1}, Triggered: map[int64]uint64{0: 1, 2: 1}}
	k := map[[2]int64]float64{{0, 0}: .5, {1, 0}: .2, {4, 0}: .1, {0, 1}: .1, {2, 1}: .1}
	want := map[int64]float64{}
	featureTree(d.Feature, k, 0, d.Feature.Spins, 0, 1, want)
	got := d.featureWins(free)
	last := int64(len(got.probability) - 1)
	tail := 0.0
	for units, p := range want {
		if i := units / d.Feature.Multiplier; i >= last {
			tail += p
		} else if math.Abs(got.probability[i]-p) > 1e-12 {
			t.Errorf("%d units: probability %v, want %v", units, got.probability[i], p)
		}
	}
	if tail == 0 || math.Abs(got.probability[last]-tail) > 1e-12 {
		t.Errorf("from the limit up: %v, want %v", got.probability[last], tail)
	}
	if total := sum(got.probability); math.Abs(total-1) > 1e-12 {
		t.Errorf("the probabilities sum to %v", total)
	}
}

func TestParseDesign_Refuses(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "comet-spins", "design.json"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for name, change := range map[string][2]string{
		"unknown field":    {`"design": 1`, `"design": 1, "colour": 2`},
		"format":           {`"design": 1`, `"design": 2`},
		"row":              {`[1, 1, 1, 1, 1]`, `[1, 1, 3, 1, 1]`},
		"short line":       {`[1, 1, 1, 1, 1]`, `[1, 1, 1, 1]`},
		"long name":        {`"comet"`, `"comet-of-the-north"`},
		"pays":             {`"pays": [0, 0, 2, 50, 150, 1000]`, `"pays": [0, 0, 2]`},
		"wild on reel one": {`"wild": 0`, `"wild": 2`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: the design has no %s", name, change[0])
		}
		_, err := ParseDesign([]byte(bad))
		if !errors.Is(err, errDesign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := design(t, "..", "comet-spins", "design.json")
	last := len(d.Base[4]) - 1
	d.Base[4][0], d.Base[4][last] = d.Feature.Scatter, d.Feature.Scatter // neighbours, since a strip is a ring
	if err := d.checkStrips(d.Base); !errors.Is(err, errDesign) {
		t.Errorf("scatters too close: %v", err)
	}
}
