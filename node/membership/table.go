package membership

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// table is what this node knows of all members. The gossip library writes it
// through its delegates, under the library's lock, which therefore comes before
// the mutex here: nothing below calls the library. The mutex guards all fields
// after it and is never held for longer than it takes to copy a record.
type table struct {
	now  func() time.Time
	keep time.Duration
	// probe is the pause between two of this node's own probes.
	probe time.Duration
	// wake has a token when there are events to tell.
	wake chan struct{}

	mu      sync.Mutex
	self    string
	own     []byte
	members map[string]*record
	events  []Event
}

type record struct {
	member  Member
	leaving bool
	// heard is when the node last answered this one's probe, or joined.
	heard time.Time
}

var (
	_ memberlist.EventDelegate = (*table)(nil)
	_ memberlist.PingDelegate  = (*table)(nil)
	_ memberlist.Delegate      = (*table)(nil)
)

// NotifyJoin notes a node that is alive.
func (t *table) NotifyJoin(n *memberlist.Node) { t.note(n, Joined) }

// NotifyUpdate notes new metadata.
func (t *table) NotifyUpdate(n *memberlist.Node) { t.note(n, Updated) }

// NotifyLeave notes a node that is gone. The library does not say why; a
// planned stop was announced in the metadata before.
func (t *table) NotifyLeave(n *memberlist.Node) { t.note(n, Lost) }

func (t *table) note(n *memberlist.Node, kind Kind) {
	now := t.now()
	told, err := decodeMeta(n.Meta)
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.members[n.Name]
	if r == nil {
		r = &record{member: Member{Node: n.Name, Self: n.Name == t.self}}
		t.members[n.Name] = r
	}
	if err == nil {
		told.fill(&r.member)
		r.leaving = told.Leaving
	}
	switch kind {
	case Joined:
		r.member.State, r.member.Since, r.heard = StateAlive, now, now
	case Lost:
		r.member.State, r.member.Since = StateDead, now
		if r.leaving {
			kind, r.member.State = Left, StateLeft
		}
		// Whoever leads now, it is not a node that is gone.
		r.member.Leads = nil
	default: // the metadata is all that changed
	}
	t.events = append(t.events, Event{Kind: kind, Member: r.member.clone()})
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// NotifyPingComplete notes an answered probe.
func (t *table) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, _ []byte) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.members[n.Name]; r != nil {
		r.heard, r.member.RTT = now, rtt
	}
}

// AckPayload adds nothing to an answer.
func (t *table) AckPayload() []byte { return nil }

// NodeMeta is this node's metadata.
func (t *table) NodeMeta(int) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own
}

// NotifyMsg, GetBroadcasts, LocalState and MergeRemoteState: no messages of
// our own travel by gossip.
func (t *table) NotifyMsg([]byte)                {}
func (t *table) GetBroadcasts(int, int) [][]byte { return nil }
func (t *table) LocalState(bool) []byte          { return nil }
func (t *table) MergeRemoteState([]byte, bool)   {}

func (t *table) setOwn(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.own = b
}

// list copies all members, by name, and forgets those gone for long.
func (t *table) list() []Member {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, r := range t.members {
		if r.member.State != StateAlive && now.Sub(r.member.Since) > t.keep {
			delete(t.members, name)
		}
	}
	// This node probes the others in turn, so that an answer is due once a
	// turn; two more intervals are grace, because a probe that fails takes
	// longer.
	overdue := time.Duration(len(t.members)+1) * t.probe
	members := make([]Member, 0, len(t.members))
	for _, name := range slices.Sorted(maps.Keys(t.members)) {
		r := t.members[name]
		m := r.member.clone()
		if m.State == StateAlive && !m.Self && now.Sub(r.heard) > overdue {
			m.State = StateSuspect
		}
		members = append(members, m)
	}
	return members
}

func (t *table) isAlive(node string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.members[node]
	return r != nil && r.member.State == StateAlive
}

// takeEvents empties the queue.
func (t *table) takeEvents() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.events
	t.events = nil
	return events
}
