package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/edgereel/edgereel/gamelogic"
)

// fuzzed counts what became of the steps that were tried.
type fuzzed struct{ tried, refused, accepted int }

// fuzz plays what no honest client would send: wrong actions and choices on
// states the module wrote, and states that it never wrote.
func (c *checker) fuzz(ctx context.Context) error {
	if len(c.corpus) == 0 {
		c.skip(StageFuzz, "inputs", "no step could be played")
		return nil
	}
	total := c.effort().fuzzed
	random := c.random(forFuzz)
	stream := gamelogic.NewStream(streamSeed(c.cfg.Seed, domainFuzz), c.digest, 0)
	for _, kind := range []struct {
		name, what string
		bend       func(*rand.Rand, gamelogic.Step) gamelogic.Step
	}{
		{"inputs", "actions and choices out of place, on states the module wrote", c.bendInput},
		{"states", "states the module did not write", c.bendState},
	} {
		if kind.name == "states" && c.game.Manifest().MaxState == 0 {
			c.skip(StageFuzz, kind.name, "the module keeps no state")
			continue
		}
		var n fuzzed
		ok := true
		for n.tried < total/2 && ok {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			st := kind.bend(random, c.corpus[random.IntN(len(c.corpus))].step)
			st.Draws = stream.Step()
			out, err := c.game.Play(ctx, st)
			if err := blame(ctx, err); err != nil {
				return err
			}
			ok = c.judge(kind.name, st, out, err, &n)
			if n.tried%500 == 0 {
				c.tell(StageFuzz, c.done+uint64(n.tried), uint64(total))
			}
		}
		c.done += uint64(n.tried)
		if ok {
			c.add(StageFuzz, kind.name, "", Pass, []Figure{{"tried", fmt.Sprint(n.tried)}, {"refused", fmt.Sprint(n.refused)}, {"accepted", fmt.Sprint(n.accepted)}},
				"%s: %d of %d refused with a code of the ABI, the rest played within all limits", kind.what, n.refused, n.tried)
		}
	}
	c.tell(StageFuzz, uint64(total), uint64(total))
	return nil
}

// judge reports what must not happen; the host has held an accepted step to
// the declared maximum already, and says so by a trap.
func (c *checker) judge(name string, st gamelogic.Step, out gamelogic.Outcome, err error, n *fuzzed) bool {
	n.tried++
	var trap *gamelogic.TrapError
	switch {
	case err == nil:
		n.accepted++
		c.r.Fuel.Max = max(c.r.Fuel.Max, out.Fuel)
		return true
	case !errors.As(err, &trap):
		n.refused++
		return true
	}
	values := drawn(st.Draws)
	st.Draws = nil
	problem := "ends as the incident " + string(trap.Kind)
	if trap.Kind == gamelogic.KindBadOutput {
		problem = "gives an answer the host refuses (" + trap.Detail + ")"
	}
	c.add(StageFuzz, name, st.Mode, Fail, []Figure{{"incident", string(trap.Kind)}},
		"a step out of place has to be refused with a code, this one %s: %s", problem, describe(st, values))
	return false
}

// bendInput keeps a state of the module's own and asks for something that may
// or may not be offered there.
func (c *checker) bendInput(random *rand.Rand, st gamelogic.Step) gamelogic.Step {
	m := c.game.Manifest()
	st.Action = m.Actions[random.IntN(len(m.Actions))].Name
	switch random.IntN(4) {
	case 0:
		st.Choice = random.Uint32()
	case 1:
		st.Choice = c.choices(st.Action) // the first one there is not
	case 2:
		st.Choice = math.MaxUint32
	default:
		st.Choice = random.Uint32N(c.choices(st.Action))
	}
	if mode, ok := m.Mode(st.Mode); ok && len(st.State) == 0 && random.IntN(2) == 0 {
		st.StakeMinor = c.someStake(random, mode)
	}
	if random.IntN(8) == 0 {
		st.State = nil
		st.WonMinor = 0
	}
	return st
}

// bendState changes a state, or makes one up. The round has won nothing yet as
// far as the host knows, so that a step may pay no more than a whole round.
func (c *checker) bendState(random *rand.Rand, st gamelogic.Step) gamelogic.Step {
	m := c.game.Manifest()
	st.Action = m.Actions[random.IntN(len(m.Actions))].Name
	st.Choice = random.Uint32N(c.choices(st.Action))
	st.WonMinor = 0
	state := slices.Clone(st.State)
	switch kind := random.IntN(6); {
	case m.MaxState == 0:
		state = nil
	case kind == 0 || len(state) == 0:
		state = make([]byte, 1+random.IntN(m.MaxState))
		for i := range state {
			state[i] = byte(random.Uint32())
		}
	case kind == 1:
		state = state[:random.IntN(len(state))]
	case kind == 2:
		for range min(1+random.IntN(8), m.MaxState-len(state)) {
			state = append(state, byte(random.Uint32()))
		}
	case kind == 3: // a field set to its end
		at := random.IntN(len(state))
		for i := at; i < min(at+1<<random.IntN(4), len(state)); i++ {
			state[i] = 0xff
		}
	default:
		for range 1 + random.IntN(3) {
			state[random.IntN(len(state))] ^= 1 << random.IntN(8)
		}
	}
	st.State = state
	return st
}

// someStake is one that a node could ask for, from the smallest to the largest.
func (c *checker) someStake(random *rand.Rand, mode gamelogic.Mode) int64 {
	unit := c.game.Manifest().StakeMultipleMinor
	most := math.MaxInt64 / max(mode.MaxWinX, mode.CostX100) / unit
	return unit * (1 + random.Int64N(max(1, most)))
}
