package canary

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/wallet"
)

// maxAtoms bounds the points that the tail of the return is drawn from.
const maxAtoms = 256

// Law is what a whole round of a mode comes to, by its report. It is immutable.
type Law struct {
	Mode string
	// Rounds were simulated to find it; 0 where it is exact.
	Rounds uint64
	// Mean and SD are of the win per cost.
	Mean, SD float64
	// Worst and Best are the returns that players can choose between; both are
	// Mean where they have no Choice. With one, frequencies say nothing.
	Worst, Best float64
	Choice      bool

	// greatest is the greatest win per cost that the game declares, for a
	// distribution that was simulated: that shows no prize rarer than its rounds.
	greatest float64
	// atoms are the points, close ones together at their mean, ascending.
	atoms []atom
	// low and high bound the probability of each class: they differ where the
	// report put points together that may lie on both sides of a border.
	low, high [wallet.Classes]float64
}

type atom struct{ x, p float64 }

// Laws reads the distributions of a gate's report, by mode. A mode without one
// is left out.
func Laws(report []byte) (map[string]*Law, error) {
	r, err := gate.ParseReport(report)
	if err != nil {
		return nil, fmt.Errorf("read distributions: %w", err)
	}
	laws := map[string]*Law{}
	for i := range r.Modes {
		m := &r.Modes[i]
		if m.Distribution == nil || len(m.Distribution.Points) == 0 {
			continue
		}
		law, err := lawOf(r, m)
		if err != nil {
			return nil, fmt.Errorf("read distributions: %w", err)
		}
		if law != nil {
			laws[m.Mode] = law
		}
	}
	return laws, nil
}

// lawOf gives nil for a mode whose figures depend on what players choose in a
// way that the report does not bound.
func lawOf(r *gate.Report, m *gate.Mode) (*Law, error) {
	law, err := NewLaw(m.Mode, m.Distribution)
	if err != nil {
		return nil, err
	}
	if m.Distribution.Source == sourceSimulated {
		if m.Simulated == nil || m.Simulated.Rounds == 0 || m.CostMinor <= 0 {
			return nil, fmt.Errorf("mode %s: a simulated distribution of no rounds", m.Mode)
		}
		law.Rounds = m.Simulated.Rounds
		law.greatest = float64(m.Declared.MaxWinX) * float64(m.StakeMinor) / float64(m.CostMinor)
	}
	switch {
	case m.Exact != nil && m.Exact.RTPOptimal != "":
		best, ok1 := new(big.Rat).SetString(m.Exact.RTPOptimal)
		worst, ok2 := new(big.Rat).SetString(m.Exact.RTPWorst)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("mode %s: returns %.40q and %.40q", m.Mode, m.Exact.RTPWorst, m.Exact.RTPOptimal)
		}
		law.Best, _ = best.Float64()
		law.Worst, _ = worst.Float64()
		law.Choice = true
	case (m.Exact == nil || !m.Exact.Countable) && offersChoice(r.Manifest):
		return nil, nil
	}
	return law, nil
}

// offersChoice says whether a manifest leaves room for a player's choice.
func offersChoice(m *gamelogic.Manifest) bool {
	if m == nil {
		return true
	}
	// The first action opens a round; with one more there is nothing to choose.
	return len(m.Actions) > 2 || slices.ContainsFunc(m.Actions, func(a gamelogic.Action) bool { return a.Choices > 1 })
}

// sourceSimulated marks a distribution that is itself a sample.
const sourceSimulated = "simulated"

// NewLaw takes an exact distribution of rounds without a choice.
func NewLaw(mode string, d *gate.Distribution) (*Law, error) {
	if d.CostMinor <= 0 {
		return nil, fmt.Errorf("mode %s: a round costs %d", mode, d.CostMinor)
	}
	l := &Law{Mode: mode}
	points := slices.Clone(d.Points)
	slices.SortFunc(points, func(a, b gate.Point) int { return cmp.Compare(a.WinMinor, b.WinMinor) })
	var total float64
	for _, p := range points {
		if p.WinMinor < 0 || p.Probability < 0 || math.IsNaN(p.Probability) {
			return nil, fmt.Errorf("mode %s: win %d with probability %g", mode, p.WinMinor, p.Probability)
		}
		total += p.Probability
	}
	if math.Abs(total-1) > 1e-6 {
		return nil, fmt.Errorf("mode %s: probabilities add up to %g", mode, total)
	}
	for i := range points {
		points[i].Probability /= total
	}
	l.classes(points, d)
	for _, p := range points {
		l.atoms = append(l.atoms, atom{x: float64(p.WinMinor) / float64(d.CostMinor), p: p.Probability})
	}
	l.moments()
	l.Worst, l.Best = l.Mean, l.Mean
	l.atoms = mergeAtoms(l.atoms)
	return l, nil
}

func (l *Law) moments() {
	var square float64
	for _, a := range l.atoms {
		l.Mean += a.p * a.x
		square += a.p * a.x * a.x
	}
	l.SD = math.Sqrt(max(0, square-l.Mean*l.Mean))
}

// classes sums up the probability of each class. Where points were put
// together, the one at each border of a class may belong to its neighbour.
func (l *Law) classes(points []gate.Point, d *gate.Distribution) {
	last := -1
	for i, p := range points {
		class, _ := wallet.ClassOf(p.WinMinor, d.CostMinor)
		l.low[class] += p.Probability
		l.high[class] += p.Probability
		// Losing rounds are a point of their own, whatever was merged.
		if d.Merged && last > 0 && class != last {
			before := points[i-1].Probability
			l.low[last] -= before
			l.low[class] -= p.Probability
			l.high[last] += p.Probability
			l.high[class] += before
			for between := last + 1; between < class; between++ {
				l.high[between] += before + p.Probability
			}
		}
		last = class
	}
	for i := range l.low {
		l.low[i], l.high[i] = max(0, l.low[i]), min(1, l.high[i])
	}
}

// mergeAtoms puts neighbours together at their mean, which keeps the return
// exactly and takes next to nothing from the deviation: a bin is as wide as it
// must be for maxAtoms of them, usually a few per cent.
func mergeAtoms(atoms []atom) []atom {
	for width := 1.01; len(atoms) > maxAtoms; width = 1 + 2*(width-1) {
		var merged []atom
		start := 0.0
		for _, a := range atoms {
			last := len(merged) - 1
			if last < 0 || merged[last].x == 0 || a.x > start*width {
				merged, start = append(merged, a), a.x
				continue
			}
			m := &merged[last]
			if p := m.p + a.p; p > 0 {
				m.x, m.p = (m.x*m.p+a.x*a.p)/p, p
			}
		}
		atoms = merged
	}
	return atoms
}
