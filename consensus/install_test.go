package consensus

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// TestGroup_Install brings back a replica that lost its disk after the log was
// cut: it needs a snapshot and the sealed segments, which fail to come at first.
func TestGroup_Install(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 30)
		c.segment = 16
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		lost := c.other(leader.name)
		c.crash(lost.name, 0)
		for i := range 100 {
			leader.must(deposit(id, fmt.Sprintf("d%d", i), 1))
		}
		if err := leader.group.Snapshot(); err != nil {
			t.Fatal(err)
		}
		if first, err := leader.store.Group(testShard).FirstIndex(); err != nil || first < 50 {
			t.Fatalf("the log begins at %d, %v: nothing was cut", first, err)
		}
		if err := os.RemoveAll(lost.dir); err != nil {
			t.Fatal(err)
		}
		c.refuse = 3
		c.restart(lost.name)
		eventually(t, "the replica installs the snapshot", time.Minute, func() bool {
			var seq uint64
			lost.group.View(func(s *wallet.Shard) { seq = s.Head().Seq })
			return seq >= 100
		})
		c.agree()
		if c.refuse != 0 || c.segments == 0 {
			t.Errorf("%d refusals left, %d segments fetched", c.refuse, c.segments)
		}
		sameJournal(t, leader, lost)
		if f := lost.fatals(); len(f) != 0 {
			t.Error(f)
		}
		leader.must(deposit(id, "after", 1))
		c.agree()
	})
}

// sameJournal compares every record of two replicas.
func sameJournal(t *testing.T, a, b *simNode) {
	t.Helper()
	last, _ := a.journal.Last()
	for seq := uint64(1); seq <= last; seq++ {
		ra, errA := a.journal.Get(seq)
		rb, errB := b.journal.Get(seq)
		if errA != nil || errB != nil || ra.Hash() != rb.Hash() || string(ra.Input) != string(rb.Input) {
			t.Fatalf("record %d: %v on %s, %v on %s", seq, errA, a.name, errB, b.name)
		}
	}
}

// TestGroup_BootWithoutSegments is a crash between receiving a snapshot and
// receiving its segments: the replica starts at once, and applies nothing
// before its journal is complete.
func TestGroup_BootWithoutSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 31)
		c.segment = 16
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		lost := c.other(leader.name)
		for i := range 60 {
			leader.must(deposit(id, fmt.Sprintf("d%d", i), 1))
		}
		c.agree()
		if err := lost.group.Snapshot(); err != nil {
			t.Fatal(err)
		}
		c.crash(lost.name, -1)
		if err := os.RemoveAll(lost.store.JournalDir(testShard)); err != nil {
			t.Fatal(err)
		}
		c.refuse = 4
		c.restart(lost.name)
		before := time.Now()
		leader.must(deposit(id, "more", 1))
		c.agree()
		if c.refuse != 0 || c.segments == 0 || time.Since(before) < 100*time.Millisecond {
			t.Errorf("%d refusals left, %d segments fetched, applied after %s", c.refuse, c.segments, time.Since(before))
		}
		sameJournal(t, leader, lost)

		// Down again while it still asks: Close does not wait for the peers.
		c.crash(lost.name, -1)
		if err := os.RemoveAll(lost.store.JournalDir(testShard)); err != nil {
			t.Fatal(err)
		}
		c.refuse = 1 << 30
		c.restart(lost.name)
		settle(time.Second)
		c.close(lost.name)
		if f := lost.fatals(); len(f) != 0 {
			t.Error(f)
		}
	})
}

// TestOpen_DamagedSnapshot: where the newest snapshot is damaged and the log
// does not reach back to the one before, Open says so instead of guessing.
func TestOpen_DamagedSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 32)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		n := c.other(leader.name)
		for i := range 120 {
			leader.must(deposit(id, fmt.Sprintf("d%d", i), 1))
			if i%60 == 59 {
				c.agree()
				if err := n.group.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.crash(n.name, 0)
		dir := n.store.SnapshotDir(testShard)
		store, err := raft.NewFileSnapshotStoreWithLogger(dir, 2, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"rejoin as a new member", "any existing snapshots"} {
			snaps, err := store.List()
			if err != nil || len(snaps) < 2 {
				t.Fatalf("%d snapshots, %v", len(snaps), err)
			}
			for _, s := range snaps {
				path := filepath.Join(dir, "snapshots", s.ID, "state.bin")
				if info, err := os.Stat(path); err != nil || info.Size() == 10 {
					continue
				}
				if err := os.Truncate(path, 10); err != nil {
					t.Fatal(err)
				}
				break
			}
			c.net.Up(n.name)
			if err := c.tryOpen(n.name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("opened with %v, want an error with %q", err, want)
			}
		}
	})
}
