package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"github.com/edgereel/edgereel/storage/internal/logtest"
)

func testConfig(dir string) Config { return Config{Dir: dir, Cluster: "c", Node: "n"} }

func openTest(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(testConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func entry(i uint64) *raft.Log {
	return &raft.Log{Index: i, Term: i/10 + 1, Data: bytes.Repeat([]byte{byte(i)}, int(i%50))}
}

func storeLogs(t testing.TB, g *Group, from, to uint64) {
	t.Helper()
	var logs []*raft.Log
	for i := from; i <= to; i++ {
		logs = append(logs, entry(i))
	}
	if err := g.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
}

func checkLogs(t testing.TB, g *Group, from, to uint64) {
	t.Helper()
	first, _ := g.FirstIndex()
	last, _ := g.LastIndex()
	if first != from || last != to {
		t.Fatalf("log is %d to %d, should be %d to %d", first, last, from, to)
	}
	for i := from; i != 0 && i <= to; i++ {
		var l raft.Log
		if err := g.GetLog(i, &l); err != nil || !logtest.Same(l, *entry(i)) {
			t.Fatalf("GetLog(%d) = %v, %v", i, l, err)
		}
	}
}

func TestStore_BootAndMarks(t *testing.T) {
	dir := t.TempDir()
	var boot uint64
	for i := range 3 {
		s := openTest(t, dir)
		if s.Boot() <= boot {
			t.Fatalf("boot %d after %d", s.Boot(), boot)
		}
		boot = s.Boot()
		if v, ok := s.Mark("peer"); ok != (i > 0) || ok && string(v) != fmt.Sprint(i-1) {
			t.Fatalf("mark of boot %d is %q", i, v)
		}
		if err := s.SetMark("peer", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if got := s.Marks(); len(got) != 1 || got[0] != "peer" {
			t.Fatalf("marks are %v", got)
		}
		if i == 1 {
			s.Abandon()
		} else if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStore_RefusesFolder(t *testing.T) {
	dir := t.TempDir()
	if err := openTest(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*identity) []byte) string {
		d := copyDir(t, dir)
		rewrite(t, d, func(tx *bbolt.Tx) error {
			id := identity{boot: 3, cluster: "c", node: "n"}
			return tx.Bucket([]byte(bucketNode)).Put([]byte(keyIdentity), f(&id))
		})
		return d
	}
	newer := change(func(id *identity) []byte {
		b := seal(keyIdentity, id.encode())
		b[0] = formatVersion + 1
		return reseal(keyIdentity, b)
	})
	lost := t.TempDir()
	if err := os.MkdirAll(filepath.Join(lost, "snapshots", "1"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  Config
		want error
		says string
	}{
		"cluster": {Config{Dir: dir, Cluster: "other", Node: "n"}, ErrForeignCluster, `"other"`},
		"node":    {Config{Dir: dir, Cluster: "c", Node: "other"}, ErrForeignNode, `"other"`},
		"newer":   {testConfig(newer), ErrNewerFormat, "version 2"},
		"lost":    {testConfig(lost), ErrMissing, "rejoin"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(c.cfg)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Open = %v", err)
			}
		})
	}
	openTest(t, dir) // refusing left no lock behind
}

func TestStore_Locked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the wait for the lock is virtual
		dir := t.TempDir()
		s, err := Open(testConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := Open(testConfig(dir)); !errors.Is(err, ErrLocked) {
			t.Fatalf("second Open = %v", err)
		}
		if err := s.SetMark("still", []byte("alive")); err != nil {
			t.Fatal(err)
		}
	})
}

// rewrite changes a closed node file through bbolt.
func rewrite(t *testing.T, dir string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, nodeFileName), 0o600, boltOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func reseal(place string, b []byte) []byte {
	v := b[0]
	out := seal(place, b[1:len(b)-crcSize])
	out[0] = v
	sum := sealSum(place, out[:len(out)-crcSize])
	return append(out[:len(out)-crcSize], sum...)
}

func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestStore_FaultTable(t *testing.T) {
	broken := errors.New("disk is broken")
	writes := map[string]func(*Store) error{
		"append":      func(s *Store) error { return s.Group(1).StoreLog(entry(11)) },
		"first":       func(s *Store) error { return s.Group(9).StoreLog(entry(1)) },
		"truncate":    func(s *Store) error { return s.Group(1).DeleteRange(6, 10) },
		"compact":     func(s *Store) error { return s.Group(1).DeleteRange(1, 5) },
		"stable":      func(s *Store) error { return s.Group(1).SetUint64([]byte("CurrentTerm"), 5) },
		"mark":        func(s *Store) error { return s.SetMark("m", []byte("new")) },
		"replacement": func(s *Store) error { return s.Group(1).StoreLog(entry(20)) },
	}
	for name, write := range writes {
		for _, persisted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/persisted=%v", name, persisted), func(t *testing.T) {
				dir := t.TempDir()
				var failing atomic.Bool
				var fatal atomic.Int32
				cfg := testConfig(dir)
				cfg.OnFatal = func(err error) {
					if errors.Is(err, broken) {
						fatal.Add(1)
					}
				}
				cfg.Commit = func(_ <-chan struct{}, commit func() error) error {
					if !failing.Load() {
						return commit()
					}
					if persisted {
						if err := commit(); err != nil {
							return err
						}
					}
					return broken
				}
				s, err := Open(cfg)
				if err != nil {
					t.Fatal(err)
				}
				storeLogs(t, s.Group(1), 1, 10)
				before := state(t, s)
				failing.Store(true)
				if err := write(s); !errors.Is(err, ErrFailed) || !errors.Is(err, broken) {
					t.Fatalf("write = %v", err)
				}
				if got := state(t, s); got != before {
					t.Fatalf("an unacknowledged write is visible:\n%s\n%s", before, got)
				}
				failing.Store(false)
				for again, w := range writes {
					if err := w(s); !errors.Is(err, ErrFailed) {
						t.Fatalf("%s after the failure = %v", again, err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if fatal.Load() != 1 {
					t.Fatalf("OnFatal was called %d times", fatal.Load())
				}
				s = openTest(t, dir)
				if got := state(t, s); (got != before) != persisted {
					t.Fatalf("after reopening:\n%s\nwas\n%s", got, before)
				}
			})
		}
	}
}

// state describes everything a store shows.
func state(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	for _, id := range []uint32{1, 2, 9} {
		g := s.Group(id)
		first, err1 := g.FirstIndex()
		last, err2 := g.LastIndex()
		term, err3 := g.GetUint64([]byte("CurrentTerm"))
		vote, err4 := g.Get([]byte("LastVoteCand"))
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "group %d: %d to %d, term %d, vote %q\n", id, first, last, term, vote)
		for i := first; i != 0 && i <= last; i++ {
			var l raft.Log
			if err := g.GetLog(i, &l); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "  %d %d %x\n", l.Index, l.Term, l.Data)
		}
	}
	for _, k := range s.Marks() {
		v, _ := s.Mark(k)
		fmt.Fprintf(&b, "mark %s = %x\n", k, v)
	}
	return b.String()
}

type countingObserver struct{ commits, records atomic.Int64 }

func (o *countingObserver) FsyncDone(_ time.Duration, records, _ int) {
	o.commits.Add(1)
	o.records.Add(int64(records))
}

func TestStore_HammerGroupsShareCommits(t *testing.T) {
	const groups, rounds = 8, 40
	dir := t.TempDir()
	o := &countingObserver{}
	cfg := testConfig(dir)
	cfg.Observer = o
	cfg.CacheBytes = 2000
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for id := uint32(1); id <= groups; id++ {
		g := s.Group(id)
		wg.Go(func() {
			for r := uint64(0); r < rounds; r++ {
				storeLogs(t, g, r*5+1, r*5+5)
				if r%10 == 9 {
					if err := g.DeleteRange(r*5-3, r*5+5); err != nil { // then again
						t.Error(err)
					}
					storeLogs(t, g, r*5-3, r*5+5)
				}
			}
		})
		wg.Go(func() {
			for r := uint64(0); r < rounds; r++ {
				last, _ := g.LastIndex()
				var l raft.Log
				if err := g.GetLog(last, &l); err != nil && !errors.Is(err, raft.ErrLogNotFound) {
					t.Error(err)
				}
				if err := g.SetUint64([]byte("CurrentTerm"), r); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for hi := uint64(5); hi <= 50; hi += 5 {
				first, _ := g.FirstIndex()
				if err := g.DeleteRange(first, hi); err != nil && !errors.Is(err, ErrMiddle) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if o.commits.Load() >= o.records.Load() {
		t.Errorf("%d commits for %d records: nothing was shared", o.commits.Load(), o.records.Load())
	}
	want := state(t, s)
	s.Abandon()
	if got := state(t, openTest(t, dir)); got != want {
		t.Fatalf("after a crash:\n%s\nwas\n%s", got, want)
	}
}

// TestStore_CrashPoints copies the file between all commits of a scenario with
// a long truncation; every copy must open to a state that the scenario passed.
func TestStore_CrashPoints(t *testing.T) {
	dir := t.TempDir()
	var copies []string
	cfg := testConfig(dir)
	cfg.Commit = func(_ <-chan struct{}, commit func() error) error {
		copies = append(copies, copyDir(t, dir))
		return commit()
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	valid := map[string]bool{"0-0": true, "1-2500": true, "1-100": true, "1-2200": true, "2201-2200": true, "5000-5001": true}
	g := s.Group(1)
	storeLogs(t, g, 1, 2500)
	if err := g.DeleteRange(101, 2500); err != nil {
		t.Fatal(err)
	}
	storeLogs(t, g, 101, 2200)
	if err := g.DeleteRange(1, 2200); err != nil {
		t.Fatal(err)
	}
	storeLogs(t, g, 5000, 5001)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(copies) < 9 {
		t.Fatalf("only %d commits: truncation is not sliced", len(copies))
	}
	for i, dir := range copies {
		s := openTest(t, dir)
		first, _ := s.Group(1).FirstIndex()
		last, _ := s.Group(1).LastIndex()
		if !valid[fmt.Sprintf("%d-%d", first, last)] {
			t.Fatalf("copy %d holds %d to %d", i, first, last)
		}
		checkLogs(t, s.Group(1), first, last)
		storeLogs(t, s.Group(1), last+1, last+300)
		s.Abandon()
		s = openTest(t, dir)
		checkLogs(t, s.Group(1), max(first, 1), last+300)
		for _, n := range s.Report().Notes {
			t.Errorf("copy %d still had leftovers: %s", i, n)
		}
		_ = s.Close()
	}
}

func TestStore_AbandonFencesZombies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		stall := make(chan struct{})
		var stalled atomic.Bool
		cfg := testConfig(dir)
		cfg.Commit = func(abandoned <-chan struct{}, commit func() error) error {
			if stalled.Load() {
				close(stall)
				<-abandoned
				time.Sleep(time.Second) //nolint:forbidigo // in virtual time: the zombie comes back later
			}
			return commit()
		}
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g := s.Group(1)
		storeLogs(t, g, 1, 5)
		stalled.Store(true)
		results := make(chan error, 2)
		go func() { results <- g.StoreLog(entry(6)) }()
		<-stall
		go func() { results <- g.SetUint64([]byte("CurrentTerm"), 9) }()
		synctest.Wait()
		s.Abandon()
		s.Abandon()
		for range 2 {
			if err := <-results; !errors.Is(err, ErrClosed) {
				t.Fatalf("pending write = %v", err)
			}
		}
		next, err := Open(testConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		var l raft.Log
		_, lastErr := g.LastIndex()
		for _, err := range []error{g.StoreLog(entry(6)), g.DeleteRange(1, 5), g.GetLog(1, &l), s.SetMark("a", nil), lastErr} {
			if !errors.Is(err, ErrClosed) {
				t.Fatalf("call on an abandoned store = %v", err)
			}
		}
		checkLogs(t, next.Group(1), 1, 5)
		if next.Boot() <= s.Boot() {
			t.Fatal("boot was not counted")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
