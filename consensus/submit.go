package consensus

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

// Task turns a request into an operation on the very state the operation will
// be applied to.
type Task struct {
	// Wallet keeps tasks of one wallet out of the same entry, because the later
	// one is prepared on the state the earlier one leaves behind. The zero
	// wallet stands for shard-wide tasks.
	Wallet wallet.ID
	// Prepare runs on the leader's proposer goroutine while no entry is in
	// flight. It reads the state through view and returns the operation to
	// propose, or a result that was decided before, or a *wallet.Refusal. It
	// may compute (a module evaluates here) but must not wait or do I/O. It may
	// run twice: where it was refused for now, or its operation turned out stale
	// when it was applied, it is asked once more on the newer state.
	Prepare func(ctx context.Context, view func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error)
}

// Propose is the Task of an operation that needs no evaluation.
func Propose(id wallet.ID, op wallet.Op) Task {
	return Task{Wallet: id, Prepare: func(context.Context, func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error) {
		return op, nil, nil
	}}
}

// Answer is a result with the times of its way through the group, all from
// this node's clock; they are zero for a result that was decided before.
type Answer struct {
	wallet.Result
	Queued    time.Time
	Prepared  time.Time
	Proposed  time.Time
	Applying  time.Time
	Applied   time.Time
	Committed time.Time
}

// pending is a task on its way. Whoever claims it first decides: the proposer,
// which then answers it once, or its own Submit, which gives it up.
type pending struct {
	ctx     context.Context
	task    Task
	queued  time.Time
	claimed atomic.Bool
	done    chan reply
	// again is set once Prepare gets its second and last chance. The proposer
	// owns it.
	again bool
}

type reply struct {
	answer Answer
	err    error
}

// Submit brings a task through the log and returns what it came to: a result,
// a *wallet.Refusal, or an *Error. A refusal is linearizable: it is given only
// after an entry behind it has been committed by this leader in the same term.
//
// Where ctx ends while the task still waits, it is dropped and not applied;
// after that its effect is unknown.
func (g *Group) Submit(ctx context.Context, task Task) (Answer, error) {
	select {
	case <-g.draining:
		return Answer{}, g.retryable(CodeDraining, nil)
	case <-g.machine.fuse.blown:
		return Answer{}, g.retryable(CodeUnavailable, g.machine.fuse.err)
	default:
	}
	if !g.Leads() {
		return Answer{}, g.retryable(CodeNotLeader, nil)
	}
	p := &pending{ctx: ctx, task: task, queued: g.cfg.Now(), done: make(chan reply, 1)}
	select {
	case g.tasks <- p:
	default:
		return Answer{}, g.retryable(CodeOverloaded, nil)
	}
	var code wallet.Code
	var cause error
	select {
	case r := <-p.done:
		return r.answer, r.err
	case <-ctx.Done():
		code, cause = CodeDeadline, ctx.Err()
	case <-g.stopped:
		// The proposer answered everything it took before it ended.
		code = CodeDraining
	}
	if p.claim() {
		return Answer{}, g.retryable(code, cause)
	}
	select {
	case r := <-p.done:
		return r.answer, r.err
	default:
	}
	return Answer{}, &Error{Effect: wallet.Unknown, Code: code, Err: cause}
}

// retryable is the error of a task that surely never left the queue.
func (g *Group) retryable(code wallet.Code, cause error) *Error {
	return &Error{Effect: wallet.NotAppliedRetryable, Code: code, Leader: g.Leader(), Err: cause}
}

func (p *pending) claim() bool { return p.claimed.CompareAndSwap(false, true) }

// fail and answer never block: done has room for the one reply.
func (p *pending) fail(err error)    { p.done <- reply{err: err} }
func (p *pending) answer(res Answer) { p.done <- reply{answer: res} }
