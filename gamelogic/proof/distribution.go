package proof

import (
	"fmt"
	"math/big"
	"slices"
)

// Win is one win of a whole round and its exact probability.
type Win struct {
	WinMinor    int64
	Probability *big.Rat
}

// DefaultMaxTerms bounds the work of a distribution: additions of one way to
// win to another, about a microsecond each.
const DefaultMaxTerms = 5_000_000

// shares are probabilities over one denominator, by win. A common denominator
// spares a division for each term.
type shares struct {
	below *big.Int
	above map[int64]*big.Int
}

// distribution is that of a whole round's win, ascending, or the reason why
// there is none. It goes through the positions from the end of the round, so
// that a cycle, where the number of steps has no bound, leaves it without one.
func (w *walk) distribution(p policy) (wins []Win, why string) {
	order, ok := w.topological(p)
	if !ok {
		return nil, "states come back within a round, so a round has no last step to begin with"
	}
	known, terms := make([]*shares, len(w.positions)), uint64(0)
	for _, at := range order {
		edges := w.positions[at].actions[p[at]].edges
		for _, e := range edges {
			terms++
			if e.to != closed {
				terms += uint64(len(known[e.to].above))
			}
		}
		if terms > w.cfg.MaxTerms {
			return nil, fmt.Sprintf("it has more than %d terms", w.cfg.MaxTerms)
		}
		known[at] = convolve(edges, known)
	}
	s := known[0]
	for win, above := range s.above {
		wins = append(wins, Win{win, new(big.Rat).SetFrac(above, s.below)})
	}
	slices.SortFunc(wins, func(a, b Win) int {
		if a.WinMinor < b.WinMinor {
			return -1
		}
		return 1
	})
	return wins, ""
}

// convolve adds what a step pays to what may come behind it.
func convolve(edges []edge, known []*shares) *shares {
	below := big.NewInt(1)
	for _, e := range edges {
		den := new(big.Int).Set(e.weight.Denom())
		if e.to != closed {
			den.Mul(den, known[e.to].below)
		}
		below = lcm(below, den)
	}
	s := &shares{below, map[int64]*big.Int{}}
	add := func(win int64, v *big.Int) {
		if old := s.above[win]; old != nil {
			old.Add(old, v)
			return
		}
		s.above[win] = new(big.Int).Set(v)
	}
	factor, term := new(big.Int), new(big.Int)
	for _, e := range edges {
		factor.Quo(below, e.weight.Denom())
		factor.Mul(factor, e.weight.Num())
		if e.to == closed {
			add(e.win, factor)
			continue
		}
		next := known[e.to]
		factor.Quo(factor, next.below)
		for win, above := range next.above {
			add(win+e.win, term.Mul(factor, above))
		}
	}
	return s
}

func lcm(a, b *big.Int) *big.Int {
	g := new(big.Int).GCD(nil, nil, a, b)
	return g.Mul(new(big.Int).Quo(a, g), b)
}

// topological lists the positions that a strategy can reach from the opening,
// each behind all that it leads to; false when there is a cycle.
func (w *walk) topological(p policy) ([]int, bool) {
	const (
		unseen = iota
		open
		done
	)
	type frame struct{ at, next int }
	mark, order := make([]byte, len(w.positions)), []int(nil)
	stack := []frame{{}}
	mark[0] = open
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		edges := w.positions[f.at].actions[p[f.at]].edges
		if f.next == len(edges) {
			mark[f.at] = done
			order = append(order, f.at)
			stack = stack[:len(stack)-1]
			continue
		}
		to := edges[f.next].to
		f.next++
		switch {
		case to == closed || mark[to] == done:
		case mark[to] == open:
			return nil, false
		default:
			mark[to] = open
			stack = append(stack, frame{at: to})
		}
	}
	return order, true
}
