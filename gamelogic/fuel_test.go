package gamelogic_test

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/meter"
	"github.com/edgereel/edgereel/games"
)

// forever are play bodies that would never end by themselves. Function 5 is
// edgereel_play itself; its parameter is 32 at first.
func forever() map[string]struct {
	play []byte
	kind gamelogic.TrapKind
} {
	type entry = struct {
		play []byte
		kind gamelogic.TrapKind
	}
	draw := cat(i32c(6), call(0), []byte{0x1a})
	loop := func(b ...[]byte) []byte {
		return cat(draw, []byte{0x03, 0x40}, cat(b...), []byte{0x0c, 0, 0x0b, 0x00})
	}
	self := cat([]byte{0x20, 0}, i32c(1), []byte{0x6b}, call(5), []byte{0x1a})
	return map[string]entry{
		"loop":              {loop(), gamelogic.KindExhausted},
		"bulk":              {loop(i32c(65536), i32c(0), i32c(65536), []byte{0xfc, 11, 0}), gamelogic.KindExhausted},
		"growth":            {loop(i32c(1), []byte{0x40, 0, 0x1a}), gamelogic.KindExhausted},
		"calls of the host": {loop(i32c(65536), i32c(65536), i32c(0), call(1)), gamelogic.KindExhausted},
		"recursion":         {cat([]byte{0x20, 0}, call(5)), gamelogic.KindDepth},
		"tree of calls":     {cat([]byte{0x20, 0, 0x04, 0x40}, self, self, []byte{0x0b}, closedWin(0)), gamelogic.KindExhausted},
	}
}

// A runaway step ends as the same incident in pooled and fresh instances and
// in both engines, the collector runs meanwhile, and the next step is served.
func TestPlay_Runaway(t *testing.T) {
	for name, tt := range forever() {
		t.Run(name, func(t *testing.T) {
			wasm := newGuest(tt.play).build(t)
			var first *gamelogic.Outcome
			for _, interpreter := range []bool{false, true} {
				h := hostOf(t, gamelogic.HostConfig{Interpreter: interpreter, MaxPerModule: 2}, wasm)
				defer h.Close()
				m, err := h.Load(t.Context(), wasm)
				if err != nil {
					t.Fatal(err)
				}
				for i, play := range []player{m.Play, m.Play, m.Replay} {
					var wg sync.WaitGroup
					wg.Go(runtime.GC) // it waits for every running guest
					out, err := play(t.Context(), step(1, 2, 3))
					wg.Wait()
					var trap *gamelogic.TrapError
					if !errors.As(err, &trap) || trap.Kind != tt.kind {
						t.Fatalf("step %d: %v, want %q", i, err, tt.kind)
					}
					if first == nil {
						first = &out
					}
					if out.Fuel != first.Fuel || out.DrawsDigest != first.DrawsDigest || out.DrawCount != first.DrawCount {
						t.Errorf("step %d, interpreter %v: %+v, before %+v", i, interpreter, out, *first)
					}
				}
			}
			if tt.kind == gamelogic.KindExhausted && first.Fuel != gamelogic.DefaultFuelPerStep {
				t.Errorf("fuel %d", first.Fuel)
			}
		})
	}
}

// The fuel of a step is exact: what it spent is enough, one unit less is not.
func TestPlay_FuelIsExact(t *testing.T) {
	g := games.All()[1]
	spin := func(fuel int64) (gamelogic.Outcome, error) {
		h := hostOf(t, gamelogic.HostConfig{FuelPerStep: fuel}, g.Wasm)
		defer h.Close()
		m, err := h.Load(t.Context(), g.Wasm)
		if err != nil {
			t.Fatal(err)
		}
		return m.Play(t.Context(), gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, Draws: drawsFor(t, m, 1, 1)})
	}
	plenty, err := spin(0)
	if err != nil || plenty.Fuel <= 0 || plenty.Fuel > gamelogic.DefaultFuelPerStep/10 {
		t.Fatalf("fuel %d, %v", plenty.Fuel, err)
	}
	if enough, err := spin(plenty.Fuel); err != nil || enough.Fuel != plenty.Fuel || string(enough.Presentation) != string(plenty.Presentation) {
		t.Fatalf("with just enough: %+v, %v", enough, err)
	}
	short, err := spin(plenty.Fuel - 1)
	var trap *gamelogic.TrapError
	if !errors.As(err, &trap) || trap.Kind != gamelogic.KindExhausted || short.Fuel != plenty.Fuel-1 || short.WinMinor != 0 {
		t.Fatalf("with one less: %+v, %v", short, err)
	}
}

func TestNewHost_NegativeFuel(t *testing.T) {
	for _, cfg := range []gamelogic.HostConfig{{FuelPerStep: -1}, {FuelPerInit: -1}} {
		if h, err := gamelogic.NewHost(t.Context(), cfg); err == nil {
			_ = h.Close()
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// Fuel is part of an outcome, so it changes only with meter.Version: the first
// step of the published games, all draws zero.
func TestMeter_Figures(t *testing.T) {
	if meter.Version != 2 {
		t.Fatalf("version %d of the meter has figures of its own", meter.Version)
	}
	for name, want := range map[string]int64{"sizzling": 1156, "columbus": 6339, "atkins": 11584, "choice": 359} {
		wasm, err := os.ReadFile("testdata/published/" + name + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		m := load(t, wasm)
		man := m.Manifest()
		out, err := m.Play(t.Context(), gamelogic.Step{
			Mode: man.Modes[0].Name, Action: man.Actions[0].Name, StakeMinor: man.StakeMultipleMinor,
			Draws: gamelogic.NewScriptedDraws(make([]uint32, man.MaxDraws)),
		})
		if err != nil || out.Fuel != want {
			t.Errorf("%s: fuel %d, %v, want %d", name, out.Fuel, err, want)
		}
	}
}
