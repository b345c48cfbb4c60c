package gate_test

import (
	"os"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/gate"
)

func TestTmp(t *testing.T) {
	for _, g := range []string{"comet-spins", "lantern-ways"} {
		wasm, err := os.ReadFile("../../games/" + g + "/" + g + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		par, err := os.ReadFile("../../games/" + g + "/par.json")
		if err != nil {
			t.Fatal(err)
		}
		r, err := gate.Check(t.Context(), gate.Config{Wasm: wasm, PAR: par, Rounds: 200000, Seed: 1, FloorRTP: "0.85"})
		if err != nil {
			t.Fatal(err)
		}
		f, _ := os.Create("/tmp/farm-gate-" + g + ".html")
		if err := r.WriteHTML(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		_ = r.WriteText(os.Stdout)
	}
}
