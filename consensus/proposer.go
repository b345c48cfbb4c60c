package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// Limits of one entry, and of what one wallet may have waiting behind it.
const (
	maxEntryOps      = 1024
	maxEntryBytes    = 256 << 10
	maxHeldPerWallet = 64
)

// proposeTimeout bounds handing an entry to raft, not its commit.
const proposeTimeout = 2 * time.Second

// proposer is the one goroutine of a replica that proposes. It has at most one
// entry in flight, so the state it prepares on is exactly the state the entry
// meets, and the first error leaves nothing speculative behind (PROTOCOL 15).
// Every other field is its own.
type proposer struct {
	group        *Group
	cfg          *Config
	observations chan raft.Observation
	// ready is always ready to be received from.
	ready chan struct{}

	term term
	// told is the leader last reported, moved when leadership was last sent home.
	told  string
	moved time.Time
	// held are tasks that wait for the next entry, in order of arrival.
	held []*pending
}

func newProposer(g *Group, observations chan raft.Observation) *proposer {
	p := &proposer{group: g, cfg: &g.cfg, observations: observations, ready: make(chan struct{})}
	close(p.ready)
	p.term.readings = make(chan readings, 1)
	p.term.builds = make(chan uint8, 1)
	return p
}

func (p *proposer) run(ctx context.Context) {
	defer p.refuseAll()
	tick := time.NewTicker(homeCheckEvery)
	defer tick.Stop()
	retry := time.NewTicker(p.cfg.Timers.Heartbeat)
	defer retry.Stop()
	for ctx.Err() == nil {
		var again chan struct{}
		if len(p.held) > 0 {
			again = p.ready
		}
		select {
		case <-ctx.Done():
		case <-p.observations:
			p.tend(ctx)
		case m := <-p.group.moves:
			m.done <- p.giveAway(m.ctx)
		case task := <-p.group.tasks:
			p.batch(ctx, task)
		case <-again:
			p.batch(ctx, nil)
		case r := <-p.term.readings:
			p.anchor(r)
		case version := <-p.term.builds:
			p.activate(version)
		case <-retry.C:
			p.tend(ctx)
		case <-tick.C:
			p.goHome()
		}
	}
}

// batch drains the queue into one entry, prepares, proposes and answers.
func (p *proposer) batch(ctx context.Context, first *pending) {
	tasks := p.drain(first)
	if !p.group.Leads() {
		failAll(tasks, p.group.retryable(CodeNotLeader, nil))
		return
	}
	if err := p.open(ctx); err != nil {
		// Opening a term proposes no request.
		failAll(tasks, p.group.retryable(CodeNotReady, err))
		return
	}
	entry := p.prepare(tasks)
	if len(entry.ops) == 0 {
		return
	}
	proposed := p.cfg.Now()
	a, err := p.propose(entry.ops, time.Since(p.term.anchoredAt))
	if err != nil {
		p.failEntry(entry, err)
		return
	}
	committed := p.cfg.Now()
	var again []*pending
	for _, w := range entry.waiting {
		w.proposed = proposed
		if !p.finish(w, a, committed) {
			again = append(again, w.task)
		}
	}
	p.held = append(again, p.held...)
}

// drain takes what waits: first the held tasks, then the queue, one operation
// per wallet and as many as an entry takes. What it leaves behind stays held in
// order; a wallet with too many tasks there is refused further ones, so that it
// cannot hold up the others.
func (p *proposer) drain(first *pending) []*pending {
	candidates := p.held
	p.held = nil
	if first != nil {
		candidates = append(candidates, first)
	}
	waiting := map[wallet.ID]int{}
	var tasks []*pending
	for len(tasks) < maxEntryOps && len(p.held) < maxEntryOps {
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
		id := t.task.Wallet
		switch n := waiting[id]; {
		case n == 0:
			tasks = append(tasks, t)
		case n > maxHeldPerWallet:
			failAll([]*pending{t}, p.group.retryable(CodeOverloaded, nil))
			continue
		default:
			p.held = append(p.held, t)
		}
		waiting[id]++
	}
	p.held = append(p.held, candidates...)
	return tasks
}

// waiting ties a claimed task to its place in an entry; a task that was refused
// while it was prepared waits for the entry's commit too.
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
	size, refusals, active := 0, false, p.version()
	for i, t := range tasks {
		if size > maxEntryBytes {
			p.held = append(tasks[i:len(tasks):len(tasks)], p.held...)
			break
		}
		if t.ctx.Err() != nil || !t.again && !t.claim() {
			p.expire(t)
			continue
		}
		op, repeat, err := p.ask(t)
		if err == nil && repeat == nil {
			err = check(op, active)
		}
		switch {
		case err != nil:
			refusals = true
			d.waiting = append(d.waiting, waiting{task: t, position: -1, refused: attemptError(err)})
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

// expire drops a task that nobody waits for any more, before its evaluation.
func (p *proposer) expire(t *pending) {
	if t.again || t.claim() {
		t.fail(p.group.retryable(CodeDeadline, t.ctx.Err()))
	}
}

// ask runs Prepare. A panic in it has proposed nothing and is one request's
// fault: going down with it would hand it on to the next leader.
func (p *proposer) ask(t *pending) (op wallet.Op, repeat *wallet.Result, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p.cfg.Logger.Error("preparing a request panicked", "shard", p.cfg.Shard, "cause", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("prepare: panic: %v", cause)
		}
	}()
	return t.task.Prepare(t.ctx, p.group.View)
}

// check keeps operations out of the log that would stop every replica, or one
// of an older build while the shard follows a version it knows.
func check(op wallet.Op, active uint8) error {
	if op == nil {
		return errors.New("prepare gave neither an operation nor a result")
	}
	if needs := wallet.VersionOf(op); needs > active {
		return &wallet.Refusal{
			Effect: wallet.NotAppliedRetryable, Code: wallet.CodeUnsupportedVersion,
			Detail: fmt.Sprintf("operation %s needs version %d of the ledger, the shard follows %d", op.Kind(), needs, active),
		}
	}
	return wallet.CheckOp(op)
}

// finish answers a task of a committed entry, or says that it is due for its
// second chance. A refusal that was found before the entry counts only where
// the same term committed it: otherwise another leader may have come between.
func (p *proposer) finish(w waiting, a *applied, committed time.Time) bool {
	err := w.refused
	if err != nil && a.term != p.term.number {
		err = p.group.retryable(CodeNotLeader, nil)
	}
	var res wallet.Result
	if err == nil {
		res = a.results[w.position]
		if r := res.Refusal(); r != nil {
			err = r
		}
	}
	switch {
	case err != nil && worthAgain(err) && !w.task.again:
		w.task.again = true
		return false
	case err != nil:
		w.task.fail(err)
	default:
		w.task.answer(Answer{
			Result: res, Queued: w.task.queued, Prepared: w.prepared, Proposed: w.proposed,
			Applying: a.start, Applied: a.end, Committed: committed,
		})
	}
	return true
}

// failEntry answers the tasks of an entry that failed. Those that were refused
// before it have nothing in it.
func (p *proposer) failEntry(d draft, err error) {
	for _, w := range d.waiting {
		if w.refused != nil {
			w.task.fail(p.group.retryable(CodeNotLeader, err))
			continue
		}
		w.task.fail(err)
	}
}

// propose commits one entry and returns what it came to. anchored is the
// monotonic time since the last clock anchor that this node proposed.
func (p *proposer) propose(ops []wallet.Op, anchored time.Duration) (*applied, error) {
	start := time.Now()
	entry := wallet.Entry{
		Version: p.version(), Proposer: p.cfg.Node, StampMS: p.cfg.Now().UnixMilli(),
		SinceAnchorMS: anchored.Milliseconds(), Ops: ops,
	}
	if _, err := io.ReadFull(p.cfg.Rand, entry.Salt[:]); err != nil {
		return nil, p.group.retryable(CodeNotReady, fmt.Errorf("draw a salt: %w", err))
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
		p.cfg.Observer.Committed(p.cfg.Shard, len(ops), time.Since(start))
	}
	return a, nil
}

// refuseAll answers what never left the queue.
func (p *proposer) refuseAll() {
	err := p.group.retryable(CodeDraining, nil)
	failAll(p.held, err)
	p.held = nil
	for {
		select {
		case t := <-p.group.tasks:
			failAll([]*pending{t}, err)
		case m := <-p.group.moves:
			m.done <- nil
		default:
			return
		}
	}
}

// failAll answers tasks of which nothing was proposed, but those given up.
func failAll(tasks []*pending, err error) {
	for _, t := range tasks {
		if t.again || t.claim() {
			t.fail(err)
		}
	}
}
