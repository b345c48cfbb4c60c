// Package router brings a call to the leader of its shard: on this node, or
// over the mesh on another.
//
// It promises that a call is repeated with the same body while the shard has no
// leader or changes it, until its time is up, and that an error's effect is
// never better than what the attempts before it allow: once an attempt may have
// taken effect, only an answer of the key itself is final. It does not know
// what a call means.
//
// # Concurrency
//
// A Router is safe for concurrent use; it starts no goroutine of its own.
package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/transport"
)

// Method is the mesh call that carries a forwarded call.
const Method = "forward"

// wireVersion numbers the messages between nodes.
const wireVersion = 1

// Times of routing.
const (
	firstPause     = 10 * time.Millisecond
	longestPause   = 100 * time.Millisecond
	attemptTimeout = 750 * time.Millisecond
	callTimeout    = 5 * time.Second
)

// Local answers calls of shards this node has a replica of.
type Local interface {
	// Serve answers as the leader of the shard, or says who leads.
	Serve(ctx context.Context, call leader.Call) (proto.Message, error)
}

// Replica knows who leads a shard.
type Replica interface {
	// Leader gives the leader this node knows, "" for none.
	Leader() string
}

// Caller reaches other nodes.
type Caller interface {
	// Call asks a node; its errors are *transport.CallError.
	Call(ctx context.Context, node, method string, body []byte) ([]byte, error)
}

// Config is what a router is made of.
type Config struct {
	Node   string
	Slots  *SlotMap
	Mesh   Caller
	Logger *slog.Logger
	// Tracer makes the span of a forwarded call on the node that serves it.
	Tracer trace.Tracer
	// Hint gives the leader of a shard as gossip knows it, "" for none.
	Hint func(shard uint32) string
}

// Router routes calls. The mutex guards shards.
type Router struct {
	cfg Config

	mu     sync.Mutex
	shards map[uint32]*state
}

// state is what the router knows of one shard.
type state struct {
	local   Local
	replica Replica
	// changed is closed and replaced when the leader changes, so that a call
	// to the old one is given up at once.
	changed chan struct{}
	next    int
}

// New makes a router that knows no replica yet.
func New(cfg Config) *Router {
	r := &Router{cfg: cfg, shards: map[uint32]*state{}}
	for _, s := range cfg.Slots.Shards() {
		r.shards[s.ID] = &state{changed: make(chan struct{})}
	}
	return r
}

// Slots is the map wallets are routed by.
func (r *Router) Slots() *SlotMap { return r.cfg.Slots }

// Attach tells the router of this node's replica of a shard.
func (r *Router) Attach(shard uint32, local Local, replica Replica) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st := r.shards[shard]; st != nil {
		st.local, st.replica = local, replica
	}
}

// LeaderChanged wakes the calls that wait for the old leader.
func (r *Router) LeaderChanged(shard uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st := r.shards[shard]; st != nil {
		close(st.changed)
		st.changed = make(chan struct{})
	}
}

// target picks the node to ask.
func (r *Router) target(shard Shard, hint string) (node string, local Local, changed <-chan struct{}) {
	r.mu.Lock()
	st := r.shards[shard.ID]
	local, changed = st.local, st.changed
	replica := st.replica
	st.next++
	turn := st.next
	r.mu.Unlock()
	switch {
	case hint != "":
		return hint, local, changed
	case replica != nil:
		return replica.Leader(), local, changed
	}
	if r.cfg.Hint != nil {
		if node := r.cfg.Hint(shard.ID); node != "" {
			return node, local, changed
		}
	}
	return shard.Voters[turn%len(shard.Voters)], local, changed
}

// Call brings a call to the leader of a shard and its answer back into res.
func (r *Router) Call(ctx context.Context, shard Shard, procedure string, call leader.Call, res proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var unknown error
	hint, pause := "", firstPause
	for {
		node, local, changed := r.target(shard, hint)
		err := r.attempt(ctx, node, local, changed, shard, procedure, call, res)
		if err == nil {
			return nil
		}
		detail := api.DetailOf(err)
		if detail.GetEffect() == edgereelv1.Effect_EFFECT_NOT_APPLIED {
			return worst(err, unknown)
		}
		if !transient(detail) {
			return worst(err, unknown)
		}
		if detail.GetEffect() == edgereelv1.Effect_EFFECT_UNKNOWN {
			unknown = err
		}
		hint = leaderHint(err)
		if hint == node {
			hint = ""
		}
		select {
		case <-ctx.Done():
			return worst(err, unknown)
		case <-changed:
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

// transient tells whether another attempt with the same body can do better.
func transient(d *edgereelv1.ErrorDetail) bool {
	switch d.GetCode() {
	case "not_leader", "draining", "not_ready", "unavailable", "unresolved", "unreachable", "deadline":
		return true
	}
	return false
}

// worst keeps an effect honest: a refusal after an attempt whose effect is
// unknown does not settle that attempt.
func worst(err, unknown error) error {
	if unknown == nil || errors.Is(err, unknown) {
		return err
	}
	switch api.DetailOf(err).GetCode() {
	case "key_reused", "reversed", "key_expired", "already_decided":
		// The key itself has answered.
		return err
	}
	return unknown
}

func (r *Router) attempt(ctx context.Context, node string, local Local, changed <-chan struct{}, shard Shard, procedure string, call leader.Call, res proto.Message) error {
	switch {
	case node == "":
		return unreachable("the shard has no leader now")
	case node == r.cfg.Node && local != nil:
		answer, err := local.Serve(ctx, call)
		if err != nil {
			return err
		}
		proto.Merge(res, answer)
		return nil
	}
	timeout := attemptTimeout
	if procedure == "LookUpStep" {
		// Reading a journal takes as long as it is; asking again only begins anew.
		timeout = callTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-changed:
			cancel()
		case <-stop:
		}
	}()
	return r.forward(ctx, node, shard, procedure, call, res)
}

func (r *Router) forward(ctx context.Context, node string, shard Shard, procedure string, call leader.Call, res proto.Message) error {
	body, err := proto.Marshal(call.Request)
	if err != nil {
		return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "internal", 0, "", "encode the request: %w", err)
	}
	deadline, _ := ctx.Deadline()
	message, err := proto.Marshal(&edgereelv1.Forwarded{
		Version: wireVersion, Procedure: procedure, Principal: call.Principal, Request: body, Shard: shard.ID,
		BudgetMs: time.Until(deadline).Milliseconds(), UnlessDecided: call.UnlessDecided,
	})
	if err != nil {
		return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "internal", 0, "", "encode the call: %w", err)
	}
	raw, err := r.cfg.Mesh.Call(ctx, node, Method, message)
	if err != nil {
		var failed *transport.CallError
		if errors.As(err, &failed) && failed.NotExecuted() {
			return unreachable(fmt.Sprintf("node %s was not reached", node))
		}
		return r.unresolved(ctx, node, err)
	}
	var reply edgereelv1.ForwardedReply
	if err := proto.Unmarshal(raw, &reply); err != nil {
		return r.unresolved(ctx, node, fmt.Errorf("read the answer: %w", err))
	}
	if reply.GetVersion() != wireVersion {
		return r.unresolved(ctx, node, fmt.Errorf("the answer has version %d, this build knows %d", reply.GetVersion(), wireVersion))
	}
	if e := reply.GetError(); e != nil {
		return &hinted{error: api.FromForwarded(e), leader: e.GetLeader()}
	}
	if err := proto.Unmarshal(reply.GetResponse(), res); err != nil {
		return r.unresolved(ctx, node, fmt.Errorf("read the response: %w", err))
	}
	return nil
}
