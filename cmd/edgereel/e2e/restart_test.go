//go:build unix

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/client"
)

// walletView is what `wallet show --json` says of a wallet and not of the
// place of the answer.
type walletView struct {
	Wallet       string `json:"wallet"`
	BalanceMinor int64  `json:"balance_minor"`
	HeldMinor    int64  `json:"held_minor"`
	WalletSeq    uint64 `json:"wallet_seq"`
	Sessions     []struct {
		Session    string `json:"session"`
		Game       string `json:"game"`
		Commitment string `json:"commitment"`
		NextStep   uint64 `json:"next_step"`
		Rounds     uint64 `json:"rounds"`
		OpenRound  *struct {
			Round         string `json:"round"`
			StakeMinor    int64  `json:"stake_minor"`
			WinSoFarMinor int64  `json:"win_so_far_minor"`
			NextActions   uint32 `json:"next_actions"`
		} `json:"open_round"`
	} `json:"sessions"`
}

func (c *cluster) wallets() []walletView {
	c.t.Helper()
	var views []walletView
	for _, p := range c.file.Players {
		var v walletView
		c.ask(&v, "wallet", "show", p.Wallet)
		views = append(views, v)
	}
	return views
}

// leaveRoundOpen buys free spins and goes away before they are played.
func (c *cluster) leaveRoundOpen() {
	c.t.Helper()
	p := c.file.Players[0]
	session, err := c.client.Player(p.Token, p.Wallet).Sit(c.t.Context(), "comet-spins", "e2e")
	if err != nil {
		c.t.Fatal(err)
	}
	for range 20 {
		if _, err := session.Play(c.t.Context(), client.Bet{Mode: "buy", StakeMinor: 10}); err != nil {
			c.t.Fatal(err)
		}
		if session.OpenRound() != nil {
			return
		}
	}
	c.t.Fatal("no bought round stays open")
}

// A cluster that was stopped goes on with the same folder: the same balances,
// the same sessions, the same open round, which is then played to its end.
func TestRestartKeepsBalances(t *testing.T) {
	dir := t.TempDir()
	first := startCluster(t, dir)
	p := first.play(90, 3, "--keep-sessions")
	p.finish(0)
	first.leaveRoundOpen()
	before := first.wallets()
	first.stop()

	second := startCluster(t, dir)
	after := second.wallets()
	if !reflect.DeepEqual(before, after) {
		t.Errorf("after the restart %+v\nbefore %+v", after, before)
	}
	if before[0].HeldMinor == 0 || len(before[0].Sessions) != 1 || before[0].Sessions[0].OpenRound == nil || len(before[2].Sessions) != 1 {
		t.Errorf("nothing was left open: %+v", before)
	}
	resumed := second.play(90, 3)
	report := resumed.finish(0)
	if len(before[0].Sessions) == 1 && resumed.records[0].Wallet != "" {
		resumed.continued(before)
	}
	second.verify(resumed, report)
	for _, v := range second.wallets() {
		if v.HeldMinor != 0 || len(v.Sessions) != 0 {
			t.Errorf("left after the sessions were closed: %+v", v)
		}
	}
	second.stop()
}

// continued checks that the first step of every wallet is the next one of the
// session it had, and of the round that was open.
func (p *playing) continued(before []walletView) {
	p.t.Helper()
	for _, v := range before {
		for _, r := range p.records {
			if r.Wallet != v.Wallet || r.Kind != "play" {
				continue
			}
			had := v.Sessions[0]
			if r.Session != had.Session || r.Step != had.NextStep || had.OpenRound != nil && r.Round != had.OpenRound.Round {
				p.t.Errorf("wallet %s goes on with %+v, had %+v", v.Wallet, r, had)
			}
			break
		}
	}
}

// What dev cannot do it says, and ends.
func TestDevSaysWhyItCannot(t *testing.T) {
	bin := program(t)
	c := &cluster{t: t, bin: bin, home: t.TempDir()}
	fails := func(want string, args ...string) {
		t.Helper()
		r := c.runAny(args...)
		if r.code != 1 || !strings.HasPrefix(r.stderr, "edgereel: not_applied: ") || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: exit code %d, %q in %s", args, r.code, want, r.stderr)
		}
	}
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	mine, other := t.TempDir(), t.TempDir()
	fails("port "+port+"/tcp, the public address of eu-west-1", "dev", "--data", mine, "--base-port", port)
	fails("port "+port+"/tcp", "dev", "--data", other, "--base-port", port) // makes it complete as well

	// A whole foreign folder, and a foreign node's data in one's own.
	foreign := t.TempDir()
	if err := os.CopyFS(filepath.Join(foreign, "nodes"), os.DirFS(filepath.Join(other, "nodes"))); err != nil {
		t.Fatal(err)
	}
	fails("has nodes but no dev.json", "dev", "--data", foreign)

	ran := startCluster(t, t.TempDir())
	ran.stop()
	if err := os.CopyFS(filepath.Join(mine, "nodes", "eu-west-1", "data"), os.DirFS(filepath.Join(ran.dir, "nodes", "eu-west-1", "data"))); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(ran.dir, "dev.json")
	ports, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	fails("data folder belongs to another cluster", "dev", "--data", mine, "--base-port", firstPort(t, string(ports)))
}

// firstPort reads a base port that was free a moment ago.
func firstPort(t *testing.T, state string) string {
	t.Helper()
	_, rest, found := strings.Cut(state, `"public": `)
	port, _, _ := strings.Cut(rest, ",")
	if !found {
		t.Fatalf("no port in %s", state)
	}
	return port
}
