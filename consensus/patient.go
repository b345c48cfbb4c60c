package consensus

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// patient is a transport that sends log entries and snapshots to a silent voter
// only once a heartbeat has got through to it again.
//
// The library waits longer after each failure, up to 10 s, and does not listen
// for heartbeats meanwhile. A voter that comes back after minutes would get
// heartbeats at once but no entries for those 10 s, and the shard could commit
// nothing if the other follower failed within them. A call that waits here
// fails only once, so that the library has no reason to wait.
//
// The mutex guards silent. Every call of the library has a goroutine of its own.
type patient struct {
	raft.Transport
	preVote raft.WithPreVote
	// leads is set once the library runs. A leader that lost its office has no
	// reason to wait.
	leads atomic.Pointer[func() bool]

	stopping sync.Once
	stopped  chan struct{}

	mu sync.Mutex
	// silent are the voters whose last call failed, each with a channel that is
	// closed when a heartbeat is answered.
	silent map[raft.ServerID]chan struct{}
}

// officeCheck is how often a waiting call looks whether this replica leads.
const officeCheck = time.Second

// newPatient wraps a transport that has pre-votes; any other one lacks what
// this group relies upon.
func newPatient(inner raft.Transport) (*patient, error) {
	preVote, ok := inner.(raft.WithPreVote)
	if !ok {
		return nil, fmt.Errorf("the transport %T has no pre-vote", inner)
	}
	return &patient{Transport: inner, preVote: preVote, stopped: make(chan struct{}), silent: map[raft.ServerID]chan struct{}{}}, nil
}

// stop lets every call that waits, and every later one, go on at once.
func (p *patient) stop() { p.stopping.Do(func() { close(p.stopped) }) }

func (p *patient) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	beat := isHeartbeat(args)
	if !beat {
		p.await(id)
	}
	err := p.Transport.AppendEntries(id, target, args, resp)
	p.note(id, beat, err)
	return err //nolint:wrapcheck // the library's own error goes back to it
}

func (p *patient) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	p.await(id)
	err := p.Transport.InstallSnapshot(id, target, args, resp, data)
	p.note(id, false, err)
	return err //nolint:wrapcheck // the library's own error goes back to it
}

// isHeartbeat tells heartbeats by the same signs as the library's receivers.
func isHeartbeat(args *raft.AppendEntriesRequest) bool {
	return args.PrevLogEntry == 0 && args.PrevLogTerm == 0 && len(args.Entries) == 0 && args.LeaderCommitIndex == 0
}

// await returns when a voter is not silent, or waiting makes no sense.
func (p *patient) await(id raft.ServerID) {
	for p.office() {
		p.mu.Lock()
		answered := p.silent[id]
		p.mu.Unlock()
		if answered == nil {
			return
		}
		check := time.NewTimer(officeCheck)
		select {
		case <-answered:
		case <-check.C:
		case <-p.stopped:
		}
		check.Stop()
	}
}

func (p *patient) office() bool {
	select {
	case <-p.stopped:
		return false
	default:
	}
	leads := p.leads.Load()
	return leads != nil && (*leads)()
}

// note keeps what a call's end says about a voter.
func (p *patient) note(id raft.ServerID, beat bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answered := p.silent[id]
	switch {
	case err != nil && answered == nil && !beat:
		p.silent[id] = make(chan struct{})
	case err == nil && answered != nil:
		close(answered)
		delete(p.silent, id)
	}
}

func (p *patient) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return p.preVote.RequestPreVote(id, target, args, resp) //nolint:wrapcheck // the library's own error goes back to it
}

// Close ends the transport, where it can be ended.
func (p *patient) Close() error {
	p.stop()
	if inner, ok := p.Transport.(raft.WithClose); ok {
		return inner.Close() //nolint:wrapcheck // the transport's own error
	}
	return nil
}
