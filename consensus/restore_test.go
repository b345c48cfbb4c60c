package consensus

import (
	"bytes"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// testMachine is a machine with a journal of four records a segment, told to
// stop by fatal.
func testMachine(t *testing.T) (m *machine, fatal *error) {
	t.Helper()
	j, err := storage.OpenJournal(storage.JournalConfig{Dir: t.TempDir(), Shard: testShard, SegmentRecords: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	fatal = new(error)
	cfg := &Config{
		Cluster: testCluster, Shard: testShard, Node: "a", Voters: []string{"a"}, Journal: j, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler), OnFatal: func(err error) { *fatal = err },
	}
	return newMachine(cfg, t.Context()), fatal
}

// history applies a genesis and n-1 more records; salt makes it another one.
func (m *machine) history(n int, shard uint32, salt byte) {
	ops := []wallet.Op{&wallet.Genesis{Cluster: testCluster, Shard: shard, Epoch: 1}}
	for range n - 1 {
		ops = append(ops, &wallet.Clock{ReadingsMS: []int64{1000}})
	}
	e := wallet.Entry{Version: 1, Proposer: "a", Salt: wallet.Hash{salt}, Ops: ops}
	m.Apply(&raft.Log{Type: raft.LogCommand, Index: 2, Term: 1, Data: e.Encode()})
}

// image gives the snapshot of the machine's state.
func (m *machine) image(t *testing.T) io.ReadCloser {
	t.Helper()
	fs, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	store := raft.NewInmemSnapshotStore()
	sink, err := store.Create(1, 2, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.Persist(sink); err != nil {
		t.Fatal(err)
	}
	_, rc, err := store.Open(sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

// TestMachine_Restore: what a replica may install and what stops it.
func TestMachine_Restore(t *testing.T) {
	source := func(t *testing.T, n int, shard uint32, salt byte) io.ReadCloser {
		m, _ := testMachine(t)
		m.completeBoot()
		m.history(n, shard, salt)
		return m.image(t)
	}
	newer := func(t *testing.T) io.ReadCloser {
		b, err := io.ReadAll(source(t, 3, testShard, 1))
		if err != nil {
			t.Fatal(err)
		}
		b[len(imageMagic)]++
		return io.NopCloser(bytes.NewReader(reseal(b)))
	}
	for name, tc := range map[string]struct {
		own  int
		snap func(*testing.T) io.ReadCloser
		last uint64
		ok   bool
	}{
		"into an empty journal":    {0, func(t *testing.T) io.ReadCloser { return source(t, 3, testShard, 1) }, 3, true},
		"over a shorter journal":   {2, func(t *testing.T) io.ReadCloser { return source(t, 3, testShard, 1) }, 3, true},
		"under a longer journal":   {3, func(t *testing.T) io.ReadCloser { return source(t, 2, testShard, 1) }, 3, true},
		"of another history":       {2, func(t *testing.T) io.ReadCloser { return source(t, 3, testShard, 2) }, 2, false},
		"of another shard":         {0, func(t *testing.T) io.ReadCloser { return source(t, 3, testShard+1, 1) }, 0, false},
		"of a newer version":       {0, newer, 0, false},
		"damaged":                  {0, func(*testing.T) io.ReadCloser { return io.NopCloser(bytes.NewReader([]byte("x"))) }, 0, false},
		"of a shard without entry": {0, func(t *testing.T) io.ReadCloser { m, _ := testMachine(t); m.completeBoot(); return m.image(t) }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, fatal := testMachine(t)
			m.completeBoot()
			if tc.own > 0 {
				m.history(tc.own, testShard, 1)
			}
			err := m.Restore(tc.snap(t))
			if tc.ok != (err == nil) || tc.ok != (*fatal == nil) {
				t.Fatalf("restored with %v, told to stop by %v", err, *fatal)
			}
			if last, _ := m.cfg.Journal.Last(); last != tc.last {
				t.Errorf("the journal ends at %d, want %d", last, tc.last)
			}
			a := m.Apply(&raft.Log{Type: raft.LogCommand, Index: 3, Term: 1, Data: (&wallet.Entry{Version: 1}).Encode()}).(*applied)
			if tc.ok != (a.err == nil) {
				t.Errorf("the next entry came to %v", a.err)
			}
		})
	}
}

// TestMachine_RestoreAtStart: a snapshot that cannot be used is an error for
// raft, which tries the one before, and does not stop the replica.
func TestMachine_RestoreAtStart(t *testing.T) {
	m, fatal := testMachine(t)
	if err := m.Restore(io.NopCloser(bytes.NewReader([]byte("x")))); err == nil || *fatal != nil {
		t.Errorf("restored with %v, told to stop by %v", err, *fatal)
	}
}

func TestConfig_Validate(t *testing.T) {
	good := func() Config {
		m, _ := testMachine(t)
		cfg := *m.cfg
		logs := raft.NewInmemStore()
		_, trans := raft.NewInmemTransport("")
		cfg.Logs, cfg.Stable, cfg.Snapshots, cfg.Transport = logs, logs, raft.NewInmemSnapshotStore(), trans
		cfg.Voters, cfg.Peers, cfg.Rand = []string{"a", "b", "c"}, &simNode{}, bytes.NewReader(nil)
		return cfg
	}
	ok := good()
	if err := ok.validate(); err != nil || ok.QueueSize == 0 || ok.Timers != LAN() {
		t.Fatalf("%v, queue of %d", err, ok.QueueSize)
	}
	for name, spoil := range map[string]func(*Config){
		"no cluster":       func(c *Config) { c.Cluster = "" },
		"shard 0":          func(c *Config) { c.Shard = 0 },
		"no voters":        func(c *Config) { c.Voters = nil },
		"a voter twice":    func(c *Config) { c.Voters = []string{"a", "b", "b"} },
		"no voter itself":  func(c *Config) { c.Node = "d" },
		"home not a voter": func(c *Config) { c.Home = "d" },
		"no journal":       func(c *Config) { c.Journal = nil },
		"no clock":         func(c *Config) { c.Now = nil },
	} {
		cfg := good()
		spoil(&cfg)
		if g, err := Open(cfg); err == nil {
			t.Errorf("%s passes", name)
			_ = g.Close()
		}
	}
}
