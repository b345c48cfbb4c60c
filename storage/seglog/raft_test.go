package seglog

import (
	"fmt"
	"io"
	"math/rand/v2"
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

// TestRaft_PowerLossAndRestart runs the library on a Group: apply, snapshot
// with compaction, power loss, restart, again and again.
func TestRaft_PowerLossAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, stable, r := newMemFS(), raft.NewInmemStore(), rand.New(rand.NewPCG(5, 5))
		cfg := raft.DefaultConfig()
		cfg.LocalID, cfg.Logger = "a", hclog.NewNullLogger()
		cfg.TrailingLogs, cfg.NoLegacyTelemetry = 3, true
		snaps := raft.NewInmemSnapshotStore()
		var want string
		for round := range 6 {
			l, err := Open(memConfig(fs))
			if err != nil {
				t.Fatal(err)
			}
			g := l.Group(1)
			addr, trans := raft.NewInmemTransport("a")
			if round == 0 {
				servers := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: addr}}}
				if err := raft.BootstrapCluster(cfg, g, stable, snaps, trans, servers); err != nil {
					t.Fatal(err)
				}
			}
			fsm := &listFSM{}
			node, err := raft.NewRaft(cfg, fsm, g, stable, snaps, trans)
			if err != nil {
				t.Fatal(err)
			}
			<-node.LeaderCh()
			if err := node.Barrier(time.Minute).Error(); err != nil {
				t.Fatal(err)
			}
			if got := fsm.String(); got != want {
				t.Fatalf("round %d restored %q, should be %q", round, got, want)
			}
			for i := range 20 {
				cmd := fmt.Sprintf("%d.%d ", round, i)
				if err := node.Apply([]byte(cmd), time.Minute).Error(); err != nil {
					t.Fatal(err)
				}
				want += cmd
				if i == 12 && round%2 == 0 {
					if err := node.Snapshot().Error(); err != nil {
						t.Fatal(err)
					}
					if first, _ := g.FirstIndex(); first < 5 {
						t.Fatalf("log still begins at %d", first)
					}
				}
			}
			l.Abandon() // the node dies; its raft only finds out
			if err := node.Apply([]byte("lost"), time.Minute).Error(); err == nil {
				t.Fatal("an abandoned node acknowledged a write")
			}
			if err := node.Shutdown().Error(); err != nil {
				t.Fatal(err)
			}
			fs = fs.crash(r)
		}
	})
}
