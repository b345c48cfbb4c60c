package config

import (
	"slices"
	"time"
)

// Version is the newest form of the file this build reads.
const Version = 1

// Role is what a node does for the cluster.
type Role string

const (
	// RoleEdge serves players and operators: gateway, sessions, catalogue.
	RoleEdge Role = "edge"
	// RoleVoter keeps wallet shards, votes in them and runs the games of the
	// shards it leads.
	RoleVoter Role = "voter"
)

// Config describes one node. Paths are absolute once loaded.
type Config struct {
	Version int    `koanf:"version" yaml:"version"`
	Cluster string `koanf:"cluster" yaml:"cluster"`
	Node    string `koanf:"node" yaml:"node"`
	Region  string `koanf:"region" yaml:"region"`
	Roles   []Role `koanf:"roles" yaml:"roles,flow"`
	// Data is the folder of everything durable; the node creates it.
	Data      string     `koanf:"data" yaml:"data"`
	Addresses Addresses  `koanf:"addresses" yaml:"addresses"`
	Identity  Identity   `koanf:"identity" yaml:"identity"`
	Keys      Keys       `koanf:"keys" yaml:"keys"`
	Peers     []Peer     `koanf:"peers" yaml:"peers"`
	Shards    []Shard    `koanf:"shards" yaml:"shards"`
	Registry  Registry   `koanf:"registry" yaml:"registry,omitempty"`
	Operators []Operator `koanf:"operators" yaml:"operators"`
	Limits    Limits     `koanf:"limits" yaml:"limits,omitempty"`
	Raft      Raft       `koanf:"raft" yaml:"raft,omitempty"`
	Telemetry Telemetry  `koanf:"telemetry" yaml:"telemetry,omitempty"`
}

// Addresses are what the node listens on, each host:port.
type Addresses struct {
	// Public serves players and operators: UDP for HTTP/3, TCP for HTTP/2.
	Public string `koanf:"public" yaml:"public"`
	// Mesh serves other nodes on UDP. Empty means the public address, which
	// then serves both, told apart by ALPN.
	Mesh string `koanf:"mesh" yaml:"mesh,omitempty"`
	// Admin serves metrics and health on TCP, without authentication: keep it
	// on a private address.
	Admin string `koanf:"admin" yaml:"admin"`
}

// Identity names the files that prove who this node is (package transport).
type Identity struct {
	CA   string `koanf:"ca" yaml:"ca"`
	Cert string `koanf:"cert" yaml:"cert"`
	Key  string `koanf:"key" yaml:"key"`
}

// Keys names the files of the secrets all nodes of a cluster share (package
// seeds). An edge that votes in no shard needs only Tokens.
type Keys struct {
	Seeds     string `koanf:"seeds" yaml:"seeds,omitempty"`
	Tokens    string `koanf:"tokens" yaml:"tokens"`
	Directory string `koanf:"directory" yaml:"directory,omitempty"`
}

// Peer is one node as the others reach it.
type Peer struct {
	Node   string `koanf:"node" yaml:"node"`
	Region string `koanf:"region" yaml:"region"`
	Mesh   string `koanf:"mesh" yaml:"mesh"`
	Public string `koanf:"public" yaml:"public"`
}

// Shard is one wallet shard: its number from 1, the region its leader prefers
// and the nodes that vote in it.
type Shard struct {
	ID     uint32   `koanf:"id" yaml:"id"`
	Home   string   `koanf:"home" yaml:"home"`
	Voters []string `koanf:"voters" yaml:"voters,flow"`
}

// Registry says who keeps the registry of studios and releases.
type Registry struct {
	// Voters keep it, 3 or 5 in production; the voters of the first shard where
	// none are named. Like those of a shard they are founded once: later changes
	// of this key change nothing.
	Voters []string `koanf:"voters" yaml:"voters,flow,omitempty"`
}

// Operator is the profile a brand is founded with. Later changes are entries
// of the shards, not of this file.
type Operator struct {
	ID           string `koanf:"id" yaml:"id"`
	Jurisdiction string `koanf:"jurisdiction" yaml:"jurisdiction"`
	// MinCycleMS is the shortest time between two rounds of one wallet.
	MinCycleMS int64 `koanf:"min_cycle_ms" yaml:"min_cycle_ms"`
	// SecondApprover asks for a second person on reversals.
	SecondApprover bool `koanf:"second_approver" yaml:"second_approver"`
}

// Limits bound what one caller and all callers together may ask for. 0 stands
// for the default.
type Limits struct {
	MaxBodyBytes  int64 `koanf:"max_body_bytes" yaml:"max_body_bytes,omitempty"`
	MaxStakeMinor int64 `koanf:"max_stake_minor" yaml:"max_stake_minor,omitempty"`
	// RatePerSecond and Burst hold for each token.
	RatePerSecond float64 `koanf:"rate_per_second" yaml:"rate_per_second,omitempty"`
	Burst         int     `koanf:"burst" yaml:"burst,omitempty"`
	// Queue bounds the operations waiting in a shard; past it a call is
	// refused at once.
	Queue int `koanf:"queue" yaml:"queue,omitempty"`
	// MaxBlobBytes bounds one stored document of a release, MaxUploads how many
	// uploads may be unfinished and MaxUploadBytes how much they may announce
	// together.
	MaxBlobBytes   int64 `koanf:"max_blob_bytes" yaml:"max_blob_bytes,omitempty"`
	MaxUploads     int   `koanf:"max_uploads" yaml:"max_uploads,omitempty"`
	MaxUploadBytes int64 `koanf:"max_upload_bytes" yaml:"max_upload_bytes,omitempty"`
	// FloorRTP is the least theoretical return of any mode that a release may
	// have, a decimal like "0.85"; empty is none.
	FloorRTP string `koanf:"floor_rtp" yaml:"floor_rtp,omitempty"`
}

// Raft tunes the shards for the round trip between regions. 0 stands for the
// default, which suits a LAN.
type Raft struct {
	HeartbeatMS int64 `koanf:"heartbeat_ms" yaml:"heartbeat_ms,omitempty"`
	ElectionMS  int64 `koanf:"election_ms" yaml:"election_ms,omitempty"`
	LeaseMS     int64 `koanf:"lease_ms" yaml:"lease_ms,omitempty"`
	CommitMS    int64 `koanf:"commit_ms" yaml:"commit_ms,omitempty"`
	// SnapshotEntries is how many entries make a snapshot worthwhile, checked
	// every SnapshotCheckMS; TrailingEntries stay in the log after one.
	SnapshotEntries uint64 `koanf:"snapshot_entries" yaml:"snapshot_entries,omitempty"`
	SnapshotCheckMS int64  `koanf:"snapshot_check_ms" yaml:"snapshot_check_ms,omitempty"`
	TrailingEntries uint64 `koanf:"trailing_entries" yaml:"trailing_entries,omitempty"`
}

// Telemetry says what the node tells about itself.
type Telemetry struct {
	// LogLevel is debug, info, warn or error; empty is info.
	LogLevel string `koanf:"log_level" yaml:"log_level,omitempty"`
	// OTLPEndpoint is the URL traces are sent to; empty sends nothing.
	OTLPEndpoint string `koanf:"otlp_endpoint" yaml:"otlp_endpoint,omitempty"`
	// TraceRatio is the share of traces that are recorded, above 0 to 1; 0 is
	// all where there is an endpoint. No endpoint records nothing.
	TraceRatio float64 `koanf:"trace_ratio" yaml:"trace_ratio,omitempty"`
}

// Defaults of Limits and Raft.
//
// The heartbeat is chosen for regions a few milliseconds apart on small
// machines: an election takes 2.2 to 2.8 heartbeats in the median, so that a
// player's longest gap stays below 1.5 s, and a stall of the scheduler has to
// last 300 ms before it moves a leader. The lease is as long as the heartbeat,
// because safety does not rest on it and a shorter one only gives up sooner.
const (
	DefaultMaxBodyBytes    = 64 << 10
	DefaultMaxStakeMinor   = 1_000_000
	DefaultRatePerSecond   = 1000
	DefaultQueue           = 4096
	DefaultMaxBlobBytes    = 1 << 30
	DefaultMaxUploads      = 32
	DefaultMaxUploadBytes  = 4 << 30
	DefaultHeartbeatMS     = 300
	DefaultSnapshotEntries = 8192
	DefaultSnapshotCheckMS = 30_000
	DefaultTrailingEntries = 10_240
	// minHeartbeatMS keeps timers above what a loaded scheduler can honour.
	minHeartbeatMS = 50
)

// setDefaults fills what the file left at 0. Election, lease and commit time
// follow the heartbeat, so that one key tunes all four.
func (c *Config) setDefaults() {
	if c.Addresses.Mesh == "" {
		c.Addresses.Mesh = c.Addresses.Public
	}
	if c.Telemetry.LogLevel == "" {
		c.Telemetry.LogLevel = "info"
	}
	if c.Telemetry.OTLPEndpoint != "" {
		orDefault(&c.Telemetry.TraceRatio, 1)
	}
	orDefault(&c.Limits.MaxBodyBytes, DefaultMaxBodyBytes)
	orDefault(&c.Limits.MaxStakeMinor, DefaultMaxStakeMinor)
	orDefault(&c.Limits.RatePerSecond, DefaultRatePerSecond)
	orDefault(&c.Limits.Burst, int(min(2*c.Limits.RatePerSecond, 1<<20)))
	orDefault(&c.Limits.Queue, DefaultQueue)
	orDefault(&c.Limits.MaxBlobBytes, DefaultMaxBlobBytes)
	orDefault(&c.Limits.MaxUploads, DefaultMaxUploads)
	orDefault(&c.Limits.MaxUploadBytes, DefaultMaxUploadBytes)
	if len(c.Registry.Voters) == 0 && len(c.Shards) > 0 {
		c.Registry.Voters = c.Shards[0].Voters
	}
	orDefault(&c.Raft.HeartbeatMS, DefaultHeartbeatMS)
	orDefault(&c.Raft.ElectionMS, c.Raft.HeartbeatMS)
	orDefault(&c.Raft.LeaseMS, c.Raft.HeartbeatMS)
	orDefault(&c.Raft.CommitMS, c.Raft.HeartbeatMS/3)
	orDefault(&c.Raft.SnapshotEntries, DefaultSnapshotEntries)
	orDefault(&c.Raft.SnapshotCheckMS, DefaultSnapshotCheckMS)
	orDefault(&c.Raft.TrailingEntries, DefaultTrailingEntries)
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// HasRole reports whether the node has the role.
func (c Config) HasRole(role Role) bool { return slices.Contains(c.Roles, role) }

// SharesPort reports whether one UDP socket serves mesh and public.
func (c Config) SharesPort() bool { return c.Addresses.Mesh == c.Addresses.Public }

// Self is this node's own entry of the address book.
func (c Config) Self() Peer {
	p, _ := c.Peer(c.Node)
	return p
}

// Peer looks a node up in the address book.
func (c Config) Peer(node string) (Peer, bool) {
	i := slices.IndexFunc(c.Peers, func(p Peer) bool { return p.Node == node })
	if i < 0 {
		return Peer{}, false
	}
	return c.Peers[i], true
}

// Votes lists the shards this node votes in, in the order of the file.
func (c Config) Votes() []Shard {
	var shards []Shard
	for _, s := range c.Shards {
		if slices.Contains(s.Voters, c.Node) {
			shards = append(shards, s)
		}
	}
	return shards
}

// Heartbeat is how long a follower waits for its leader.
func (r Raft) Heartbeat() time.Duration { return milliseconds(r.HeartbeatMS) }

// Election is how long a candidate waits for votes.
func (r Raft) Election() time.Duration { return milliseconds(r.ElectionMS) }

// Lease is how long a leader goes on without hearing a majority.
func (r Raft) Lease() time.Duration { return milliseconds(r.LeaseMS) }

// Commit is the pause after which followers hear of a commit anyway.
func (r Raft) Commit() time.Duration { return milliseconds(r.CommitMS) }

// SnapshotCheck is the time between two looks at the log's length.
func (r Raft) SnapshotCheck() time.Duration { return milliseconds(r.SnapshotCheckMS) }

// MinCycle is the shortest time between two rounds of one wallet.
func (o Operator) MinCycle() time.Duration { return milliseconds(o.MinCycleMS) }

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
