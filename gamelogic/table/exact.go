package table

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/edgereel/edgereel/gamelogic"
)

// Prize is a win of a mode and how likely it is.
type Prize struct {
	// PayoutX100 is the win in hundredths of the stake.
	PayoutX100 uint64
	// Weight over the mode's total is the probability.
	Weight uint64
}

// Returns is what a mode pays, exactly. RTP and Variance are per unit of what
// a round costs.
type Returns struct {
	Rows                        int
	TotalWeight                 uint64
	RTP, HitFrequency, Variance *big.Rat
	MaxWinX                     *big.Rat
	// Prizes lists the distinct wins in increasing order, the zero included.
	Prizes []Prize
}

// Exact sums a mode up. gamelogic.ErrUnknownMode for one there is not.
func (g *Game) Exact(name string) (Returns, error) {
	for _, m := range g.modes {
		if m.Name == name {
			return m.exact(), nil
		}
	}
	return Returns{}, fmt.Errorf("%w: %q", gamelogic.ErrUnknownMode, name)
}

func (m *mode) exact() Returns {
	rows := make([]entry, len(m.rows))
	before := uint64(0)
	for i, r := range m.rows {
		rows[i] = entry{weight: m.upto[i] - before, payoutX100: r.payoutX100}
		before = m.upto[i]
	}
	return exact(rows, m.CostX100)
}

// exact works in integers to the end: sums of weight, weight × payout and weight
// × payout².
func exact(rows []entry, costX100 int64) Returns {
	byPayout := map[uint64]uint64{}
	var total uint64
	for _, r := range rows {
		if r.weight > 0 {
			byPayout[r.payoutX100] += r.weight
			total += r.weight
		}
	}
	res := Returns{Rows: len(rows), TotalWeight: total}
	sum, squares, hits, most := new(big.Int), new(big.Int), new(big.Int), uint64(0)
	for payout, weight := range byPayout {
		res.Prizes = append(res.Prizes, Prize{PayoutX100: payout, Weight: weight})
		p, w := new(big.Int).SetUint64(payout), new(big.Int).SetUint64(weight)
		wp := new(big.Int).Mul(w, p)
		sum.Add(sum, wp)
		squares.Add(squares, wp.Mul(wp, p))
		if payout > 0 {
			hits.Add(hits, w)
		}
		most = max(most, payout)
	}
	slices.SortFunc(res.Prizes, func(a, b Prize) int {
		if a.PayoutX100 < b.PayoutX100 {
			return -1
		}
		return 1
	})
	all, cost := new(big.Int).SetUint64(total), big.NewInt(costX100)
	if total == 0 {
		all.SetInt64(1)
	}
	res.HitFrequency = new(big.Rat).SetFrac(hits, all)
	res.RTP = new(big.Rat).SetFrac(sum, new(big.Int).Mul(all, cost))
	second := new(big.Rat).SetFrac(squares, new(big.Int).Mul(all, new(big.Int).Mul(cost, cost)))
	res.Variance = second.Sub(second, new(big.Rat).Mul(res.RTP, res.RTP))
	res.MaxWinX = new(big.Rat).SetFrac(new(big.Int).SetUint64(most), cost)
	return res
}
