package proof

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// system builds one equation per position, beginning with extra where that is
// given, and solves them.
func (w *walk) system(p policy, extra []*big.Rat, put func(*row, edge)) ([]*big.Rat, error) {
	order, err := w.order(p)
	if err != nil {
		return nil, err
	}
	rows := make([]*row, len(w.positions))
	for at, q := range w.positions {
		rows[at] = &row{constant: new(big.Rat), factors: map[int]*big.Rat{}}
		if extra != nil {
			rows[at].constant.Set(extra[at])
		}
		for _, e := range q.actions[p[at]].edges {
			put(rows[at], e)
		}
	}
	return eliminate(rows, order), nil
}

// order lists the positions by their distance from the end of the round, which
// keeps elimination sparse: free spins are counted down. A position that has
// no way to the end has no equation to solve.
func (w *walk) order(p policy) ([]int, error) {
	before := make([][]int, len(w.positions))
	seen := make([]bool, len(w.positions))
	var order []int
	for at, q := range w.positions {
		led := map[int]bool{}
		for _, e := range q.actions[p[at]].edges {
			if e.to == closed && !seen[at] {
				seen[at] = true
				order = append(order, at)
			}
			if e.to != closed && !led[e.to] {
				led[e.to] = true
				before[e.to] = append(before[e.to], at)
			}
		}
	}
	for i := 0; i < len(order); i++ {
		for _, at := range before[order[i]] {
			if !seen[at] {
				seen[at] = true
				order = append(order, at)
			}
		}
	}
	if at := slices.Index(seen, false); at >= 0 {
		return nil, fmt.Errorf("%w: nothing leads from state %x to its end", ErrEndless, w.positions[at].state)
	}
	return order, nil
}

// eliminate solves x = constant + Σ factor·x by elimination in the given
// order. Every position leads to the end with some probability, so no pivot is
// zero.
func eliminate(rows []*row, order []int) []*big.Rat {
	users := make([]map[int]bool, len(rows)) // rows that mention an unknown
	for i := range users {
		users[i] = map[int]bool{}
	}
	for i, r := range rows {
		for to := range r.factors {
			users[to][i] = true
		}
	}
	gone := make([]bool, len(rows))
	for _, k := range order {
		r := rows[k]
		if self := r.factors[k]; self != nil {
			delete(r.factors, k)
			scale := new(big.Rat).Sub(big.NewRat(1, 1), self)
			scale.Inv(scale)
			r.constant.Mul(r.constant, scale)
			for _, v := range r.factors {
				v.Mul(v, scale)
			}
		}
		gone[k] = true
		for i := range users[k] {
			if gone[i] {
				continue
			}
			f := rows[i].factors[k]
			delete(rows[i].factors, k)
			rows[i].constant.Add(rows[i].constant, new(big.Rat).Mul(f, r.constant))
			for to, v := range r.factors {
				rows[i].add(to, new(big.Rat).Mul(f, v))
				users[to][i] = true
			}
		}
	}
	for _, k := range slices.Backward(order) {
		for _, to := range slices.Sorted(maps.Keys(rows[k].factors)) {
			rows[k].constant.Add(rows[k].constant, new(big.Rat).Mul(rows[k].factors[to], rows[to].constant))
		}
	}
	x := make([]*big.Rat, len(rows))
	for i, r := range rows {
		x[i] = r.constant
	}
	return x
}

// improve changes a strategy while that raises (sign 1) or lowers (sign -1)
// what any position is worth, and returns what the opening is worth then.
func (w *walk) improve(start policy, value []*big.Rat, sign int) (*big.Rat, error) {
	p := slices.Clone(start)
	for {
		changed := false
		for at, q := range w.positions {
			best := value[at]
			for i, a := range q.actions {
				if v := a.worth(value); v.Cmp(best) == sign {
					best, p[at], changed = v, i, true
				}
			}
		}
		if !changed {
			return value[0], nil
		}
		var err error
		if value, err = w.value(p); err != nil {
			return nil, err
		}
	}
}

func (a *action) worth(value []*big.Rat) *big.Rat {
	total, led := new(big.Rat), map[int]*big.Rat{}
	for _, e := range a.edges {
		total.Add(total, times(e.weight, e.win))
		if e.to == closed {
			continue
		}
		if led[e.to] == nil {
			led[e.to] = new(big.Rat)
		}
		led[e.to].Add(led[e.to], e.weight)
	}
	for to, v := range led {
		total.Add(total, v.Mul(v, value[to]))
	}
	return total
}

// most is the largest win of a round with a strategy, or with any when p is
// nil; false when it passes the declared maximum, which is what happens where a
// cycle of states pays.
func (w *walk) most(p policy) (int64, bool) {
	mode, _ := w.m.Manifest().Mode(w.cfg.Mode)
	limit, err := mode.MaxWinMinor(w.cfg.StakeMinor)
	if err != nil {
		return 0, false
	}
	best := make([]int64, len(w.positions))
	for changed := true; changed; {
		changed = false
		for at, q := range slices.Backward(w.positions) {
			actions := q.actions
			if p != nil {
				actions = actions[p[at] : p[at]+1]
			}
			for _, a := range actions {
				for _, e := range a.edges {
					v := e.win
					if e.to != closed {
						v += best[e.to]
					}
					if v > limit {
						return 0, false
					}
					if v > best[at] {
						best[at], changed = v, true
					}
				}
			}
		}
	}
	return best[0], true
}
