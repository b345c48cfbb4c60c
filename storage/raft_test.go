package storage

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// listFSM remembers every command; its snapshot is the whole list.
type listFSM struct {
	mu   sync.Mutex
	list []byte
}

func (f *listFSM) Apply(l *raft.Log) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, l.Data...)
	return nil
}

func (f *listFSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return listSnapshot(append([]byte(nil), f.list...)), nil
}

func (f *listFSM) Restore(r io.ReadCloser) error {
	b, err := io.ReadAll(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = b
	return err
}

func (f *listFSM) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.list)
}

type listSnapshot []byte

func (s listSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(s); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

func (listSnapshot) Release() {}

// TestRaft_CrashAndRestart runs the library on a Group: apply, snapshot with
// compaction, crash, restart, again and again.
func TestRaft_CrashAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var want string
		for round := range 4 {
			s, err := Open(testConfig(dir))
			if err != nil {
				t.Fatal(err)
			}
			g := s.Group(1)
			cfg := raft.DefaultConfig()
			cfg.LocalID, cfg.Logger = "a", hclog.NewNullLogger()
			cfg.TrailingLogs, cfg.NoLegacyTelemetry = 3, true
			snaps, err := raft.NewFileSnapshotStoreWithLogger(s.SnapshotDir(1), 2, cfg.Logger)
			if err != nil {
				t.Fatal(err)
			}
			addr, trans := raft.NewInmemTransport("a")
			if round == 0 {
				servers := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: addr}}}
				if err := raft.BootstrapCluster(cfg, g, g, snaps, trans, servers); err != nil {
					t.Fatal(err)
				}
			}
			fsm := &listFSM{}
			r, err := raft.NewRaft(cfg, fsm, g, g, snaps, trans)
			if err != nil {
				t.Fatal(err)
			}
			<-r.LeaderCh()
			if err := r.Barrier(time.Minute).Error(); err != nil {
				t.Fatal(err)
			}
			if got := fsm.String(); got != want {
				t.Fatalf("round %d restored %q, should be %q", round, got, want)
			}
			for i := range 20 {
				cmd := fmt.Sprintf("%d.%d ", round, i)
				if err := r.Apply([]byte(cmd), time.Minute).Error(); err != nil {
					t.Fatal(err)
				}
				want += cmd
				if i == 12 && round%2 == 0 {
					if err := r.Snapshot().Error(); err != nil {
						t.Fatal(err)
					}
					if first, _ := g.FirstIndex(); first < 5 {
						t.Fatalf("log still begins at %d", first)
					}
				}
			}
			s.Abandon() // the node dies; its raft only finds out
			if err := r.Apply([]byte("lost"), time.Minute).Error(); err == nil {
				t.Fatal("an abandoned node acknowledged a write")
			}
			if err := r.Shutdown().Error(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
