package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/edgereel/edgereel/gamelogic/proof"
)

// exact walks all draws of every mode, as far as they can be counted.
func (c *checker) exact(ctx context.Context) error {
	stake := c.game.Manifest().StakeMultipleMinor
	for _, mode := range c.game.Manifest().Modes {
		s := &modeState{mode: mode}
		cost, err := mode.CostMinor(stake)
		if err != nil {
			continue // manifest-cost has said so
		}
		c.modes = append(c.modes, s)
		c.r.Modes = append(c.r.Modes, Mode{
			Mode: mode.Name, StakeMinor: stake, CostMinor: cost,
			Declared: Declared{RTP: mode.RTP, HitFrequency: mode.HitFrequency, MaxWinX: mode.MaxWinX},
		})
		if err := c.exactMode(ctx, s, &c.r.Modes[len(c.r.Modes)-1]); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) exactMode(ctx context.Context, s *modeState, r *Mode) error {
	name := s.mode.Name
	res, err := proof.Exact(ctx, c.game, proof.ExactConfig{
		Mode: name, StakeMinor: r.StakeMinor, MaxLeaves: c.maxLeaves(), Workers: c.cfg.Workers,
		Progress: func(done, known uint64) { c.tell(StageExact, done, known) },
	})
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, proof.ErrTooLarge):
		r.Exact = &Exact{States: res.States, Leaves: res.Leaves, WhyNotCountable: "it is too large"}
		c.add(StageExact, "exact", name, Skip, []Figure{{"states", fmt.Sprint(res.States)}, {"leaves", fmt.Sprint(res.Leaves)}},
			"mode %q has at least %d states and %d leaves, more than the %d that are counted here; its figures are simulated", name, res.States, res.Leaves, c.maxLeaves())
		return nil
	default:
		c.add(StageExact, "exact", name, Fail, nil, "mode %q cannot be walked: %v", name, err)
		return nil
	}
	s.exact = &res
	r.Exact = exactFigures(&res, r.CostMinor, r.StakeMinor)
	r.Exact.DeclaredByGame = c.m != nil && c.m.Advises()
	c.add(StageExact, "exact", name, Pass, []Figure{{"rtp", res.RTP.String()}}, "all %d leaves of %d states of mode %q were walked", res.Leaves, res.States, name)
	return nil
}

// maxWalkFuel bounds a walk by its work too: leaves that spend a whole budget
// each would take hours. It is a quarter of an hour of one processor or less.
const maxWalkFuel = 1_000_000_000_000

// maxLeaves is what was asked for, or what dear steps leave of it. Fuel is the
// same everywhere, so this is too.
func (c *checker) maxLeaves() uint64 {
	var spent uint64
	for _, s := range c.corpus {
		spent += uint64(s.out.Fuel)
	}
	if spent == 0 {
		return c.cfg.MaxLeaves
	}
	return min(c.cfg.MaxLeaves, maxWalkFuel/max(1, spent/uint64(len(c.corpus))))
}

func exactFigures(res *proof.ExactResult, costMinor, stakeMinor int64) *Exact {
	x := &Exact{
		Countable: true, States: res.States, Leaves: res.Leaves, RTP: float(res.RTP), RTPNum: res.RTP.Num().String(), RTPDen: res.RTP.Denom().String(),
		HitFrequency: float(res.HitFrequency), SD: math.Sqrt(float(res.Variance)), DistinctWins: len(res.Wins), NoDistribution: res.WhyNoWins,
	}
	if res.MaxWinX != nil {
		x.MaxWinX = float(inStakes(res.MaxWinX, costMinor, stakeMinor))
	}
	if res.RTPOptimal != nil {
		x.RTPOptimal, x.RTPWorst = res.RTPOptimal.String(), res.RTPWorst.String()
	}
	return x
}

// inStakes turns a figure per cost into one per stake.
func inStakes(perCost *big.Rat, costMinor, stakeMinor int64) *big.Rat {
	return new(big.Rat).Mul(perCost, big.NewRat(costMinor, stakeMinor))
}
