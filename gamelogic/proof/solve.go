package proof

import (
	"fmt"
	"math/big"
	"slices"
)

// policy says which of its actions is taken at each position.
type policy []int

// row is an unknown in terms of others: constant + Σ factor·unknown.
type row struct {
	constant *big.Rat
	factors  map[int]*big.Rat
}

func (r *row) add(to int, v *big.Rat) {
	if old := r.factors[to]; old != nil {
		old.Add(old, v)
		return
	}
	r.factors[to] = new(big.Rat).Set(v)
}

// solve fills in a result from the walked graph.
func (w *walk) solve(res *ExactResult, costMinor int64) error {
	cost := new(big.Rat).SetInt64(costMinor)
	declared := make(policy, len(w.positions))
	for at, p := range w.positions {
		declared[at] = p.declared
	}
	value, err := w.value(declared)
	if err != nil {
		return err
	}
	squares, err := w.squares(declared, value)
	if err != nil {
		return err
	}
	nothing, err := w.nothing(declared)
	if err != nil {
		return err
	}
	per := func(v *big.Rat) *big.Rat { return new(big.Rat).Quo(v, cost) }
	res.RTP = per(value[0])
	res.HitFrequency = new(big.Rat).Sub(big.NewRat(1, 1), nothing[0])
	variance := new(big.Rat).Sub(squares[0], new(big.Rat).Mul(value[0], value[0]))
	res.Variance = variance.Quo(variance, new(big.Rat).Mul(cost, cost))
	if most, ok := w.most(declared); ok {
		res.MaxWinX = per(new(big.Rat).SetInt64(most))
	}
	if most, ok := w.most(nil); ok {
		res.MaxWinAnyX = per(new(big.Rat).SetInt64(most))
	}
	res.Wins, res.WhyNoWins = w.distribution(declared)
	if !slices.ContainsFunc(w.positions, func(p *position) bool { return len(p.actions) > 1 }) {
		return nil
	}
	best, err := w.improve(declared, value, 1)
	if err != nil {
		return fmt.Errorf("the optimal strategy: %w", err)
	}
	worst, err := w.improve(declared, value, -1)
	if err != nil {
		return fmt.Errorf("the worst strategy: %w", err)
	}
	res.RTPOptimal, res.RTPWorst = per(best), per(worst)
	return nil
}

// value is the expected win from each position on.
func (w *walk) value(p policy) ([]*big.Rat, error) {
	return w.system(p, nil, func(r *row, e edge) {
		r.constant.Add(r.constant, times(e.weight, e.win))
		if e.to != closed {
			r.add(e.to, e.weight)
		}
	})
}

// squares is the expected square: E(x+Y)² = x² + 2x·EY + EY².
func (w *walk) squares(p policy, value []*big.Rat) ([]*big.Rat, error) {
	// Grouped by where an edge leads, since values may have long fractions.
	mixed := make([]*big.Rat, len(w.positions))
	for at, q := range w.positions {
		led := map[int]*big.Rat{}
		for _, e := range q.actions[p[at]].edges {
			if e.to != closed && e.win != 0 {
				if led[e.to] == nil {
					led[e.to] = new(big.Rat)
				}
				led[e.to].Add(led[e.to], times(e.weight, 2*e.win))
			}
		}
		mixed[at] = new(big.Rat)
		for to, v := range led {
			mixed[at].Add(mixed[at], v.Mul(v, value[to]))
		}
	}
	return w.system(p, mixed, func(r *row, e edge) {
		r.constant.Add(r.constant, times(times(e.weight, e.win), e.win))
		if e.to != closed {
			r.add(e.to, e.weight)
		}
	})
}

// nothing is the probability that no step from a position on pays.
func (w *walk) nothing(p policy) ([]*big.Rat, error) {
	return w.system(p, nil, func(r *row, e edge) {
		switch {
		case e.win != 0:
		case e.to == closed:
			r.constant.Add(r.constant, e.weight)
		default:
			r.add(e.to, e.weight)
		}
	})
}

func times(r *big.Rat, n int64) *big.Rat { return new(big.Rat).Mul(r, new(big.Rat).SetInt64(n)) }
