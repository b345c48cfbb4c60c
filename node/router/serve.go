package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect/v2"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/node/leader"
)

// hinted is a peer's error with the leader it named.
type hinted struct {
	error
	leader string
}

func (h *hinted) Unwrap() error { return h.error }

func leaderHint(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.leader
	}
	return leader.Leader(err)
}

// unreachable is for an attempt that surely had no effect.
func unreachable(text string) error {
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "unreachable", connect.CodeUnavailable,
		"Repeat the same request after a moment.", "%s", text)
}

// unresolved is for an attempt nobody can say the effect of. What the mesh says
// of it (addresses, peers) is for the log, not for players.
func (r *Router) unresolved(ctx context.Context, node string, err error) error {
	r.cfg.Logger.DebugContext(ctx, "a forwarded call is unresolved", "leader", node, "error", err)
	return api.Error(edgereelv1.Effect_EFFECT_UNKNOWN, "unresolved", connect.CodeUnavailable,
		"Repeat the same request with the same key; it answers.", "the shard's leader %s did not answer", node)
}

// NewRequest gives an empty request message of a procedure shards answer, nil
// for any other.
func NewRequest(procedure string) proto.Message {
	requests := map[string]proto.Message{
		"GetWallet": &edgereelv1.GetWalletRequest{}, "OperatorGetWallet": &edgereelv1.OperatorGetWalletRequest{},
		"OpenSession": &edgereelv1.OpenSessionRequest{}, "Play": &edgereelv1.PlayRequest{},
		"LookUpStep": &edgereelv1.LookUpStepRequest{}, "CloseSession": &edgereelv1.CloseSessionRequest{},
		"Claim": &edgereelv1.ClaimRequest{}, "OpenClaimed": &edgereelv1.OpenClaimedRequest{},
		"Deposit": &edgereelv1.DepositRequest{}, "Withdraw": &edgereelv1.WithdrawRequest{},
		"Reverse": &edgereelv1.ReverseRequest{}, "SetGame": &edgereelv1.SetGameRequest{},
		"ResolveRound": &edgereelv1.ResolveRoundRequest{},
	}
	return requests[procedure]
}

// ServeForwarded answers a call another node's gateway sent here.
func (r *Router) ServeForwarded(ctx context.Context, body []byte) ([]byte, error) {
	var f edgereelv1.Forwarded
	if err := proto.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("read forwarded call: %w", err)
	}
	// The mesh brought the caller's trace; a span of this node's own carries it
	// on, so that what the leader does is recorded here.
	ctx, span := r.cfg.Tracer.Start(ctx, "forwarded", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	reply := &edgereelv1.ForwardedReply{Version: wireVersion}
	response, err := r.serveForwarded(ctx, &f)
	if err == nil {
		reply.Response, err = proto.Marshal(response)
	}
	if err != nil {
		reply.Error = api.ToForwarded(err, leaderHint(err))
	}
	out, err := proto.Marshal(reply)
	if err != nil {
		return nil, fmt.Errorf("encode the answer to %s: %w", f.GetProcedure(), err)
	}
	return out, nil
}

func (r *Router) serveForwarded(ctx context.Context, f *edgereelv1.Forwarded) (proto.Message, error) {
	req := NewRequest(f.GetProcedure())
	r.mu.Lock()
	st := r.shards[f.GetShard()]
	var local Local
	if st != nil {
		local = st.local
	}
	r.mu.Unlock()
	switch {
	case f.GetVersion() != wireVersion || req == nil:
		return nil, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "unknown_procedure", connect.CodeUnimplemented,
			"Finish the rolling upgrade.", "this node does not know %q in version %d", f.GetProcedure(), f.GetVersion())
	case local == nil:
		return nil, unreachable("this node has no replica of the shard")
	}
	if err := proto.Unmarshal(f.GetRequest(), req); err != nil {
		return nil, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "invalid", connect.CodeInvalidArgument,
			"Correct the request.", "read the request: %w", err)
	}
	if f.GetBudgetMs() > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(f.GetBudgetMs())*time.Millisecond)
		defer cancel()
	}
	return local.Serve(ctx, leader.Call{Principal: f.GetPrincipal(), Request: req, UnlessDecided: f.GetUnlessDecided()})
}
