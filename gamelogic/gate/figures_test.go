package gate

import (
	"math"
	"math/big"
	"testing"
)

// Values of published tables.
func TestChiTail(t *testing.T) {
	for _, c := range []struct {
		x    float64
		k    int
		want float64
	}{
		{3.841458821, 1, 0.05},
		{6.634896601, 1, 0.01},
		{18.30703805, 10, 0.05},
		{124.3421134, 100, 0.05},
		{23.92812698, 1, 1e-6},
		{88.0, 100, 0.79881937},
		{0, 5, 1},
		{4, 0, 1},
	} {
		if got := chiTail(c.x, c.k); math.Abs(got-c.want) > 1e-4*math.Max(c.want, 1e-3) {
			t.Errorf("chi-square %v with %d degrees: %v, want %v", c.x, c.k, got, c.want)
		}
	}
}

// A declared figure is the exact one rounded to the digits that were written,
// and no fewer digits than four excuse more.
func TestNear(t *testing.T) {
	third := big.NewRat(1, 3)
	for written, want := range map[string]bool{
		"0.3333": true, "0.333333333333": true, "0.3334": false, "0.3332": false, "0.33": false, "0.34": false, "1/3": true, "third": false,
		"0.333333333": true, "0.333333335": false,
	} {
		if near(written, third) != want {
			t.Errorf("%s for 1/3: %v", written, !want)
		}
	}
}

// Rare cells are put together until each expects five rounds.
func TestPooled(t *testing.T) {
	cells := []cell{}
	for _, p := range []float64{0.9, 0.05, 0.0499, 0.0001} {
		cells = append(cells, cell{probability: new(big.Rat).SetFloat64(p)})
	}
	statistic, groups := pooled(cells, []float64{900, 45, 55, 0}, 1000)
	want := 0.0 + 25.0/50 + 25.0/50
	if groups != 3 || math.Abs(statistic-want) > 1e-3 {
		t.Errorf("%v over %d cells, want %v over 3", statistic, groups, want)
	}
}

func TestMerge_KeepsEndsAndReturn(t *testing.T) {
	d := &Distribution{}
	mean := 0.0
	const n = 3*MaxPoints + 1
	for i := range n {
		d.Points = append(d.Points, Point{WinMinor: int64(10 * i), Probability: 1.0 / n})
		mean += float64(10*i) / n
	}
	d.merge()
	got, whole := 0.0, 0.0
	for _, p := range d.Points {
		got, whole = got+float64(p.WinMinor)*p.Probability, whole+p.Probability
	}
	last := d.Points[len(d.Points)-1]
	if !d.Merged || len(d.Points) > MaxPoints || d.Points[0].WinMinor != 0 || last.WinMinor != 10*(n-1) || math.Abs(whole-1) > 1e-9 || math.Abs(got-mean) > 1 {
		t.Errorf("%d points, return %v of %v, weight %v, last %+v", len(d.Points), got, mean, whole, last)
	}
}

func FuzzParsePAR(f *testing.F) {
	f.Add([]byte(`{"par":1,"id":"a","version":"1.0.0","name":"A","method":"m","stake_multiple_minor":1,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.5","hit_frequency":"0.5","max_win_x":1,"wins":[{"from_x":"-","to_x":"0","probability":"0.5","rtp_share":"0"}],"distribution":[{"win_x":"1","from_x":"0","to_x":"2","weight":"3"}],"distribution_total":"4"}]}`))
	f.Add([]byte(`{"par":1,"modes":[{"rtp":"1e9"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePAR(b)
		if err != nil {
			return
		}
		for i := range p.Modes {
			for _, x := range cellsOf(&p.Modes[i]) {
				if x.probability.Sign() < 0 || x.to == nil {
					t.Fatalf("cell %+v of %s", x, b)
				}
			}
		}
	})
}
