package gate_test

import (
	"os"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/gate"
)

func TestTmp(t *testing.T) {
	for _, g := range []string{"harbor-lines", "comet-spins", "lantern-ways"} {
		wasm, err := os.ReadFile("../../games/" + g + "/" + g + ".wasm")
		if err != nil {
			t.Log(err)
			continue
		}
		par, err := os.ReadFile("../../games/" + g + "/par.json")
		if err != nil {
			t.Log(err)
			continue
		}
		r, err := gate.Check(t.Context(), gate.Config{Wasm: wasm, PAR: par, Rounds: 200000, Seed: 1, FloorRTP: "0.85"})
		if err != nil {
			t.Fatal(err)
		}
		_ = r.WriteText(os.Stdout)
	}
}
