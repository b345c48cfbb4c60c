package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

var errDisk = errors.New("disk says no")

// TestGroup_FsyncFails fails the leader's disk before and after the write: the
// replica is told to stop, its entry is unknown, the others go on.
func TestGroup_FsyncFails(t *testing.T) {
	for _, persisted := range []bool{false, true} {
		t.Run(fmt.Sprintf("persisted=%t", persisted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 40)
				var bad sync.Map
				c.fault = func(node string) storage.CommitFunc {
					return func(_ <-chan struct{}, commit func() error) error {
						if _, ok := bad.Load(node); !ok {
							return commit()
						}
						if persisted {
							return errors.Join(commit(), errDisk)
						}
						return errDisk
					}
				}
				leader := c.start()
				id := wallet.ID{1, 1}
				leader.must(openWallet(id))
				bad.Store(leader.name, true)
				_, err := leader.submit(deposit(id, "d1", 10))
				var failed *Error
				if !errors.As(err, &failed) || failed.Effect != wallet.Unknown {
					t.Errorf("an entry that may be on disk got %v", err)
				}
				eventually(t, "the replica is told to stop", time.Second, func() bool { return len(leader.fatals()) > 0 })
				if f := leader.fatals(); len(f) != 1 || !errors.Is(f[0], errDisk) {
					t.Errorf("told to stop by %v", f)
				}
				// The process ends, as OnFatal demands.
				c.crash(leader.name, 0)
				next := c.leader(leader.name)
				if a := next.must(deposit(id, "d1", 10)); a.BalanceMinor != 10 {
					t.Errorf("after the retry the balance is %d", a.BalanceMinor)
				}
				bad.Delete(leader.name)
				c.restart(leader.name)
				c.agree()
			})
		})
	}
}

// TestGroup_Stops: a replica that may not go on says so once, answers nothing
// more, and lets another lead.
func TestGroup_Stops(t *testing.T) {
	id := wallet.ID{1, 1}
	for name, tc := range map[string]struct {
		harm  func(t *testing.T, n *simNode)
		check func(error) bool
		all   bool
	}{
		"journal diverged": {
			harm: func(t *testing.T, n *simNode) {
				seq, hash := n.journal.Last()
				if err := n.journal.Append([]storage.Record{{Epoch: 1, Seq: seq + 1, Prev: hash, Input: []byte{1}}}); err != nil {
					t.Fatal(err)
				}
			},
			check: func(err error) bool {
				var diverged *storage.DivergenceError
				return errors.As(err, &diverged)
			},
		},
		"entry of a newer version": {
			harm: func(_ *testing.T, n *simNode) {
				entry := wallet.Entry{Version: 1, Proposer: n.name, Ops: []wallet.Op{&wallet.Read{}}}
				b := entry.Encode()
				b[0] = wallet.Version + 1
				_ = n.group.raft.Apply(b, time.Second).Error()
			},
			check: func(err error) bool { return errors.Is(err, wallet.ErrUnsupported) },
			all:   true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 41)
				leader := c.start()
				leader.must(openWallet(id))
				c.agree()
				tc.harm(t, leader)
				_, err := leader.submit(deposit(id, "d1", 10))
				var failed *Error
				if !errors.As(err, &failed) || !tc.all && failed.Effect != wallet.Unknown {
					t.Errorf("the stopped replica answered %v", err)
				}
				if _, err = leader.submit(deposit(id, "d2", 10)); !errors.As(err, &failed) || failed.Code != CodeUnavailable || failed.Effect != wallet.NotAppliedRetryable {
					t.Errorf("and then %v", err)
				}
				if err := leader.group.Snapshot(); err == nil {
					t.Error("a stopped replica took a snapshot")
				}
				if !tc.all {
					next := c.leader(leader.name)
					if a := next.must(deposit(id, "d1", 10)); a.BalanceMinor != 10 {
						t.Errorf("after the retry the balance is %d", a.BalanceMinor)
					}
				}
				settle(5 * time.Second)
				for _, name := range c.names {
					n := c.nodes[name]
					if n != leader && !tc.all {
						continue
					}
					if f := n.fatals(); len(f) != 1 || !tc.check(f[0]) {
						t.Errorf("%s was told to stop by %v", name, f)
					}
					seq, _ := n.journal.Last()
					n.group.View(func(s *wallet.Shard) {
						if tc.all && s.Head().Seq != seq {
							t.Errorf("%s applied beyond its journal", name)
						}
					})
				}
			})
		})
	}
}

// TestGroup_Drain moves leadership under load: nothing acknowledged is lost and
// nothing is left unknown.
func TestGroup_Drain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 42)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		settle(time.Second)
		var clients sync.WaitGroup
		var mu sync.Mutex
		acknowledged, refused := map[string]wallet.Hash{}, 0
		for i := range 8 {
			clients.Go(func() {
				for j := range 40 {
					key := fmt.Sprintf("d%d-%d", i, j)
					a, err := leader.submit(deposit(id, key, 1))
					var failed *Error
					mu.Lock()
					switch {
					case err == nil:
						acknowledged[key] = a.Hash
					case errors.As(err, &failed) && failed.Effect == wallet.NotAppliedRetryable:
						refused++
					default:
						t.Errorf("a planned move answered %v", err)
					}
					mu.Unlock()
				}
			})
		}
		settle(500 * time.Millisecond)
		if err := leader.group.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		clients.Wait()
		if leader.group.Leads() || refused == 0 || len(acknowledged) == 0 {
			t.Errorf("leads %t, %d acknowledged, %d refused", leader.group.Leads(), len(acknowledged), refused)
		}
		next := c.leader(leader.name)
		for key, hash := range acknowledged {
			if a := next.must(deposit(id, key, 1)); !a.Repeat || a.Hash != hash {
				t.Errorf("%s was acknowledged and is %+v", key, a.Result)
			}
		}
		if a := next.must(Propose(id, &wallet.Read{Wallet: id})); int(a.BalanceMinor) != len(acknowledged) {
			t.Errorf("balance %d after %d deposits", a.BalanceMinor, len(acknowledged))
		}
		c.agree()
	})
}

// TestGroup_CloseInFlight closes a leader that cannot commit, with more tasks
// waiting than an entry takes of one wallet: each is answered, with its effect.
func TestGroup_CloseInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 43)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		c.net.Isolate(leader.name)
		var unknown, retryable atomic.Int32
		var clients sync.WaitGroup
		for i := range 50 {
			clients.Go(func() {
				_, err := leader.group.Submit(context.Background(), deposit(id, fmt.Sprintf("d%d", i), 1))
				var failed *Error
				switch {
				case !errors.As(err, &failed):
					t.Errorf("answered %v", err)
				case failed.Effect == wallet.Unknown:
					unknown.Add(1)
				default:
					retryable.Add(1)
				}
			})
		}
		settle(10 * time.Millisecond)
		c.close(leader.name)
		clients.Wait()
		if unknown.Load() != 1 || retryable.Load() != 49 {
			t.Errorf("%d unknown, %d retryable", unknown.Load(), retryable.Load())
		}
		if err := leader.group.Close(); err != nil {
			t.Error(err)
		}
		if _, err := leader.submit(deposit(id, "d0", 1)); err == nil {
			t.Error("a closed group answers")
		}
	})
}
