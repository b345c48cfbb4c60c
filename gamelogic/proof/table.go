package proof

import (
	"math/big"

	"github.com/edgereel/edgereel/gamelogic/table"
)

// exactTable gives a table's figures in the form of a walk: one state, a leaf
// for each row.
func exactTable(res ExactResult, g *table.Game, cfg ExactConfig) (ExactResult, error) {
	sum, err := g.Exact(cfg.Mode)
	if err != nil {
		return res, err
	}
	res.Size = Size{States: 1, Leaves: uint64(sum.Rows)}
	if cfg.Survey != nil {
		cfg.Survey(res.Size)
	}
	res.Countable = true
	res.RTP, res.HitFrequency, res.Variance = sum.RTP, sum.HitFrequency, sum.Variance
	res.MaxWinX, res.MaxWinAnyX = sum.MaxWinX, sum.MaxWinX
	total := new(big.Int).SetUint64(sum.TotalWeight)
	for _, p := range sum.Prizes {
		// Exact: the mode's stakes make every payout whole minor units.
		win := new(big.Int).Mul(new(big.Int).SetUint64(p.PayoutX100), big.NewInt(cfg.StakeMinor))
		res.Wins = append(res.Wins, Win{
			WinMinor:    win.Quo(win, big.NewInt(100)).Int64(),
			Probability: new(big.Rat).SetFrac(new(big.Int).SetUint64(p.Weight), total),
		})
	}
	if cfg.Progress != nil {
		cfg.Progress(res.Leaves, res.Leaves)
	}
	return res, nil
}
