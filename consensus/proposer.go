package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// Limits of one entry.
const (
	maxEntryOps   = 1024
	maxEntryBytes = 256 << 10
)

// Times of leading that are not Raft's.
const (
	anchorEvery    = time.Minute
	clockSlackMS   = 2_000
	clocksTimeout  = 400 * time.Millisecond
	proposeTimeout = 2 * time.Second
	homeCheckEvery = 5 * time.Second
	homeHealthyFor = 15 * time.Second
	homeMoveEvery  = time.Minute
)

// proposer is the one goroutine of a replica that proposes. It has at most one
// entry in flight, so the state it prepares on is exactly the state the entry
// meets, and the first error leaves nothing speculative behind (PROTOCOL 15).
type proposer struct {
	group        *Group
	cfg          *Config
	observations chan raft.Observation

	// readyTerm is the term whose opening work is done; anchorAt the node's own
	// time when the last clock anchor was proposed.
	readyTerm uint64
	anchorAt  time.Time
	// held are tasks whose wallet already has an operation in this entry.
	held []*pending
	// lastMove is when leadership was last given to the home voter.
	lastMove time.Time
}

func (p *proposer) run(ctx context.Context) {
	defer p.refuseAll()
	tick := time.NewTicker(homeCheckEvery)
	defer tick.Stop()
	retry := time.NewTicker(p.cfg.Timers.Heartbeat)
	defer retry.Stop()
	for {
		if len(p.held) > 0 {
			p.batch(ctx, nil)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case o := <-p.observations:
			p.observe(ctx, o)
		case task := <-p.group.tasks:
			p.batch(ctx, task)
		case <-retry.C:
			// A term whose opening failed is opened again without waiting for
			// a request; an anchor that grew old is renewed.
			if p.group.Leads() {
				_ = p.open(ctx)
			}
		case <-tick.C:
			p.goHome()
		}
	}
}

func (p *proposer) observe(ctx context.Context, o raft.Observation) {
	leader := string(o.Data.(raft.LeaderObservation).LeaderID)
	if p.cfg.Observer != nil {
		p.cfg.Observer.LeaderChanged(p.cfg.Shard, leader)
	}
	p.cfg.Logger.Info("leader changed", "shard", p.cfg.Shard, "leader", leader, "term", p.group.raft.CurrentTerm())
	if leader == p.cfg.Node {
		_ = p.open(ctx)
	}
}

// open does what a leader owes its shard before requests: everything before it
// applied, shard time anchored in the voters' clocks, bootstrap in place.
func (p *proposer) open(ctx context.Context) error {
	term := p.group.raft.CurrentTerm()
	fresh := p.readyTerm == term
	if fresh && p.cfg.Now().Sub(p.anchorAt) < anchorEvery {
		return nil
	}
	if !fresh {
		p.readyTerm = 0
		if err := p.group.raft.Barrier(proposeTimeout).Error(); err != nil {
			return proposalError(err, p.group.Leader())
		}
	}
	ops, err := p.opening(ctx)
	if err != nil {
		p.cfg.Logger.Warn("leader not ready", "shard", p.cfg.Shard, "term", term, "error", err)
		return err
	}
	p.anchorAt = p.cfg.Now()
	// Until the anchor is known to be committed the term counts as not open.
	p.readyTerm = 0
	a, err := p.propose(ops)
	if err != nil {
		return err
	}
	for _, res := range a.results {
		if r := res.Refusal(); r != nil {
			return fmt.Errorf("open term %d: %w", term, r)
		}
	}
	p.readyTerm = term
	if !fresh {
		p.cfg.Logger.Info("leader ready", "shard", p.cfg.Shard, "term", term)
	}
	return nil
}

// opening collects the operations of a term's first entry, or of a new anchor.
func (p *proposer) opening(ctx context.Context) ([]wallet.Op, error) {
	asked, cancel := context.WithTimeout(ctx, clocksTimeout)
	defer cancel()
	readings, err := p.cfg.Peers.Clocks(asked, p.cfg.Voters)
	if err != nil {
		return nil, &Error{Effect: wallet.NotAppliedRetryable, Code: CodeNotReady, Err: fmt.Errorf("compare clocks: %w", err)}
	}
	clock := &wallet.Clock{Meta: wallet.Meta{Actor: p.cfg.Node}, ReadingsMS: readings}
	if err := p.checkClock(readings); err != nil {
		return nil, err
	}
	var ops []wallet.Op
	p.group.View(func(s *wallet.Shard) {
		if s.Head().Epoch == 0 {
			ops = append(ops, &wallet.Genesis{
				Meta: wallet.Meta{Actor: p.cfg.Node}, Cluster: p.cfg.Cluster, Shard: p.cfg.Shard, Epoch: 1,
			})
		}
		ops = append(ops, clock)
		if p.cfg.Bootstrap != nil {
			ops = append(ops, p.cfg.Bootstrap(s)...)
		}
	})
	return ops, nil
}

// checkClock gives leadership away where this node's clock is outside the
// slack around the others'.
func (p *proposer) checkClock(readings []int64) error {
	own := p.cfg.Now().UnixMilli()
	near := 0
	for _, ms := range readings {
		if ms-own <= clockSlackMS && own-ms <= clockSlackMS {
			near++
		}
	}
	if 2*near > len(p.cfg.Voters) || len(p.cfg.Voters) == 1 {
		return nil
	}
	p.cfg.Logger.Error("this node's clock is off: it does not lead", "shard", p.cfg.Shard, "own_ms", own, "readings_ms", readings)
	transfer := p.group.raft.LeadershipTransfer()
	p.group.wg.Go(func() { _ = transfer.Error() })
	return &Error{Effect: wallet.NotAppliedRetryable, Code: CodeNotReady, Err: errors.New("the leader's clock is off")}
}

// batch drains the queue into one entry, prepares, proposes and answers.
func (p *proposer) batch(ctx context.Context, first *pending) {
	tasks := p.drain(first)
	if !p.group.Leads() {
		err := &Error{Effect: wallet.NotAppliedRetryable, Code: CodeNotLeader, Leader: p.group.Leader()}
		failAll(tasks, err)
		return
	}
	if err := p.open(ctx); err != nil {
		failAll(tasks, notReady(err, p.group.Leader()))
		return
	}
	entry := p.prepare(tasks)
	if len(entry.ops) == 0 {
		return
	}
	a, err := p.propose(entry.ops)
	if err != nil {
		for _, w := range entry.waiting {
			w.task.fail(err)
		}
		return
	}
	committed := p.cfg.Now()
	for _, w := range entry.waiting {
		w.finish(a, committed)
	}
}

// drain takes what waits: first the held tasks, then the queue, one operation
// per wallet and as many as an entry takes.
func (p *proposer) drain(first *pending) []*pending {
	candidates := p.held
	p.held = nil
	if first != nil {
		candidates = append(candidates, first)
	}
	taken := map[wallet.ID]bool{}
	var tasks []*pending
	for len(tasks) < maxEntryOps {
		var t *pending
		if len(candidates) > 0 {
			t, candidates = candidates[0], candidates[1:]
		} else {
			select {
			case t = <-p.group.tasks:
			default:
				return tasks
			}
		}
		if taken[t.task.Wallet] {
			p.held = append(p.held, t)
			if len(p.held) >= maxEntryOps {
				break
			}
			continue
		}
		taken[t.task.Wallet] = true
		tasks = append(tasks, t)
	}
	p.held = append(p.held, candidates...)
	return tasks
}

// waiting ties a task to its place in an entry; a task that was refused while
// it was prepared waits for the entry's commit too.
type waiting struct {
	task     *pending
	position int
	refused  error
	prepared time.Time
	proposed time.Time
}

type draft struct {
	ops     []wallet.Op
	waiting []waiting
}

// prepare evaluates the tasks in order. Results decided before are answered at
// once: they are committed facts.
func (p *proposer) prepare(tasks []*pending) draft {
	var d draft
	size, refusals := 0, false
	for i, t := range tasks {
		if t.ctx.Err() != nil {
			t.fail(&Error{Effect: wallet.NotAppliedRetryable, Code: CodeDeadline, Err: t.ctx.Err()})
			continue
		}
		if size > maxEntryBytes {
			p.held = append(tasks[i:len(tasks):len(tasks)], p.held...)
			break
		}
		op, repeat, err := t.task.Prepare(t.ctx, p.group.View)
		switch {
		case err != nil:
			refusals = true
			d.waiting = append(d.waiting, waiting{task: t, position: -1, refused: err})
		case repeat != nil:
			t.answer(Answer{Result: *repeat, Queued: t.queued})
		default:
			size += len(wallet.EncodeOp(op))
			d.waiting = append(d.waiting, waiting{task: t, position: len(d.ops), prepared: p.cfg.Now()})
			d.ops = append(d.ops, op)
		}
	}
	if len(d.ops) == 0 && refusals {
		// Nothing to commit but refusals to give: an entry without effect
		// shows that this node still leads.
		d.ops = append(d.ops, &wallet.Read{})
	}
	return d
}

func (w *waiting) finish(a *applied, committed time.Time) {
	if w.refused != nil {
		w.task.fail(w.refused)
		return
	}
	res := a.results[w.position]
	if r := res.Refusal(); r != nil {
		w.task.fail(r)
		return
	}
	w.task.answer(Answer{
		Result: res, Queued: w.task.queued, Prepared: w.prepared, Proposed: w.proposed,
		Applying: a.start, Applied: a.end, Committed: committed,
	})
}

// propose commits one entry and returns what it came to.
func (p *proposer) propose(ops []wallet.Op) (*applied, error) {
	start := p.cfg.Now()
	entry := wallet.Entry{Version: wallet.Version, Proposer: p.cfg.Node, StampMS: start.UnixMilli(), Ops: ops}
	entry.SinceAnchorMS = start.Sub(p.anchorAt).Milliseconds()
	if _, err := io.ReadFull(p.cfg.Rand, entry.Salt[:]); err != nil {
		return nil, &Error{Effect: wallet.NotAppliedRetryable, Code: CodeNotReady, Err: fmt.Errorf("draw a salt: %w", err)}
	}
	future := p.group.raft.Apply(entry.Encode(), proposeTimeout)
	if err := future.Error(); err != nil {
		return nil, proposalError(err, p.group.Leader())
	}
	a, ok := future.Response().(*applied)
	if !ok {
		return nil, &Error{Effect: wallet.Unknown, Code: CodeUnresolved, Err: fmt.Errorf("unexpected answer %T", future.Response())}
	}
	if a.err != nil {
		return nil, &Error{Effect: wallet.Unknown, Code: CodeUnresolved, Err: a.err}
	}
	if p.cfg.Observer != nil {
		p.cfg.Observer.Committed(p.cfg.Shard, len(ops), p.cfg.Now().Sub(start))
	}
	return a, nil
}

// goHome gives leadership to the home voter once it has been healthy for a
// while, at most once a minute.
func (p *proposer) goHome() {
	home := p.cfg.Home
	if home == "" || home == p.cfg.Node || !p.group.Leads() || len(p.group.tasks) > 0 {
		return
	}
	now := p.cfg.Now()
	if now.Sub(p.lastMove) < homeMoveEvery || p.cfg.Peers.Healthy(home) < homeHealthyFor {
		return
	}
	p.lastMove = now
	err := p.group.raft.LeadershipTransferToServer(raft.ServerID(home), raft.ServerAddress(home)).Error()
	p.cfg.Logger.Info("leadership goes home", "shard", p.cfg.Shard, "home", home, "error", err)
}

// refuseAll answers what never left the queue.
func (p *proposer) refuseAll() {
	err := &Error{Effect: wallet.NotAppliedRetryable, Code: CodeDraining, Leader: p.group.Leader()}
	failAll(p.held, err)
	p.held = nil
	for {
		select {
		case t := <-p.group.tasks:
			t.fail(err)
		default:
			return
		}
	}
}

func failAll(tasks []*pending, err error) {
	for _, t := range tasks {
		t.fail(err)
	}
}

// notReady keeps the effect of an error that says one: opening a term never
// proposes a request, so anything else is not applied.
func notReady(err error, leader string) error {
	return &Error{Effect: wallet.NotAppliedRetryable, Code: CodeNotReady, Leader: leader, Err: err}
}
