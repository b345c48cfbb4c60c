package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/chaos/verify"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/wallet"
)

// leastAcknowledged is the share of operations, in percent, below which a run
// was too rough to have shown anything.
const leastAcknowledged = 60

// shownViolations bounds what a report prints; the result holds all.
const shownViolations = 20

// Config describes a run.
type Config struct {
	Cluster ClusterConfig
	// Seed decides faults and players; it replaces the cluster's.
	Seed uint64
	// Duration is about how long faults come, recoveries not counted; 0 is 2
	// minutes.
	Duration time.Duration
	// Faults are made in their order; nil draws them from the seed.
	Faults []Fault
	// Players is how many play at once; 0 is 6. Think is their time between two
	// steps, on average; 0 is 400 ms.
	Players int
	Think   time.Duration
	// Tamper may change the history before it is judged, to see whether the
	// verdict notices.
	Tamper func([]history.Record)
	// Progress hears of every fault when it is over.
	Progress func(Injected)
	// Pulse is called every second of the run's time (see Watchdog).
	Pulse func()
}

// Result is what a run came to.
type Result struct {
	Seed    uint64
	Virtual time.Duration
	Faults  []Injected
	// Acknowledged, Refused and Unknown count operations that change the
	// ledger, each with all its attempts; Reads count acknowledged reads.
	Acknowledged, Refused, Unknown, Reads int
	// LongestGap is the longest a player waited for an acknowledgement.
	LongestGap time.Duration
	// Verdict is that of the nodes' ledgers, nil when they could not be asked.
	Verdict *verify.Report
	// Violations are everything that may not happen; none means that the run
	// passed.
	Violations []string
}

// Run starts a cluster, lets people use it, makes faults, heals everything and
// judges. It returns an error when the run itself could not be made; what the
// cluster did wrong is in the result's Violations.
func Run(ctx context.Context, cfg Config) (result Result, err error) {
	cfg.setDefaults()
	began := time.Now()
	result.Seed = cfg.Seed
	defer func() { result.Virtual = time.Since(began) }()
	defer cfg.pulse(ctx)()
	c, err := NewCluster(ctx, cfg.Cluster)
	if err != nil {
		return result, fmt.Errorf("start the cluster: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Recovered(ctx, recoveryLimit); err != nil {
		return result, fmt.Errorf("wait for the first leaders: %w", err)
	}
	people, err := newCrowd(ctx, c, cfg)
	if err != nil {
		return result, fmt.Errorf("open wallets: %w", err)
	}
	defer func() { err = errors.Join(err, people.close()) }()

	working, rest := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- people.work(working) }()
	for _, f := range cfg.Faults {
		injected, err := c.Inject(ctx, f)
		result.Faults = append(result.Faults, injected)
		if err != nil {
			result.violation("%v", err)
			break
		}
		if cfg.Progress != nil {
			cfg.Progress(injected)
		}
	}
	wait(ctx, 3*time.Second)
	rest()
	if err := <-done; err != nil {
		result.violation("%v", err)
	}
	records := people.history()
	if cfg.Tamper != nil {
		cfg.Tamper(records)
	}
	result.count(records)
	result.waits(records)
	result.judge(ctx, c, people.clients[0], records)
	return result, nil
}

func (cfg *Config) setDefaults() {
	if cfg.Duration == 0 {
		cfg.Duration = 2 * time.Minute
	}
	if cfg.Players == 0 {
		cfg.Players = 6
	}
	if cfg.Think == 0 {
		cfg.Think = 400 * time.Millisecond
	}
	cfg.Cluster.Seed = cfg.Seed
	cfg.Cluster.setDefaults()
	if cfg.Faults == nil {
		cfg.Faults = Plan(cfg.Seed, cfg.Duration, len(cfg.Cluster.Regions))
	}
}

// pulse beats until the function it returns is called.
func (cfg *Config) pulse(ctx context.Context) (stop func()) {
	if cfg.Pulse == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() {
		for ctx.Err() == nil {
			cfg.Pulse()
			wait(ctx, time.Second)
		}
	})
	return func() {
		cancel()
		beating.Wait()
	}
}

func (r *Result) violation(format string, args ...any) {
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

// count adds up what people saw.
func (r *Result) count(records []history.Record) {
	for i := range records {
		at := &records[i]
		switch {
		case !at.Mutating() && at.Effect == history.Applied:
			r.Reads++
		case !at.Mutating():
		case at.Effect == history.Applied:
			r.Acknowledged++
		case at.Effect == history.Unknown:
			r.Unknown++
		default:
			r.Refused++
		}
	}
	if all := r.Acknowledged + r.Refused + r.Unknown; 100*r.Acknowledged < leastAcknowledged*all {
		r.violation("only %d of %d operations were acknowledged: the run was too rough to show anything", r.Acknowledged, all)
	}
}

// judge waits for the replicas and asks every node.
func (r *Result) judge(ctx context.Context, c *Cluster, asker *client.Client, records []history.Record) {
	if err := c.Level(ctx, recoveryLimit); err != nil {
		r.violation("the replicas did not come to one sequence: %v", err)
	}
	var names []string
	for _, m := range c.Members() {
		names = append(names, m.Name)
	}
	report, err := verify.Ledger(ctx, verify.Config{
		Client: asker, Nodes: names, Token: c.OperatorToken(), History: records, Complete: true,
	})
	if err != nil {
		r.violation("the ledger could not be verified: %v", err)
		return
	}
	r.Verdict = report
	r.clocks(ctx, c, asker, report)
	for _, name := range report.Unreachable {
		r.violation("%s could not be asked", name)
	}
	for _, s := range report.Shards {
		if !s.HashEqual || s.SumMinor != 0 || s.Replicas != len(names) {
			r.violation("shard %d at %d: %d replicas, hashes equal: %v, sum %d", s.Shard, s.ShardSeq, s.Replicas, s.HashEqual, s.SumMinor)
		}
	}
	for _, p := range report.Problems {
		r.violation("%s", p)
	}
	if !report.OK && len(r.Violations) == 0 {
		r.violation("the verdict is not ok")
	}
	if report.Replayed == 0 {
		r.violation("no outcome was replayed")
	}
}

// clockSlack is how far the time of a shard may be ahead of the true one, which
// no node's clock may move further.
const clockSlack = 5 * time.Second

// clocks looks at the time of every shard's last operation.
func (r *Result) clocks(ctx context.Context, c *Cluster, asker *client.Client, report *verify.Report) {
	node, err := asker.Node(c.Members()[0].Name, c.OperatorToken())
	if err != nil {
		r.violation("%v", err)
		return
	}
	for _, s := range report.Shards {
		err := node.ReadJournal(ctx, s.Shard, s.ShardSeq, s.ShardSeq, func(entry *edgereelv1.JournalEntry) error {
			result, err := wallet.DecodeResult(entry.GetResult())
			if err != nil {
				return err
			}
			if ahead := time.Duration(result.TimeMS-time.Now().UnixMilli()) * time.Millisecond; ahead > clockSlack {
				r.violation("the time of shard %d is %s ahead", s.Shard, ahead)
			}
			return nil
		})
		if err != nil {
			r.violation("the last operation of shard %d cannot be read: %v", s.Shard, err)
		}
	}
}

// String is the report of a run, one fault a line.
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s of virtual time, %d faults, %d acknowledged, %d refused, %d unknown, %d reads, longest gap %s\n",
		r.Seed, r.Virtual.Round(time.Second), len(r.Faults), r.Acknowledged, r.Refused, r.Unknown, r.Reads, r.LongestGap.Round(time.Millisecond))
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	if gaps := r.Gaps(Kill); len(gaps) > 0 {
		fmt.Fprintf(&b, "  kills: %d, longest gap %s in the median, %s at most\n",
			len(gaps), gaps[len(gaps)/2].Round(time.Millisecond), gaps[len(gaps)-1].Round(time.Millisecond))
	}
	if v := r.Verdict; v != nil {
		fmt.Fprintf(&b, "  verdict: ok %v, acknowledged %d, missing %d, duplicated %d, mismatched %d, conflicting %d, replayed %d, replay mismatch %d, other %d\n",
			v.OK, v.Acknowledged, v.Missing, v.Duplicated, v.Mismatched, v.ConflictingResults, v.Replayed, v.ReplayMismatch, v.Other)
	}
	for i, v := range r.Violations {
		if i == shownViolations {
			fmt.Fprintf(&b, "  and %d more\n", len(r.Violations)-i)
			break
		}
		fmt.Fprintf(&b, "  VIOLATION %s\n", v)
	}
	return b.String()
}
