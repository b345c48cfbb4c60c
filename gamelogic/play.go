package gamelogic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"
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
	NextActions  []string // what the player may do next, empty when closed; shared, do not change it
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
	var out Outcome
	err = m.run(in, &s, p, &out)
	out.keep()
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
	var out Outcome
	err = m.run(in, &s, p, &out)
	out.keep()
	return seal(out, s.Draws, err), err
}

// keep copies what still lies in an instance's memory. One allocation for both;
// the capacity of the first keeps an append to it out of the second.
func (o *Outcome) keep() {
	n := len(o.State)
	blob := append(append([]byte(nil), o.State...), o.Presentation...)
	o.State, o.Presentation = blob[:n:n], blob[n:]
	if n == 0 {
		o.State = nil
	}
}

// reusable tells whether an instance may serve again after a step's error.
func reusable(err error) bool {
	if err == nil {
		return true
	}
	var trap *TrapError
	return !errors.As(err, &trap)
}

// wager is a mode and a stake, checked, in the module's own terms.
type wager struct {
	mode       string
	stakeMinor int64
	modeID     uint32
	mostMinor  int64 // what the round may pay
}

// plan is a checked step in the module's own terms.
type plan struct {
	mode, action uint32
	leftMinor    int64 // what this step may still pay
}

// prepare checks everything that can be refused before a draw is made.
func (m *Module) prepare(s *Step) (plan, error) {
	w, err := m.wager(s.Mode, s.StakeMinor)
	if err != nil {
		return plan{}, err
	}
	return m.plan(&w, s)
}

// wager checks what is the same in every step of a round.
func (m *Module) wager(name string, stakeMinor int64) (wager, error) {
	mode, ok := m.manifest.Mode(name)
	if !ok {
		return wager{}, fmt.Errorf("%w: %q", ErrUnknownMode, name)
	}
	if err := m.manifest.CheckStake(stakeMinor); err != nil {
		return wager{}, err
	}
	if _, err := mode.CostMinor(stakeMinor); err != nil {
		return wager{}, err
	}
	most, err := mode.MaxWinMinor(stakeMinor)
	if err != nil {
		return wager{}, err
	}
	return wager{mode: name, stakeMinor: stakeMinor, modeID: mode.ID, mostMinor: most}, nil
}

// plan checks what is a step's own.
func (m *Module) plan(w *wager, s *Step) (plan, error) {
	p, err := m.position(w, s)
	if err != nil {
		return plan{}, err
	}
	action := m.manifest.find(s.Action)
	if action == nil {
		return plan{}, fmt.Errorf("%w: %q", ErrUnknownAction, s.Action)
	}
	if s.Choice != 0 {
		if err := action.CheckChoice(s.Choice); err != nil {
			return plan{}, err
		}
	}
	if err := s.Draws.serves(&m.digest); err != nil {
		return plan{}, err
	}
	p.action = action.ID
	return p, nil
}

// position checks where the round stands.
func (m *Module) position(w *wager, s *Step) (plan, error) {
	if s.WonMinor < 0 || s.WonMinor > w.mostMinor {
		return plan{}, fmt.Errorf("%w: the round has won %d of at most %d", ErrBadInput, s.WonMinor, w.mostMinor)
	}
	if len(s.State) > m.manifest.MaxState {
		return plan{}, fmt.Errorf("%w: %d bytes, at most %d", ErrBadState, len(s.State), m.manifest.MaxState)
	}
	return plan{mode: w.modeID, leftMinor: w.mostMinor - s.WonMinor}, nil
}

// run plays the step in an instance the caller owns and writes out, whose state
// and presentation lie in the instance's memory: they are the caller's until
// it is used again. It neither restores the instance nor digests the draws.
func (m *Module) run(in *instance, s *Step, p plan, out *Outcome) error {
	*out = Outcome{}
	block, ok := in.mem.Read(in.io, ioSize)
	if !ok {
		return m.trap(KindTrap, "the I/O block is gone", nil)
	}
	writeInput(block, s, p)
	s.Draws.used = true
	in.draws, in.limit = s.Draws, m.manifest.MaxDraws
	length, err := in.call(in.play, headerSize+len(s.State), m.fuelPerStep)
	in.draws = nil
	out.DrawCount, out.Fuel = len(s.Draws.log), m.fuelPerStep-max(0, int64(in.fuel.Get()))
	if err != nil {
		return m.fault(in, err)
	}
	if length < 0 {
		err := m.refusal(length, out.DrawCount)
		if reusable(err) {
			*out = Outcome{}
		}
		return err
	}
	if in.mem.Size()/pageSize != in.pages { // the block may lie elsewhere now
		if block, ok = in.mem.Read(in.io, ioSize); !ok {
			return m.trap(KindBadOutput, "the output lies outside the memory", nil)
		}
	}
	if detail := m.readOutput(in, block[outputOffset:], length, p, out); detail != "" {
		*out = Outcome{DrawCount: out.DrawCount, Fuel: out.Fuel}
		return m.trap(KindBadOutput, detail, nil)
	}
	return nil
}

// call pays for a call of an export that takes the input's length, and makes it.
func (in *instance) call(f api.Function, length int, fuel int64) (int32, error) {
	in.stack[0] = uint64(length)
	in.refuel(fuel)
	err := f.CallWithStack(in.ctx, in.stack[:])
	if err != nil {
		in.level = false
	}
	return int32(uint32(in.stack[0])), err
}

// fault is what made a call end with an error.
func (m *Module) fault(in *instance, err error) error {
	if fault := in.fault; fault != nil {
		in.fault, fault.Module = nil, m.digest
		return fault
	}
	return m.trap(in.spent(), "", err)
}

func writeInput(b []byte, s *Step, p plan) {
	le := binary.LittleEndian
	_ = b[headerSize-1]
	le.PutUint16(b[0:], abiMajor)
	le.PutUint16(b[2:], 0)
	le.PutUint32(b[4:], p.action)
	le.PutUint32(b[8:], p.mode)
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

// readOutput checks what a step wrote and says where it lies; a detail means
// bad output.
func (m *Module) readOutput(in *instance, b []byte, length int32, p plan, out *Outcome) (detail string) {
	if length < headerSize || int(length) > len(b) {
		return fmt.Sprintf("length %d", length)
	}
	le := binary.LittleEndian
	win := int64(le.Uint64(b[0:]))
	flags, mask := le.Uint32(b[8:]), le.Uint32(b[12:])
	state, presentation := le.Uint32(b[16:]), le.Uint32(b[20:])
	closed := flags&flagClosed != 0
	switch {
	case win < 0 || win > p.leftMinor:
		return fmt.Sprintf("win %d, at most %d is left of the declared maximum", win, p.leftMinor)
	case flags&^flagClosed != 0 || le.Uint64(b[24:]) != 0:
		return "reserved fields are set"
	case int64(state) > int64(m.manifest.MaxState):
		return fmt.Sprintf("state of %d bytes", state)
	case presentation > MaxPresentation:
		return fmt.Sprintf("presentation of %d bytes", presentation)
	case uint32(length) != headerSize+state+presentation:
		return "the length is not that of its parts"
	case closed && (state != 0 || mask != 0):
		return "a closed round with state or next actions"
	case !closed && (state == 0 || mask == 0):
		return "an open round without state or next actions"
	}
	out.WinMinor, out.Closed = win, closed
	out.Presentation = b[headerSize+state : length]
	if closed {
		return ""
	}
	if mask&^m.manifest.actionMask() != 0 {
		return fmt.Sprintf("next actions %#x", mask)
	}
	if in.offers != mask { // nearly always what the step before offered
		in.offers, in.offered = mask, m.manifest.actionNames(mask)
	}
	out.State, out.NextActions = b[headerSize:headerSize+state], in.offered
	return ""
}

func (m *Module) trap(kind TrapKind, detail string, err error) *TrapError {
	return &TrapError{Module: m.digest, Kind: kind, Detail: detail, Err: err}
}
