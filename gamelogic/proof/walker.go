package proof

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"slices"

	"github.com/edgereel/edgereel/gamelogic"
)

// walker walks parts of trees on an instance of its own. One goroutine.
type walker struct {
	w      *walk
	sim    *gamelogic.Simulator
	script *gamelogic.Script
	// values is the path: what is behind the draws a step takes is zero, which
	// is below every bound. So a path is always long enough, and the log tells
	// the bounds it met.
	values []uint32
	counts map[outcome]uint64
	bounds []uint32 // of the draws that the next path shares with the last
	// Neighbouring leaves are mostly alike: last and run spare the map, state,
	// offered and to spare the search for the position.
	last    outcome
	run     uint64
	state   []byte
	offered []string
	to      int
	reports chan<- Size // read until all workers are done
}

func (w *walk) newWalker(sim *gamelogic.Simulator) *walker {
	return &walker{w: w, sim: sim, script: gamelogic.NewScript(), values: make([]uint32, w.m.Manifest().MaxDraws)}
}

func (x *walker) step(a *action, state []byte) gamelogic.Step {
	return gamelogic.Step{Mode: x.w.cfg.Mode, Action: a.name, Choice: a.choice, StakeMinor: x.w.cfg.StakeMinor, State: state}
}

// probe plays the path of zeros and multiplies the bounds it meets.
func (x *walker) probe(a *action) error {
	clear(x.values)
	st := x.step(a, x.w.positions[a.position].state)
	st.Draws = x.script.Step(x.values)
	_, err := x.sim.Play(st)
	if refusedChoice(x.w.m, st, err) {
		a.refused = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("play action %q, choice %d, in state %x: %w", a.name, a.choice, st.State, err)
	}
	a.probe, a.first = 1, 1
	for i, d := range st.Draws.Log() {
		if i == 0 {
			a.first = d.Bound
		}
		hi, lo := bits.Mul64(a.probe, uint64(d.Bound))
		if hi != 0 {
			lo = 1<<64 - 1
		}
		a.probe = lo
	}
	return nil
}

// part walks the leaves whose first draw gives v.
func (x *walker) part(ctx context.Context, a *action, state []byte, v uint32) error {
	clear(x.values)
	if len(x.values) > 0 {
		x.values[0] = v
	}
	st := x.step(a, state)
	x.bounds = x.bounds[:0]
	for n := uint64(1); ; n++ {
		st.Draws = x.script.Step(x.values)
		out, err := x.sim.Play(st)
		if err != nil {
			return err
		}
		log := st.Draws.Log()
		if len(log) > 0 && log[0].Bound != a.first {
			return fmt.Errorf("%w: the first draw has bound %d now, it had %d", ErrHiddenState, log[0].Bound, a.first)
		}
		if n == 1 {
			if err := playAgain(ctx, x.w.m, st, &out); err != nil {
				return err
			}
		}
		if err := x.count(out, log); err != nil {
			return err
		}
		if err := x.sameBounds(log); err != nil {
			return err
		}
		more := x.advance(log)
		if n%progressLeaves == 0 || !more {
			if err := x.report(ctx, (n-1)%progressLeaves+1); err != nil || !more {
				return err
			}
		}
	}
}

const progressLeaves = 1 << 18

// sameBounds holds the draws up to the one that took another value to the
// bounds they had: they follow from the draws before them and nothing else.
// Bounds that grow from leaf to leaf would make a tree without end.
func (x *walker) sameBounds(log []gamelogic.Draw) error {
	for i, bound := range x.bounds {
		if i >= len(log) || log[i].Bound != bound {
			return fmt.Errorf("%w: draw %d behind the same draws has another bound than %d now", ErrHiddenState, i, bound)
		}
	}
	return nil
}

// advance moves to the next path of the part: the last draw that has a further
// value takes it, what comes behind begins anew.
func (x *walker) advance(log []gamelogic.Draw) bool {
	for i := len(log) - 1; i > 0; i-- {
		if x.values[i]+1 < log[i].Bound {
			x.values[i]++
			x.bounds = x.bounds[:0]
			for _, d := range log[:i+1] {
				x.bounds = append(x.bounds, d.Bound)
			}
			return true
		}
		x.values[i] = 0
	}
	return false
}

func (x *walker) count(out gamelogic.Outcome, log []gamelogic.Draw) error {
	k := outcome{to: closed, win: out.WinMinor, lo: 1}
	if !out.Closed {
		if !bytes.Equal(out.State, x.state) || !slices.Equal(out.NextActions, x.offered) {
			x.state, x.offered = out.State, out.NextActions
			x.to = x.w.stand(out.State, out.NextActions)
		}
		k.to = x.to
	}
	for _, d := range log {
		over, hi := bits.Mul64(k.hi, uint64(d.Bound))
		carry, lo := bits.Mul64(k.lo, uint64(d.Bound))
		var c uint64
		k.lo = lo
		k.hi, c = bits.Add64(hi, carry, 0)
		if over != 0 || c != 0 {
			return fmt.Errorf("%w: a path rarer than one in 2^128", ErrTooLarge)
		}
	}
	if k != x.last {
		x.flush()
		x.last = k
	}
	x.run++
	return nil
}

func (x *walker) flush() {
	if x.run > 0 {
		x.counts[x.last] += x.run
	}
	x.run = 0
}

// report adds leaves to the total and stops a walk that is over its limits:
// the probe may have been too narrow.
func (x *walker) report(ctx context.Context, leaves uint64) error {
	known := x.w.size()
	x.w.mu.Lock()
	x.w.done += leaves
	done := x.w.done
	x.w.mu.Unlock()
	known.Leaves = max(known.Leaves, done)
	x.reports <- Size{States: known.States, Leaves: done}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return x.w.tooLarge(known)
}
