package gamelogic_test

import (
	"errors"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
)

// One base spin the way the money path plays it: draws keyed for the step, a
// pooled instance, its restore, the digest of the draws.
func BenchmarkPlay(b *testing.B) {
	for _, g := range games.All() {
		b.Run(g.ID, func(b *testing.B) {
			m, _ := loadGame(b, g.ID)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				s := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, Draws: drawsFor(b, m, i, i)}
				if _, err := m.Play(b.Context(), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One step of a simulation: no restore, no key, no digest.
func BenchmarkSimulator(b *testing.B) {
	for _, g := range games.All() {
		b.Run(g.ID, func(b *testing.B) {
			m, _ := loadGame(b, g.ID)
			sim, err := m.NewSimulator(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer sim.Close()
			stream := gamelogic.NewStream([32]byte{1}, m.Digest(), 0)
			st, out := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100}, gamelogic.Outcome{}
			b.ReportAllocs()
			for b.Loop() {
				st.Draws = stream.Step()
				if err := sim.PlayInto(&st, &out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	m, _ := loadGame(b, "harbor-lines")
	for i := uint64(0); b.Loop(); i++ {
		s := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, Draws: drawsFor(b, m, i, i)}
		if _, err := m.Replay(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDraws(b *testing.B) {
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		d, err := gamelogic.NewDraws([32]byte{1}, gamelogic.DrawContext{Algorithm: gamelogic.AlgorithmHMACChaCha20, RoundID: i})
		if err != nil {
			b.Fatal(err)
		}
		d.Digest()
	}
}

func BenchmarkNewInstance(b *testing.B) {
	m, _ := loadGame(b, "harbor-lines")
	for b.Loop() {
		sim, err := m.NewSimulator(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		sim.Close()
	}
}

// A module is compiled by a host that meets it for the first time, and by one
// that finds it in the cache.
func BenchmarkLoad(b *testing.B) {
	g := games.All()[0]
	for name, dir := range map[string]string{"compiled": "", "cached": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h := hostOf(b, gamelogic.HostConfig{CompileCacheDir: dir}, g.Wasm)
				if _, err := h.Load(b.Context(), g.Wasm); err != nil {
					b.Fatal(err)
				}
				if err := h.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A step that never ends by itself, the new instance after it included.
func BenchmarkRunaway(b *testing.B) {
	m := load(b, newGuest([]byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x00}).build(b))
	for b.Loop() {
		_, err := m.Play(b.Context(), step())
		var trap *gamelogic.TrapError
		if !errors.As(err, &trap) || trap.Kind != gamelogic.KindExhausted {
			b.Fatal(err)
		}
	}
}
