//go:build unix

package e2e

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
	"github.com/edgereel/edgereel/transport"
)

// A region freezes while three players play, the others take over, and it
// thaws in the belief that nothing has happened.
func TestRegionFreeze(t *testing.T) {
	c := startCluster(t, t.TempDir())
	p := c.play(1200, 3)
	p.awaitSteps(3, 30, time.Time{})

	victim, shards := c.busiestLeader(p)
	frozen := time.Now()
	signalPID(t, c.node(victim).PID, syscall.SIGSTOP)
	p.awaitSteps(3, 20, frozen)
	var seen status
	c.ask(&seen, "cluster", "status")
	if len(seen.Unreachable) != 1 || seen.Unreachable[0] != victim {
		t.Errorf("while %s is frozen, the status names %v as unreachable", victim, seen.Unreachable)
	}
	signalPID(t, c.node(victim).PID, syscall.SIGCONT)
	report := p.finish(0)
	if report.Rounds != 1200 {
		t.Errorf("%d rounds", report.Rounds)
	}
	p.playedOn(shards, victim, frozen)
	c.awaitCaughtUp(victim)
	c.awaitNoLag()
	c.verify(p, report)
	c.stop()
}

// PROTOCOL 20: an old leader that wakes up must not answer from its own past.
// While it is frozen another one leads and takes a deposit; from the moment it
// wakes, many callers ask it, and only it, for the wallet and play with the new
// money. It may be silent or ask for patience; an old balance, or a refusal for
// lack of funds, is the fault this test is for.
//
// With ordinary timers a thawed leader knows within a millisecond that its
// lease is over. This one's are stretched, so that it goes on believing until
// it hears of the newer term.
func TestThawedLeaderSaysNothingOld(t *testing.T) { thawLeader(t, 1) }

func thawLeader(t *testing.T, times int) {
	t.Helper()
	c := startClusterWith(t, t.TempDir(), []string{"EDGEREEL_RAFT_HEARTBEAT_MS=600"})
	believer := c.file.Nodes[0].Node
	shard, _ := c.read(c.openPurse("reader"))
	kill(t, c.pidOf(believer))
	c.awaitLeads(c.others(believer)...)
	c.startNode(believer, "EDGEREEL_RAFT_HEARTBEAT_MS=3000")
	for range times {
		c.makeLead(believer, shard)
		thaw(t, c, believer)
	}
	c.awaitNoLag()
	// No c.stop: with stretched timers a planned stop outlasts dev's patience.
}

// makeLead has a node lead its home shard: a planned stop of the present leader
// gives it leadership.
func (c *cluster) makeLead(name string, shard uint32) {
	c.t.Helper()
	c.awaitCaughtUp(name)
	for range 5 {
		present := c.awaitLeads()[shard].node
		if present == name {
			return
		}
		pid := c.pidOf(present)
		signalPID(c.t, pid, syscall.SIGTERM)
		eventually(c.t, 30*time.Second, text(present+" does not stop"), func() bool { return gone(pid) })
		c.startNode(present)
		c.awaitCaughtUp(present)
	}
	c.t.Fatalf("%s does not come to lead shard %d", name, shard)
}

const (
	stakeMinor   = 100
	depositMinor = 12_300
	// answersWanted of each worker end a round of thaw.
	answersWanted = 40
)

// purse is a wallet for one round of thaw, with its player's token.
type purse struct{ wallet, token string }

// thaw freezes the leader of the wallets' shard and wakes it.
func thaw(t *testing.T, c *cluster, old string) {
	t.Helper()
	reader, player := c.openPurse("reader"), c.openPurse("player")
	sat, err := c.client.Player(player.token, player.wallet).Sit(t.Context(), "harbor-lines", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	c.empty(reader)
	c.empty(player)
	shard, before := c.read(player)
	if before != 0 {
		t.Fatalf("the player has %d", before)
	}
	if leader := c.awaitLeads()[shard].node; leader != old {
		t.Fatalf("shard %d is led by %s, not by %s", shard, leader, old)
	}
	node := c.node(old)
	node.PID = c.pidOf(old)
	play := &edgereelv1.PlayRequest{
		Wallet: player.wallet, Session: sat.ID(), Step: c.nextStep(player, sat.ID()), Mode: "base", StakeMinor: stakeMinor,
	}

	// Connections of before the freeze: the kernel of a frozen process takes
	// requests on TCP, and they are the first thing it sees when it wakes.
	var services []edgereelv1connect.PlayerServiceClient
	for range 4 {
		services = append(services, c.service(t, node, reader, c.http2(t)))
	}
	services = append(services, c.service(t, node, reader, c.http3(t)))

	signalPID(t, node.PID, syscall.SIGSTOP)
	thawed := false
	defer func() {
		if !thawed {
			_ = syscall.Kill(node.PID, syscall.SIGCONT)
		}
	}()
	rest := c.reach(c.others(old)...)
	next := c.awaitLeads(c.others(old)...)[shard]
	now := c.deposit(rest, reader, depositMinor)
	c.deposit(rest, player, stakeMinor)

	a := &asking{t: t, reader: reader, player: player, balanceMinor: now, play: play}
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
	defer cancel()
	for _, service := range services {
		a.workers.Go(func() { a.reads(ctx, service) })
		a.workers.Go(func() { a.plays(ctx, service) })
	}
	eventually(t, 10*time.Second, text("callers do not ask"), func() bool { return int(a.asked.Load()) == 2*len(services) })
	signalPID(t, node.PID, syscall.SIGCONT)
	thawed = true
	a.workers.Wait()
	t.Logf("shard %d: %s froze, %s took over in term %d; then %s answered %d times right, asked for patience or was silent %d times",
		shard, old, next.node, next.term, old, a.right.Load(), a.undecided.Load())
	if ctx.Err() != nil {
		t.Errorf("%s did not answer %d times", old, answersWanted)
	}
	a.check(c)
}

// asking is many callers at once at the thawed node.
type asking struct {
	t              *testing.T
	reader, player purse
	balanceMinor   int64
	play           *edgereelv1.PlayRequest

	workers                 sync.WaitGroup
	asked, right, undecided atomic.Int64

	mu      sync.Mutex
	outcome *edgereelv1.PlayResponse // of the one step
}

// reads asks for the reader's wallet until it was answered often enough.
func (a *asking) reads(ctx context.Context, service edgereelv1connect.PlayerServiceClient) {
	a.repeat(ctx, a.reader, func(ctx context.Context) error {
		found, err := service.GetWallet(ctx, &edgereelv1.GetWalletRequest{Wallet: a.reader.wallet})
		if err == nil && (found.GetStale() || found.GetWallet().GetBalanceMinor() != a.balanceMinor) {
			a.t.Errorf("read %d, want %d; stale %v, position %v", found.GetWallet().GetBalanceMinor(), a.balanceMinor,
				found.GetStale(), found.GetPosition())
		}
		return err
	})
}

// plays makes the one step again and again: one key, one outcome.
func (a *asking) plays(ctx context.Context, service edgereelv1connect.PlayerServiceClient) {
	a.repeat(ctx, a.player, func(ctx context.Context) error {
		played, err := service.Play(ctx, a.play)
		if err != nil {
			return err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.outcome == nil {
			a.outcome = played
		}
		if o := a.outcome; o.GetRound() != played.GetRound() || o.GetDrawsDigest() != played.GetDrawsDigest() ||
			o.GetWinMinor() != played.GetWinMinor() || o.GetBalanceMinor() != played.GetBalanceMinor() {
			a.t.Errorf("one step has two outcomes: %v and %v", o, played)
		}
		return nil
	})
}

func (a *asking) repeat(ctx context.Context, p purse, ask func(context.Context) error) {
	for first, answers := true, 0; answers < answersWanted && ctx.Err() == nil; first = false {
		call, info := connect.NewClientContext(ctx)
		info.RequestHeader().Set("Authorization", "Bearer "+p.token)
		call, cancel := context.WithTimeout(call, 2*time.Second)
		if first {
			a.asked.Add(1)
		}
		err := ask(call)
		cancel()
		switch {
		case err == nil:
			answers++
			a.right.Add(1)
		case api.DetailOf(err).GetEffect() == edgereelv1.Effect_EFFECT_NOT_APPLIED:
			a.t.Errorf("a final refusal: %v", err)
			return
		default:
			a.undecided.Add(1)
		}
	}
}

// check compares what the thawed node said with the others.
func (a *asking) check(c *cluster) {
	a.t.Helper()
	if _, balance := c.read(a.reader); balance != a.balanceMinor {
		a.t.Errorf("balance of the reader %d, want %d", balance, a.balanceMinor)
	}
	if a.outcome == nil {
		a.t.Error("the step has no outcome")
		return
	}
	if _, balance := c.read(a.player); balance != a.outcome.GetWinMinor() {
		a.t.Errorf("balance of the player %d after a win of %d", balance, a.outcome.GetWinMinor())
	}
}

// openPurse opens a wallet at home in the first region.
func (c *cluster) openPurse(player string) purse {
	c.t.Helper()
	operator := c.client.Operator(c.file.OperatorToken)
	opened, err := operator.OpenWallet(c.t.Context(), &edgereelv1.OpenWalletRequest{
		Player: player, Currency: "EUR", HomeRegion: c.file.Nodes[0].Region,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	p := purse{wallet: opened.GetWallet().GetWallet()}
	issued, err := operator.IssuePlayerToken(c.t.Context(), &edgereelv1.IssuePlayerTokenRequest{
		Player: player, Wallet: p.wallet, TtlSeconds: 3600,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	p.token = issued.GetToken()
	return p
}

func (c *cluster) read(p purse) (shard uint32, balanceMinor int64) {
	c.t.Helper()
	found, err := c.client.Player(p.token, p.wallet).GetWallet(c.t.Context(), false)
	if err != nil {
		c.t.Fatal(err)
	}
	return found.GetPosition().GetShard(), found.GetWallet().GetBalanceMinor()
}

func (c *cluster) nextStep(p purse, session string) uint64 {
	c.t.Helper()
	found, err := c.client.Player(p.token, p.wallet).GetWallet(c.t.Context(), false)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range found.GetWallet().GetSessions() {
		if s.GetSession() == session {
			return s.GetNextStep()
		}
	}
	c.t.Fatalf("no session %s", session)
	return 0
}

// empty withdraws everything.
func (c *cluster) empty(p purse) {
	c.t.Helper()
	_, balance := c.read(p)
	if balance == 0 {
		return
	}
	_, err := c.client.Operator(c.file.OperatorToken).Withdraw(c.t.Context(), &edgereelv1.WithdrawRequest{
		Wallet: p.wallet, TransactionId: c.key(), AmountMinor: balance, Currency: "EUR", Reason: "e2e",
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) deposit(via *client.Client, p purse, amountMinor int64) (balanceMinor int64) {
	c.t.Helper()
	paid, err := via.Operator(c.file.OperatorToken).Deposit(c.t.Context(), &edgereelv1.DepositRequest{
		Wallet: p.wallet, TransactionId: c.key(), AmountMinor: amountMinor, Currency: "EUR", Reason: "e2e",
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return paid.GetBalanceMinor()
}

func (c *cluster) key() string {
	c.t.Helper()
	key, err := c.client.NewKey()
	if err != nil {
		c.t.Fatal(err)
	}
	return key
}

// service asks one node, over a connection that is open already.
func (c *cluster) service(t *testing.T, node clusterfile.Node, p purse, reach http.RoundTripper) edgereelv1connect.PlayerServiceClient {
	t.Helper()
	service := edgereelv1connect.NewPlayerServiceClient(connect.NewClient(
		connecthttp.NewTransport(&http.Client{Transport: reach}, "https://"+node.API)))
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Authorization", "Bearer "+p.token)
	if _, err := service.GetWallet(ctx, &edgereelv1.GetWalletRequest{Wallet: p.wallet}); err != nil {
		t.Fatal(err)
	}
	return service
}

// http2 reaches nodes by TCP alone.
func (c *cluster) http2(t *testing.T) http.RoundTripper {
	t.Helper()
	roots, err := c.file.Roots()
	if err != nil {
		t.Fatal(err)
	}
	reach := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	t.Cleanup(reach.CloseIdleConnections)
	return reach
}

// http3 reaches nodes as players' clients do.
func (c *cluster) http3(t *testing.T) http.RoundTripper {
	t.Helper()
	roots, err := c.file.Roots()
	if err != nil {
		t.Fatal(err)
	}
	reach, err := transport.NewHTTPClient(transport.HTTPConfig{Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := reach.Close(); err != nil {
			t.Errorf("close HTTP client: %v", err)
		}
	})
	return reach
}
