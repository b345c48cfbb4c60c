package canary

import (
	"math"
	"math/rand/v2"
)

// upperTail is P(X >= k) and lowerTail P(X <= k) of a binomial distribution,
// exact but for rounding, at any n and p.
func upperTail(k, n uint64, p float64) float64 {
	switch {
	case k == 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	case float64(k) <= float64(n)*p:
		return 1 - lowerTail(k-1, n, p)
	}
	term := math.Exp(logPMF(k, n, p))
	odds, sum := p/(1-p), 0.0
	for i := k; ; i++ {
		sum += term
		if i == n || term <= sum*1e-16 {
			return min(1, sum)
		}
		term *= float64(n-i) / float64(i+1) * odds
	}
}

func lowerTail(k, n uint64, p float64) float64 {
	if k >= n {
		return 1
	}
	if float64(k) <= float64(n)*p {
		// The far side of the mirrored count is beyond its mean.
		return mirrored(n-k, n, 1-p)
	}
	return 1 - upperTail(k+1, n, p)
}

// mirrored is upperTail for a count at or beyond the mean, which must not turn
// back to lowerTail.
func mirrored(k, n uint64, p float64) float64 {
	switch {
	case p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	term := math.Exp(logPMF(k, n, p))
	odds, sum := p/(1-p), 0.0
	for i := k; ; i++ {
		sum += term
		if i == n || term <= sum*1e-16 {
			return min(1, sum)
		}
		term *= float64(n-i) / float64(i+1) * odds
	}
}

func logPMF(k, n uint64, p float64) float64 {
	a, _ := math.Lgamma(float64(n) + 1)
	b, _ := math.Lgamma(float64(k) + 1)
	c, _ := math.Lgamma(float64(n-k) + 1)
	return a - b - c + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p)
}

// drawBinomial draws a count: by inversion where few are expected, else by
// Hörmann's transformed rejection (1993), which is exact too.
func drawBinomial(r *rand.Rand, n uint64, p float64) uint64 {
	switch {
	case n == 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - drawBinomial(r, n, 1-p)
	case float64(n)*p < 10:
		return drawFew(r, n, p)
	}
	return drawMany(r, float64(n), p)
}

// drawFew adds up geometric waiting times.
func drawFew(r *rand.Rand, n uint64, p float64) uint64 {
	scale := 1 / math.Log1p(-p)
	var count uint64
	for at := 0.0; ; count++ {
		at += math.Floor(math.Log(1-r.Float64())*scale) + 1
		if at > float64(n) {
			return count
		}
	}
}

func drawMany(r *rand.Rand, n, p float64) uint64 {
	sd := math.Sqrt(n * p * (1 - p))
	b := 1.15 + 2.53*sd
	a := -0.0873 + 0.0248*b + 0.01*p
	c, vr := n*p+0.5, 0.92-4.2/b
	alpha, logOdds, mode := (2.83+5.1/b)*sd, math.Log(p/(1-p)), math.Floor((n+1)*p)
	top, _ := math.Lgamma(mode + 1)
	rest, _ := math.Lgamma(n - mode + 1)
	for {
		u, v := r.Float64()-0.5, 1-r.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + c)
		if k < 0 || k > n {
			continue
		}
		if us >= 0.07 && v <= vr {
			return uint64(k)
		}
		lk, _ := math.Lgamma(k + 1)
		ln, _ := math.Lgamma(n - k + 1)
		if math.Log(v*alpha/(a/(us*us)+b)) <= top+rest-lk-ln+(k-mode)*logOdds {
			return uint64(k)
		}
	}
}
