package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

// The published figure of a game with free spins is opening + p·10·f/(1-10·r):
// a series is worth its spins times what each of them adds. The opening and one
// free spin are walked in full, the rest is that formula. It holds for modules
// that pay the same whatever the number of spins left, and without a limit on
// them: TestLong_PublishedExact shares neither assumption.
func TestLong_PublishedComposed(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("100 million leaves: set EDGEREEL_LONG=1")
	}
	for _, game := range []struct {
		name  string
		stake int64
		want  string
	}{{"columbus", 10, "95.02279473"}, {"atkins", 20, "97.04576902"}} {
		t.Run(game.name, func(t *testing.T) {
			wasm, err := os.ReadFile(filepath.Join("..", "testdata", "published", game.name+".wasm"))
			if err != nil {
				t.Fatal(err)
			}
			host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
			if err != nil {
				t.Fatal(err)
			}
			defer host.Close()
			m, err := host.Load(t.Context(), wasm)
			if err != nil {
				t.Fatal(err)
			}
			base, p := walkOne(t, m, game.stake, 0, 10)
			free, r := walkOne(t, m, game.stake, 10, 19)
			ten := big.NewRat(10, 1)
			series := new(big.Rat).Sub(big.NewRat(1, 1), r.Mul(r, ten))
			series.Quo(free, series).Mul(series, ten)
			total := base.Add(base, series.Mul(series, p))
			total.Mul(total, big.NewRat(100, game.stake))
			if got := total.FloatString(8); got != game.want {
				t.Errorf("returns %s %%, want %s %%", got, game.want)
			}
		})
	}
}

// walkOne walks the step with so many free spins left, 0 for the opening, and
// returns what it pays and the probability that it leaves after of them.
func walkOne(t *testing.T, m *gamelogic.Module, stake int64, left, after uint16) (pays, leaves *big.Rat) {
	t.Helper()
	w := newWalk(m, ExactConfig{Mode: "base", StakeMinor: stake, MaxLeaves: 1e8, MaxStates: 100})
	if left > 0 {
		w.stand(binary.LittleEndian.AppendUint16([]byte{1, 0}, left), []string{"spin"})
	}
	workers := make([]*walker, 2)
	for i := range workers {
		sim, err := m.NewSimulator(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		workers[i] = w.newWalker(sim)
	}
	a := w.fresh[len(w.fresh)-1]
	if err := workers[0].probe(a); err != nil {
		t.Fatal(err)
	}
	if err := w.action(t.Context(), workers, a); err != nil {
		t.Fatal(err)
	}
	pays, leaves = new(big.Rat), new(big.Rat)
	for _, e := range a.edges {
		pays.Add(pays, times(e.weight, e.win))
		if e.to != closed && binary.LittleEndian.Uint16(w.positions[e.to].state[2:]) == after {
			leaves.Add(leaves, e.weight)
		}
	}
	return pays, leaves
}
