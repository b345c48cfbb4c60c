package gamelogic

import (
	"context"
	"fmt"
	"slices"
)

// Low bits of an advice that are the action's id; the choice is above them.
const adviceActionBits = 5

// Advise asks for the studio's declared strategy in an open round: what its
// figures are computed with. s gives the mode, the stake, the state and what
// the round has won; its action, choice and draws are not read. offered is
// what the previous step offered (Outcome.NextActions), not empty. A module
// without edgereel_advise takes the first action offered with choice 0, and
// where there is nothing to decide no module is asked. Errors are those of
// Play; a draw, or advice that is not offered, is a *TrapError.
func (m *Module) Advise(ctx context.Context, s Step, offered []string) (action string, choice uint32, err error) {
	p, err := m.open(&s, offered)
	if err != nil {
		return "", 0, err
	}
	in, err := m.acquire(ctx)
	if err != nil {
		return "", 0, err
	}
	action, choice, err = m.advise(in, &s, p, offered)
	m.release(ctx, in, reusable(err))
	return action, choice, err
}

// Advise is Module.Advise on the instance of the simulation.
func (s *Simulator) Advise(st Step, offered []string) (action string, choice uint32, err error) {
	if !s.m.decides(s.in, offered) { // as in nearly every step of most games
		return offered[0], 0, nil
	}
	p, err := s.m.open(&st, offered)
	if err != nil {
		return "", 0, err
	}
	return s.m.advise(s.in, &st, p, offered)
}

// open checks what Advise is asked.
func (m *Module) open(s *Step, offered []string) (plan, error) {
	if len(s.State) == 0 {
		return plan{}, fmt.Errorf("%w: advice is for open rounds, they have a state", ErrBadState)
	}
	if len(offered) == 0 {
		return plan{}, fmt.Errorf("%w: none is offered", ErrUnknownAction)
	}
	for _, name := range offered {
		if m.manifest.find(name) == nil {
			return plan{}, fmt.Errorf("%w: %q", ErrUnknownAction, name)
		}
	}
	w, err := m.wager(s.Mode, s.StakeMinor)
	if err != nil {
		return plan{}, err
	}
	return m.position(&w, s)
}

// decides tells whether the module has anything to say about what is offered.
func (m *Module) decides(in *instance, offered []string) bool {
	if in.advise == nil {
		return len(offered) == 0 // nothing to take either: open refuses it
	}
	if len(offered) != 1 {
		return true
	}
	a := m.manifest.find(offered[0])
	return a == nil || a.Choices > 1
}

// advise asks an instance the caller owns and does not restore it.
func (m *Module) advise(in *instance, s *Step, p plan, offered []string) (string, uint32, error) {
	if !m.decides(in, offered) {
		return offered[0], 0, nil
	}
	asked := *s
	asked.Choice = 0
	block, ok := in.mem.Read(in.io, ioSize)
	if !ok {
		return "", 0, m.trap(KindTrap, "the I/O block is gone", nil)
	}
	writeInput(block, &asked, p)
	code, err := in.call(in.advise, headerSize+len(s.State), m.fuelPerStep)
	if err != nil {
		return "", 0, m.fault(in, err)
	}
	if code < 0 {
		return "", 0, m.refusal(code, 0)
	}
	return m.readAdvice(uint32(code), offered)
}

// readAdvice holds advice to what can be done.
func (m *Module) readAdvice(code uint32, offered []string) (string, uint32, error) {
	id, choice := code&(1<<adviceActionBits-1), code>>adviceActionBits
	i := slices.IndexFunc(m.manifest.Actions, func(a Action) bool { return a.ID == id })
	if i < 0 || !slices.Contains(offered, m.manifest.Actions[i].Name) {
		return "", 0, m.trap(KindBadOutput, fmt.Sprintf("its strategy takes action %d, which is not offered", id), nil)
	}
	a := m.manifest.Actions[i]
	if err := a.CheckChoice(choice); err != nil {
		return "", 0, m.trap(KindBadOutput, "its strategy", err)
	}
	return a.Name, choice, nil
}
