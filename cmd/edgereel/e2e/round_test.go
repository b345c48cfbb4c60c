//go:build unix

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/gamelogic/record"
	"github.com/edgereel/edgereel/games"
)

// A bought feature is played at a cluster, its session closed, its round read
// out of the ledger and played again with nothing but the module.
func TestRoundReplaysOffline(t *testing.T) {
	c := startCluster(t, t.TempDir())
	p := c.file.Players[0]
	session, err := c.client.Player(p.Token, p.Wallet).Sit(t.Context(), "comet-spins", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Play(t.Context(), client.Bet{Mode: "buy", StakeMinor: 10}); err != nil {
		t.Fatal(err)
	}
	round := session.OpenRound().GetRound()
	if round == "" {
		t.Fatal("a bought feature is over with its first step")
	}
	steps, won := 1, int64(0)
	for session.OpenRound() != nil {
		answer, err := session.Play(t.Context(), client.Bet{Action: 1})
		if err != nil {
			t.Fatal(err)
		}
		steps, won = steps+1, answer.GetRoundWinMinor()
	}
	sealed := &record.Round{}
	c.ask(sealed, "ledger", "round", round)
	if sealed.Seed != "" || len(sealed.Steps) != steps {
		t.Errorf("before the session is closed: seed %q, %d of %d steps", sealed.Seed, len(sealed.Steps), steps)
	}
	closed, err := session.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	module, file := filepath.Join(t.TempDir(), "game.wasm"), filepath.Join(t.TempDir(), "round.json")
	for _, game := range games.All() {
		if game.ID == "comet-spins" {
			write(t, module, game.Wasm)
		}
	}
	exported := c.run("ledger", "round", round, "--json")
	write(t, file, []byte(exported.stdout))
	opened := &record.Round{}
	if err := json.Unmarshal([]byte(exported.stdout), opened); err != nil || opened.Seed == "" || opened.WinMinor != won {
		t.Fatalf("%v in %q, won %d", err, exported.stdout, won)
	}
	if seed := closed.GetSeed(); seed != opened.Seed {
		t.Errorf("the player was told the seed %s, the ledger has %s", seed, opened.Seed)
	}
	if r := c.run("studio", "replay", "--module", module, "--record", file); r.code != 0 || !strings.Contains(r.stdout, "the same, bit for bit") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := c.run("studio", "replay", "--module", module, "--round", round); r.code != 0 {
		t.Errorf("asked from the cluster: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	write(t, file, []byte(strings.Replace(exported.stdout, `"client_seed":"e2e"`, `"client_seed":"e2f"`, 1)))
	if r := c.run("studio", "replay", "--module", module, "--record", file); r.code != 10 || !strings.Contains(r.stdout, "step 1: the digest of the draws") {
		t.Errorf("another client seed: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := c.run("ledger", "round", p.Wallet+"-999"); r.code != 10 {
		t.Errorf("a round that was never played: exit code %d\n%s", r.code, r.stderr)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
