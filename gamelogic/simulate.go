package gamelogic

import (
	"context"
	"errors"
	"fmt"
)

// MaxRoundSteps ends a simulated round that never closes.
const MaxRoundSteps = 10_000

var errEndless = errors.New("gamelogic: the round does not close")

// Simulator plays rounds on one instance that is not restored between steps,
// which is what makes it fast. It must not be used for a round with money; a
// sample of its steps is to be played again by Replay. One goroutine.
type Simulator struct {
	m     *Module
	in    *instance
	wager wager // of the step before; rounds are mostly alike
	// states are behind Outcome.State in turns, so that the state a step was
	// played from outlives it.
	states [2][]byte
}

// NewSimulator builds an instance outside the pool. Close it before the Host.
func (m *Module) NewSimulator(ctx context.Context) (*Simulator, error) {
	if err := m.host.simulates(m); err != nil {
		return nil, err
	}
	in, err := m.instantiate(ctx)
	if err != nil {
		m.host.simulated(m)
		return nil, err
	}
	return &Simulator{m: m, in: in}, nil
}

// Play evaluates one step like Module.Play, but leaves DrawsDigest zero.
func (s *Simulator) Play(st Step) (Outcome, error) {
	var out Outcome
	err := s.PlayInto(&st, &out)
	out.keep()
	return out, err
}

// PlayInto is Play without an allocation: the presentation in out is valid until
// the Simulator plays or advises again, the state until it has played again
// from it.
func (s *Simulator) PlayInto(st *Step, out *Outcome) error {
	if w := &s.wager; w.stakeMinor != st.StakeMinor || w.mode != st.Mode || w.mode == "" {
		var err error
		if *w, err = s.m.wager(st.Mode, st.StakeMinor); err != nil {
			*out = Outcome{}
			return err
		}
	}
	p, err := s.m.plan(&s.wager, st)
	if err != nil {
		*out = Outcome{}
		return err
	}
	err = s.m.run(s.in, st, p, out)
	if len(out.State) > 0 { // advice could overwrite it where it lies
		s.states[0], s.states[1] = s.states[1], append(s.states[0][:0], out.State...)
		out.State = s.states[1]
	}
	return err
}

// Round plays a whole round with the declared strategy (Advise) and returns its
// win and its number of steps.
func (s *Simulator) Round(draws *Stream, mode string, stakeMinor int64) (winMinor int64, steps int, err error) {
	st := Step{Mode: mode, Action: s.m.manifest.Actions[0].Name, StakeMinor: stakeMinor}
	var out Outcome
	for steps = 1; steps <= MaxRoundSteps; steps++ {
		st.Draws = draws.Step()
		if err := s.PlayInto(&st, &out); err != nil {
			return 0, steps, fmt.Errorf("simulate step %d: %w", steps, err)
		}
		st.WonMinor += out.WinMinor
		if out.Closed {
			return st.WonMinor, steps, nil
		}
		st.State = out.State
		if st.Action, st.Choice, err = s.Advise(st, out.NextActions); err != nil {
			return 0, steps, fmt.Errorf("ask for the strategy after step %d: %w", steps, err)
		}
	}
	return 0, steps, errEndless
}

// Close frees the instance. It is idempotent.
func (s *Simulator) Close() {
	if s.in == nil {
		return
	}
	s.in.close(context.Background())
	s.in = nil
	s.m.host.simulated(s.m)
}
