package canary_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/node/canary"
	"github.com/edgereel/edgereel/wallet"
)

// TestWatch_ReferenceGame holds a real game to the report of the real gate: the
// module's own rounds raise no alarm in any mode, those of one mode under the
// other's name do at the first look.
func TestWatch_ReferenceGame(t *testing.T) {
	if testing.Short() {
		t.Skip("checks a game and plays it")
	}
	const id, rounds, stakeMinor = "comet-spins", 60_000, 10
	var g games.Game
	for _, x := range games.All() {
		if x.ID == id {
			g = x
		}
	}
	checked, err := gate.Check(t.Context(), gate.Config{Wasm: g.Wasm, PAR: g.Par, Rounds: 1000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	report, err := checked.JSON()
	if err != nil {
		t.Fatal(err)
	}
	laws, err := canary.Laws(report)
	if err != nil || len(laws) != 2 {
		t.Fatalf("laws of %d modes, %v", len(laws), err)
	}
	digest := sha256.Sum256(g.Wasm)
	host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{digest}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	}()
	module, err := host.Load(t.Context(), g.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	var tallies []wallet.Tally
	for _, m := range module.Manifest().Modes {
		tallies = append(tallies, playModule(t, module, m, rounds, stakeMinor))
	}
	w := canary.NewWatch(digest, laws, 0)
	d := w.Decide(&canary.Evidence{Tallies: tallies}, time.Time{})
	if d.Rollback || len(d.Looks) != len(tallies) {
		t.Errorf("decided %+v", d)
	}
	tallies[0].Mode, tallies[1].Mode = tallies[1].Mode, tallies[0].Mode
	if d := canary.NewWatch(digest, laws, 0).Decide(&canary.Evidence{Tallies: tallies}, time.Time{}); !d.Rollback {
		t.Errorf("decided %+v", d)
	}
}

// playModule tallies rounds as the ledger would.
func playModule(t *testing.T, module *gamelogic.Module, m gamelogic.Mode, rounds int, stakeMinor int64) wallet.Tally {
	t.Helper()
	sim, err := module.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	cost, err := wallet.Cost(stakeMinor, uint32(m.CostX100))
	if err != nil {
		t.Fatal(err)
	}
	draws := gamelogic.NewStream([32]byte{5}, module.Digest(), 1)
	tally := wallet.Tally{Digest: module.Digest(), Mode: m.Name, Rounds: uint64(rounds)}
	for range rounds {
		win, _, err := sim.Round(draws, m.Name, stakeMinor)
		if err != nil {
			t.Fatal(err)
		}
		class, returned := wallet.ClassOf(win, cost)
		tally.Counts[class]++
		tally.ReturnX1000000 += returned
	}
	return tally
}
