package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// replica is this node's copy of one shard.
type replica struct {
	shard   config.Shard
	journal *storage.Journal
	group   *consensus.Group
}

// keptSnapshots is how many snapshots of a shard stay on disk.
const keptSnapshots = 2

// openReplica opens one shard: journal, Raft group, and the service that
// answers for it when this node leads.
func (n *Node) openReplica(shard config.Shard) (*replica, error) {
	r := &replica{shard: shard}
	var err error
	r.journal, err = storage.OpenJournal(storage.JournalConfig{
		Dir: n.store.JournalDir(shard.ID), Shard: shard.ID, SegmentRecords: n.opts.SegmentRecords, Logger: n.log, OnFatal: n.fatal,
	})
	if err != nil {
		return nil, fmt.Errorf("open shard %d: %w", shard.ID, err)
	}
	dir := n.store.SnapshotDir(shard.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fmt.Errorf("open shard %d: %w", shard.ID, err)
	}
	raftLog := telemetry.HCLog(n.log.With("shard", shard.ID), "raft")
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(dir, keptSnapshots, raftLog)
	if err != nil {
		return r, fmt.Errorf("open snapshots of shard %d: %w", shard.ID, err)
	}
	logs := n.store.Group(shard.ID)
	stream := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: n.mesh.RaftLayer(shard.ID), MaxPool: 3, Timeout: raftTimeout, MaxRPCsInFlight: 4, Logger: raftLog,
	})
	r.group, err = consensus.Open(consensus.Config{
		Cluster: n.cfg.Cluster, Shard: shard.ID, Node: n.cfg.Node, Voters: shard.Voters, Home: n.homeVoter(shard),
		Timers: n.timers(), Logs: logs, Stable: logs, Snapshots: snapshots,
		Transport: stream, Journal: r.journal, Peers: n.peers, Bootstrap: n.bootstrap, LedgerVersion: n.peers.ledgerVersion,
		Now: n.now, Rand: n.opts.Rand, Logger: n.log, RaftLogger: raftLog, Observer: observer{n}, OnFatal: n.fatal,
		QueueSize: n.cfg.Limits.Queue,
	})
	if err != nil {
		return r, errors.Join(err, stream.Close())
	}
	n.router.Attach(shard.ID, leader.New(leader.Config{
		Node: n.cfg.Node, Shard: shard.ID, Group: r.group, Journal: r.journal, Modules: n.releases,
		Seeds: n.ring, Directory: n.directory, Metrics: n.tel.Metrics, Now: n.now, Rand: n.opts.Rand, Logger: n.log,
		MaxStakeMinor: n.cfg.Limits.MaxStakeMinor,
		Fetch:         n.wantModule, GiveAway: func() { n.giveAway(r) }, Times: n.times,
	}), r.group)
	return r, nil
}

// wantModule asks for a module that a round of a shard needs; it returns at
// once. A node without a store of releases runs what it was built with.
func (n *Node) wantModule(digest wallet.Hash) {
	if n.fetchModule != nil {
		n.fetchModule(digest)
	}
}

// giveAway looks for another leader of a shard; it returns at once.
func (n *Node) giveAway(r *replica) {
	n.wg.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, giveAwayTimeout)
		defer cancel()
		if err := r.group.GiveAway(ctx); err != nil {
			n.log.Warn("leadership not given away", "shard", r.shard.ID, "error", err)
		}
	})
}

// giveAwayTimeout bounds looking for another leader, since requests wait.
const giveAwayTimeout = 2 * time.Second

// raftTimeout bounds one exchange between voters.
const raftTimeout = 2 * time.Second

// close ends the replica, its group before its journal.
func (r *replica) close() error {
	var err error
	if r.group != nil {
		err = r.group.Close()
	}
	if r.journal != nil {
		err = joinErr(err, r.journal.Close())
	}
	return err
}

func (n *Node) homeVoter(shard config.Shard) string {
	for _, v := range shard.Voters {
		if p, ok := n.cfg.Peer(v); ok && p.Region == shard.Home {
			return v
		}
	}
	return ""
}

func (n *Node) timers() consensus.Timers {
	r := n.cfg.Raft
	return consensus.Timers{
		Heartbeat: r.Heartbeat(), Election: r.Election(), Lease: r.Lease(), Commit: r.Commit(),
		SnapshotEntries: r.SnapshotEntries, SnapshotEvery: r.SnapshotCheck(), TrailingEntries: r.TrailingEntries,
	}
}

// bootstrap lists the operators and games a shard lacks. What is there already
// is never changed by a restart: later changes are operators' entries.
func (n *Node) bootstrap(s *wallet.Shard) []wallet.Op {
	meta := wallet.Meta{Actor: n.cfg.Node, Reason: "bootstrap"}
	var ops []wallet.Op
	for _, o := range n.cfg.Operators {
		if _, ok := s.OperatorProfile(o.ID); !ok {
			ops = append(ops, &wallet.Operator{
				Meta: meta, Operator: o.ID, Jurisdiction: o.Jurisdiction, MinCycleMS: o.MinCycleMS, SecondApprover: o.SecondApprover,
			})
		}
	}
	present := map[string]bool{}
	for _, g := range s.Games() {
		present[g.Game] = true
	}
	for _, m := range n.modules {
		if !present[m.Manifest().ID] {
			entry := rounds.Catalogue(m, n.cfg.Limits.MaxStakeMinor)
			entry.Meta = meta
			ops = append(ops, entry)
		}
	}
	return ops
}

// modulesOf lists loaded modules in a fixed order.
type modulesOf []gamelogic.Game

// observer turns a group's events into metrics, routing and gossip.
type observer struct{ n *Node }

func (o observer) Committed(shard uint32, ops int, took time.Duration) {
	o.n.tel.Metrics.Committed(shard, ops, took)
}

func (o observer) LeaderChanged(shard uint32, leader string) {
	o.n.tel.Metrics.LeaderChanged(shard, leader == o.n.cfg.Node)
	o.n.router.LeaderChanged(shard)
	o.n.leads(shard, leader == o.n.cfg.Node)
}
