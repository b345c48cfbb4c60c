package gamelogic

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Errors that blame the caller of Load or Play. No draw was consumed.
var (
	// ErrClosed is returned after Close has begun.
	ErrClosed = errors.New("gamelogic: closed")
	// ErrUnloaded is returned for a module after Host.Unload of it has begun.
	ErrUnloaded = errors.New("gamelogic: module is unloaded")
	// ErrInUse means that a Simulator of the module is open.
	ErrInUse = errors.New("gamelogic: module is being simulated")
	// ErrNotAllowed refuses a module whose digest nobody allowed.
	ErrNotAllowed = errors.New("gamelogic: module digest is not on the allow-list")
	// ErrRefusedModule wraps the reason why a binary or its manifest is not ABI v1.
	ErrRefusedModule = errors.New("gamelogic: module refused")
	// ErrUnknownMode means the manifest has no such bet mode.
	ErrUnknownMode = errors.New("gamelogic: unknown mode")
	// ErrUnknownAction means the action does not exist or the round's state does not offer it.
	ErrUnknownAction = errors.New("gamelogic: unknown action")
	// ErrBadStake means the stake is not positive, not a multiple of the
	// manifest's stake multiple, or its cost or exposure overflows int64.
	ErrBadStake = errors.New("gamelogic: bad stake")
	// ErrBadInput means the module refused the input before it drew anything.
	ErrBadInput = errors.New("gamelogic: bad input")
	// ErrBadState means the round state is too large or not one this module wrote.
	ErrBadState = errors.New("gamelogic: bad state")
	// ErrBadDraws means the draws are missing, already used, or keyed for another module.
	ErrBadDraws = errors.New("gamelogic: bad draws")
)

// TrapKind names what a module did wrong. The text is stable: it is a metric
// label and is kept in incident records.
type TrapKind string

// The kinds of a TrapError.
const (
	// KindTrap: the WebAssembly code trapped (unreachable, out of bounds, division).
	KindTrap TrapKind = "trap"
	// KindExhausted: the step was out of fuel. Same step, same fuel, same kind
	// on every node.
	KindExhausted TrapKind = "exhausted"
	// KindDepth: calls were nested too deeply.
	KindDepth TrapKind = "depth"
	// KindBadOutput: the answer breaks ABI v1 or the module's own manifest.
	KindBadOutput TrapKind = "bad_output"
	// KindTooManyDraws: more draws in a step than the manifest declares.
	KindTooManyDraws TrapKind = "too_many_draws"
	// KindBadDraw: a draw with bound zero, or outside a step, or with a bad pointer.
	KindBadDraw TrapKind = "bad_draw"
	// KindRefusedAfterDraw: an error code after seeing a draw, which would be
	// a way to refuse an outcome.
	KindRefusedAfterDraw TrapKind = "refused_after_draw"
	// KindInternal: the module reported its internal error code or an unknown one.
	KindInternal TrapKind = "internal"
)

// TrapError is a module's fault during a step: an incident, never retried with
// other draws.
type TrapError struct {
	Module [32]byte
	Kind   TrapKind
	// Detail is for people; it may differ between architectures. Kind may not.
	Detail string
	Err    error
}

func (e *TrapError) Error() string {
	s := fmt.Sprintf("gamelogic: module %s: %s", hex.EncodeToString(e.Module[:6]), e.Kind)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the engine's error, if there is one.
func (e *TrapError) Unwrap() error { return e.Err }

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefusedModule, fmt.Sprintf(format, args...))
}
