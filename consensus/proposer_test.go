package consensus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

func TestProposalError(t *testing.T) {
	for _, tc := range []struct {
		err    error
		effect wallet.Effect
		code   wallet.Code
	}{
		{raft.ErrNotLeader, wallet.NotAppliedRetryable, CodeNotLeader},
		{raft.ErrLeadershipTransferInProgress, wallet.NotAppliedRetryable, CodeDraining},
		{raft.ErrEnqueueTimeout, wallet.NotAppliedRetryable, CodeOverloaded},
		{raft.ErrLeadershipLost, wallet.Unknown, CodeUnresolved},
		{raft.ErrRaftShutdown, wallet.Unknown, CodeUnresolved},
		{raft.ErrAbortedByRestore, wallet.Unknown, CodeUnresolved},
		{errDisk, wallet.Unknown, CodeUnresolved},
	} {
		e := proposalError(tc.err, "b")
		if e.Effect != tc.effect || e.Code != tc.code || e.Leader != "b" || !errors.Is(e, tc.err) {
			t.Errorf("%v is %+v", tc.err, e)
		}
	}
}

// queue gives a proposer that was never started its tasks.
func queue(size int, wallets ...byte) *proposer {
	g := &Group{tasks: make(chan *pending, size), raft: &raft.Raft{}}
	p := newProposer(g, nil)
	for i, w := range wallets {
		g.tasks <- &pending{ctx: context.Background(), task: Task{Wallet: wallet.ID{w}}, done: make(chan reply, 1), queued: time.Unix(int64(i), 0)}
	}
	return p
}

func order(tasks []*pending) string {
	var s string
	for _, t := range tasks {
		s += fmt.Sprintf("%c%d ", t.task.Wallet[0], t.queued.Unix())
	}
	return s
}

func TestProposer_Drain(t *testing.T) {
	p := queue(100, 'a', 'b', 'a', 'c', 'a', 'b')
	for _, want := range []string{"a0 b1 c3 ", "a2 b5 ", "a4 ", ""} {
		if got := order(p.drain(nil)); got != want {
			t.Errorf("entry takes %q, want %q", got, want)
		}
	}
}

func TestProposer_DrainHotWallet(t *testing.T) {
	wallets := slices.Repeat([]byte{'h'}, 3000)
	wallets = append(wallets, 'x')
	p := queue(len(wallets), wallets...)
	all := make([]*pending, 0, len(wallets))
	for range wallets {
		all = append(all, <-p.group.tasks)
	}
	for _, task := range all {
		p.group.tasks <- task
	}
	if got := order(p.drain(nil)); got != "h0 x3000 " {
		t.Errorf("entry takes %q", got)
	}
	if len(p.held) != maxHeldPerWallet {
		t.Errorf("%d held of one wallet", len(p.held))
	}
	refused := 0
	for _, task := range all {
		select {
		case r := <-task.done:
			var failed *Error
			if !errors.As(r.err, &failed) || failed.Effect != wallet.NotAppliedRetryable || failed.Code != CodeOverloaded {
				t.Fatalf("answered %v", r.err)
			}
			refused++
		default:
		}
	}
	if refused != 3000-1-maxHeldPerWallet {
		t.Errorf("%d of 3000 refused", refused)
	}
}

// TestGroup_OneWallet: plays of one wallet that wait together are each
// evaluated on what the one before left, so that no client sees a stale one;
// wallets beside it share entries.
func TestGroup_OneWallet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 50)
		leader := c.start()
		ids := []wallet.ID{{1, 1}, {2, 1}, {3, 1}}
		sessions := map[wallet.ID]uint64{}
		for _, id := range ids {
			leader.must(openWallet(id))
			leader.must(deposit(id, id.String(), 1000))
			sessions[id] = openSession(leader, id, "s")
		}
		type answer struct {
			id   wallet.ID
			step uint64
			a    Answer
			err  error
		}
		answers := make(chan answer, 60)
		for step := uint64(1); step <= 20; step++ {
			for _, id := range ids {
				go func() {
					// Asked in order, waiting together.
					settle(time.Duration(step) * time.Microsecond)
					a, err := leader.submit(playTask(id, sessions[id], step))
					answers <- answer{id, step, a, err}
				}()
			}
		}
		perEntry := map[time.Time]map[wallet.ID]int{}
		for range 60 {
			got := <-answers
			if got.err != nil || got.a.Nonce != got.step || got.a.WinMinor != outcome(got.step) {
				t.Errorf("step %d of %s: %+v, %v", got.step, got.id, got.a.Result, got.err)
				continue
			}
			if perEntry[got.a.Applying] == nil {
				perEntry[got.a.Applying] = map[wallet.ID]int{}
			}
			perEntry[got.a.Applying][got.id]++
		}
		shared := false
		for at, entry := range perEntry {
			shared = shared || len(entry) == len(ids)
			for id, n := range entry {
				if n > 1 {
					t.Errorf("the entry at %s has %d operations of %s", at, n, id)
				}
			}
		}
		if !shared {
			t.Error("no entry carried more than one wallet")
		}
	})
}

// TestGroup_Prepare feeds the proposer what may come out of a Prepare.
func TestGroup_Prepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 51)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		type prepared func() (wallet.Op, *wallet.Result, error)
		for name, tc := range map[string]struct {
			prepare prepared
			effect  wallet.Effect
			code    wallet.Code
		}{
			"panic":   {func() (wallet.Op, *wallet.Result, error) { panic("a fault") }, wallet.NotAppliedRetryable, CodeInternal},
			"nothing": {func() (wallet.Op, *wallet.Result, error) { return nil, nil, nil }, wallet.NotAppliedRetryable, CodeInternal},
			"error":   {func() (wallet.Op, *wallet.Result, error) { return nil, nil, errDisk }, wallet.NotAppliedRetryable, CodeInternal},
			"timeout": {func() (wallet.Op, *wallet.Result, error) { return nil, nil, context.DeadlineExceeded }, wallet.NotAppliedRetryable, CodeDeadline},
			"own": {func() (wallet.Op, *wallet.Result, error) {
				return nil, nil, &Error{Effect: wallet.NotAppliedRetryable, Code: CodeNotReady}
			}, wallet.NotAppliedRetryable, CodeNotReady},
			"refusal": {func() (wallet.Op, *wallet.Result, error) {
				return nil, nil, &wallet.Refusal{Effect: wallet.NotApplied, Code: wallet.CodeTooFast}
			}, wallet.NotApplied, wallet.CodeTooFast},
			"poison": {func() (wallet.Op, *wallet.Result, error) { return &wallet.Activate{Version: 200}, nil, nil }, wallet.NotApplied, wallet.CodeUnsupportedVersion},
		} {
			_, err := leader.submit(Task{Wallet: id, Prepare: func(context.Context, func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error) {
				return tc.prepare()
			}})
			var failed *Error
			var refusal *wallet.Refusal
			switch {
			case errors.As(err, &failed) && failed.Effect == tc.effect && failed.Code == tc.code:
			case errors.As(err, &refusal) && refusal.Effect == tc.effect && refusal.Code == tc.code:
			default:
				t.Errorf("%s: answered %v", name, err)
			}
		}
		// Refused for now: the newer state decides.
		calls := 0
		a := leader.must(Task{Wallet: id, Prepare: func(context.Context, func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error) {
			if calls++; calls == 1 {
				return nil, nil, &wallet.Refusal{Effect: wallet.NotAppliedRetryable, Code: wallet.CodeTooFast}
			}
			return &wallet.Deposit{Cash: cash(id, "d", 5)}, nil, nil
		}})
		if calls != 2 || a.BalanceMinor != 5 {
			t.Errorf("%d calls, balance %d", calls, a.BalanceMinor)
		}
	})
}

// TestGroup_QueueBound: past its bound the queue refuses at once.
func TestGroup_QueueBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 52)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		c.net.Isolate(leader.name)
		codes := make(chan wallet.Code, 6000)
		for i := range 6000 {
			go func() {
				_, err := leader.submit(deposit(wallet.ID{byte(i), byte(i >> 8), 1}, fmt.Sprint(i), 1))
				var failed *Error
				if !errors.As(err, &failed) {
					t.Errorf("answered %v", err)
				}
				codes <- failed.Code
			}()
		}
		counts := map[wallet.Code]int{}
		for range 6000 {
			counts[<-codes]++
		}
		// One entry of at most maxEntryOps is in flight, a full queue behind it.
		if n := counts[CodeOverloaded]; n < 6000-4096-maxEntryOps || n > 6000-4096 {
			t.Errorf("%v", counts)
		}
	})
}
