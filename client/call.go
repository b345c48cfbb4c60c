package client

import (
	"context"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
)

const (
	// maxAttemptTime is what an attempt may grow to.
	maxAttemptTime = 3 * time.Second
	// firstPause and maxPause bound the wait after a refusal of one attempt.
	firstPause = 20 * time.Millisecond
	maxPause   = 250 * time.Millisecond
	// patience is how many refusals in a row make a call ask another node.
	patience = 3
)

// Call is a finished call, for whoever keeps a history of them.
type Call struct {
	// Kind is the operation's word: "play", "open_session", "deposit" ...
	Kind string
	// Request was sent unchanged in every attempt. Response is nil after an
	// error.
	Request, Response proto.Message
	// Err is nil for an acknowledged call.
	Err *Error
	// Node answered last; Attempts counts all of them.
	Node     string
	Attempts int
	// Began and Ended are the client's clock around the whole call.
	Began, Ended time.Time
}

// Stats are the figures of one Player, Operator or Node.
type Stats struct {
	Calls, Attempts uint64
	// Failovers counts moves to another node because of a failure.
	Failovers uint64
	// LongestGap is the longest time between two acknowledgements.
	LongestGap time.Duration
}

// repeatKey marks a context in which a key of unknown effect is repeated.
type repeatKey struct{}

// AfterUnknown marks the calls under ctx as repeats of a key whose effect an
// earlier call left unknown. A refusal is then not final either: the attempts
// of the earlier call can still commit.
func AfterUnknown(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatKey{}, true)
}

// handle is one caller's way through the cluster. It belongs to the caller's
// goroutine.
type handle struct {
	c     *Client
	token string
	// at is the node in use, nil before the first call.
	at *node
	// inRound pins the node: nobody is moved during a round.
	inRound bool
	stats   Stats
	lastAck time.Time
}

// operation is one call with everything that stays the same in its attempts.
type operation struct {
	kind    string
	request proto.Message
	// send makes one attempt.
	send func(ctx context.Context, n *node) (proto.Message, error)
	// lookUp answers for a key that left the retained window; nil without one.
	lookUp func(ctx context.Context, n *node) (proto.Message, error)
	// read is a call that cannot move money.
	read bool
	// pinned calls are for one node and never fail over.
	pinned bool
	// timeout replaces the attempt's, for calls that take long by nature.
	timeout time.Duration
}

// progress is what a running call has learned. It lives as long as the call.
type progress struct {
	attempts int
	// uncertain is set once an attempt ended without an answer that speaks for
	// it: it may commit at any later time.
	uncertain bool
	refusals  int // in a row, from the present node
	silences  int // all together
	visited   map[*node]bool
	last      failure
}

// run makes attempts with the same request until the key answers.
func (h *handle) run(ctx context.Context, op operation) (proto.Message, error) {
	began := h.c.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, max(h.c.cfg.Budget, op.timeout))
	defer cancel()
	h.settle(op)
	p := &progress{visited: map[*node]bool{}, uncertain: ctx.Value(repeatKey{}) != nil}
	response, failed := h.attempts(ctx, op, p)
	h.finish(op, p, began, response, failed)
	if failed != nil {
		return nil, failed
	}
	return response, nil
}

func (h *handle) attempts(ctx context.Context, op operation, p *progress) (proto.Message, *Error) {
	for {
		if ctx.Err() != nil {
			return nil, p.giveUp(ctx, op)
		}
		p.attempts++
		response, failed := h.attempt(ctx, op.send, h.attemptTime(op, p))
		if failed == nil {
			return response, nil
		}
		p.last = *failed
		if p.last.detail.GetCode() == codeAlreadyDecided && !op.read {
			if op.lookUp == nil {
				return nil, p.fail(Unknown)
			}
			p.uncertain = true // decided, but how is not known yet
			p.attempts++
			if response, failed = h.attempt(ctx, op.lookUp, h.attemptTime(op, p)); failed == nil {
				return response, nil
			}
			p.last = *failed
		}
		if failed := h.judge(op, p); failed != nil {
			return nil, failed
		}
		h.wait(ctx, p)
	}
}

// judge decides what a failed attempt means for the call: an error ends it,
// nil goes on. It also chooses the node of the next attempt.
func (h *handle) judge(op operation, p *progress) *Error {
	code := p.last.detail.GetCode()
	switch {
	case p.last.effect == NotApplied && (op.read || !p.uncertain || code == codeReversed):
		return p.fail(NotApplied)
	case p.last.effect == Unknown && !op.read:
		p.uncertain = true
	}
	if p.last.silent {
		p.silences++
		h.c.suspect(h.at)
		h.move(op, p)
		return nil
	}
	h.c.healthy(h.at)
	p.refusals++
	if p.refusals >= patience || code == codeDraining || code == codeOverloaded {
		h.move(op, p)
	}
	return nil
}

// attempt sends once to the present node.
func (h *handle) attempt(ctx context.Context, send func(context.Context, *node) (proto.Message, error), limit time.Duration) (proto.Message, *failure) {
	note := &unsent{}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, unsentKey{}, note), limit)
	defer cancel()
	ctx, info := connect.NewClientContext(ctx)
	if h.token != "" {
		info.RequestHeader().Set("Authorization", "Bearer "+h.token)
	}
	response, err := send(ctx, h.at)
	if err == nil {
		h.c.healthy(h.at)
		return response, nil
	}
	failed := classify(err)
	if failed.silent && note.sure.Load() {
		failed.effect = NotAppliedRetryable
	}
	return nil, &failed
}

// attemptTime grows with every node that stayed silent, so that a slow cluster
// gets its answer in at last.
func (h *handle) attemptTime(op operation, p *progress) time.Duration {
	if op.timeout > 0 {
		return op.timeout
	}
	limit := h.c.cfg.AttemptTimeout + 4*h.c.roundTrip(h.at)
	for range min(p.silences, 8) {
		limit += limit / 2
	}
	return min(limit, maxAttemptTime)
}

// settle takes the client's preferred node where the caller may be moved.
func (h *handle) settle(op operation) {
	if op.pinned || h.inRound && h.at != nil {
		return
	}
	h.at = h.c.nodes[h.c.order()[0]]
}

// move goes to the best node this call has not asked yet, and starts over when
// it has asked them all.
func (h *handle) move(op operation, p *progress) {
	p.refusals = 0
	if op.pinned || len(h.c.nodes) == 1 {
		return
	}
	if len(p.visited) >= len(h.c.nodes)-1 {
		clear(p.visited)
	}
	p.visited[h.at] = true
	for _, i := range h.c.order() {
		if n := h.c.nodes[i]; !p.visited[n] {
			h.at = n
			h.stats.Failovers++
			return
		}
	}
}

// wait pauses before the next attempt: not after the first silences, when
// another node can answer at once; otherwise longer each time, with jitter.
func (h *handle) wait(ctx context.Context, p *progress) {
	if p.last.silent && p.silences < len(h.c.nodes) {
		return
	}
	limit := firstPause
	for range min(p.attempts-1, 6) {
		limit *= 2
	}
	limit = min(limit, maxPause)
	jitter := rand.N(limit/2 + 1) //nolint:gosec // spreads retries, guards nothing
	pause := max(limit/2+jitter, time.Duration(p.last.detail.GetRetryAfterMs())*time.Millisecond)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// giveUp ends a call whose budget or caller ended first.
func (p *progress) giveUp(ctx context.Context, op operation) *Error {
	if p.last.err == nil {
		p.last = classify(context.Cause(ctx)) // nothing was sent
	}
	effect := NotAppliedRetryable
	if p.uncertain && !op.read {
		effect = Unknown
	}
	return p.fail(effect)
}

func (p *progress) fail(effect Effect) *Error {
	failed := &Error{
		Effect: effect, Code: p.last.detail.GetCode(), Hint: p.last.detail.GetHint(), Attempts: p.attempts, Err: p.last.err,
		RetryAfter: time.Duration(p.last.detail.GetRetryAfterMs()) * time.Millisecond,
	}
	if failed.Code == "" {
		failed.Code = CodeNoAnswer
	}
	switch {
	case effect == Unknown:
		failed.Hint = "Repeat the call with the same key; it answers once the outcome is known."
	case failed.Hint == "" && effect == NotAppliedRetryable:
		failed.Hint = "Nothing was changed; check that the cluster is up and call again."
	}
	return failed
}

// finish keeps the figures and tells the observer.
func (h *handle) finish(op operation, p *progress, began time.Time, response proto.Message, failed *Error) {
	ended := h.c.cfg.Now()
	h.stats.Calls++
	h.stats.Attempts += uint64(p.attempts)
	if failed == nil {
		if !h.lastAck.IsZero() {
			h.stats.LongestGap = max(h.stats.LongestGap, ended.Sub(h.lastAck))
		}
		h.lastAck = ended
	}
	if h.c.cfg.Observe != nil {
		h.c.cfg.Observe(Call{
			Kind: op.kind, Request: op.request, Response: response, Err: failed,
			Node: h.at.Name, Attempts: p.attempts, Began: began, Ended: ended,
		})
	}
}

// Stats reads the figures so far.
func (h *handle) Stats() Stats { return h.stats }
