package sdk_test

import (
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

// A step of each kit's example on the path that plays for money, without the
// restore between steps: draws, meters, presentation.
func BenchmarkStep(b *testing.B) {
	for _, language := range languages {
		b.Run(language, func(b *testing.B) {
			m := load(b, exampleModule(b, language))
			s, err := m.NewSimulator(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			stream := gamelogic.NewStream([32]byte{1}, m.Digest(), 0)
			for b.Loop() {
				if _, err := s.Play(gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 500, Draws: stream.Step()}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
