package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/edgereel/edgereel/gamelogic"
)

// sample is a step that was played, with everything to play it again.
type sample struct {
	step   gamelogic.Step // without draws
	values []uint32       // of the draws it took
	out    gamelogic.Outcome
	digest [32]byte // of the draws
}

// again is the step with the draws it had.
func (s *sample) again() gamelogic.Step {
	st := s.step
	st.Draws = gamelogic.NewScriptedDraws(s.values)
	return st
}

// difference says what came out otherwise, "" for nothing. Fuel counts only
// where the memory was the same before: an allocator may go another way.
func (s *sample) difference(out gamelogic.Outcome, err error, restored bool) string {
	switch {
	case err != nil:
		return fmt.Sprintf("it ends with %v", err)
	case out.WinMinor != s.out.WinMinor:
		return fmt.Sprintf("it pays %d instead of %d", out.WinMinor, s.out.WinMinor)
	case out.DrawCount != s.out.DrawCount:
		return fmt.Sprintf("it takes %d draws instead of %d", out.DrawCount, s.out.DrawCount)
	case out.Closed != s.out.Closed || !bytes.Equal(out.State, s.out.State) || fmt.Sprint(out.NextActions) != fmt.Sprint(s.out.NextActions):
		return "the round's state differs"
	case !bytes.Equal(out.Presentation, s.out.Presentation):
		return "the presentation differs"
	case restored && out.Fuel != s.out.Fuel:
		return fmt.Sprintf("it spends %d fuel instead of %d", out.Fuel, s.out.Fuel)
	}
	return ""
}

// where names a step so that somebody can play it.
func (s *sample) where() string { return describe(s.step, s.values) }

func describe(st gamelogic.Step, values []uint32) string {
	text := fmt.Sprintf("mode %q, action %q", st.Mode, st.Action)
	if st.Choice != 0 {
		text += fmt.Sprintf(", choice %d", st.Choice)
	}
	text += fmt.Sprintf(", stake %d, state %q", st.StakeMinor, fmt.Sprintf("%x", st.State))
	if len(values) > 16 {
		return text + fmt.Sprintf(", draws %v and %d more", values[:16], len(values)-16)
	}
	return text + fmt.Sprintf(", draws %v", values)
}

// random is the gate's own source for everything that is no draw, a function
// of the seed and a purpose.
func (c *checker) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.cfg.Seed, purpose)) //nolint:gosec // it chooses what to try, not what is paid
}

// Purposes of random, never reused.
const (
	forCorpus = iota + 1
	forShuffle
	forFuzz
	forStakes
)

// collect plays rounds of every mode in pooled instances, on the path of real
// money, with random actions and choices among those offered, until there are
// enough steps. A step that does not come out is a finding.
func (c *checker) collect(ctx context.Context, steps int) ([]*sample, error) {
	random := c.random(forCorpus)
	var list []*sample
	for i, mode := range c.game.Manifest().Modes {
		stream := gamelogic.NewStream(streamSeed(c.cfg.Seed, domainCorpus), c.digest, uint64(i))
		enough := len(list) + steps/len(c.game.Manifest().Modes)
		for len(list) < enough {
			more, err := c.oneRound(ctx, stream, mode, random, enough-len(list))
			list = append(list, more...)
			if err != nil {
				return list, err
			}
			if len(more) == 0 {
				break // a finding was reported
			}
		}
	}
	return list, nil
}

// oneRound plays one round, at most so many steps of it. A fault of the
// module is reported and gives no samples.
func (c *checker) oneRound(ctx context.Context, stream *gamelogic.Stream, mode gamelogic.Mode, random *rand.Rand, steps int) ([]*sample, error) {
	var list []*sample
	st := c.opening(mode)
	refused := 0
	for range 100 * steps {
		if len(list) == steps {
			break
		}
		st.Draws = stream.Step()
		out, err := c.game.Play(ctx, st)
		values := drawn(st.Draws)
		st.Draws = nil
		if c.noSuchChoice(st, err) && refused < 100 {
			st.Choice = random.Uint32N(c.choices(st.Action))
			refused++
			continue
		}
		refused = 0
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			c.add(StageDeterminism, "plays", mode.Name, Fail, nil, "a step that the module led to itself does not come out: %s: %v", describe(st, values), err)
			return nil, nil
		}
		c.r.Fuel.Max = max(c.r.Fuel.Max, out.Fuel)
		list = append(list, &sample{step: st, values: values, out: out, digest: out.DrawsDigest})
		if out.Closed {
			break
		}
		st.State, st.WonMinor = out.State, st.WonMinor+out.WinMinor
		st.Action, st.Choice = c.pick(random, out.NextActions)
	}
	return list, nil
}

// opening is the step every round of a mode begins with, at the smallest stake.
func (c *checker) opening(mode gamelogic.Mode) gamelogic.Step {
	m := c.game.Manifest()
	return gamelogic.Step{Mode: mode.Name, Action: m.Actions[0].Name, StakeMinor: m.StakeMultipleMinor}
}

// pick takes one of the actions offered, and a choice that it allows.
func (c *checker) pick(random *rand.Rand, offered []string) (string, uint32) {
	name := offered[random.IntN(len(offered))]
	return name, random.Uint32N(c.choices(name))
}

// noSuchChoice tells a choice that an action does not have in this state, which
// the module may refuse, from a fault.
func (c *checker) noSuchChoice(st gamelogic.Step, err error) bool {
	return errors.Is(err, gamelogic.ErrBadInput) && c.choices(st.Action) > 1
}

func drawn(d *gamelogic.Draws) []uint32 {
	log := d.Log()
	values := make([]uint32, len(log))
	for i, x := range log {
		values[i] = x.Value
	}
	return values
}

// blame tells a fault of the module from the end of the check.
func blame(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil && !errors.Is(err, gamelogic.ErrClosed) {
		return nil
	}
	return context.Cause(ctx)
}

// choices is how many choices an action has, at least one.
func (c *checker) choices(name string) uint32 {
	a, _ := c.game.Manifest().Action(name)
	return max(1, a.Choices)
}
