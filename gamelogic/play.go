package gamelogic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// Layout of ABI v1; docs/abi.md is its specification.
const (
	abiMajor     = 1
	abiMinor     = 1 // the highest this host knows
	ioSize       = 64 << 10
	inputSize    = 16 << 10
	outputOffset = inputSize
	outputSize   = ioSize - inputSize
	headerSize   = 32 // of input and of output
	flagClosed   = 1
	pageSize     = 64 << 10
	restoreBlock = 4 << 10
)

// Codes a module returns instead of a length.
const (
	codeBadInput      = -1
	codeBadState      = -3
	codeUnknownAction = -4
)

// Step is one thing a player does in a round.
type Step struct {
	Mode   string // name of a bet mode
	Action string // name of an action
	Choice uint32 // below Action.Choices for an action that picks something, else 0
	// StakeMinor is the base stake of the round in minor units, the same in
	// each of its steps. What the round costs is Mode.CostMinor.
	StakeMinor int64
	// WonMinor is what the round's earlier steps paid, so that the whole round
	// is held to the declared maximum.
	WonMinor int64
	// State is what the round's previous step returned; empty opens a round.
	State []byte
	Draws *Draws
}

// Outcome is what a step decided.
type Outcome struct {
	WinMinor     int64    // of this step alone, ≥ 0
	Closed       bool     // the round is over
	NextActions  []string // what the player may do next, empty when closed
	State        []byte   // for the next step, empty when closed
	Presentation []byte   // for the client, not read by the host
	DrawCount    int
	DrawsDigest  [32]byte // Draws.Digest
	// Fuel is what the step spent, in units of package meter: the same on every
	// node. After KindExhausted it is the whole budget; after another trap the
	// last payments may be missing from it.
	Fuel int64
}

// Play evaluates one step in a pooled instance. After a *TrapError the outcome
// still holds DrawCount, DrawsDigest and Fuel, for the incident's record; after any
// other error it is empty.
func (m *Module) Play(ctx context.Context, s Step) (Outcome, error) {
	p, err := m.prepare(&s)
	if err != nil {
		return Outcome{}, err
	}
	in, err := m.acquire(ctx)
	if err != nil {
		return Outcome{}, err
	}
	out, err := m.run(in, &s, p)
	m.release(ctx, in, reusable(err))
	return seal(out, s.Draws, err), err
}

// seal adds the draws' digest to an outcome and to the remains of a trap.
func seal(out Outcome, d *Draws, err error) Outcome {
	if err == nil || !reusable(err) {
		out.DrawsDigest = d.Digest()
	}
	return out
}

// Replay evaluates one step in an instance of its own, built for it and thrown
// away: the second opinion of a verifier.
func (m *Module) Replay(ctx context.Context, s Step) (Outcome, error) {
	p, err := m.prepare(&s)
	if err != nil {
		return Outcome{}, err
	}
	pooled, err := m.acquire(ctx) // its token keeps Close waiting
	if err != nil {
		return Outcome{}, err
	}
	defer m.release(ctx, pooled, true)
	in, err := m.instantiate(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer in.close(ctx)
	out, err := m.run(in, &s, p)
	return seal(out, s.Draws, err), err
}

// reusable tells whether an instance may serve again after a step's error.
func reusable(err error) bool {
	var trap *TrapError
	return !errors.As(err, &trap)
}

// plan is a checked step in the module's own terms.
type plan struct {
	mode   Mode
	action uint32
	most   int64 // what this step may still pay
}

// prepare checks everything that can be refused before a draw is made.
func (m *Module) prepare(s *Step) (plan, error) {
	p, err := m.terms(s)
	if err != nil {
		return plan{}, err
	}
	action, ok := m.manifest.Action(s.Action)
	if !ok {
		return plan{}, fmt.Errorf("%w: %q", ErrUnknownAction, s.Action)
	}
	if err := action.CheckChoice(s.Choice); err != nil {
		return plan{}, err
	}
	if err := s.Draws.serves(m.digest); err != nil {
		return plan{}, err
	}
	p.action = action.ID
	return p, nil
}

// terms checks what of a step does not depend on what the player does.
func (m *Module) terms(s *Step) (plan, error) {
	mode, ok := m.manifest.Mode(s.Mode)
	if !ok {
		return plan{}, fmt.Errorf("%w: %q", ErrUnknownMode, s.Mode)
	}
	if err := m.manifest.CheckStake(s.StakeMinor); err != nil {
		return plan{}, err
	}
	if _, err := mode.CostMinor(s.StakeMinor); err != nil {
		return plan{}, err
	}
	most, err := mode.MaxWinMinor(s.StakeMinor)
	if err != nil {
		return plan{}, err
	}
	if s.WonMinor < 0 || s.WonMinor > most {
		return plan{}, fmt.Errorf("%w: the round has won %d of at most %d", ErrBadInput, s.WonMinor, most)
	}
	if len(s.State) > m.manifest.MaxState {
		return plan{}, fmt.Errorf("%w: %d bytes, at most %d", ErrBadState, len(s.State), m.manifest.MaxState)
	}
	return plan{mode: mode, most: most - s.WonMinor}, nil
}

// run plays the step in an instance the caller owns. It neither restores the
// instance nor digests the draws.
func (m *Module) run(in *instance, s *Step, p plan) (Outcome, error) {
	mem := in.mod.Memory()
	input, ok := mem.Read(in.io, headerSize+uint32(len(s.State)))
	if !ok {
		return Outcome{}, m.trap(KindTrap, "the I/O block is gone", nil)
	}
	writeInput(input, s, p)

	s.Draws.used = true
	in.draws, in.limit, in.fault = s.Draws, m.manifest.MaxDraws, nil
	in.stack[0] = uint64(len(input))
	budget := m.fuelPerStep
	in.refuel(budget)
	err := in.play.CallWithStack(in.ctx, in.stack[:])
	in.draws = nil

	spent := Outcome{DrawCount: len(s.Draws.log), Fuel: budget - max(0, int64(in.fuel.Get()))}
	if in.fault != nil {
		in.fault.Module = m.digest
		return spent, in.fault
	}
	if err != nil {
		return spent, m.trap(in.spent(), "", err)
	}
	code := int32(uint32(in.stack[0]))
	if code < 0 {
		if err := m.refusal(code, spent.DrawCount); reusable(err) {
			return Outcome{}, err
		} else {
			return spent, err
		}
	}
	// A module may have grown its memory, so the view is taken anew.
	b, ok := mem.Read(in.io+outputOffset, outputSize)
	if !ok {
		return spent, m.trap(KindBadOutput, "the output lies outside the memory", nil)
	}
	out, detail := m.readOutput(b, code, p)
	if detail != "" {
		return spent, m.trap(KindBadOutput, detail, nil)
	}
	out.DrawCount, out.Fuel = spent.DrawCount, spent.Fuel
	return out, nil
}

func writeInput(b []byte, s *Step, p plan) {
	le := binary.LittleEndian
	le.PutUint16(b[0:], abiMajor)
	le.PutUint16(b[2:], 0)
	le.PutUint32(b[4:], p.action)
	le.PutUint32(b[8:], p.mode.ID)
	le.PutUint32(b[12:], s.Choice)
	le.PutUint64(b[16:], uint64(s.StakeMinor))
	le.PutUint32(b[24:], uint32(len(s.State)))
	le.PutUint32(b[28:], 0)
	copy(b[headerSize:], s.State)
}

// refusal turns a module's error code into an error. Once a draw was seen a
// refusal would choose among outcomes, so it is an incident.
func (m *Module) refusal(code int32, draws int) error {
	var err error
	switch code {
	case codeBadInput:
		err = ErrBadInput
	case codeBadState:
		err = ErrBadState
	case codeUnknownAction:
		err = ErrUnknownAction
	default:
		return m.trap(KindInternal, fmt.Sprintf("code %d", code), nil)
	}
	if draws > 0 {
		return m.trap(KindRefusedAfterDraw, fmt.Sprintf("code %d after %d draws", code, draws), nil)
	}
	return fmt.Errorf("the module refused the step: %w", err)
}

// readOutput checks and copies what a step wrote; a detail means bad output.
func (m *Module) readOutput(b []byte, length int32, p plan) (Outcome, string) {
	if length < headerSize || int(length) > len(b) {
		return Outcome{}, fmt.Sprintf("length %d", length)
	}
	le := binary.LittleEndian
	win := int64(le.Uint64(b[0:]))
	flags, mask := le.Uint32(b[8:]), le.Uint32(b[12:])
	state, presentation := le.Uint32(b[16:]), le.Uint32(b[20:])
	closed := flags&flagClosed != 0
	switch {
	case win < 0 || win > p.most:
		return Outcome{}, fmt.Sprintf("win %d, at most %d is left of the declared maximum", win, p.most)
	case flags&^flagClosed != 0 || le.Uint64(b[24:]) != 0:
		return Outcome{}, "reserved fields are set"
	case int64(state) > int64(m.manifest.MaxState):
		return Outcome{}, fmt.Sprintf("state of %d bytes", state)
	case presentation > MaxPresentation:
		return Outcome{}, fmt.Sprintf("presentation of %d bytes", presentation)
	case uint32(length) != headerSize+state+presentation:
		return Outcome{}, "the length is not that of its parts"
	case closed && (state != 0 || mask != 0):
		return Outcome{}, "a closed round with state or next actions"
	case !closed && (state == 0 || mask == 0):
		return Outcome{}, "an open round without state or next actions"
	case mask&^m.manifest.actionMask() != 0:
		return Outcome{}, fmt.Sprintf("next actions %#x", mask)
	}
	out := Outcome{WinMinor: win, Closed: closed, NextActions: m.manifest.actionNames(mask)}
	// One allocation for both; the capacity of the first keeps an append to it
	// out of the second.
	blob := append([]byte(nil), b[headerSize:length]...)
	out.State, out.Presentation = blob[:state:state], blob[state:]
	if closed {
		out.State = nil
	}
	return out, ""
}

func (m *Module) trap(kind TrapKind, detail string, err error) *TrapError {
	return &TrapError{Module: m.digest, Kind: kind, Detail: detail, Err: err}
}
