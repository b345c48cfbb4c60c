//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be done is refused with its effect first, and costs nothing. The
// command line's own errors, which need no cluster, are in the scripts of the
// program's package.
func TestBadInput(t *testing.T) {
	c := startCluster(t, t.TempDir())
	before := c.wallets()
	broken := filepath.Join(c.home, "forged.json")
	content, err := os.ReadFile(filepath.Join(c.dir, "cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	token := c.file.Players[0].Token
	forged := token[:len(token)-8] + strings.Repeat("A", 8)
	if err := os.WriteFile(broken, []byte(strings.Replace(string(content), token, forged, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	own := []string{"--cluster", filepath.Join(c.dir, "cluster.json")}
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		stderr string // begins with, after "edgereel: "
	}{
		{"unknown game", append([]string{"play", "--game", "no-such"}, own...), 1, "not_applied: player demo-eu: unknown_game: "},
		{"unknown mode", append([]string{"play", "--game", "comet-spins", "--mode", "no-such"}, own...), 1, "not_applied: player demo-eu: unknown_mode: "},
		{"stake 0", append([]string{"play", "--game", "comet-spins", "--stake", "0"}, own...), 1, "not_applied: player demo-eu: bad_stake: "},
		{"stake negative", append([]string{"play", "--game", "comet-spins", "--stake=-5"}, own...), 1, "not_applied: player demo-eu: bad_stake: "},
		{"stake above the limit", append([]string{"play", "--game", "comet-spins", "--stake", "9000000000000000000"}, own...), 1, "not_applied: player demo-eu: stake_limit: "},
		{"stake that overflows", append([]string{"play", "--game", "comet-spins", "--stake", "9223372036854775808"}, own...), 2, "not_applied: usage: --stake"},
		{"unknown wallet", append([]string{"wallet", "show", strings.Repeat("0", 32)}, own...), 1, "not_applied: unknown_wallet: "},
		{"no wallet id", append([]string{"wallet", "show", "mine"}, own...), 1, "not_applied: invalid: "},
		{"no round to resolve", append([]string{"round", "resolve", strings.Repeat("0", 32) + "-1", "--as", "refund", "--person", "ann", "--reason", "x"}, own...), 1, "not_applied: unknown_wallet: "},
		{"round that is well", append([]string{"round", "resolve", c.file.Players[0].Wallet + "-1", "--as", "refund", "--person", "ann", "--reason", "x"}, own...), 1, "not_applied: unknown_round: "},
		{"a third way to resolve", append([]string{"round", "resolve", c.file.Players[0].Wallet + "-1", "--as", "forget", "--person", "ann", "--reason", "x"}, own...), 2, "not_applied: usage: --as must be one of"},
		{"forged token", []string{"play", "--game", "comet-spins", "--cluster", broken}, 1, "not_applied: player demo-eu: token_forged: "},
		{"no cluster file", []string{"cluster", "status", "--cluster", "none.json"}, 1, "not_applied: read cluster file: "},
		{"unknown flag", append([]string{"ledger", "verify", "--fast"}, own...), 2, "not_applied: usage: unknown flag --fast"},
		{"unknown verb", []string{"spin"}, 2, "not_applied: usage: "},
	} {
		r := c.runAny(test.args...)
		if r.code != test.code || !strings.HasPrefix(r.stderr, "edgereel: "+test.stderr) {
			t.Errorf("%s: exit code %d, want %d, and %q in %s", test.name, r.code, test.code, test.stderr, r.stderr)
		}
	}
	for i, v := range c.wallets() {
		if v.BalanceMinor != before[i].BalanceMinor || v.HeldMinor != 0 {
			t.Errorf("a refusal moved money: %+v, before %+v", v, before[i])
		}
	}
	c.stop()
}
