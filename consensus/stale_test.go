package consensus

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// TestGroup_StaleLeader is PROTOCOL 20: a leader that was deposed without
// noticing answers neither a read nor a refusal from what it remembers. Its
// own timers are stretched, so that it goes on believing for long.
func TestGroup_StaleLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 20)
		slow, quick := testTimers(), testTimers()
		slow.Heartbeat, slow.Election, slow.Lease = 30*time.Second, 30*time.Second, 30*time.Second
		quick.Heartbeat, quick.Election, quick.Lease = 7*time.Second, 7*time.Second, 2*time.Second
		c.timers = map[string]Timers{"a": slow, "b": quick, "c": quick}
		first := c.start()
		old := c.nodes["a"]
		if first != old {
			if err := first.group.raft.LeadershipTransferToServer("a", "a").Error(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a leads", time.Minute, old.group.Leads)
		}
		id := wallet.ID{1, 1}
		old.must(openWallet(id))
		old.must(deposit(id, "d1", 100))

		c.net.Isolate("a")
		next := c.leader("a")
		if a := next.must(deposit(id, "d2", 900)); a.BalanceMinor != 1000 {
			t.Fatalf("balance %d at the new leader", a.BalanceMinor)
		}
		if !old.group.Leads() {
			t.Fatal("the old leader noticed: this test shows nothing")
		}
		read := Propose(id, &wallet.Read{Wallet: id})
		overdraw := Task{Wallet: id, Prepare: func(_ context.Context, view func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error) {
			var balance int64
			view(func(s *wallet.Shard) { v, _ := s.View(id); balance = v.BalanceMinor })
			if balance < 500 {
				return nil, nil, &wallet.Refusal{Effect: wallet.NotApplied, Code: wallet.CodeInsufficientFunds}
			}
			return &wallet.Read{Wallet: id}, nil, nil
		}}
		done := make(chan error, 2)
		ask := func(task Task) {
			a, err := old.submit(task)
			var failed *Error
			if err == nil && a.BalanceMinor != 1000 || err != nil && !errors.As(err, &failed) {
				t.Errorf("the old leader answered %+v, %v", a.Result, err)
			}
			done <- err
		}
		// Asked while it is cut off, answered, if at all, when it is back.
		go ask(overdraw)
		settle(time.Second)
		c.net.Rejoin("a")
		go ask(read)
		for range 2 {
			if err := <-done; err == nil {
				t.Log("answered with the present balance")
			}
		}
		eventually(t, "the old leader steps down", time.Minute, func() bool { return !old.group.Leads() })
		c.agree()
	})
}

// TestGroup_Deadline: a task whose deadline ends while it waits is not applied,
// and said to be so.
func TestGroup_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 21)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		// The first keeps the proposer busy until the network is back.
		c.net.Isolate(leader.name)
		busy := make(chan error, 1)
		go func() { _, err := leader.submit(deposit(id, "busy", 1)); busy <- err }()
		settle(time.Millisecond)
		evaluated := false
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, err := leader.group.Submit(ctx, Task{Wallet: id, Prepare: func(context.Context, func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error) {
			evaluated = true
			return &wallet.Deposit{Cash: cash(id, "late", 1)}, nil, nil
		}})
		var failed *Error
		if !errors.As(err, &failed) || failed.Effect != wallet.NotAppliedRetryable || failed.Code != CodeDeadline {
			t.Errorf("a task that waited too long got %v", err)
		}
		if err := <-busy; !errors.As(err, &failed) || failed.Effect != wallet.Unknown {
			t.Errorf("the entry of a leader cut off got %v", err)
		}
		c.net.Rejoin(leader.name)
		c.leader("")
		c.agree()
		if evaluated {
			t.Error("a task without deadline left was evaluated")
		}
	})
}

// TestGroup_RefusalOfAnotherTerm freezes a leader between preparing a refusal
// and proposing it, for as long as another leader takes a deposit and gives
// leadership back: the entry commits, but what it carries is not the truth.
func TestGroup_RefusalOfAnotherTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 22)
		old := c.start()
		id := wallet.ID{1, 1}
		old.must(openWallet(id))
		prepared, thaw := make(chan struct{}), make(chan struct{})
		answered := make(chan error, 1)
		go func() {
			first := true
			_, err := old.group.Submit(t.Context(), Task{Wallet: id, Prepare: func(_ context.Context, view func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error) {
				var balance int64
				view(func(s *wallet.Shard) { v, _ := s.View(id); balance = v.BalanceMinor })
				if first {
					first = false
					close(prepared)
					<-thaw
				}
				if balance < 500 {
					return nil, nil, &wallet.Refusal{Effect: wallet.NotApplied, Code: wallet.CodeInsufficientFunds}
				}
				return &wallet.Read{Wallet: id}, nil, nil
			}})
			answered <- err
		}()
		<-prepared
		c.net.Isolate(old.name)
		next := c.leader(old.name)
		next.must(deposit(id, "d1", 1000))
		c.net.Rejoin(old.name)
		eventually(t, "the old leader leads again", time.Minute, func() bool {
			to := raft.ServerID(old.name)
			return old.group.rules() || next.group.raft.LeadershipTransferToServer(to, raft.ServerAddress(to)).Error() == nil
		})
		eventually(t, "the old leader leads", time.Minute, old.group.rules)
		close(thaw)
		var failed *Error
		if err := <-answered; !errors.As(err, &failed) || failed.Effect != wallet.NotAppliedRetryable {
			t.Errorf("a refusal from before the deposit came as %v", err)
		}
		c.leader("").must(deposit(id, "d2", 1))
		c.agree()
	})
}
