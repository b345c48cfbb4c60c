//go:build unix

package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgereel/edgereel/api/dsse"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
)

// release is what these tests read of a release in JSON.
type release struct {
	Game    string `json:"game"`
	Version string `json:"version"`
	State   string `json:"state"`
	Module  string `json:"module"`
	Report  string `json:"report"`
	History []struct {
		State  string `json:"state"`
		Person string `json:"person"`
		Reason string `json:"reason"`
	} `json:"history"`
	Shards []struct {
		Shard         uint32 `json:"shard"`
		LiveVersion   string `json:"live_version"`
		CanaryVersion string `json:"canary_version"`
	} `json:"shards"`
}

// The modules under testdata/release, and the game they are versions of.
const (
	releasedGame = "comet-spins"
	newVersion   = "1.1.0"
	trapVersion  = "1.2.0" // it traps at a stake of trapMinor
	trapMinor    = 770
	checkRounds  = "3e4"
)

func releaseFile(t *testing.T, version, ending string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "release", releasedGame+"-"+version+ending))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// studio runs a verb of studio that has to end with 0.
func (c *cluster) studio(args ...string) result {
	c.t.Helper()
	r := c.run(append([]string{"studio"}, args...)...)
	if r.code != 0 {
		c.t.Fatalf("edgereel studio %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r
}

// refusedStudio runs a verb that has to be refused with a code.
func (c *cluster) refusedStudio(code string, args ...string) {
	c.t.Helper()
	r := c.run(append([]string{"studio"}, args...)...)
	if r.code != 1 || !strings.Contains(r.stderr, "edgereel: not_applied: ") || !strings.Contains(r.stderr, code) {
		c.t.Errorf("edgereel studio %s: exit code %d, want 1 and %s\n%s", strings.Join(args, " "), r.code, code, r.stderr)
	}
}

// show reads a release.
func (c *cluster) show(version string) release {
	c.t.Helper()
	var r release
	c.ask(&r, "studio", "release", releasedGame+"@"+version)
	return r
}

// push pushes a version as ann.
func (c *cluster) push(version string, flags ...string) release {
	c.t.Helper()
	var r release
	c.ask(&r, append([]string{
		"studio", "push", releaseFile(c.t, version, ".wasm"), "--par", releaseFile(c.t, version, ".json"), "--person", "ann", "--rounds", checkRounds,
	}, flags...)...)
	return r
}

// stored lists the nodes that have a blob.
func (c *cluster) stored(b []byte) []string {
	c.t.Helper()
	sum := sha256.Sum256(b)
	name := hex.EncodeToString(sum[:])
	found, err := filepath.Glob(filepath.Join(c.dir, "nodes", "*", "data", "blobs", "*", name+"*"))
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}

// seat is a player with a wallet of its own at the game.
type seat struct {
	wallet  string
	player  *client.Player
	session *client.Session
}

// newSeats opens wallets, spread over the regions, and sits down.
func (c *cluster) newSeats(n int) []*seat {
	c.t.Helper()
	seats := make([]*seat, n)
	errs := make([]error, n)
	var work sync.WaitGroup
	for i := range seats {
		work.Go(func() { seats[i], errs[i] = c.newSeat(c.t.Context(), i) })
	}
	work.Wait()
	for _, err := range errs {
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return seats
}

func (c *cluster) newSeat(ctx context.Context, i int) (*seat, error) {
	operator := c.client.Operator(c.file.OperatorToken)
	name := fmt.Sprintf("player-%d-%d", i, time.Now().UnixNano())
	opened, err := operator.OpenWallet(ctx, &edgereelv1.OpenWalletRequest{
		Player: name, Currency: "EUR", HomeRegion: c.file.Nodes[i%len(c.file.Nodes)].Region,
	})
	if err != nil {
		return nil, err
	}
	wallet := opened.GetWallet().GetWallet()
	if _, err := operator.Deposit(ctx, &edgereelv1.DepositRequest{
		Wallet: wallet, TransactionId: "first-" + name, AmountMinor: 500_000, Currency: "EUR", Reason: "test",
	}); err != nil {
		return nil, err
	}
	token, err := operator.IssuePlayerToken(ctx, &edgereelv1.IssuePlayerTokenRequest{Player: name, Wallet: wallet, TtlSeconds: 3600})
	if err != nil {
		return nil, err
	}
	s := &seat{wallet: wallet, player: c.client.Player(token.GetToken(), wallet)}
	s.session, err = s.player.Sit(ctx, releasedGame, "mine")
	return s, err
}

// round plays one round to its end and gives the digest that its steps say.
func (s *seat) round(ctx context.Context, mode string, stakeMinor int64) (string, error) {
	bet := client.Bet{Mode: mode, StakeMinor: stakeMinor, Action: 1}
	digest := ""
	for {
		played, err := s.session.Play(ctx, bet)
		if err != nil {
			return "", err
		}
		if digest != "" && played.GetModuleDigest() != digest {
			return "", fmt.Errorf("one round of %s was played on %s and %s", s.wallet, digest, played.GetModuleDigest())
		}
		digest = played.GetModuleDigest()
		if !played.GetRoundOpen() {
			return digest, nil
		}
		bet = client.Bet{Action: 1}
	}
}

// digests plays a round at every seat.
func digests(t *testing.T, seats []*seat) map[string]string {
	t.Helper()
	found := make([]string, len(seats))
	errs := make([]error, len(seats))
	var work sync.WaitGroup
	for i, s := range seats {
		work.Go(func() { found[i], errs[i] = s.round(t.Context(), "base", 100) })
	}
	work.Wait()
	all := map[string]string{}
	for i, s := range seats {
		if errs[i] != nil {
			t.Fatalf("wallet %s: %v", s.wallet, errs[i])
		}
		all[s.wallet] = found[i]
	}
	return all
}

// count says how many wallets play a module.
func count(all map[string]string, digest string) int {
	n := 0
	for _, d := range all {
		if d == digest {
			n++
		}
	}
	return n
}

// TestRelease takes a version of a game from its studio to every player and
// back, while what may go wrong goes wrong.
func TestRelease(t *testing.T) {
	c := startCluster(t, t.TempDir())
	live := c.show("1.0.0")
	c.refusePushes()

	c.say("push, and a second person")
	pushed := c.push(newVersion)
	name := releasedGame + "@" + newVersion
	if pushed.State != "checked" || pushed.Report == "" {
		t.Fatalf("%+v", pushed)
	}
	if again := c.push(newVersion); again.State != "checked" || len(again.History) != len(pushed.History) {
		t.Errorf("the same again: %+v", again)
	}
	c.refusedStudio("wrong_state", "promote", name, "--person", "ben")
	c.refusedStudio("second_person_required", "approve", name, "--person", "ann")
	c.studio("approve", name, "--person", "ben", "--reason", "read the report")
	if r := c.studio("report", name, "--html", filepath.Join(c.home, "report.html")); !strings.Contains(r.stdout, pushed.Module) {
		t.Errorf("the report says\n%s", r.stdout)
	}
	if page := readFile(t, filepath.Join(c.home, "report.html")); !bytes.Contains(page, []byte(pushed.Module)) {
		t.Error("the page is about another module")
	}

	c.say("canary: the same wallets each time")
	seats := c.newSeats(24)
	c.studio("canary", name, "--share", "50%", "--wait", "--person", "ben", "--reason", "look")
	first := digests(t, seats)
	n := count(first, pushed.Module)
	if n+count(first, live.Module) != len(seats) || n < 3 || n > len(seats)-3 {
		t.Errorf("%d of %d wallets play the canary: %v", n, len(seats), first)
	}
	for wallet, digest := range digests(t, seats) {
		if digest != first[wallet] {
			t.Errorf("wallet %s played %s and then %s", wallet, first[wallet], digest)
		}
	}
	// A purchase opens free spins at once, which stay open.
	var kept *seat
	for _, s := range seats {
		if first[s.wallet] == live.Module {
			kept = s
		}
	}
	bought, err := kept.session.Play(t.Context(), client.Bet{Mode: "buy", StakeMinor: 100, Action: 1})
	if err != nil || !bought.GetRoundOpen() || bought.GetModuleDigest() != live.Module {
		t.Fatalf("%v, %v", err, bought)
	}

	c.say("promote, while the registry's leader is killed")
	status, err := c.nodes[c.file.Nodes[0].Node].Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leader := status.GetRegistry().GetLeader()
	promote := launch(t, c.command("studio", "promote", name, "--wait", "--person", "ben", "--reason", "night",
		"--cluster", filepath.Join(c.dir, "cluster.json")), syscall.SIGKILL)
	kill(t, c.pidOf(leader))
	if !promote.await(time.Minute) || promote.code() != 0 {
		t.Fatalf("promote ends with %d\n%s%s", promote.code(), promote.stdout.String(), promote.stderr.String())
	}
	all := digests(t, without(seats, kept))
	if count(all, pushed.Module) != len(seats)-1 {
		t.Errorf("after the promotion they play %v", all)
	}
	digest, err := kept.finish(t.Context())
	if err != nil || digest != live.Module {
		t.Errorf("the round that was open ended on %s, %v", digest, err)
	}
	if digest, err = kept.round(t.Context(), "base", 100); err != nil || digest != pushed.Module {
		t.Errorf("its next one is played on %s, %v", digest, err)
	}
	c.startNode(leader)
	c.awaitCaughtUp(leader)

	c.say("back, in every region")
	began := time.Now()
	c.studio("rollback", name, "--wait", "--within", "20s", "--person", "ben", "--reason", "complaints")
	t.Logf("rolled back everywhere after %.1f s", time.Since(began).Seconds())
	if all = digests(t, seats); count(all, live.Module) != len(seats) {
		t.Errorf("after the rollback they play %v", all)
	}

	c.say("a canary that traps goes by itself")
	c.trap(seats)
	c.say("ledger")
	if v := c.run("ledger", "verify"); v.code != 0 {
		t.Errorf("the ledger is wrong\n%s%s", v.stdout, v.stderr)
	}
}

// say tells how far a test is, and after how long.
func (c *cluster) say(what string) {
	c.t.Helper()
	c.t.Logf("%s  %s", time.Now().Format("15:04:05.0"), what)
}

// finish plays an open round to its end.
func (s *seat) finish(ctx context.Context) (string, error) {
	for {
		played, err := s.session.Play(ctx, client.Bet{Action: 1})
		if err != nil {
			return "", err
		}
		if !played.GetRoundOpen() {
			return played.GetModuleDigest(), nil
		}
	}
}

func without(seats []*seat, one *seat) []*seat {
	var rest []*seat
	for _, s := range seats {
		if s != one {
			rest = append(rest, s)
		}
	}
	return rest
}

// refusePushes pushes what has to be refused, and looks at every node's disk.
func (c *cluster) refusePushes() {
	c.t.Helper()
	t := c.t
	wasm, sheet := releaseFile(t, newVersion, ".wasm"), releaseFile(t, newVersion, ".json")
	key := filepath.Join(c.home, "other.key")
	c.runAny("studio", "keys", "new", "--out", key)
	push := []string{"push", wasm, "--par", sheet, "--person", "ann", "--rounds", checkRounds}
	c.refusedStudio("unknown_key", append(push, "--key", key)...)
	c.studio("keys", "add", "--studio", "acme", "--public", key+".pub", "--person", "root")
	c.refusedStudio("wrong_studio", append(push, "--key", key)...)
	c.refusedStudio("wrong_studio", append(push, "--key", key, "--studio", "acme")...)
	private, err := dsse.ReadPrivate(key)
	if err != nil {
		t.Fatal(err)
	}
	c.studio("keys", "revoke", "--studio", "acme", "--key", dsse.KeyID(private.Public().(ed25519.PublicKey)), "--person", "root", "--reason", "test")
	// Every node refuses it, and says why once it has heard of the revocation.
	var last result
	eventually(t, 10*time.Second, func() string { return last.stderr }, func() bool {
		if last = c.run(append(append([]string{"studio"}, push...), "--key", key, "--studio", "acme")...); last.code != 1 {
			t.Fatalf("a push with a revoked key ends with %d\n%s", last.code, last.stderr)
		}
		return strings.Contains(last.stderr, "not_applied: ") && strings.Contains(last.stderr, "key_revoked")
	})
	c.refusedStudio("not a WebAssembly", "push", sheet, "--par", sheet, "--person", "ann")

	// What the command line would not even send.
	studio := c.client.Studio(c.file.OperatorToken)
	own, err := dsse.ReadPrivate(c.file.StudioKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	module, par := readFile(t, wasm), readFile(t, sheet)
	envelope := func(version string, about []byte) []byte {
		text, err := dsse.Sign(dsse.Release{Studio: "edgereel", Game: releasedGame, Version: version, MeterVersion: 1},
			dsse.Subject{Module: sha256.Sum256(about), ParSheet: sha256.Sum256(par)}, own)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	unsigned := []byte(`{"payload":"","payloadType":"` + dsse.PayloadType + `","signatures":[]}`)
	torn := module[:len(module)/2]
	for _, x := range []struct {
		code             string
		module, envelope []byte
	}{
		{"envelope_unsigned", module, unsigned},
		{"module_mismatch", module, envelope(newVersion, torn)},
		{"module_refused", torn, envelope(newVersion, torn)},
		{"version_exists", module, envelope("1.0.0", module)},
	} {
		_, err := studio.Push(t.Context(), client.Pushed{Module: x.module, Envelope: x.envelope, ParSheet: par, Person: "ann"}, func(*edgereelv1.PushResponse) {})
		if client.CodeOf(err) != x.code || client.EffectOf(err) != client.NotApplied {
			t.Errorf("%v, want %s", err, x.code)
		}
	}
	for what, b := range map[string][]byte{"module": module, "sheet": par, "envelope": envelope(newVersion, module), "torn module": torn} {
		if found := c.stored(b); len(found) > 0 {
			t.Errorf("the %s of refused pushes is stored: %v", what, found)
		}
	}
}

// trap gives a canary that traps at one stake to everybody, plays that stake,
// and waits until it is gone.
func (c *cluster) trap(seats []*seat) {
	c.t.Helper()
	t := c.t
	name := releasedGame + "@" + trapVersion
	pushed := c.push(trapVersion)
	c.say("pushed")
	c.studio("approve", name, "--person", "ben")
	c.studio("canary", name, "--share", "100%", "--wait", "--person", "ben")
	c.say("canary for everybody")
	var last release
	eventually(t, 30*time.Second, func() string { return fmt.Sprintf("%+v", last) }, func() bool {
		for _, s := range seats {
			// Some of these trap and freeze their round; that is what it is for.
			_, _ = s.round(t.Context(), "base", trapMinor)
		}
		last = c.show(trapVersion)
		return last.State == "rolled_back"
	})
	step := last.History[len(last.History)-1]
	if step.Person == "ben" || step.Person == "ann" || step.Reason == "" {
		t.Errorf("rolled back by %q because of %q", step.Person, step.Reason)
	}
	t.Logf("%s rolled it back: %s", step.Person, step.Reason)
	c.say("rolled back")
	fresh := c.newSeats(3)
	if all := digests(t, fresh); count(all, pushed.Module) != 0 {
		t.Errorf("the trap is still played: %v", all)
	}
}
