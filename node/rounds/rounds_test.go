package rounds_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/internal/oneshard"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/wallet"
)

// fixture is a shard with an open session, about to play its first step.
type fixture struct {
	*oneshard.Shard
	req wallet.PlayRequest
	ev  wallet.Evaluation
}

func newFixture(t *testing.T, game, mode string) *fixture {
	t.Helper()
	f := &fixture{Shard: oneshard.New(t)}
	id := f.Wallet(t, 1, oneshard.Operator, 1_000_000)
	sealed, key, err := f.Ring.Seal([32]byte{7}, id, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Apply(&wallet.OpenSession{
		Wallet: id, Key: "k", Game: game, ClientSeed: "luck", Session: 1, Epoch: 1, Commitment: wallet.SeedCommitment([32]byte{7}),
		Sealed: sealed, KeyID: key, Algorithm: uint32(gamelogic.AlgorithmHMACChaCha20),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.req = wallet.PlayRequest{Wallet: id, Session: 1, Step: 1, Mode: mode, StakeMinor: 10}
	f.prepare(t)
	return f
}

func (f *fixture) prepare(t *testing.T) {
	t.Helper()
	f.View(func(s *wallet.Shard) {
		ev, repeat, err := s.PreparePlay(f.req)
		if repeat != nil || err != nil {
			t.Fatalf("prepare: %v, %v", repeat, err)
		}
		f.ev = ev
	})
}

func (f *fixture) evaluate(t *testing.T, play rounds.Player) (wallet.Op, error) {
	t.Helper()
	return rounds.Evaluate(t.Context(), rounds.Hosted{Host: f.Host}, play, wallet.Meta{Actor: "player"}, f.req, f.ev, [32]byte{7})
}

// TestEvaluate_SameStateSameOperation: pooled and fresh instances agree to the
// byte, and every part of the basis counts.
func TestEvaluate_SameStateSameOperation(t *testing.T) {
	f := newFixture(t, "comet-spins", "buy")
	first, err := f.evaluate(t, gamelogic.Game.Play)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := f.evaluate(t, gamelogic.Game.Replay)
		if err != nil || string(wallet.EncodeOp(again)) != string(wallet.EncodeOp(first)) {
			t.Fatalf("evaluates to %v, %v; first %v", again, err, first)
		}
	}
	digest := func(op wallet.Op) wallet.Hash {
		p, ok := op.(*wallet.Play)
		if !ok {
			t.Fatalf("evaluates to %T", op)
		}
		return p.DrawsDigest
	}
	for name, change := range map[string]func(*wallet.Evaluation){
		"round": func(ev *wallet.Evaluation) { ev.Round++ }, "nonce": func(ev *wallet.Evaluation) { ev.Nonce++ },
		"player's seed": func(ev *wallet.Evaluation) { ev.ClientSeed = "other" },
	} {
		other := *f
		change(&other.ev)
		op, err := other.evaluate(t, gamelogic.Game.Play)
		if err != nil || digest(op) == digest(first) {
			t.Errorf("another %s gives the same draws (%v)", name, err)
		}
	}
}

// TestEvaluate_MaskIsWhatTheModuleOffers plays a bought feature to its end by
// the mask of each answer alone.
func TestEvaluate_MaskIsWhatTheModuleOffers(t *testing.T) {
	f := newFixture(t, "comet-spins", "buy")
	for steps := 1; ; steps++ {
		op, err := f.evaluate(t, gamelogic.Game.Play)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := op.(*wallet.Play)
		if !ok {
			t.Fatalf("evaluates to %T", op)
		}
		if p.Closed != (p.NextActions == 0) {
			t.Fatalf("step %d: closed %v with mask %#x", steps, p.Closed, p.NextActions)
		}
		if _, err := f.Apply(op); err != nil {
			t.Fatalf("step %d: %v", steps, err)
		}
		if p.Closed {
			if steps < 3 {
				t.Errorf("the feature ended after %d steps", steps)
			}
			return
		}
		next := uint32(0)
		for p.NextActions&(1<<next) == 0 {
			next++
		}
		f.req = wallet.PlayRequest{Wallet: f.req.Wallet, Session: 1, Step: f.req.Step + 1, Action: next}
		f.prepare(t)
	}
}

// TestEvaluate_Failures sorts a module's ways to fail: its own faults are
// incidents, the player's are refusals, the host's are neither.
func TestEvaluate_Failures(t *testing.T) {
	f := newFixture(t, "harbor-lines", "base")
	left := gamelogic.Outcome{DrawCount: 3, DrawsDigest: [32]byte{9}}
	tests := map[string]struct {
		err  error
		trap string
		code wallet.Code
	}{
		"trap":           {err: &gamelogic.TrapError{Kind: gamelogic.KindTrap}, trap: "trap"},
		"bad output":     {err: fmt.Errorf("play: %w", &gamelogic.TrapError{Kind: gamelogic.KindBadOutput}), trap: "bad_output"},
		"bad state":      {err: gamelogic.ErrBadState, trap: "bad_state"},
		"bad input":      {err: gamelogic.ErrBadInput, code: wallet.CodeActionNotAllowed},
		"unknown action": {err: gamelogic.ErrUnknownAction, code: wallet.CodeActionNotAllowed},
		"bad stake":      {err: gamelogic.ErrBadStake, code: wallet.CodeBadStake},
		"unknown mode":   {err: gamelogic.ErrUnknownMode, code: wallet.CodeUnknownMode},
		"host closed":    {err: gamelogic.ErrClosed},
		"bad draws":      {err: gamelogic.ErrBadDraws},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			op, err := f.evaluate(t, func(gamelogic.Game, context.Context, gamelogic.Step) (gamelogic.Outcome, error) {
				return left, tc.err
			})
			refusal := (*wallet.Refusal)(nil)
			switch {
			case tc.trap != "":
				in, ok := op.(*wallet.Incident)
				if !ok || err != nil || in.Trap != tc.trap || in.Draws != 3 || in.DrawsDigest != left.DrawsDigest || in.Basis != f.ev.Basis || in.PlayRequest != f.req {
					t.Errorf("gives %+v, %v", op, err)
				}
			case tc.code != "":
				if op != nil || !errors.As(err, &refusal) || refusal.Code != tc.code || refusal.Effect != wallet.NotApplied {
					t.Errorf("gives %+v, %v", op, err)
				}
			case op != nil || !errors.Is(err, tc.err) || errors.As(err, &refusal):
				t.Errorf("gives %+v, %v", op, err)
			}
		})
	}
}

// TestEvaluate_NotAsked: what needs no module is refused without one.
func TestEvaluate_NotAsked(t *testing.T) {
	f := newFixture(t, "harbor-lines", "base")
	never := func(gamelogic.Game, context.Context, gamelogic.Step) (gamelogic.Outcome, error) {
		t.Error("the module was asked")
		return gamelogic.Outcome{}, nil
	}
	f.req.Action = 7
	_, err := f.evaluate(t, never)
	if refusal := (*wallet.Refusal)(nil); !errors.As(err, &refusal) || refusal.Code != wallet.CodeActionNotAllowed {
		t.Errorf("an action the game lacks gives %v", err)
	}
	f.ev.Digest[0] ^= 1
	if _, err := f.evaluate(t, never); !errors.Is(err, rounds.ErrNoModule) {
		t.Errorf("a module this node lacks gives %v", err)
	}
}

func TestCatalogue_HoldsTheManifest(t *testing.T) {
	f := newFixture(t, "harbor-lines", "base")
	for _, m := range f.Modules {
		c := rounds.Catalogue(m, 5)
		man := m.Manifest()
		if c.Game != man.ID || c.Digest != m.Digest() || c.MinStakeMinor != man.StakeMultipleMinor || c.MaxStakeMinor < c.MinStakeMinor || len(c.Modes) != len(man.Modes) {
			t.Errorf("%s is listed as %+v", man.ID, c)
		}
	}
}

// TestEvaluate_Budget: a step is held to the meter and the fuel the shard
// names, or not evaluated at all.
func TestEvaluate_Budget(t *testing.T) {
	f := newFixture(t, "harbor-lines", "base")
	var build wallet.Build
	for _, m := range f.Modules {
		if m.Manifest().ID == "harbor-lines" {
			build = rounds.Build(m)
		}
	}
	first, err := f.evaluate(t, gamelogic.Game.Play)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		meter uint16
		fuel  uint64
		fits  bool
	}{
		"as this node has it": {build.MeterVersion, build.FuelPerStep, true},
		"another meter":       {build.MeterVersion + 1, build.FuelPerStep, false},
		"more fuel":           {build.MeterVersion, build.FuelPerStep + 1, false},
		"fuel without meter":  {0, build.FuelPerStep, false},
		"meter without fuel":  {build.MeterVersion, 0, false},
	} {
		f.ev.MeterVersion, f.ev.FuelPerStep = tc.meter, tc.fuel
		op, err := f.evaluate(t, gamelogic.Game.Play)
		if tc.fits != (err == nil) || !tc.fits && !errors.Is(err, rounds.ErrBudget) {
			t.Errorf("%s: %v", name, err)
		}
		if tc.fits && string(wallet.EncodeOp(op)) != string(wallet.EncodeOp(first)) {
			t.Errorf("%s: evaluates to %v", name, op)
		}
	}
}
