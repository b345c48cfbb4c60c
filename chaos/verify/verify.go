// Package verify asks the nodes of a running cluster whether the ledger is what
// it should be: the replicas equal at a common sequence, every entry part of
// the chain, the books balanced, the outcomes reproducible, and everything a
// client was told still there.
//
// What it promises: Report.OK is true only when every question was asked and
// answered well. A node that cannot be reached is named and does not spoil the
// verdict; that no node answers is an error. It changes nothing anywhere.
//
// # Concurrency
//
// Ledger asks the nodes at the same time and returns when all are done.
package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/check"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/client"
)

// Config says what to verify.
type Config struct {
	Client *client.Client
	// Nodes are the names of all nodes of the cluster.
	Nodes []string
	// Token is an operator's.
	Token string
	// History is compared with the journal; nil compares nothing.
	History []history.Record
	// Complete claims that nobody else used the wallets of the history.
	Complete bool
	// CatchUp is how long nodes that are behind get to reach the others before
	// they are compared where they are; 0 is 10 s.
	CatchUp time.Duration
	// SkipReplay leaves the outcomes out.
	SkipReplay bool
}

// Report is the verdict.
type Report struct {
	Schema int     `json:"schema"`
	OK     bool    `json:"ok"`
	Shards []Shard `json:"shards"`

	Acknowledged       int `json:"acknowledged"`
	Missing            int `json:"missing"`
	Duplicated         int `json:"duplicated"`
	Mismatched         int `json:"mismatched"`
	ReplayMismatch     int `json:"replay_mismatch"`
	ConflictingResults int `json:"conflicting_results"`
	Unrevealed         int `json:"unrevealed"`

	// Replayed counts the game steps nodes evaluated again, Revealed those
	// evaluated here, from a seed that is public by now.
	Replayed int `json:"replayed"`
	Revealed int `json:"revealed"`
	// Other counts the faults of every other check.
	Other       int             `json:"other"`
	Nodes       []string        `json:"nodes"`
	Unreachable []string        `json:"unreachable"`
	Problems    []check.Problem `json:"problems"`
}

// Shard is the verdict on one shard.
type Shard struct {
	Shard uint32 `json:"shard"`
	// ShardSeq is the sequence at which the replicas were compared.
	ShardSeq  uint64 `json:"shard_seq"`
	HashEqual bool   `json:"hash_equal"`
	// SumMinor is the worst sum over all accounts of a currency at any node.
	SumMinor int64 `json:"sum_minor"`
	// Replicas is how many nodes were compared.
	Replicas int `json:"replicas"`
}

// meetTime is what a node has for its first answer: one that is frozen is named
// as unreachable soon.
const meetTime = 5 * time.Second

// maxProblems bounds what a report lists; the counts are complete.
const maxProblems = 100

// ErrNoNode means that no node could be asked.
var ErrNoNode = errors.New("no node answered")

// replica is what one node told of its replicas. It is written by one
// goroutine at a time.
type replica struct {
	node  *client.NodeCaller
	heads map[uint32]*edgereelv1.ShardHead
}

// Ledger verifies the ledger of a cluster.
func Ledger(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.CatchUp == 0 {
		cfg.CatchUp = 10 * time.Second
	}
	report := &Report{Schema: 1, Shards: []Shard{}, Nodes: []string{}, Unreachable: []string{}, Problems: []check.Problem{}}
	goal, err := barrier(ctx, cfg)
	if err != nil {
		return nil, err
	}
	replicas, err := survey(ctx, cfg, goal, report)
	if err != nil {
		return nil, err
	}
	if err := reached(goal, replicas); err != nil {
		return nil, err
	}
	wallets := map[string]bool{}
	for i := range cfg.History {
		wallets[cfg.History[i].Wallet] = true
	}
	ledger := check.NewLedger(func(wallet string) bool { return wallets[wallet] })
	v := &verifier{cfg: cfg, report: report, ledger: ledger, since: since(cfg.History)}
	for _, shard := range shardsOf(replicas) {
		if err := v.shard(ctx, shard, replicas); err != nil {
			return nil, err
		}
	}
	v.history()
	v.conclude()
	return report, nil
}

// barrier reads one wallet of each shard the history speaks of through the
// shard's log. Everything acknowledged before stands below the sequences it
// returns. Without it, a replica that has not heard yet what a dead leader
// committed would look as if it had lost it.
func barrier(ctx context.Context, cfg Config) (map[uint32]uint64, error) {
	goal := map[uint32]uint64{}
	operator := cfg.Client.Operator(cfg.Token)
	for i := range cfg.History {
		r := &cfg.History[i]
		if r.Effect != history.Applied || !r.Mutating() {
			continue
		}
		if _, done := goal[r.Shard]; done {
			continue
		}
		found, err := operator.GetWallet(ctx, r.Wallet, false)
		if err != nil {
			return nil, fmt.Errorf("read shard %d through its log, without which nobody can tell what it holds: %w", r.Shard, err)
		}
		goal[r.Shard] = found.GetPosition().GetShardSeq()
	}
	return goal, nil
}

// reached makes sure that at least one replica of every shard holds all that
// the barrier covers.
func reached(goal map[uint32]uint64, replicas []*replica) error {
	for shard, seq := range goal {
		if !slices.ContainsFunc(replicas, func(r *replica) bool { return r.heads[shard].GetShardSeq() >= seq }) {
			return fmt.Errorf("no node that answered has shard %d up to %d yet: try again when more nodes are back", shard, seq)
		}
	}
	return nil
}

// survey asks every node where it stands, until those that are behind have
// reached the goal and what the first answers named, or CatchUp is over.
func survey(ctx context.Context, cfg Config, goal map[uint32]uint64, report *Report) ([]*replica, error) {
	replicas := make([]*replica, len(cfg.Nodes))
	errs := make([]error, len(cfg.Nodes))
	var asking sync.WaitGroup
	for i, name := range cfg.Nodes {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, meetTime)
			defer cancel()
			replicas[i], errs[i] = meet(ctx, cfg, name)
		})
	}
	asking.Wait()
	for i, name := range cfg.Nodes {
		if errs[i] != nil {
			report.Unreachable = append(report.Unreachable, name)
			continue
		}
		report.Nodes = append(report.Nodes, name)
	}
	replicas = slices.DeleteFunc(replicas, func(r *replica) bool { return r == nil })
	if len(replicas) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoNode, errors.Join(errs...))
	}
	for _, r := range replicas {
		for shard, head := range r.heads {
			goal[shard] = max(goal[shard], head.GetShardSeq())
		}
	}
	for _, r := range replicas {
		asking.Go(func() { r.catchUp(ctx, goal, cfg.CatchUp) })
	}
	asking.Wait()
	return replicas, nil
}

func meet(ctx context.Context, cfg Config, name string) (*replica, error) {
	node, err := cfg.Client.Node(name, cfg.Token)
	if err != nil {
		return nil, err
	}
	r := &replica{node: node}
	if err := r.refresh(ctx); err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	return r, nil
}

func (r *replica) refresh(ctx context.Context) error {
	shards, err := r.node.GetShards(ctx)
	if err != nil {
		return err
	}
	r.heads = map[uint32]*edgereelv1.ShardHead{}
	for _, head := range shards.GetShards() {
		r.heads[head.GetShard()] = head
	}
	return nil
}

// catchUp waits for a replica to reach the goal. One that does not is compared
// where it stands: being behind is no fault of the ledger.
func (r *replica) catchUp(ctx context.Context, goal map[uint32]uint64, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	for r.behind(goal) {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		before := r.heads
		if r.refresh(ctx) != nil {
			r.heads = before
		}
	}
}

func (r *replica) behind(goal map[uint32]uint64) bool {
	for shard, head := range r.heads {
		if head.GetShardSeq() < goal[shard] {
			return true
		}
	}
	return false
}

func shardsOf(replicas []*replica) []uint32 {
	var shards []uint32
	for _, r := range replicas {
		for shard := range r.heads {
			shards = append(shards, shard)
		}
	}
	slices.Sort(shards)
	return slices.Compact(shards)
}

// since is the first sequence of each shard that a history speaks of.
func since(records []history.Record) map[uint32]uint64 {
	first := map[uint32]uint64{}
	for i := range records {
		r := &records[i]
		if r.Effect != history.Applied || !r.Mutating() || r.ShardSeq == 0 {
			continue
		}
		if at, ok := first[r.Shard]; !ok || r.ShardSeq < at {
			first[r.Shard] = r.ShardSeq
		}
	}
	return first
}

// verifier builds one report. It belongs to one goroutine.
type verifier struct {
	cfg      Config
	report   *Report
	ledger   *check.Ledger
	since    map[uint32]uint64
	problems []check.Problem
	// first is the journal of the shard at hand, from its most advanced replica.
	first journal
}

func (v *verifier) history() {
	records := v.cfg.History
	v.report.Acknowledged = check.Acknowledged(records)
	v.problems = append(v.problems, v.ledger.Problems()...)
	if len(records) == 0 {
		return
	}
	v.problems = append(v.problems, check.Durable(records, v.ledger)...)
	v.problems = append(v.problems, check.SameResults(records)...)
	if v.cfg.Complete {
		v.problems = append(v.problems, check.NoInvention(records, v.ledger)...)
	}
	settled := check.Settle(records, v.ledger)
	v.problems = append(v.problems, check.InOrder(settled)...)
	v.problems = append(v.problems, check.Linearizable(settled, check.LinearConfig{Complete: v.cfg.Complete})...)
}

func (v *verifier) conclude() {
	r := v.report
	slices.Sort(r.Unreachable)
	r.Unreachable = slices.Compact(r.Unreachable)
	r.Missing = check.Count(v.problems, check.Missing)
	r.Duplicated = check.Count(v.problems, check.Duplicated)
	r.Mismatched = check.Count(v.problems, check.Mismatched)
	r.ConflictingResults = check.Count(v.problems, check.Conflicting)
	r.ReplayMismatch = check.Count(v.problems, replayMismatch)
	r.Other = len(v.problems) - r.Missing - r.Duplicated - r.Mismatched - r.ConflictingResults - r.ReplayMismatch
	r.Problems = append(r.Problems, v.problems[:min(len(v.problems), maxProblems)]...)
	r.OK = len(v.problems) == 0
	for _, s := range r.Shards {
		r.OK = r.OK && s.HashEqual && s.SumMinor == 0
	}
}
