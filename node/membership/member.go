package membership

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// State is what this node believes of a member.
type State string

const (
	StateAlive   State = "alive"
	StateSuspect State = "suspect"
	StateDead    State = "dead"
	StateLeft    State = "left"
)

// Status is what a node tells about itself while it runs.
type Status struct {
	// Leads are the shards it leads.
	Leads []uint32
	// LoadPercent is the share of its capacity in use.
	LoadPercent uint32
	// Draining says that it is about to stop and takes no new players.
	Draining bool
}

// Member is a node as this one sees it. It is a copy.
type Member struct {
	Node, Region string
	Roles        []string
	State        State
	// Since is when the member came to be alive, dead or left.
	Since time.Time
	// Mesh, Public and Admin are host:port.
	Mesh, Public, Admin string
	// Build is the version of its program.
	Build string
	Status
	// RTT is that of the last answered probe; 0 when there was none.
	RTT time.Duration
	// Self marks this node.
	Self bool
}

// Kind is what happened to a member.
type Kind string

const (
	// Joined: it is alive, for the first time or again.
	Joined Kind = "joined"
	// Updated: what it tells about itself changed.
	Updated Kind = "updated"
	// Lost: it fell silent.
	Lost Kind = "lost"
	// Left: it stopped as planned.
	Left Kind = "left"
)

// Event is one change and the member after it.
type Event struct {
	Kind   Kind
	Member Member
}

// metaVersion is the newest form of the metadata this build writes. Readers
// take what they know of a newer one: a rolling restart mixes builds, and
// gossip is only a hint.
const metaVersion = 1

// maxMetaBytes is the gossip library's limit.
const maxMetaBytes = 512

// meta is the metadata on the wire, kept short because of the limit.
type meta struct {
	Version  int      `json:"v"`
	Region   string   `json:"r"`
	Roles    []string `json:"o,omitempty"`
	Mesh     string   `json:"m"`
	Public   string   `json:"p"`
	Admin    string   `json:"a,omitempty"`
	Build    string   `json:"b,omitempty"`
	Leads    []uint32 `json:"s,omitempty"`
	Load     uint32   `json:"l,omitempty"`
	Draining bool     `json:"d,omitempty"`
	Leaving  bool     `json:"x,omitempty"`
}

func (m meta) encode() ([]byte, error) {
	m.Version = metaVersion
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	if len(b) > maxMetaBytes {
		return nil, fmt.Errorf("metadata has %d bytes, at most %d can be gossiped", len(b), maxMetaBytes)
	}
	return b, nil
}

func decodeMeta(b []byte) (meta, error) {
	var m meta
	if err := json.Unmarshal(b, &m); err != nil {
		return meta{}, fmt.Errorf("decode metadata: %w", err)
	}
	return m, nil
}

func (m meta) fill(member *Member) {
	member.Region, member.Roles = m.Region, m.Roles
	member.Mesh, member.Public, member.Admin = m.Mesh, m.Public, m.Admin
	member.Build = m.Build
	member.Status = Status{Leads: m.Leads, LoadPercent: m.Load, Draining: m.Draining}
}

func (m Member) clone() Member {
	m.Roles = slices.Clone(m.Roles)
	m.Leads = slices.Clone(m.Leads)
	return m
}
