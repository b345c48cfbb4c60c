package par

import (
	"maps"
	"slices"
)

// featureWins is the exact distribution, in double precision, of what a whole
// set of free spins pays. Index i stands for i * Multiplier units; the last
// index gathers everything from the limit of the round up.
type featureWins struct {
	probability []float64
	spins       float64 // expected number of spins, without the round's limit
}

// kernel is the distribution of one free spin, as parallel slices.
type kernel struct {
	units []int64 // before the multiplier
	p     []float64
}

func newKernel(wins map[int64]uint64, combinations uint64) kernel {
	k := kernel{units: slices.Sorted(maps.Keys(wins))}
	for _, u := range k.units {
		k.p = append(k.p, float64(wins[u])/float64(combinations))
	}
	return k
}

// featureWins follows the spins one by one over (spins awarded, win so far):
// the win is not only summed, since a retrigger goes with the win of its spin.
func (d *Design) featureWins(free Cycle) featureWins {
	f := d.Feature
	size := int(d.capUnits()/f.Multiplier) + 2
	plain, more := newKernel(free.Plain, free.Combinations), newKernel(free.Triggered, free.Combinations)
	out := featureWins{probability: make([]float64, size)}
	open := map[int][]float64{f.Spins: make([]float64, size)}
	open[f.Spins][0] = 1
	for played := 0; len(open) > 0; played++ {
		next := map[int][]float64{}
		for _, awarded := range slices.Sorted(maps.Keys(open)) {
			wins := open[awarded]
			mass := sum(wins)
			if awarded == played {
				for i, p := range wins {
					out.probability[i] += p
				}
				out.spins += float64(played) * mass
				continue
			}
			into := func(n int) []float64 {
				if next[n] == nil {
					next[n] = make([]float64, size)
				}
				return next[n]
			}
			convolve(into(awarded), wins, plain)
			convolve(into(min(awarded+f.Retrigger, f.MaxSpins)), wins, more)
		}
		open = next
	}
	return out
}

// convolve adds the distribution of wins plus one spin; what passes the end
// stays in the last index.
func convolve(into, wins []float64, k kernel) {
	last := len(into) - 1
	for i, p := range wins {
		if p == 0 {
			continue
		}
		for j, u := range k.units {
			into[min(i+int(u), last)] += p * k.p[j]
		}
	}
}

func sum(v []float64) (s float64) {
	for _, p := range v {
		s += p
	}
	return s
}
