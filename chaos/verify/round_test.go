package verify

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/record"
	"github.com/edgereel/edgereel/wallet"
)

// export asks the world's nodes for a round.
func (w *world) export(round uint64) (*record.Round, error) {
	w.t.Helper()
	cfg := client.Config{HTTP: w, Budget: 500 * time.Millisecond, AttemptTimeout: 100 * time.Millisecond}
	for _, name := range nodeNames {
		cfg.Nodes = append(cfg.Nodes, client.Node{Name: name, Region: name, Address: name + ":1"})
	}
	c, err := client.New(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	return Round(w.t.Context(), Config{Client: c, Nodes: nodeNames, Token: "t"}, wallet.Ref{Wallet: w.id, Number: round}.String())
}

// A round that was played replays from its record, from the moment the seed is
// revealed, and not when anything of it was changed.
func TestRound_ReplaysOffline(t *testing.T) {
	w := newWorld(t)
	w.openSession()
	for range 3 {
		w.play(nil)
	}
	sealed, err := w.export(2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.Replay(t.Context(), w.module, sealed); !errors.Is(err, record.ErrSealed) {
		t.Errorf("a round of an open session: %v", err)
	}
	w.closeSession()
	w.down["eu"] = true // another node knows it too
	r, err := w.export(2)
	if err != nil {
		t.Fatal(err)
	}
	list, err := record.Replay(t.Context(), w.module, r)
	if err != nil || len(list) != 1 || len(list[0].Draws) != 5 || r.Game != "harbor-lines" || r.Session != w.id.String()+"-1" || !r.Closed {
		t.Fatalf("%+v, %+v, %v", r, list, err)
	}
	other, err := w.export(3)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(){
		"draws of another round": func() { r.Steps[0].DrawsDigest = other.Steps[0].DrawsDigest },
		"win":                    func() { r.Steps[0].WinMinor += 10 },
	} {
		kept := r.Steps[0]
		change()
		var mismatch *record.MismatchError
		if _, err := record.Replay(t.Context(), w.module, r); !errors.As(err, &mismatch) || mismatch.Step != 1 {
			t.Errorf("%s: %v", name, err)
		}
		r.Steps[0] = kept
	}
	if _, err := w.export(99); !errors.Is(err, ErrNoRound) {
		t.Errorf("a round that was never played: %v", err)
	}
}

// A feature of many steps, each with its own nonce and state.
func TestRound_OfManySteps(t *testing.T) {
	w := newWorld(t)
	for _, m := range w.games.modules {
		if m.Manifest().ID == "comet-spins" {
			w.module = m
		}
	}
	catalogue := &wallet.Catalogue{Game: "comet-spins", Version: "1", Digest: w.module.Digest(), Enabled: true, MinStakeMinor: 1, MaxStakeMinor: 100_000}
	for _, mode := range w.module.Manifest().Modes {
		catalogue.Modes = append(catalogue.Modes, wallet.Mode{ID: mode.ID, Name: mode.Name, CostX100: uint32(mode.CostX100), MaxWinX: uint64(mode.MaxWinX)})
	}
	w.apply(catalogue)
	seed := [32]byte{8}
	w.seeds[1] = seed
	w.session = 1
	w.apply(&wallet.OpenSession{
		Wallet: w.id, Key: "k", Game: "comet-spins", ClientSeed: "mine", Session: 1, Epoch: 1, Algorithm: 1,
		Commitment: wallet.SeedCommitment(seed), Sealed: []byte{1}, KeyID: "k",
	})
	var round uint64
	for step := uint64(1); ; step++ {
		played := w.step1(step, seed)
		round = played.Round
		if played.Closed {
			break
		}
	}
	w.closeSession()
	r, err := w.export(round)
	if err != nil {
		t.Fatal(err)
	}
	list, err := record.Replay(t.Context(), w.module, r)
	if err != nil || len(list) < 10 || r.Mode != "buy" {
		t.Fatalf("%d steps of mode %q: %v", len(list), r.Mode, err)
	}
	r.Steps[3].Presentation[0] ^= 1
	if _, err := record.Replay(t.Context(), w.module, r); err == nil || err.Error()[:14] != "record: step 4" {
		t.Errorf("a changed presentation: %v", err)
	}
	r.Steps = append(r.Steps[:5], r.Steps[6:]...)
	if _, err := record.Replay(t.Context(), w.module, r); !errors.Is(err, record.ErrMissing) {
		t.Errorf("without its sixth step: %v", err)
	}
}

// step1 plays a step of a bought feature as the leader would.
func (w *world) step1(step uint64, seed [32]byte) *wallet.Play {
	w.t.Helper()
	request := wallet.PlayRequest{Wallet: w.id, Session: 1, Step: step, Action: 1}
	if step == 1 {
		request = wallet.PlayRequest{Wallet: w.id, Session: 1, Step: 1, Mode: "buy", StakeMinor: 10}
	}
	ev, _, err := w.copies["eu"].shard.PreparePlay(request)
	if err != nil {
		w.t.Fatal(fmt.Errorf("step %d: %w", step, err))
	}
	draws, err := gamelogic.NewDraws(seed, gamelogic.DrawContext{Algorithm: 1, ClientSeed: []byte("mine"), Module: w.module.Digest(), RoundID: ev.Round, StepNonce: ev.Nonce})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.module.Play(w.t.Context(), gamelogic.Step{Mode: "buy", Action: "spin", StakeMinor: 10, WonMinor: ev.WonMinor, State: ev.State, Draws: draws})
	if err != nil {
		w.t.Fatal(err)
	}
	op := &wallet.Play{
		PlayRequest: request, Basis: ev.Basis, WinMinor: out.WinMinor, Closed: out.Closed, State: out.State, DrawsDigest: out.DrawsDigest,
		Draws: uint32(out.DrawCount), Presentation: out.Presentation,
	}
	if !out.Closed {
		op.NextActions = 1 << 1
	}
	w.apply(op)
	return op
}
