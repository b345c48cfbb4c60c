package canary

import "math/rand/v2"

// What the tests look into.
var (
	UpperTail    = upperTail
	LowerTail    = lowerTail
	DrawBinomial = func(r *rand.Rand, n uint64, p float64) uint64 { return drawBinomial(r, n, p) }
	LookRounds   = lookRounds
)

// ReturnTail is the tail of the mean return of n rounds.
func (l *Law) ReturnTail(n uint64, observed float64, seed uint64) float64 {
	return l.returnTail(n, observed, [2]uint64{seed, 1})
}

// DrawMean draws the mean return of n healthy rounds.
func (l *Law) DrawMean(r *rand.Rand, n uint64) float64 { return drawMean(r, l.atoms, n) }

// Atoms is how many points the law is drawn from.
func (l *Law) Atoms() int { return len(l.atoms) }

// Bounds of a class's probability.
func (l *Law) Bounds(class int) (low, high float64) { return l.low[class], l.high[class] }
