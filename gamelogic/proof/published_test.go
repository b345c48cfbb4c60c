package proof_test

import (
	"math"
	"math/big"
	"os"
	"strconv"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/proof"
)

// published are the games of testdata/published with the figures of their
// sheets, in percent of the stake.
var published = []struct {
	name   string
	stake  int64
	rtp    string // to every published digit
	limit  uint64
	states uint64
}{
	{"sizzling", 5, "95.6556288", 1e7, 1},
	{"columbus", 10, "95.02279473", 1e9, 101},
	{"atkins", 20, "97.04576902", 3e9, 81},
}

func TestPublished_Simulated(t *testing.T) {
	rounds := uint64(1_000_000)
	if testing.Short() {
		rounds = 100_000
	}
	simulatePublished(t, rounds)
}

func TestLong_PublishedSimulated(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("60 million rounds: set EDGEREEL_LONG=1")
	}
	simulatePublished(t, 20_000_000)
}

func simulatePublished(t *testing.T, rounds uint64) {
	for _, game := range published {
		t.Run(game.name, func(t *testing.T) {
			res, err := proof.Simulate(t.Context(), load(t, game.name), proof.SimulateConfig{Mode: "base", StakeMinor: game.stake, Rounds: rounds, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			near(t, res, percent(t, game.rtp))
		})
	}
}

// The whole trees through the module. Columbus has 0.9 and Atkins 2.7 billion
// leaves, since a free spin is walked for every number of spins left; only
// EDGEREEL_LONG=all waits for the latter.
func TestLong_PublishedExact(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("minutes of walking: set EDGEREEL_LONG=1")
	}
	for _, game := range published {
		t.Run(game.name, func(t *testing.T) {
			if game.limit > 1e8 && os.Getenv("EDGEREEL_LONG") != "all" {
				t.Skip("minutes to most of an hour on two cores: set EDGEREEL_LONG=all")
			}
			res, err := proof.Exact(t.Context(), load(t, game.name), proof.ExactConfig{Mode: "base", StakeMinor: game.stake, MaxLeaves: game.limit})
			if err != nil {
				t.Fatal(err)
			}
			digits := len(game.rtp) - len("95.")
			got := res.RTP.Mul(res.RTP, hundred).FloatString(digits)
			hit, _ := res.HitFrequency.Float64()
			variance, _ := res.Variance.Float64()
			t.Logf("%s %%, hit frequency %.9f, sd %.6f, %d states, %d leaves", got, hit, math.Sqrt(variance), res.States, res.Leaves)
			if got != game.rtp || res.States != game.states {
				t.Errorf("returns %s %% in %d states, want %s %% in %d", got, res.States, game.rtp, game.states)
			}
		})
	}
}

var hundred = big.NewRat(100, 1)

func percent(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v / 100
}
