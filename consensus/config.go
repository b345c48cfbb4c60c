package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// Timers are the times of one group. Lease ≤ Heartbeat ≤ Election; the lease
// is at least 1.5 times the p99 round trip to the farthest voter that is
// needed after losing any one region.
type Timers struct {
	Heartbeat time.Duration
	Election  time.Duration
	Lease     time.Duration
	Commit    time.Duration
	// SnapshotEntries and SnapshotEvery trigger a snapshot; TrailingEntries
	// stay in the log for followers that lag.
	SnapshotEntries uint64
	SnapshotEvery   time.Duration
	TrailingEntries uint64
}

// LAN are the timers for round trips of a few milliseconds on shared machines.
func LAN() Timers {
	return Timers{
		Heartbeat: 300 * time.Millisecond, Election: 300 * time.Millisecond, Lease: 200 * time.Millisecond,
		Commit: 50 * time.Millisecond, SnapshotEntries: 8192, SnapshotEvery: 30 * time.Second, TrailingEntries: 8192,
	}
}

// Peers is what a group asks the other voters outside of Raft. Its methods are
// called from several goroutines.
type Peers interface {
	// Clocks gives wall-clock readings in milliseconds, this node's first and
	// then those of as many peers as make a majority of voters with it, at most
	// one per voter, or an error. It should return with the first majority
	// instead of waiting for the rest: a new leader waits for it.
	Clocks(ctx context.Context, voters []string) ([]int64, error)
	// Segment fetches a sealed journal segment from any voter that has it; ctx
	// bounds reading it too. After a failure it is asked again and should try
	// another voter.
	Segment(ctx context.Context, shard uint32, voters []string, ref storage.SegmentRef) (io.ReadCloser, error)
	// Healthy reports for how long a node has been seen alive without a break;
	// 0 where it is not.
	Healthy(node string) time.Duration
}

// Observer sees what metrics need; its methods return at once.
type Observer interface {
	Committed(shard uint32, ops int, took time.Duration)
	LeaderChanged(shard uint32, leader string)
}

// Config is everything a group is made of. All fields but Home, Bootstrap,
// LedgerVersion and Observer are required.
type Config struct {
	Cluster string
	Shard   uint32
	Node    string
	Voters  []string
	// Home is the voter that leads when it is healthy.
	Home   string
	Timers Timers

	Logs      raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	// Transport addresses voters by name. The group closes it.
	Transport raft.Transport
	Journal   *storage.Journal
	Peers     Peers

	// Bootstrap lists what a leader must add to a shard before it takes
	// requests: operator profiles and catalogue entries that are missing.
	Bootstrap func(*wallet.Shard) []wallet.Op

	// LedgerVersion asks another voter for the newest wallet.Version its build
	// knows. Once all voters know a newer one than the shard follows, the leader
	// activates it; nil leaves that to others. Called from several goroutines.
	LedgerVersion func(ctx context.Context, voter string) (uint8, error)

	// Now is the wall clock. Spans of time are measured on the monotonic clock
	// instead, so that a step of this one moves no limit.
	Now func() time.Time
	// Rand draws the entries' salts; one goroutine of the group reads it.
	Rand   io.Reader
	Logger *slog.Logger
	// RaftLogger takes the library's own messages.
	RaftLogger hclog.Logger
	Observer   Observer
	// OnFatal is told once when this replica must stop; the process should end.
	// Until it does, the replica gives leadership away and answers nothing. It
	// is called from a goroutine of the group and must not wait for Close.
	OnFatal func(error)
	// QueueSize bounds the requests that wait; the default is 4096.
	QueueSize int
}

func (cfg *Config) validate() error {
	switch {
	case cfg.Cluster == "" || cfg.Node == "" || cfg.Shard == 0:
		return errors.New("a group needs a cluster, a node and a shard from 1")
	case len(cfg.Voters) == 0:
		return errors.New("a group needs voters")
	case cfg.Logs == nil || cfg.Stable == nil || cfg.Snapshots == nil || cfg.Transport == nil || cfg.Journal == nil || cfg.Peers == nil:
		return errors.New("a group needs its stores, its transport and its peers")
	case cfg.Now == nil || cfg.Rand == nil || cfg.Logger == nil || cfg.OnFatal == nil:
		return errors.New("a group needs a clock, randomness, a logger and an OnFatal")
	}
	voters := map[string]bool{}
	for _, v := range cfg.Voters {
		if v == "" || voters[v] {
			return fmt.Errorf("voter %q is named twice or has no name", v)
		}
		voters[v] = true
	}
	if !voters[cfg.Node] || cfg.Home != "" && !voters[cfg.Home] {
		return fmt.Errorf("node %q and home %q have to be voters", cfg.Node, cfg.Home)
	}
	if cfg.QueueSize <= 0 {
		cfg.QueueSize = 4096
	}
	if cfg.Timers == (Timers{}) {
		cfg.Timers = LAN()
	}
	return nil
}

// raftConfig turns the group's times into the library's settings.
func (cfg *Config) raftConfig() *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(cfg.Node)
	rc.HeartbeatTimeout = cfg.Timers.Heartbeat
	rc.ElectionTimeout = cfg.Timers.Election
	rc.LeaderLeaseTimeout = cfg.Timers.Lease
	rc.CommitTimeout = cfg.Timers.Commit
	rc.SnapshotThreshold = cfg.Timers.SnapshotEntries
	rc.SnapshotInterval = cfg.Timers.SnapshotEvery
	rc.TrailingLogs = cfg.Timers.TrailingEntries
	// Entries are fat: a follower that catches up must get this many within one
	// timeout of the transport, over a slow path too.
	rc.MaxAppendEntries = 16
	// One entry is in flight, so there is nothing to batch; and an entry that a
	// shutdown finds in the buffer is never answered.
	rc.BatchApplyCh = false
	rc.ShutdownOnRemove = false
	rc.NoLegacyTelemetry = true
	rc.Logger = cfg.RaftLogger
	if rc.Logger == nil {
		rc.Logger = hclog.NewNullLogger()
	}
	return rc
}
