package gamelogic_test

import (
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
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sim.Play(gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, Draws: stream.Step()}); err != nil {
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
