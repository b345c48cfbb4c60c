package gamelogic_test

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
)

// A module is allowed, loaded, played, unloaded and brought back while others
// play on: a step is played whole or refused as unloaded, and the next life
// answers as the first one did.
func TestHost_AllowUnload(t *testing.T) {
	stays, goes := games.All()[0], games.All()[1]
	h := hostOf(t, gamelogic.HostConfig{MaxPerModule: 2}, stays.Wasm)
	defer h.Close()
	other, err := h.Load(t.Context(), stays.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(goes.Wasm)
	want, undisturbed := "", history(t, other, other.Play, 0, 20)
	for life := range 3 {
		if _, err := h.Load(t.Context(), goes.Wasm); !errors.Is(err, gamelogic.ErrNotAllowed) {
			t.Fatalf("life %d: load before it is allowed: %v", life, err)
		}
		h.Allow(digest)
		m, err := h.Load(t.Context(), goes.Wasm)
		if err != nil {
			t.Fatal(err)
		}
		got := history(t, m, m.Play, 0, 20)
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("life %d plays otherwise", life)
		}
		unloadWhilePlayed(t, h, m)
		if h.Module(digest) != nil {
			t.Fatalf("life %d: still found", life)
		}
		if history(t, other, other.Play, 0, 20) != undisturbed {
			t.Fatalf("life %d: the other module was disturbed", life)
		}
	}
}

func unloadWhilePlayed(t *testing.T, h *gamelogic.Host, m *gamelogic.Module) {
	t.Helper()
	var group sync.WaitGroup
	var played atomic.Uint64
	started := make(chan struct{})
	for worker := range uint64(6) {
		group.Go(func() {
			for nonce := uint64(0); ; nonce++ {
				s := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, Draws: drawsFor(t, m, worker, nonce)}
				_, err := m.Play(t.Context(), s)
				if errors.Is(err, gamelogic.ErrUnloaded) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if played.Add(1) == 50 {
					close(started)
				}
			}
		})
	}
	<-started
	var unloads sync.WaitGroup
	for range 2 { // the second finds nothing to do
		unloads.Go(func() {
			if err := h.Unload(t.Context(), m.Digest()); err != nil {
				t.Error(err)
			}
		})
	}
	unloads.Wait()
	group.Wait()
	if _, err := m.NewSimulator(t.Context()); !errors.Is(err, gamelogic.ErrUnloaded) {
		t.Errorf("simulator of an unloaded module: %v", err)
	}
}

func TestHost_UnloadRefusesSimulated(t *testing.T) {
	g := games.All()[0]
	h := hostOf(t, gamelogic.HostConfig{}, g.Wasm)
	m, err := h.Load(t.Context(), g.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Unload(t.Context(), m.Digest()); !errors.Is(err, gamelogic.ErrInUse) {
		t.Fatalf("error %v, want that it is in use", err)
	}
	if again, err := h.Load(t.Context(), g.Wasm); err != nil || again != m {
		t.Fatalf("a refused unload changed something: %v", err)
	}
	sim.Close()
	sim.Close()
	if err := h.Unload(t.Context(), m.Digest()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load(t.Context(), g.Wasm); !errors.Is(err, gamelogic.ErrNotAllowed) {
		t.Fatalf("load after unload: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Unload(t.Context(), m.Digest()); !errors.Is(err, gamelogic.ErrClosed) {
		t.Fatalf("unload after close: %v", err)
	}
}
