package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

// status asks a node what it knows of the cluster.
func (c *cluster) status(t *testing.T, i int) *edgereelv1.StatusResponse {
	t.Helper()
	watch := edgereelv1connect.NewClusterServiceClient(c.client(i, c.operator))
	res, err := watch.Status(t.Context(), &edgereelv1.StatusRequest{})
	must(t, err)
	return res
}

// index of a node by name.
func (c *cluster) index(name string) int {
	for i, cfg := range c.configs {
		if cfg.Node == name {
			return i
		}
	}
	return -1
}

// ledger is what one player was told, to be compared with what the cluster
// says afterwards.
type ledger struct {
	step     uint64
	balance  int64
	answers  []*edgereelv1.PlayResponse
	failures []error
}

// playOn plays one round and repeats it as it is until it is answered. A final
// refusal is an error: nothing a player does here deserves one.
func (l *ledger) playOn(ctx context.Context, plays edgereelv1connect.PlayerServiceClient, wallet, session string) error {
	l.step++
	req := &edgereelv1.PlayRequest{Wallet: wallet, Session: session, Step: l.step, Mode: "base", StakeMinor: 100}
	for {
		res, err := plays.Play(ctx, req)
		switch {
		case err == nil:
			l.balance += res.GetWinMinor() - 100
			if res.GetBalanceMinor() != l.balance {
				return fmt.Errorf("step %d leaves %d, want %d", l.step, res.GetBalanceMinor(), l.balance)
			}
			l.answers = append(l.answers, res)
			return nil
		case api.DetailOf(err).GetEffect() == edgereelv1.Effect_EFFECT_NOT_APPLIED:
			return fmt.Errorf("step %d: a final refusal: %w", l.step, err)
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		}
		l.failures = append(l.failures, err)
	}
}

// testPlannedStop ends the leader of a player's shard as an operator does while
// the player plays on through another node.
func (c *cluster) testPlannedStop(t *testing.T) {
	p := c.newPlayer(t, "finn", "eu-west", 1_000_000)
	session := c.openSession(t, p, "harbor-lines", "finn")
	first, err := c.plays(0, p).GetWallet(t.Context(), &edgereelv1.GetWalletRequest{Wallet: p.wallet})
	must(t, err)
	victim := c.index(c.status(t, 0).GetShards()[first.GetPosition().GetShard()-1].GetLeader())
	if victim < 0 {
		t.Fatal("the shard has no leader to stop")
	}
	via := 2
	if victim == via {
		via = 0
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.nodes[victim].Run(ctx) }()
	l := &ledger{balance: 1_000_000}
	plays := c.plays(via, p)
	patience, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 10 {
		must(t, l.playOn(patience, plays, p.wallet, session))
	}
	stop()
	for running := true; running; {
		must(t, l.playOn(patience, plays, p.wallet, session))
		select {
		case err := <-ended:
			must(t, err)
			running = false
		default:
		}
	}
	for range 10 {
		must(t, l.playOn(patience, plays, p.wallet, session))
	}
	t.Logf("%d steps, %d attempts repeated", l.step, len(l.failures))
	c.checkLedger(t, via, p, session, l)
	c.checkStopped(t, via, victim)
	c.stopped, c.finn, c.via = victim, p, via
}

// testCatchUp plays on until the stopped node can no longer be served from the
// log, and starts it again: it installs a snapshot, fetches the segments of the
// journal from its peers and then holds all that the others hold.
func (c *cluster) testCatchUp(t *testing.T) {
	if c.finn.wallet == "" {
		t.Skip("no node was stopped")
	}
	session := c.openSessionAt(t, c.via, c.finn, "comet-spins", "finn-2")
	for range 150 {
		p := c.plays(c.via, c.finn)
		w, err := p.GetWallet(t.Context(), &edgereelv1.GetWalletRequest{Wallet: c.finn.wallet})
		must(t, err)
		for _, s := range w.GetWallet().GetSessions() {
			req := &edgereelv1.PlayRequest{Wallet: c.finn.wallet, Session: session, Step: s.GetNextStep(), Mode: "base", StakeMinor: 100}
			if s.GetOpenRound() != nil {
				req.Mode, req.StakeMinor, req.Action = "", 0, 1
			}
			if s.GetSession() == session {
				_, err := p.Play(t.Context(), req)
				must(t, err)
			}
		}
	}
	c.start(c.stopped)
	c.verify(t)
	if !strings.Contains(c.logs[c.stopped].String(), "nstalled remote snapshot") {
		t.Error("the node caught up from the log alone")
	}
}

// checkLedger compares what the player was told with what the cluster holds.
func (c *cluster) checkLedger(t *testing.T, via int, p player, session string, l *ledger) {
	t.Helper()
	now, err := c.plays(via, p).GetWallet(t.Context(), &edgereelv1.GetWalletRequest{Wallet: p.wallet})
	must(t, err)
	// Opened, funded, a session, and one operation for every step.
	if w := now.GetWallet(); w.GetBalanceMinor() != l.balance || w.GetWalletSeq() != 3+l.step {
		t.Errorf("the wallet holds %d at %d; the player was told %d after %d steps", w.GetBalanceMinor(), w.GetWalletSeq(), l.balance, l.step)
	}
	for i := 0; i < len(l.answers); i += 7 {
		found, err := c.plays(via, p).LookUpStep(t.Context(), &edgereelv1.LookUpStepRequest{Wallet: p.wallet, Session: session, Step: uint64(i + 1)})
		must(t, err)
		if !sameAnswer(found, l.answers[i]) {
			t.Errorf("step %d is %v, the player was told %v", i+1, found, l.answers[i])
		}
	}
}

// checkStopped tells whether the others lead in place of a node that left.
func (c *cluster) checkStopped(t *testing.T, via, victim int) {
	t.Helper()
	name := c.configs[victim].Node
	eventually(t, "the others lead", func(context.Context) (any, error) {
		st := c.status(t, via)
		for _, s := range st.GetShards() {
			if s.GetLeader() == "" || s.GetLeader() == name {
				return nil, fmt.Errorf("shard %d is led by %q", s.GetShard(), s.GetLeader())
			}
		}
		for _, m := range st.GetMembers() {
			if m.GetNode() == name && m.GetState() != "left" {
				return nil, fmt.Errorf("%s is %s", name, m.GetState())
			}
		}
		return nil, nil
	})
}

// probe asks a health endpoint.
func (c *cluster) probe(t *testing.T, i int, name string) (int, string) {
	t.Helper()
	return c.admin(t, i, "/healthz/"+name)
}

// testNoQuorum ends two nodes at once: the last one is alive, not ready, refuses
// nothing for good, and goes on with every balance once the others are back.
func (c *cluster) testNoQuorum(t *testing.T) {
	const via = 2 // it does not bound the operator's calls
	p := c.newPlayerAt(t, via, "gwen", "ap-south", 5000)
	for _, i := range []int{0, 1} {
		must(t, c.nodes[i].Close())
	}
	eventually(t, "not ready", func(context.Context) (any, error) {
		if status, body := c.probe(t, via, "ready"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no leader") {
			return nil, fmt.Errorf("ready answers %d %s", status, body)
		}
		return nil, nil
	})
	for _, name := range []string{"live", "startup"} {
		if status, body := c.probe(t, via, name); status != http.StatusOK {
			t.Errorf("%s answers %d %s", name, status, body)
		}
	}
	_, err := c.plays(via, p).GetWallet(t.Context(), &edgereelv1.GetWalletRequest{Wallet: p.wallet})
	if effect := api.DetailOf(err).GetEffect(); err == nil || effect != edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE {
		t.Errorf("a call without a quorum: %v", err)
	}
	for _, i := range []int{0, 1} {
		c.start(i)
	}
	eventually(t, "ready again", func(context.Context) (any, error) {
		for i := range c.nodes {
			if status, body := c.probe(t, i, "ready"); status != http.StatusOK {
				return nil, fmt.Errorf("node %d answers %d %s", i, status, body)
			}
		}
		return nil, nil
	})
	now := eventually(t, "read after the restart", func(ctx context.Context) (*edgereelv1.GetWalletResponse, error) {
		return c.plays(0, p).GetWallet(ctx, &edgereelv1.GetWalletRequest{Wallet: p.wallet})
	})
	if got := now.GetWallet().GetBalanceMinor(); got != 5000 {
		t.Errorf("balance %d after the restart, want 5000", got)
	}
	c.verify(t)
}
