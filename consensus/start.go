package consensus

import (
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// RaftConfig is what a Raft group of a node needs that is no wallet shard.
type RaftConfig struct {
	Node   string
	Voters []string
	Timers Timers

	Logs      raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	// Transport addresses voters by name.
	Transport  raft.Transport
	RaftLogger hclog.Logger
}

// StartRaft runs the library around a state machine as the shards run it: the
// same timers, the same founding, the same patience with silent voters. The
// caller stops waiting calls before it shuts raft down, which closes the
// transport; where StartRaft fails the transport stays the caller's.
func StartRaft(cfg RaftConfig, fsm raft.FSM) (r *raft.Raft, stop func(), err error) {
	c := Config{
		Node: cfg.Node, Voters: cfg.Voters, Timers: cfg.Timers,
		Logs: cfg.Logs, Stable: cfg.Stable, Snapshots: cfg.Snapshots, Transport: cfg.Transport, RaftLogger: cfg.RaftLogger,
	}
	rc := c.raftConfig()
	if err := found(rc, &c); err != nil {
		return nil, nil, err
	}
	voters, err := newPatient(cfg.Transport)
	if err != nil {
		return nil, nil, fmt.Errorf("start raft: %w", err)
	}
	if r, err = newRaft(rc, fsm, &c, voters); err != nil {
		return nil, nil, err
	}
	leads := func() bool { return r.State() == raft.Leader }
	voters.leads.Store(&leads)
	return r, voters.stop, nil
}

// ProposalError sorts an error of raft's Apply by what it says about the effect
// of the entry.
func ProposalError(err error, leader string) *Error { return proposalError(err, leader) }
