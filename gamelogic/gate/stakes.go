package gate

import (
	"context"
	"fmt"
	"math/big"

	"github.com/edgereel/edgereel/gamelogic"
)

// Rounds that are played again at each stake, and the most steps of them.
const (
	stakeRounds = 200
	stakeSteps  = 5000
)

// stakes plays rounds with the same draws at several stakes: what is declared
// per stake has to be paid at every one of them, to the last minor unit.
func (c *checker) stakes(ctx context.Context) error {
	if len(c.corpus) == 0 {
		c.skip(StageDeterminism, "stakes", "no step could be played")
		return nil
	}
	unit := c.game.Manifest().StakeMultipleMinor
	for _, mode := range c.game.Manifest().Modes {
		var played []int64
		ok := true
		for _, k := range []int64{3, 7, 100, 999_983} {
			if _, err := mode.MaxWinMinor(k * unit); err != nil {
				continue
			}
			if _, err := mode.CostMinor(k * unit); err != nil {
				continue
			}
			problem, err := c.scaled(ctx, mode, k*unit)
			if err != nil {
				return err
			}
			if problem != "" {
				c.add(StageDeterminism, "stakes", mode.Name, Fail, nil, "a round of mode %q does not pay in proportion to its stake: %s", mode.Name, problem)
				ok = false
				break
			}
			played = append(played, k*unit)
		}
		if ok {
			c.add(StageDeterminism, "stakes", mode.Name, Pass, nil, "rounds of mode %q with the same draws pay in exact proportion at stakes of %d and %v", mode.Name, unit, played)
		}
	}
	return nil
}

// scaled plays rounds at the smallest stake and at another one.
func (c *checker) scaled(ctx context.Context, mode gamelogic.Mode, stakeMinor int64) (string, error) {
	random := c.random(forStakes)
	stream := gamelogic.NewStream(streamSeed(c.cfg.Seed, domainCorpus), c.digest, 1<<32)
	for steps, n := 0, 0; n < stakeRounds && steps < stakeSteps; n++ {
		round, err := c.oneRound(ctx, stream, mode, random, stakeSteps-steps)
		steps += len(round)
		if err != nil || len(round) == 0 {
			return "", err // a finding was reported
		}
		large := c.opening(mode)
		large.StakeMinor = stakeMinor
		for _, s := range round {
			large.Action, large.Choice = s.step.Action, s.step.Choice
			large.Draws = gamelogic.NewScriptedDraws(s.values)
			out, err := c.game.Play(ctx, large)
			large.Draws = nil
			if err := blame(ctx, err); err != nil {
				return "", err
			}
			if err != nil {
				return fmt.Sprintf("%s: %v", describe(large, s.values), err), nil
			}
			want := big.NewRat(stakeMinor, s.step.StakeMinor)
			want.Mul(want, new(big.Rat).SetInt64(s.out.WinMinor))
			if want.Cmp(new(big.Rat).SetInt64(out.WinMinor)) != 0 || s.out.Closed != out.Closed {
				return fmt.Sprintf("%s pays %d, which is %s at a stake of %d, but that pays %d", s.where(), s.out.WinMinor, want.FloatString(2), stakeMinor, out.WinMinor), nil
			}
			large.State, large.WonMinor = out.State, large.WonMinor+out.WinMinor
		}
	}
	return "", nil
}
