package gamelogic_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
)

func hostOf(t testing.TB, cfg gamelogic.HostConfig, wasm []byte) *gamelogic.Host {
	t.Helper()
	cfg.Allow = append(cfg.Allow, sha256.Sum256(wasm))
	h, err := gamelogic.NewHost(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// drawsFor gives the draws of a step of a fixed session.
func drawsFor(t testing.TB, m *gamelogic.Module, round, nonce uint64) *gamelogic.Draws {
	t.Helper()
	d, err := gamelogic.NewDraws([32]byte{42}, gamelogic.DrawContext{
		Algorithm: gamelogic.AlgorithmHMACChaCha20, ClientSeed: []byte("player"), Module: m.Digest(), RoundID: round, StepNonce: nonce,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// player is Play or Replay of one module.
type player func(context.Context, gamelogic.Step) (gamelogic.Outcome, error)

// history plays rounds and prints every outcome.
func history(t testing.TB, m *gamelogic.Module, play player, from, to uint64) string {
	t.Helper()
	var out bytes.Buffer
	nonce := from * 1000
	modes := m.Manifest().Modes
	for round := from; round < to; round++ {
		st := gamelogic.Step{Mode: modes[round%uint64(len(modes))].Name, Action: "spin", StakeMinor: 100}
		for closed := false; !closed; nonce++ {
			st.Draws = drawsFor(t, m, round, nonce)
			o, err := play(context.Background(), st)
			if err != nil {
				t.Errorf("round %d: %v", round, err)
				return ""
			}
			fmt.Fprintf(&out, "%d %d %d %x %d %x %d %s\n", round, nonce, o.WinMinor, o.State, o.DrawCount, o.DrawsDigest, o.Fuel, o.Presentation)
			st.State, st.WonMinor, closed = o.State, st.WonMinor+o.WinMinor, o.Closed
			if !closed {
				st.Action = o.NextActions[0]
			}
		}
	}
	return out.String()
}

// The same steps give the same bytes in pooled instances, in fresh ones, in
// another order, and under the interpreter.
func TestGames_Deterministic(t *testing.T) {
	for _, g := range games.All() {
		t.Run(g.ID, func(t *testing.T) {
			h := hostOf(t, gamelogic.HostConfig{MaxPerModule: 2}, g.Wasm)
			defer h.Close()
			m, err := h.Load(t.Context(), g.Wasm)
			if err != nil {
				t.Fatal(err)
			}
			slow := hostOf(t, gamelogic.HostConfig{Interpreter: true}, g.Wasm)
			defer slow.Close()
			second, err := slow.Load(t.Context(), g.Wasm)
			if err != nil {
				t.Fatal(err)
			}
			want := history(t, m, m.Play, 0, 200)
			if len(want) == 0 {
				t.Fatal("no history")
			}
			if got := history(t, m, m.Replay, 0, 200); got != want {
				t.Error("fresh instances play otherwise")
			}
			if got := history(t, second, second.Play, 0, 200); got != want {
				t.Error("the interpreter plays otherwise")
			}
			late := history(t, m, m.Play, 150, 200)
			if early := history(t, m, m.Play, 50, 100); early == late {
				t.Error("different rounds play the same")
			}
			if again := history(t, m, m.Play, 150, 200); again != late {
				t.Error("what was played before matters")
			}
		})
	}
}

// Many goroutines share two instances and each sees the history it would see alone.
func TestPlay_Concurrent(t *testing.T) {
	g := games.All()[1]
	h := hostOf(t, gamelogic.HostConfig{MaxPerModule: 2}, g.Wasm)
	defer h.Close()
	m, err := h.Load(t.Context(), g.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	const players, rounds = 8, 20
	want := make([]string, players)
	for i := range want {
		want[i] = history(t, m, m.Play, uint64(i*rounds), uint64((i+1)*rounds))
	}
	var wg sync.WaitGroup
	for i := range want {
		wg.Go(func() {
			play := m.Play
			if i%4 == 0 {
				play = m.Replay
			}
			if got := history(t, m, play, uint64(i*rounds), uint64((i+1)*rounds)); got != want[i] {
				t.Errorf("player %d saw another history", i)
			}
		})
	}
	wg.Wait()
}

func TestHost_Close(t *testing.T) {
	g := games.All()[0]
	h := hostOf(t, gamelogic.HostConfig{}, g.Wasm)
	m, err := h.Load(t.Context(), g.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for nonce := uint64(0); ; nonce++ {
				_, err := m.Play(context.Background(), gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 10, Draws: drawsFor(t, m, uint64(i), nonce)})
				if errors.Is(err, gamelogic.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("during close: %v", err)
					return
				}
			}
		})
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal("the second close:", err)
	}
	wg.Wait()
	if _, err := h.Load(t.Context(), g.Wasm); !errors.Is(err, gamelogic.ErrClosed) {
		t.Errorf("load after close: %v", err)
	}
	if _, err := m.NewSimulator(t.Context()); !errors.Is(err, gamelogic.ErrClosed) {
		t.Errorf("simulator after close: %v", err)
	}
}

// A step that cannot get an instance ends with its context, and everything
// lives and ends inside a bubble.
func TestHost_InBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := games.All()[0]
		h := hostOf(t, gamelogic.HostConfig{MaxPerModule: 1}, g.Wasm)
		m, err := h.Load(t.Context(), g.Wasm)
		if err != nil {
			t.Fatal(err)
		}
		if history(t, m, m.Play, 0, 5) == "" {
			t.Fatal("no history")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		refused := 0
		for nonce := range uint64(100) { // the free instance and the dead context are both ready
			s := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 10, Draws: drawsFor(t, m, 9, nonce)}
			if _, err := m.Play(ctx, s); errors.Is(err, context.Canceled) {
				refused++
			}
		}
		if refused == 0 {
			t.Error("no step heeded its context")
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// Comet Spins accepts only states that it wrote for this very round.
func TestGames_RefusesForeignState(t *testing.T) {
	m, _ := loadGame(t, "comet-spins")
	open := gamelogic.Step{Mode: "buy", Action: "spin", StakeMinor: 100, Draws: drawsFor(t, m, 1, 1)}
	first, err := m.Play(t.Context(), open)
	if err != nil || first.Closed || len(first.NextActions) != 1 || first.NextActions[0] != "spin" {
		t.Fatalf("outcome %+v, %v", first, err)
	}
	resume := func(mode string, stake int64, state []byte) error {
		_, err := m.Play(t.Context(), gamelogic.Step{
			Mode: mode, Action: "spin", StakeMinor: stake, WonMinor: first.WinMinor, State: state, Draws: drawsFor(t, m, 1, 2),
		})
		return err
	}
	if err := resume("buy", 100, first.State); err != nil {
		t.Fatal(err)
	}
	foreign := map[string]error{
		"another stake": resume("buy", 200, first.State),
		"another mode":  resume("base", 100, first.State),
		"cut off":       resume("buy", 100, first.State[:23]),
	}
	for name, change := range map[string]func([]byte){
		"version":       func(b []byte) { b[0] = 2 },
		"no spins left": func(b []byte) { b[2] = 0 },
		"more spins":    func(b []byte) { b[2]++ },
		"odd award":     func(b []byte) { b[4]++ },
		"reserved":      func(b []byte) { b[6] = 1 },
		"win negative":  func(b []byte) { b[23] = 0x80 },
	} {
		b := bytes.Clone(first.State)
		change(b)
		foreign[name] = resume("buy", 100, b)
	}
	for name, err := range foreign {
		if !errors.Is(err, gamelogic.ErrBadState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain, _ := loadGame(t, "harbor-lines")
	_, err = plain.Play(t.Context(), gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, State: []byte{1}, Draws: drawsFor(t, plain, 1, 1)})
	if !errors.Is(err, gamelogic.ErrBadState) {
		t.Errorf("state for a game without: %v", err)
	}
}

// Any state and choice is answered, refused or trapped, and never breaks the
// promises of an outcome.
func FuzzPlay_State(f *testing.F) {
	m, _ := loadGame(f, "comet-spins")
	f.Add([]byte{}, int64(100), int64(0), uint32(0))
	first, err := m.Play(f.Context(), gamelogic.Step{Mode: "buy", Action: "spin", StakeMinor: 100, Draws: drawsFor(f, m, 1, 1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first.State, int64(100), first.WinMinor, uint32(7))
	f.Fuzz(func(t *testing.T, state []byte, stake, won int64, choice uint32) {
		s := gamelogic.Step{Mode: "buy", Action: "spin", StakeMinor: stake, WonMinor: won, State: state, Choice: choice, Draws: drawsFor(t, m, 1, 2)}
		out, err := m.Play(t.Context(), s)
		var trap *gamelogic.TrapError
		switch {
		case err == nil:
			if out.WinMinor < 0 || out.WinMinor > 800*stake-won || out.Closed != (len(out.State) == 0) || out.DrawCount != 5 {
				t.Fatalf("outcome %+v", out)
			}
		case errors.As(err, &trap):
			// A forged win-so-far can contradict the state's own; nothing else may trap.
			if trap.Kind != gamelogic.KindBadOutput {
				t.Fatal(err)
			}
		}
	})
}

// No bytes make the checks or the rewriting panic. Only these run here: the code
// of an accepted mutation may loop for ever.
func FuzzInspect(f *testing.F) {
	f.Add(newGuest(closedWin(1)).build(f))
	f.Add(counter().build(f))
	f.Add([]byte("\x00asm\x01\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, wasm []byte) {
		// Inspect panics when the rewriting contradicts the check.
		_ = gamelogic.Inspect(wasm)
	})
}
