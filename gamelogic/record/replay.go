package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"

	"github.com/edgereel/edgereel/gamelogic"
)

// Replayed is one step that was played again.
type Replayed struct {
	Action string
	Draws  []gamelogic.Draw
	gamelogic.Outcome
	Incident gamelogic.TrapKind // empty for a step that came out
}

// domainState begins the bytes that a state hash covers, as the wallet's
// journal writes them.
const domainState = 0x06

// Replay plays the round again and compares every bit of it. The steps that
// were played are returned also beside an error, the one that differs included.
func Replay(ctx context.Context, g gamelogic.Game, r *Round) ([]Replayed, error) {
	seed, err := r.open(g)
	if err != nil {
		return nil, err
	}
	if err := r.complete(); err != nil {
		return nil, err
	}
	var list []Replayed
	at := gamelogic.Step{Mode: r.Mode, StakeMinor: r.StakeMinor}
	for i := range r.Steps {
		again, err := r.step(ctx, g, seed, i, at)
		if again != nil {
			list = append(list, *again)
		}
		if err != nil {
			return list, err
		}
		at.State, at.WonMinor = again.State, at.WonMinor+again.WinMinor
	}
	if at.WonMinor != r.WinMinor {
		return list, &MismatchError{len(r.Steps), "the win of the round", fmt.Sprint(r.WinMinor), fmt.Sprint(at.WonMinor)}
	}
	return list, nil
}

// open checks the seed against its commitment and the game against the record.
func (r *Round) open(g gamelogic.Game) (seed [32]byte, err error) {
	if r.Seed == "" {
		return seed, ErrSealed
	}
	if seed, err = digest("seed", r.Seed); err != nil {
		return seed, err
	}
	commitment, err := digest("commitment", r.Commitment)
	if err != nil {
		return seed, err
	}
	if got := gamelogic.Commitment(seed); got != commitment {
		return seed, fmt.Errorf("%w: it commits to %x, recorded is %s", ErrSeed, got, r.Commitment)
	}
	module, err := digest("module_digest", r.ModuleDigest)
	if err != nil {
		return seed, err
	}
	if got := g.Digest(); got != module {
		return seed, fmt.Errorf("%w: the round was played by %s, this is %x", ErrModule, r.ModuleDigest, got)
	}
	if r.Algorithm > math.MaxUint16 {
		return seed, fmt.Errorf("%w: the draws are of the unknown algorithm %d", ErrRecord, r.Algorithm)
	}
	return seed, nil
}

// complete finds a gap between the steps by their numbers and states.
func (r *Round) complete() error {
	if len(r.Steps) == 0 {
		return fmt.Errorf("%w: there is none", ErrMissing)
	}
	state := ""
	for i, s := range r.Steps {
		raw, err := hex.DecodeString(state)
		if err != nil {
			return fmt.Errorf("%w: the state of step %d is no hexadecimal", ErrRecord, i)
		}
		if i > 0 && (s.Step != r.Steps[i-1].Step+1 || s.Nonce <= r.Steps[i-1].Nonce) {
			return fmt.Errorf("%w: behind step %d of the session, nonce %d, comes step %d, nonce %d", ErrMissing, r.Steps[i-1].Step, r.Steps[i-1].Nonce, s.Step, s.Nonce)
		}
		if want := stateHash(raw); s.StateHash != want {
			if i == 0 {
				return fmt.Errorf("%w: the first one, step %d of the session, was evaluated on a state that an earlier one left", ErrMissing, s.Step)
			}
			return &MismatchError{i, "the state", state + " with the hash " + want, "one with the hash " + s.StateHash + ", which step " + fmt.Sprint(i+1) + " was evaluated on"}
		}
		last := i == len(r.Steps)-1
		if s.Closed && !last {
			return &MismatchError{i + 1, "the round", "closed", "going on"}
		}
		if last && s.Incident == "" && s.Closed != r.Closed {
			return fmt.Errorf("%w: the round is recorded as closed %t, its last step as closed %t", ErrMissing, r.Closed, s.Closed)
		}
		state = s.State
	}
	return nil
}

// stateHash is SHA-256 of the domain and the state, zeros for no state.
func stateHash(state []byte) string {
	if len(state) == 0 {
		return hex.EncodeToString(make([]byte, 32))
	}
	d := sha256.Sum256(append([]byte{domainState}, state...))
	return hex.EncodeToString(d[:])
}

// step plays one step again in a fresh instance.
func (r *Round) step(ctx context.Context, g gamelogic.Game, seed [32]byte, i int, at gamelogic.Step) (*Replayed, error) {
	s := &r.Steps[i]
	actions := g.Manifest().Actions
	for k, a := range actions {
		// Action 0 opens a round with the action every round begins with.
		if a.ID == s.Action || k == 0 && s.Action == 0 && i == 0 {
			at.Action = a.Name
			break
		}
	}
	if at.Action == "" {
		return nil, fmt.Errorf("%w: step %d takes action %d, which the manifest does not have", ErrRecord, i+1, s.Action)
	}
	draws, err := gamelogic.NewDraws(seed, gamelogic.DrawContext{
		Algorithm: gamelogic.Algorithm(r.Algorithm), ClientSeed: []byte(r.ClientSeed), Module: g.Digest(), RoundID: r.RoundID, StepNonce: s.Nonce,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: step %d: %w", ErrRecord, i+1, err)
	}
	at.Choice, at.Draws = s.Choice, draws
	out, err := g.Replay(ctx, at)
	again := &Replayed{Action: at.Action, Draws: draws.Log(), Outcome: out}
	var trap *gamelogic.TrapError
	switch {
	case err == nil:
	case errors.As(err, &trap):
		again.Incident = trap.Kind
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	default:
		return again, &MismatchError{i + 1, "the step", "decided", "refused: " + err.Error()}
	}
	return again, s.compare(i+1, again, g.Manifest())
}

// compare names the first thing that came out otherwise.
func (s *Step) compare(step int, again *Replayed, m *gamelogic.Manifest) error {
	mask := uint32(0)
	for _, name := range again.NextActions {
		if a, ok := m.Action(name); ok {
			mask |= 1 << a.ID
		}
	}
	for _, x := range []struct{ field, recorded, recomputed string }{
		{"the incident", none(s.Incident), none(string(again.Incident))},
		{"the number of draws", fmt.Sprint(s.Draws), fmt.Sprint(len(again.Draws))},
		{"the digest of the draws", s.DrawsDigest, hex.EncodeToString(again.DrawsDigest[:])},
		{"the win", fmt.Sprint(s.WinMinor), fmt.Sprint(again.WinMinor)},
		{"closed", fmt.Sprint(s.Closed), fmt.Sprint(again.Closed)},
		{"the mask of next actions", fmt.Sprintf("%#x", s.NextActions), fmt.Sprintf("%#x", mask)},
		{"the state", none(s.State), none(hex.EncodeToString(again.State))},
	} {
		if x.recorded != x.recomputed {
			return &MismatchError{step, x.field, x.recorded, x.recomputed}
		}
	}
	if !bytes.Equal(s.Presentation, again.Presentation) {
		a, b := sha256.Sum256(s.Presentation), sha256.Sum256(again.Presentation)
		return &MismatchError{
			step, "the presentation", fmt.Sprintf("%d bytes with SHA-256 %x", len(s.Presentation), a), fmt.Sprintf("%d bytes with SHA-256 %x", len(again.Presentation), b),
		}
	}
	return nil
}

func none(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
