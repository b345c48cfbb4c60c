package proof_test

import (
	"math"
	"os"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/proof"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// A table game is simulated on the same path, and agrees with what its weights say.
func TestSimulate_TableGame(t *testing.T) {
	file, err := os.ReadFile("../table/testdata/copper-well-v1.table")
	if err != nil {
		t.Fatal(err)
	}
	g, err := table.OpenBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, mode := range g.Manifest().Modes {
		exact, err := g.Exact(mode.Name)
		if err != nil {
			t.Fatal(err)
		}
		res, err := proof.Simulate(t.Context(), g, proof.SimulateConfig{Mode: mode.Name, StakeMinor: 100, Rounds: 50_000, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		want, _ := exact.RTP.Float64()
		// Five standard errors: the seed is fixed, so this fails always or never.
		if off := math.Abs(res.RTP - want); off > 5*res.SD/math.Sqrt(float64(res.Rounds)) {
			t.Errorf("mode %s: simulated %.6f, exact %.6f", mode.Name, res.RTP, want)
		}
	}
}
