package consensus

import (
	"context"
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
	// may compute (a module evaluates here) but must not wait or do I/O.
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

// pending is a task on its way; the proposer answers it exactly once.
type pending struct {
	ctx    context.Context
	task   Task
	queued time.Time
	done   chan reply
}

type reply struct {
	answer Answer
	err    error
}

// Submit brings a task through the log and returns what it came to: a result,
// a *wallet.Refusal, or an *Error. A refusal is linearizable: it is given only
// after an entry behind it has been committed by this leader.
//
// Where ctx ends first the effect is unknown; a task still waiting then is
// dropped before it is evaluated.
func (g *Group) Submit(ctx context.Context, task Task) (Answer, error) {
	select {
	case <-g.draining:
		return Answer{}, &Error{Effect: wallet.NotAppliedRetryable, Code: CodeDraining, Leader: g.Leader()}
	default:
	}
	if !g.Leads() {
		return Answer{}, &Error{Effect: wallet.NotAppliedRetryable, Code: CodeNotLeader, Leader: g.Leader()}
	}
	p := &pending{ctx: ctx, task: task, queued: g.cfg.Now(), done: make(chan reply, 1)}
	select {
	case g.tasks <- p:
	default:
		return Answer{}, &Error{Effect: wallet.NotAppliedRetryable, Code: CodeOverloaded}
	}
	select {
	case r := <-p.done:
		return r.answer, r.err
	case <-ctx.Done():
		return Answer{}, &Error{Effect: wallet.Unknown, Code: CodeDeadline, Err: ctx.Err()}
	case <-g.ctx.Done():
		return Answer{}, &Error{Effect: wallet.Unknown, Code: CodeUnresolved, Err: g.ctx.Err()}
	}
}

func (p *pending) fail(err error)    { p.done <- reply{err: err} }
func (p *pending) answer(res Answer) { p.done <- reply{answer: res} }
