package router_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/router"
	"github.com/edgereel/edgereel/transport"
)

const (
	noEffect  = edgereelv1.Effect_EFFECT_NOT_APPLIED
	retryable = edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE
	unknown   = edgereelv1.Effect_EFFECT_UNKNOWN
)

// mesh is the other nodes: it answers each call by the next of its turns, the
// last one for ever.
type mesh struct {
	turns []turn
	asked []string
	calls []*edgereelv1.Forwarded
}

type turn func(ctx context.Context) (*edgereelv1.ForwardedReply, error)

func (m *mesh) Call(ctx context.Context, node, method string, body []byte) ([]byte, error) {
	var f edgereelv1.Forwarded
	if err := proto.Unmarshal(body, &f); err != nil || method != router.Method {
		return nil, errors.New("not a forwarded call")
	}
	m.asked, m.calls = append(m.asked, node), append(m.calls, &f)
	next := m.turns[min(len(m.asked), len(m.turns))-1]
	reply, err := next(ctx)
	if err != nil {
		return nil, err
	}
	reply.Version = max(reply.GetVersion(), 1)
	return proto.Marshal(reply)
}

// answered is a good answer, with a balance of 7.
func answered(context.Context) (*edgereelv1.ForwardedReply, error) {
	raw, err := proto.Marshal(&edgereelv1.CashResponse{BalanceMinor: 7})
	return &edgereelv1.ForwardedReply{Response: raw}, err
}

func fails(effect edgereelv1.Effect, code, leader string) turn {
	return func(context.Context) (*edgereelv1.ForwardedReply, error) {
		err := api.Error(effect, code, connect.CodeUnavailable, "Wait.", "as told")
		return &edgereelv1.ForwardedReply{Error: api.ToForwarded(err, leader)}, nil
	}
}

// lost is a call that was sent and never answered.
func lost(ctx context.Context) (*edgereelv1.ForwardedReply, error) {
	return nil, &transport.CallError{Node: "b", Sent: true, Err: errors.New("connection lost")}
}

func unreached(context.Context) (*edgereelv1.ForwardedReply, error) {
	return nil, &transport.CallError{Node: "b", Err: errors.New("no route")}
}

// silent answers only when it is given up.
func silent(ctx context.Context) (*edgereelv1.ForwardedReply, error) {
	<-ctx.Done()
	return nil, &transport.CallError{Node: "b", Sent: true, Err: ctx.Err()}
}

type replica struct{ leader string }

func (r *replica) Leader() string { return r.leader }

type local struct {
	serve func(context.Context, leader.Call) (proto.Message, error)
}

func (l local) Serve(ctx context.Context, call leader.Call) (proto.Message, error) {
	return l.serve(ctx, call)
}

// newRouter routes as node a; its replica of shard 1 says that b leads.
func newRouter(t *testing.T, m *mesh, at *replica) *router.Router {
	t.Helper()
	slots, err := router.NewSlotMap(shards(1))
	if err != nil {
		t.Fatal(err)
	}
	r := router.New(router.Config{Node: "a", Slots: slots, Mesh: m, Logger: slog.New(slog.DiscardHandler), Tracer: noop.NewTracerProvider().Tracer("")})
	if at != nil {
		r.Attach(1, local{func(context.Context, leader.Call) (proto.Message, error) {
			return &edgereelv1.CashResponse{BalanceMinor: 1}, nil
		}}, at)
	}
	return r
}

func deposit(ctx context.Context, r *router.Router) (int64, error) {
	res := &edgereelv1.CashResponse{}
	err := r.Call(ctx, r.Slots().Of(0), "Deposit", leader.Call{
		Principal: &edgereelv1.Principal{Operator: "acme"}, Request: &edgereelv1.DepositRequest{TransactionId: "t"}, UnlessDecided: "token_expired",
	}, res)
	return res.GetBalanceMinor(), err
}

// TestCall_Attempts drives one call through all an attempt can meet. Asked is
// whom it asked; the effect is what the caller is told.
func TestCall_Attempts(t *testing.T) {
	tests := map[string]struct {
		turns  []turn
		asked  string
		effect edgereelv1.Effect
		code   string
	}{
		"answered":                          {turns: []turn{answered}, asked: "b"},
		"refused for good":                  {turns: []turn{fails(noEffect, "insufficient_funds", "")}, asked: "b", effect: noEffect, code: "insufficient_funds"},
		"overloaded is told at once":        {turns: []turn{fails(retryable, "overloaded", "")}, asked: "b", effect: retryable, code: "overloaded"},
		"too fast is told at once":          {turns: []turn{fails(retryable, "too_fast", "")}, asked: "b", effect: retryable, code: "too_fast"},
		"repeated while draining":           {turns: []turn{fails(retryable, "draining", ""), answered}, asked: "b b"},
		"repeated where a replica stopped":  {turns: []turn{fails(retryable, "unavailable", "c"), answered}, asked: "b c"},
		"a hint is followed":                {turns: []turn{fails(retryable, "not_leader", "c"), answered}, asked: "b c"},
		"a hint to itself is not":           {turns: []turn{fails(retryable, "not_leader", "b"), answered}, asked: "b b"},
		"a hint that leads nowhere is left": {turns: []turn{fails(retryable, "not_leader", "c"), unreached, answered}, asked: "b c b"},
		"not reached, repeated":             {turns: []turn{unreached, answered}, asked: "b b"},
		"unknown, then answered by its key": {turns: []turn{lost, answered}, asked: "b b"},
		"unknown, then refused":             {turns: []turn{lost, fails(noEffect, "insufficient_funds", "")}, asked: "b b", effect: unknown, code: "unresolved"},
		"unknown, then overloaded":          {turns: []turn{lost, fails(retryable, "overloaded", "")}, asked: "b b", effect: unknown, code: "unresolved"},
		"unknown, not reached, refused":     {turns: []turn{lost, unreached, fails(noEffect, "token_expired", "")}, asked: "b b b", effect: unknown, code: "unresolved"},
		"unknown, key held by another body": {turns: []turn{lost, fails(noEffect, "key_reused", "")}, asked: "b b", effect: noEffect, code: "key_reused"},
		"unknown, then a tombstone":         {turns: []turn{lost, fails(noEffect, "reversed", "")}, asked: "b b", effect: noEffect, code: "reversed"},
		"an unknown without a way on":       {turns: []turn{fails(unknown, "internal", "")}, asked: "b", effect: unknown, code: "internal"},
		"an answer of the future": {
			turns: []turn{func(context.Context) (*edgereelv1.ForwardedReply, error) {
				return &edgereelv1.ForwardedReply{Version: 9}, nil
			}, fails(noEffect, "invalid", "")},
			asked: "b b", effect: unknown, code: "unresolved",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &mesh{turns: tc.turns}
				balance, err := deposit(t.Context(), newRouter(t, m, &replica{leader: "b"}))
				if got := strings.Join(m.asked, " "); got != tc.asked {
					t.Errorf("asked %s, want %s", got, tc.asked)
				}
				if tc.code == "" {
					if err != nil || balance != 7 {
						t.Errorf("balance %d, error %v", balance, err)
					}
					return
				}
				if d := api.DetailOf(err); d.GetEffect() != tc.effect || d.GetCode() != tc.code {
					t.Errorf("told %v, want %v %s", err, tc.effect, tc.code)
				}
				if strings.Contains(api.ToForwarded(err, "").String(), "connection lost") {
					t.Errorf("the caller is told of the mesh: %v", err)
				}
			})
		})
	}
}

func TestCall_CarriesTheWholeCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mesh{turns: []turn{answered}}
		if _, err := deposit(t.Context(), newRouter(t, m, &replica{leader: "b"})); err != nil {
			t.Fatal(err)
		}
		got := m.calls[0]
		if got.GetBudgetMs() <= 0 || got.GetBudgetMs() > 750 {
			t.Errorf("the budget is %d ms", got.GetBudgetMs())
		}
		got.BudgetMs = 0
		body, err := proto.Marshal(&edgereelv1.DepositRequest{TransactionId: "t"})
		if err != nil {
			t.Fatal(err)
		}
		want := &edgereelv1.Forwarded{
			Version: 1, Procedure: "Deposit", Principal: &edgereelv1.Principal{Operator: "acme"}, Request: body, Shard: 1, UnlessDecided: "token_expired",
		}
		if !proto.Equal(got, want) {
			t.Errorf("forwarded %v, want %v", got, want)
		}
	})
}

// TestCall_LeaderChangeWakes gives a call to a silent leader up the moment
// another one leads, and asks that one without a pause.
func TestCall_LeaderChangeWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, at := &mesh{turns: []turn{silent, answered}}, &replica{leader: "b"}
		r := newRouter(t, m, at)
		start := time.Now()
		done := make(chan error, 1)
		go func() { _, err := deposit(t.Context(), r); done <- err }()
		synctest.Wait()
		at.leader = "c"
		r.LeaderChanged(1)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(m.asked, " "); got != "b c" || time.Since(start) != 0 {
			t.Errorf("asked %s after %s", got, time.Since(start))
		}
	})
}

// TestCall_LeaderChangeEndsAPause is for a shard without a leader.
func TestCall_LeaderChangeEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, at := &mesh{turns: []turn{answered}}, &replica{}
		r := newRouter(t, m, at)
		done := make(chan error, 1)
		go func() { _, err := deposit(t.Context(), r); done <- err }()
		<-time.After(time.Second) // virtual: the pauses have grown to their longest
		synctest.Wait()
		at.leader = "c"
		start := time.Now()
		r.LeaderChanged(1)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if time.Since(start) != 0 {
			t.Errorf("woke after %s", time.Since(start))
		}
	})
}

// TestCall_Deadline: a call ends in its time, and what it is told holds for all
// its attempts.
func TestCall_Deadline(t *testing.T) {
	tests := map[string]struct {
		turns  []turn
		leader string
		effect edgereelv1.Effect
	}{
		"no leader":            {effect: retryable},
		"no node reached":      {turns: []turn{unreached}, leader: "b", effect: retryable},
		"a leader that hangs":  {turns: []turn{silent}, leader: "b", effect: unknown},
		"one attempt was lost": {turns: []turn{lost, unreached}, leader: "b", effect: unknown},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := deposit(t.Context(), newRouter(t, &mesh{turns: tc.turns}, &replica{leader: tc.leader}))
				if d := api.DetailOf(err); d.GetEffect() != tc.effect {
					t.Errorf("told %v, want %v", err, tc.effect)
				}
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("ended after %s", took)
				}
			})
		})
	}
}

// TestCall_LookingUpHasTheWholeTime: a journal is read once, not in pieces of
// an attempt's time.
func TestCall_LookingUpHasTheWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) (*edgereelv1.ForwardedReply, error) {
			select {
			case <-time.After(4 * time.Second):
				return &edgereelv1.ForwardedReply{}, nil
			case <-ctx.Done():
				return silent(ctx)
			}
		}
		m := &mesh{turns: []turn{slow}}
		r := newRouter(t, m, &replica{leader: "b"})
		err := r.Call(t.Context(), r.Slots().Of(0), "LookUpStep", leader.Call{Request: &edgereelv1.LookUpStepRequest{}}, &edgereelv1.PlayResponse{})
		if err != nil || len(m.asked) != 1 {
			t.Errorf("asked %d times, %v", len(m.asked), err)
		}
	})
}

func TestCall_CallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := deposit(ctx, newRouter(t, &mesh{turns: []turn{silent}}, &replica{leader: "b"}))
			done <- err
		}()
		synctest.Wait()
		cancel()
		if d := api.DetailOf(<-done); d.GetEffect() != unknown {
			t.Errorf("told %v", d)
		}
	})
}

func TestCall_OwnReplica(t *testing.T) {
	m := &mesh{}
	balance, err := deposit(t.Context(), newRouter(t, m, &replica{leader: "a"}))
	if err != nil || balance != 1 || len(m.asked) != 0 {
		t.Errorf("balance %d, error %v, asked %v", balance, err, m.asked)
	}
}

// TestCall_EdgeWithoutReplica follows gossip's hint, and asks the voters in
// turn where there is none.
func TestCall_EdgeWithoutReplica(t *testing.T) {
	slots, err := router.NewSlotMap(shards(1))
	if err != nil {
		t.Fatal(err)
	}
	for hint, want := range map[string]string{"c": "c c c c", "": "b c a b"} {
		synctest.Test(t, func(t *testing.T) {
			m := &mesh{turns: []turn{unreached, unreached, unreached, answered}}
			r := router.New(router.Config{Node: "edge", Slots: slots, Mesh: m, Hint: func(uint32) string { return hint }})
			if _, err := deposit(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(m.asked, " "); got != want {
				t.Errorf("hint %q: asked %s, want %s", hint, got, want)
			}
		})
	}
}

func TestServeForwarded(t *testing.T) {
	deposit, err := proto.Marshal(&edgereelv1.DepositRequest{TransactionId: "t"})
	if err != nil {
		t.Fatal(err)
	}
	good := func() *edgereelv1.Forwarded {
		return &edgereelv1.Forwarded{
			Version: 1, Procedure: "Deposit", Shard: 1, Request: deposit, BudgetMs: 200, UnlessDecided: "rate_limited",
			Principal: &edgereelv1.Principal{Operator: "acme"},
		}
	}
	tests := map[string]struct {
		change func(*edgereelv1.Forwarded)
		effect edgereelv1.Effect
		code   string
	}{
		"served":            {change: func(*edgereelv1.Forwarded) {}},
		"unknown procedure": {func(f *edgereelv1.Forwarded) { f.Procedure = "Steal" }, retryable, "unknown_procedure"},
		"newer version":     {func(f *edgereelv1.Forwarded) { f.Version = 2 }, retryable, "unknown_procedure"},
		"no replica":        {func(f *edgereelv1.Forwarded) { f.Shard = 9 }, retryable, "unreachable"},
		"no request":        {func(f *edgereelv1.Forwarded) { f.Request = []byte{0xff} }, noEffect, "invalid"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t, &mesh{}, nil)
			r.Attach(1, local{func(ctx context.Context, call leader.Call) (proto.Message, error) {
				left, ok := ctx.Deadline()
				if req, is := call.Request.(*edgereelv1.DepositRequest); !is || req.GetTransactionId() != "t" || !ok || time.Until(left) > 200*time.Millisecond ||
					call.Principal.GetOperator() != "acme" || call.UnlessDecided != "rate_limited" {
					t.Errorf("served %+v until %v", call, left)
				}
				return &edgereelv1.CashResponse{BalanceMinor: 3}, nil
			}}, &replica{leader: "a"})
			f := good()
			tc.change(f)
			reply := serve(t, r, f)
			if tc.code == "" {
				var res edgereelv1.CashResponse
				if err := proto.Unmarshal(reply.GetResponse(), &res); err != nil || res.GetBalanceMinor() != 3 || reply.GetError() != nil {
					t.Errorf("answered %v", reply)
				}
				return
			}
			if d := reply.GetError().GetDetail(); d.GetEffect() != tc.effect || d.GetCode() != tc.code {
				t.Errorf("answered %v", reply)
			}
		})
	}
}

func serve(t *testing.T, r *router.Router, f *edgereelv1.Forwarded) *edgereelv1.ForwardedReply {
	t.Helper()
	body, err := proto.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.ServeForwarded(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	var reply edgereelv1.ForwardedReply
	if err := proto.Unmarshal(raw, &reply); err != nil {
		t.Fatal(err)
	}
	return &reply
}

// TestServeForwarded_HidesUnforeseenErrors: only what was written for a caller
// travels on.
func TestServeForwarded_HidesUnforeseenErrors(t *testing.T) {
	r := newRouter(t, &mesh{}, nil)
	r.Attach(1, local{func(context.Context, leader.Call) (proto.Message, error) {
		return nil, errors.New("open /data/journal/0001.seg: no such file")
	}}, &replica{leader: "a"})
	reply := serve(t, r, &edgereelv1.Forwarded{Version: 1, Procedure: "Deposit", Shard: 1})
	if d := reply.GetError().GetDetail(); d.GetEffect() != unknown || strings.Contains(reply.String(), "journal") {
		t.Errorf("answered %v", reply)
	}
}
