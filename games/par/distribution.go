package par

import (
	"math/big"
	"slices"
	"strconv"
)

// Prize is one win of a whole round, or a range of wins.
type Prize struct {
	// WinX in stakes; of a range the average.
	WinX string `json:"win_x"`
	// FromX and ToX are set for a range: wins above the one and at most the
	// other. Ranges do not overlap.
	FromX string `json:"from_x,omitempty"`
	ToX   string `json:"to_x,omitempty"`
	// Weight of the mode's DistributionTotal, where it is exact.
	Weight string `json:"weight,omitempty"`
	// Probability where it is not exact, in decimal, maybe with an exponent.
	Probability string `json:"probability,omitempty"`
}

// weights is an exact distribution: how much of Total each win has, in units.
type weights struct {
	total *big.Int
	wins  map[int64]*big.Int
}

func (w *weights) add(units int64, weight *big.Int) {
	if old := w.wins[units]; old != nil {
		old.Add(old, weight)
		return
	}
	w.wins[units] = new(big.Int).Set(weight)
}

// counted is the distribution of a full cycle.
func counted(wins map[int64]uint64) *weights {
	w := &weights{new(big.Int), map[int64]*big.Int{}}
	for u, n := range wins {
		weight := new(big.Int).SetUint64(n)
		w.total.Add(w.total, weight)
		w.add(u, weight)
	}
	return w
}

func (w *weights) sorted() []int64 {
	units := make([]int64, 0, len(w.wins))
	for u := range w.wins {
		units = append(units, u)
	}
	slices.Sort(units)
	return units
}

// moment is the expected power of the win, in units.
func (w *weights) moment(power int) *big.Rat {
	total := new(big.Int)
	for u, n := range w.wins {
		term := new(big.Int).Set(n)
		for range power {
			term.Mul(term, big.NewInt(u))
		}
		total.Add(total, term)
	}
	return new(big.Rat).SetFrac(total, w.total)
}

// figures are those of a mode whose distribution is known exactly.
func (w *weights) figures(m Mode, perStake int64) ModeFigures {
	visit := func(f func(units int64, p float64)) {
		for _, u := range w.sorted() {
			p, _ := new(big.Rat).SetFrac(w.wins[u], w.total).Float64()
			f(u, p)
		}
	}
	f := figuresOf(m, perStake, visit)
	cost := big.NewRat(perStake*m.CostX100, 100)
	rtp := w.moment(1)
	f.RTPFraction = rtp.Quo(rtp, cost).String()
	f.RTP = rtp.FloatString(12)
	hit := new(big.Int).Set(w.total)
	if none := w.wins[0]; none != nil {
		hit.Sub(hit, none)
	}
	share := new(big.Rat).SetFrac(hit, w.total)
	f.HitFraction, f.HitFrequency = share.String(), share.FloatString(12)
	f.DistributionTotal = w.total.String()
	for _, u := range w.sorted() {
		f.Distribution = append(f.Distribution, Prize{WinX: inStakes(u, perStake), Weight: w.wins[u].String()})
	}
	return f
}

// inStakes is exact: units are a decimal part of the stake in every design.
func inStakes(units, perStake int64) string {
	return new(big.Rat).SetFrac64(units, perStake).FloatString(places(perStake))
}

func places(perStake int64) int {
	n := 0
	for ; perStake%10 == 0; perStake /= 10 {
		n++
	}
	for _, p := range []int64{2, 5} {
		k := 0
		for q := perStake; q%p == 0; q /= p {
			k++
		}
		n = max(n, k+n)
	}
	return n
}

// binned is a distribution in double precision with ranges where there are
// thousands of wins: below 20 stakes every win stands alone, then they are
// gathered by the stake, from 200 on by ten. The greatest stands alone again.
func binned(perStake int64, visit func(func(units int64, p float64))) []Prize {
	p := map[int64]float64{}
	visit(func(units int64, q float64) { p[units] += q })
	units := make([]int64, 0, len(p))
	for u := range p {
		units = append(units, u)
	}
	slices.Sort(units)
	var out []Prize
	for i := 0; i < len(units); {
		width := int64(0)
		switch from := (units[i] - 1) / perStake; {
		case i == len(units)-1 || from < 20:
		case from < 200:
			width = perStake
		default:
			width = 10 * perStake
		}
		if width == 0 {
			out = append(out, Prize{WinX: inStakes(units[i], perStake), Probability: short(p[units[i]])})
			i++
			continue
		}
		from := (units[i] - 1) / width * width
		mass, value := 0.0, 0.0
		for ; i < len(units)-1 && units[i] <= from+width; i++ {
			mass += p[units[i]]
			value += p[units[i]] * float64(units[i])
		}
		out = append(out, Prize{
			WinX: decimal(value/mass/float64(perStake), 9), FromX: inStakes(from, perStake), ToX: inStakes(units[i-1], perStake),
			Probability: short(mass),
		})
	}
	return out
}

// short keeps what double precision is sure of.
func short(p float64) string { return strconv.FormatFloat(p, 'g', 12, 64) }
