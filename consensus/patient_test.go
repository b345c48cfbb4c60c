package consensus

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// silentVoter is a transport whose voter may be gone. The mutex guards all.
type silentVoter struct {
	*raft.InmemTransport
	mu    sync.Mutex
	gone  bool
	calls int // other than heartbeats
}

var errGone = errors.New("nothing answers there")

func (v *silentVoter) answer(beat bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !beat {
		v.calls++
	}
	if v.gone {
		return errGone
	}
	return nil
}

func (v *silentVoter) set(gone bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = gone
}

func (v *silentVoter) sent() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls
}

func (v *silentVoter) AppendEntries(_ raft.ServerID, _ raft.ServerAddress, args *raft.AppendEntriesRequest, _ *raft.AppendEntriesResponse) error {
	return v.answer(isHeartbeat(args))
}

func (v *silentVoter) InstallSnapshot(raft.ServerID, raft.ServerAddress, *raft.InstallSnapshotRequest, *raft.InstallSnapshotResponse, io.Reader) error {
	return v.answer(false)
}

func TestPatient(t *testing.T) {
	calls := map[string]func(*patient) error{
		"entries": func(p *patient) error {
			return p.AppendEntries("b", "b", &raft.AppendEntriesRequest{PrevLogEntry: 7}, nil)
		},
		"snapshot": func(p *patient) error {
			return p.InstallSnapshot("b", "b", &raft.InstallSnapshotRequest{}, nil, strings.NewReader(""))
		},
	}
	beat := func(p *patient) error { return p.AppendEntries("b", "b", &raft.AppendEntriesRequest{Term: 3}, nil) }
	// ends lists what lets a waiting call go, and whether it succeeds then.
	ends := map[string]struct {
		end     func(*patient, *silentVoter, *atomic.Bool) error
		success bool
	}{
		"heartbeat": {func(p *patient, v *silentVoter, _ *atomic.Bool) error {
			v.set(false)
			return beat(p)
		}, true},
		"office lost": {func(_ *patient, _ *silentVoter, leads *atomic.Bool) error { leads.Store(false); return nil }, false},
		"stopped":     {func(p *patient, _ *silentVoter, _ *atomic.Bool) error { p.stop(); return nil }, false},
		"closed":      {func(p *patient, _ *silentVoter, _ *atomic.Bool) error { return p.Close() }, false},
	}
	for name, call := range calls {
		for reason, how := range ends {
			t.Run(name+"/"+reason, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, inner := raft.NewInmemTransport("a")
					v := &silentVoter{InmemTransport: inner, gone: true}
					p, err := newPatient(v)
					if err != nil {
						t.Fatal(err)
					}
					var leads atomic.Bool
					leads.Store(true)
					office := leads.Load
					p.leads.Store(&office)
					if err := call(p); !errors.Is(err, errGone) {
						t.Fatalf("the first call: %v", err)
					}
					if err := beat(p); !errors.Is(err, errGone) {
						t.Fatalf("heartbeats may not wait: %v", err)
					}
					done := make(chan error, 1)
					go func() { done <- call(p) }()
					<-time.After(time.Hour)
					if n := v.sent(); n != 1 {
						t.Fatalf("%d calls to a voter that is silent, want the first alone", n)
					}
					if err := how.end(p, v, &leads); err != nil {
						t.Fatal(err)
					}
					if err := <-done; (err == nil) != how.success {
						t.Errorf("the call ends with %v", err)
					}
					if n := v.sent(); n != 2 {
						t.Errorf("%d calls, want 2", n)
					}
				})
			})
		}
	}
}
