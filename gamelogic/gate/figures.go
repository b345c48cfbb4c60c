package gate

import (
	"math"
	"math/big"
	"strings"
)

// decimal reads a non-negative decimal or fraction.
func decimal(s string) (*big.Rat, bool) {
	if len(s) > 2000 || strings.ContainsAny(s, "eExXpP_ ") {
		return nil, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || r.Sign() < 0 {
		return nil, false
	}
	return r, true
}

// Tolerances of a declared figure against an exact one.
const (
	finest   = 1e-9 // what double precision in somebody's own computation may cost
	coarsest = 5e-5 // half of 0.01 %: no figure may be declared with fewer digits
)

// tolerance is half a unit of the last digit that was written, within finest
// and coarsest.
func tolerance(written string) *big.Rat {
	_, digits, _ := strings.Cut(written, ".")
	half := math.Pow(10, -float64(len(digits))) / 2
	return new(big.Rat).SetFloat64(min(max(half*1.000001, finest), coarsest))
}

// near tells whether a written figure is the exact one, rounded.
func near(written string, exact *big.Rat) bool {
	w, ok := decimal(written)
	if !ok {
		return false
	}
	d := w.Sub(w, exact)
	return d.Abs(d).Cmp(tolerance(written)) <= 0
}

func float(r *big.Rat) float64 {
	v, _ := r.Float64()
	return v
}

// show writes a figure for people, with what sheets publish.
func show(r *big.Rat) string { return r.FloatString(12) }

// Two-sided quantiles of the normal distribution.
const (
	z99  = 2.5758293035489004
	z999 = 3.2905267314919255
)

// chiTail is the probability that a chi-square variable with k degrees of
// freedom is above x: the regularised upper incomplete gamma Q(k/2, x/2).
func chiTail(x float64, k int) float64 {
	if x <= 0 || k <= 0 {
		return 1
	}
	a, y := float64(k)/2, x/2
	lg, _ := math.Lgamma(a)
	front := math.Exp(-y + a*math.Log(y) - lg)
	if y < a+1 { // series of the lower one
		term, sum := 1/a, 1/a
		for n := 1; n < 100_000; n++ {
			term *= y / (a + float64(n))
			sum += term
			if term < sum*1e-16 {
				break
			}
		}
		return max(0, 1-sum*front)
	}
	// continued fraction, by Lentz's method
	const tiny = 1e-300
	b := y + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for i := 1; i < 100_000; i++ {
		an := -float64(i) * (float64(i) - a)
		b += 2
		d = an*d + b
		if math.Abs(d) < tiny {
			d = tiny
		}
		c = b + an/c
		if math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		h *= d * c
		if math.Abs(d*c-1) < 1e-15 {
			break
		}
	}
	return front * h
}
