package proof_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/internal/tiny"
	"github.com/edgereel/edgereel/gamelogic/proof"
)

func loadTiny(t *testing.T, g *tiny.Game) *gamelogic.Module {
	t.Helper()
	wasm := g.Build()
	host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	m, err := host.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// doors opens with a pick among four. The first pays a stake for one of two,
// the second nine for one of ten, the third is not there, the fourth goes back
// to the pick for one of two and pays nothing otherwise.
func doors() *tiny.Game {
	pick := func(n int32, yes, no []byte) []byte {
		return tiny.If(tiny.Equal(tiny.Load(tiny.Choice), tiny.I32(n)), yes, no)
	}
	again := tiny.Open(tiny.I32(0), tiny.I32(7), 1<<2)
	g := tiny.New(tiny.If(tiny.Load(tiny.StateLength),
		pick(0, tiny.Close(tiny.Draw(2)),
			pick(1, tiny.Close(tiny.Times(tiny.I32(9), tiny.Equal(tiny.Draw(10), tiny.I32(0)))),
				pick(2, tiny.I32(-1),
					tiny.If(tiny.Draw(2), tiny.Close(tiny.I32(0)), again)))),
		again))
	g.Manifest.Actions[1].Choices = 4
	return g
}

func TestExact_ChoicesOfAnAction(t *testing.T) {
	g := doors()
	res, err := proof.Exact(t.Context(), loadTiny(t, g), proof.ExactConfig{Mode: "base", StakeMinor: 3})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "RTP of choice 0", res.RTP, 1, 2)
	equal(t, "optimal", res.RTPOptimal, 9, 10)
	equal(t, "worst", res.RTPWorst, 0, 1)
	equal(t, "max win", res.MaxWinX, 1, 1)
	equal(t, "max win of any choice", res.MaxWinAnyX, 9, 1)
	// the opening 1, then 2 + 10 + 0 + 2
	if want := (proof.Size{States: 2, Leaves: 15}); res.Size != want {
		t.Errorf("size %+v, want %+v", res.Size, want)
	}
	// With advice to take the fourth door until it closes, nothing is paid.
	g.Advise = tiny.I32(3<<5 | 2)
	res, err = proof.Exact(t.Context(), loadTiny(t, g), proof.ExactConfig{Mode: "base", StakeMinor: 3})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "RTP as advised", res.RTP, 0, 1)
	equal(t, "optimal", res.RTPOptimal, 9, 10)
	if res.Wins != nil || res.WhyNoWins == "" {
		t.Errorf("a distribution %v of a strategy with a cycle, %q", res.Wins, res.WhyNoWins)
	}
	// Advice that the module itself refuses.
	g.Advise = tiny.I32(2<<5 | 2)
	if _, err := proof.Exact(t.Context(), loadTiny(t, g), proof.ExactConfig{Mode: "base", StakeMinor: 3}); !errors.Is(err, proof.ErrEndless) {
		t.Errorf("advice that is refused: %v", err)
	}
}

// A cycle that pays in some of its rounds is solved as an equation:
// x = 1/3·(1 + x) + 1/3·x, so x = 1.
func TestExact_PayingCycle(t *testing.T) {
	spin := tiny.Join(tiny.Keep(tiny.Draw(3)), tiny.If(tiny.Kept(),
		tiny.Open(tiny.Equal(tiny.Kept(), tiny.I32(1)), tiny.I32(7), 1<<1), tiny.Close(tiny.I32(0))))
	g := tiny.New(spin)
	g.Manifest.Modes[0].MaxWinX = 1000
	res, err := proof.Exact(t.Context(), loadTiny(t, g), proof.ExactConfig{Mode: "base", StakeMinor: 1})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "RTP", res.RTP, 1, 1)
	equal(t, "hit frequency", res.HitFrequency, 1, 2)
	if res.MaxWinX != nil || res.MaxWinAnyX != nil {
		t.Errorf("a cycle that pays has a largest win of %v", res.MaxWinX)
	}
}

func TestBlamesTheModule(t *testing.T) {
	count := tiny.SetGlobal(tiny.Add(tiny.Global(), tiny.I32(1)))
	for name, c := range map[string]struct {
		game            *tiny.Game
		walk, simulated error
	}{
		"hidden state": {
			tiny.New(count, tiny.Keep(tiny.Draw(3)), tiny.Close(tiny.Equal(tiny.Global(), tiny.I32(1)))), proof.ErrHiddenState, proof.ErrHiddenState,
		},
		"draws by hidden state": {
			tiny.New(count, tiny.If(tiny.Draw(2), tiny.Close(tiny.Times(tiny.I32(0), tiny.Join(tiny.Add(tiny.Global(), tiny.I32(1)), []byte{0x10, 0}))), tiny.Close(tiny.I32(0)))),
			proof.ErrHiddenState, proof.ErrHiddenState,
		},
		"endless": {
			tiny.New(tiny.Keep(tiny.Draw(2)), tiny.Open(tiny.I32(0), tiny.I32(1), 1<<1)), proof.ErrEndless, proof.ErrEndless,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := loadTiny(t, c.game)
			if _, err := proof.Exact(t.Context(), m, proof.ExactConfig{Mode: "base", StakeMinor: 1}); !errors.Is(err, c.walk) {
				t.Errorf("walked: %v, want %v", err, c.walk)
			}
			if _, err := proof.Simulate(t.Context(), m, proof.SimulateConfig{Mode: "base", StakeMinor: 1, Rounds: 1000}); !errors.Is(err, c.simulated) {
				t.Errorf("simulated: %v, want %v", err, c.simulated)
			}
		})
	}
}

// Of a round that is too large the first step is counted by itself.
func TestExact_Opening(t *testing.T) {
	// One of four opens, with a thousand states; another pays two stakes.
	spin := tiny.If(tiny.Load(tiny.StateLength), tiny.Close(tiny.Times(tiny.I32(0), tiny.Draw(1000))),
		tiny.Join(tiny.Keep(tiny.Draw(4)), tiny.If(tiny.Equal(tiny.Kept(), tiny.I32(3)),
			tiny.Open(tiny.I32(0), tiny.Add(tiny.Draw(1000), tiny.I32(1)), 1<<2),
			tiny.Close(tiny.Times(tiny.I32(2), tiny.Equal(tiny.Kept(), tiny.I32(1)))))))
	m := loadTiny(t, tiny.New(spin))
	cfg := proof.ExactConfig{Mode: "base", StakeMinor: 5, MaxLeaves: 2000, Opening: true}
	res, err := proof.Exact(t.Context(), m, cfg)
	if !errors.Is(err, proof.ErrTooLarge) || res.Opening == nil || res.Opening.Leaves != 1003 {
		t.Fatalf("%+v, %v", res, err)
	}
	equal(t, "return of the first step", res.Opening.RTP, 1, 2)
	equal(t, "ends there", res.Opening.Closes, 3, 4)
	equal(t, "pays there", res.Opening.Hits, 1, 4)
	cfg.MaxLeaves = 1002
	if res, err := proof.Exact(t.Context(), m, cfg); !errors.Is(err, proof.ErrTooLarge) || res.Opening != nil {
		t.Errorf("a first step over the limit: %+v, %v", res.Opening, err)
	}
}
