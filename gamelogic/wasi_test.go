package gamelogic_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

// goGuest builds testdata/goguest with the toolchain that runs the tests.
var goGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "goguest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := filepath.Join(dir, "goguest.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "./testdata/goguest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the guest: %w: %s", err, text)
	}
	return os.ReadFile(out)
})

func loadGo(t testing.TB, interpreter bool) *gamelogic.Module {
	t.Helper()
	wasm, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	h := hostOf(t, gamelogic.HostConfig{Interpreter: interpreter, MaxPerModule: 2}, wasm)
	t.Cleanup(func() { _ = h.Close() })
	m, err := h.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func goStep(t testing.TB, m *gamelogic.Module, round uint64, choice uint32) gamelogic.Step {
	return gamelogic.Step{Mode: "base", Action: "spin", Choice: choice, StakeMinor: 10, Draws: drawsFor(t, m, round, round)}
}

// result prints all that is kept of a step.
func result(out gamelogic.Outcome, err error) string {
	var trap *gamelogic.TrapError
	if errors.As(err, &trap) {
		err = errors.New(string(trap.Kind))
	}
	return fmt.Sprintf("%d %q %d %x %d %v", out.WinMinor, out.Presentation, out.DrawCount, out.DrawsDigest, out.Fuel, err)
}

// A Go guest answers the same in a pooled instance whatever was played in it
// before, in a fresh one, and under the interpreter: with garbage collected,
// goroutines left running, clocks, random numbers and NaNs.
func TestWASI_Deterministic(t *testing.T) {
	m, slow := loadGo(t, false), loadGo(t, true)
	if m.Profile() != gamelogic.ProfileWASI {
		t.Fatalf("profile %q", m.Profile())
	}
	kinds := map[uint32]string{5: "trap", 6: "trap", 7: "exhausted"}
	for choice := range uint32(11) {
		t.Run(fmt.Sprint(choice), func(t *testing.T) {
			first := result(m.Play(t.Context(), goStep(t, m, 1, choice)))
			t.Log(first)
			if _, err := m.Play(t.Context(), goStep(t, m, 2, 1)); err != nil {
				t.Fatal(err)
			}
			for name, play := range map[string]player{"pooled": m.Play, "fresh": m.Replay, "interpreted": slow.Play} {
				if got := result(play(t.Context(), goStep(t, m, 1, choice))); got != first {
					t.Errorf("%s: %s\nat first %s", name, got, first)
				}
			}
			if want := kinds[choice]; want != "" && !strings.HasSuffix(first, " "+want) {
				t.Errorf("%s, want %s", first, want)
			}
		})
	}
}

// In a simulation nothing is restored, and the game's answers are the same as
// long as it keeps nothing.
func BenchmarkWASI(b *testing.B) {
	m := loadGo(b, false)
	sim, err := m.NewSimulator(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer sim.Close()
	b.Run("play", func(b *testing.B) {
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i++ {
			if _, err := m.Play(context.Background(), goStep(b, m, i, 100)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("replay", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			if _, err := m.Replay(context.Background(), goStep(b, m, i, 100)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("simulate", func(b *testing.B) {
		stream := gamelogic.NewStream([32]byte{1}, m.Digest(), 0)
		for b.Loop() {
			if _, err := sim.Play(gamelogic.Step{Mode: "base", Action: "spin", Choice: 100, StakeMinor: 10, Draws: stream.Step()}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("runaway", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			if _, err := m.Play(context.Background(), goStep(b, m, i, 7)); err == nil {
				b.Fatal("it ended")
			}
		}
	})
}
