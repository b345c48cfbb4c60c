package canary

import (
	"math"
	"math/rand/v2"
)

// trials of one Monte Carlo tail: its relative error is a few per cent.
const trials = 2000

// rounding is what the ledger's millionths take from a mean at most.
const rounding = 1e-6

// plain is the bound on a tail above which it is not worth measuring.
const plain = 0.3

// returnTail gives the probability that a healthy mode's mean return over n
// rounds is at least as far on the observed side of its own as observed is. It
// is measured where it is small, an upper bound elsewhere.
//
// For the tail of a sum S of n draws beyond s, each draw is tilted: x comes with
// p(x) e^{tx} / M(t), with the t at which s is the mean. Trials then end near s,
// and each counts with e^{-tS} M(t)^n, which makes the estimate of the original
// tail unbiased, however small it is. Where the law is itself a sample of m
// rounds, the statistic is the difference of both means, tilted together.
func (l *Law) returnTail(n uint64, observed float64, seed [2]uint64) float64 {
	atoms, centre := l.atoms, l.Mean
	switch {
	case observed > l.Best:
		observed -= l.Best - l.Mean
	case observed < l.Worst-rounding:
		observed += l.Mean - l.Worst + rounding
	default:
		return 1
	}
	upper := observed > centre
	if upper && l.Rounds > 0 {
		atoms = l.withUnseen()
	}
	t := tilt{atoms: atoms, n: float64(n), m: float64(l.Rounds), centre: centre}
	theta, ok := t.solve(observed-centre, upper)
	if !ok {
		return 0 // no rounds of this law come that far
	}
	logWeight := t.cumulant(theta)
	bound := math.Exp(logWeight - theta*(observed-centre))
	if bound > plain {
		return min(1, bound)
	}
	r := rand.New(rand.NewPCG(seed[0], seed[1])) //nolint:gosec // the same evidence must give the same decision
	shape, mirror := tilted(atoms, theta/t.n), []atom(nil)
	if t.m > 0 {
		mirror = tilted(atoms, -theta/t.m)
	}
	var sum float64
	for range trials {
		d := drawMean(r, shape, n) - centre
		if t.m > 0 {
			d = drawMean(r, shape, n) - drawMean(r, mirror, l.Rounds)
		}
		if upper == (d >= observed-centre) || d == observed-centre {
			sum += math.Exp(logWeight - theta*d)
		}
	}
	return min(1, sum/trials)
}

// withUnseen adds the greatest declared win with the probability that so many
// rounds without it leave possible (19 times of 20): a simulation cannot show
// a rare prize, and the first one a player wins is no fault.
func (l *Law) withUnseen() []atom {
	unseen := 3 / float64(l.Rounds)
	last := l.atoms[len(l.atoms)-1]
	if l.greatest <= last.x {
		return l.atoms
	}
	atoms := make([]atom, 0, len(l.atoms)+1)
	for _, a := range l.atoms {
		atoms = append(atoms, atom{a.x, a.p * (1 - unseen)})
	}
	return append(atoms, atom{l.greatest, unseen})
}

// tilt is the law of the statistic: the mean of n rounds less the centre, or
// less the mean of m rounds of the report.
type tilt struct {
	atoms        []atom
	n, m, centre float64
}

// solve finds the tilt at which the statistic's mean is d; false where it never
// gets there.
func (t *tilt) solve(d float64, upper bool) (theta float64, ok bool) {
	sign := 1.0
	if !upper {
		sign = -1
	}
	past := func(theta float64) bool { return sign*(t.mean(theta)-d) >= 0 }
	high := sign * t.n * 1e-9
	for range 200 {
		if past(high) {
			low := 0.0
			for range 200 {
				if mid := (low + high) / 2; past(mid) {
					high = mid
				} else {
					low = mid
				}
			}
			return high, true
		}
		high *= 2
	}
	return 0, false
}

// mean is the statistic's mean under a tilt, cumulant the logarithm of its
// moment generating function.
func (t *tilt) mean(theta float64) float64 {
	m := t.centre
	if t.m > 0 {
		m = meanOf(tilted(t.atoms, -theta/t.m))
	}
	return meanOf(tilted(t.atoms, theta/t.n)) - m
}

func (t *tilt) cumulant(theta float64) float64 {
	k := t.n * logMGF(t.atoms, theta/t.n)
	if t.m > 0 {
		return k + t.m*logMGF(t.atoms, -theta/t.m)
	}
	return k - theta*t.centre
}

func logMGF(atoms []atom, t float64) float64 {
	top := max(t*atoms[0].x, t*atoms[len(atoms)-1].x)
	var sum float64
	for _, a := range atoms {
		sum += a.p * math.Exp(t*a.x-top)
	}
	return top + math.Log(sum)
}

func tilted(atoms []atom, t float64) []atom {
	log := logMGF(atoms, t)
	out := make([]atom, len(atoms))
	for i, a := range atoms {
		out[i] = atom{a.x, a.p * math.Exp(t*a.x-log)}
	}
	return out
}

func meanOf(atoms []atom) (m float64) {
	for _, a := range atoms {
		m += a.p * a.x
	}
	return m
}

// drawMean draws the mean of n rounds, as the counts of each atom.
func drawMean(r *rand.Rand, atoms []atom, n uint64) float64 {
	left, rest := n, 1.0
	var sum float64
	for i, a := range atoms {
		if left == 0 {
			break
		}
		count := left
		if i < len(atoms)-1 {
			count = drawBinomial(r, left, min(1, a.p/max(rest, math.SmallestNonzeroFloat64)))
		}
		sum += float64(count) * a.x
		left, rest = left-count, rest-a.p
	}
	return sum / float64(n)
}

// Band gives the mean returns of n rounds between which a healthy mode stays,
// but for a probability of alpha on each side.
func (l *Law) Band(n uint64, alpha float64, seed [2]uint64) (low, high float64) {
	edge := func(inside, outside float64) float64 {
		for range 30 {
			mid := (inside + outside) / 2
			if l.returnTail(n, mid, seed) > alpha {
				inside = mid
			} else {
				outside = mid
			}
		}
		return inside
	}
	return edge(l.Worst, 0), edge(l.Best, l.atoms[len(l.atoms)-1].x)
}

// classTail gives the smallest probability, of more and of fewer, that a
// healthy mode's count of a class is as far out as the observed one.
func (l *Law) classTail(class int, count, n uint64) float64 {
	if l.Rounds > 0 {
		// Both samples share what they have of the class as a coin would, whose
		// two sides are their numbers of rounds; it is wider than the truth where
		// the class is common, never narrower.
		share := float64(n) / (float64(n) + float64(l.Rounds))
		both := count + uint64(math.Round(l.low[class]*float64(l.Rounds)))
		most := count + uint64(math.Round(l.high[class]*float64(l.Rounds)))
		return min(upperTail(count, most, share), lowerTail(count, both, share))
	}
	return min(upperTail(count, n, l.high[class]), lowerTail(count, n, l.low[class]))
}
