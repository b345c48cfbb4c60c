package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// book is an address book that tests fill while nodes start.
type book struct {
	mu    sync.Mutex
	addrs map[string]string
}

func (b *book) set(node, addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.addrs == nil {
		b.addrs = map[string]string{}
	}
	b.addrs[node] = addr
}

func (b *book) resolve(node string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if addr := b.addrs[node]; addr != "" {
		return addr, nil
	}
	return "", fmt.Errorf("node %q is not known", node)
}

func rpcPair(t *testing.T, handler Handler) (*RPC, *testNode) {
	t.Helper()
	ca, addrs := newTestCA(t, "test"), &book{}
	server := meshNode(t, ca, "server", loopback(t), addrs.resolve)
	client := meshNode(t, ca, "client", loopback(t), addrs.resolve)
	addrs.set("server", server.endpoint.Addr().String())
	if _, err := NewRPC(RPCConfig{Mesh: server.mesh, Handler: handler, MaxBodyBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	run(t, server.endpoint)
	rpc, err := NewRPC(RPCConfig{Mesh: client.mesh})
	if err != nil {
		t.Fatal(err)
	}
	return rpc, server
}

func TestRPC_RoundTrip(t *testing.T) {
	type seen struct {
		peer   Identity
		method string
		trace  trace.TraceID
	}
	got := make(chan seen, 1)
	rpc, _ := rpcPair(t, func(ctx context.Context, peer Identity, method string, body []byte) ([]byte, error) {
		got <- seen{peer, method, trace.SpanContextFromContext(ctx).TraceID()}
		return append([]byte("re: "), body...), nil
	})
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}})
	ctx := trace.ContextWithSpanContext(testContext(t), span)
	body, err := rpc.Call(ctx, "server", "wallet.show", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if string(body) != "re: hello" {
		t.Errorf("body = %q", body)
	}
	s := <-got
	want := Identity{Cluster: "test", Region: "region-of-client", Node: "client", Role: RoleNode}
	if s.peer != want || s.method != "wallet.show" || s.trace != span.TraceID() {
		t.Errorf("handler saw %+v", s)
	}
}

func TestRPC_Errors(t *testing.T) {
	hold, entered := make(chan struct{}), make(chan struct{}, 1)
	rpc, _ := rpcPair(t, func(ctx context.Context, _ Identity, method string, body []byte) ([]byte, error) {
		switch method {
		case "coded":
			return nil, &CodeError{Code: "not_leader", Err: errors.New("ask eu-west-1")}
		case "plain":
			return nil, errors.New("broken")
		case "big":
			return bytes.Repeat(body, 2), nil
		case "late":
			return nil, fmt.Errorf("commit: %w", context.DeadlineExceeded)
		default: // outlives its caller
			entered <- struct{}{}
			<-ctx.Done()
			<-hold
			return nil, ctx.Err()
		}
	})
	t.Cleanup(func() { close(hold) }) // before the endpoint waits for its handlers
	ctx := testContext(t)
	abandoned, abandon := context.WithCancel(ctx)
	go func() {
		<-entered
		abandon()
	}()
	megabyte := make([]byte, 1<<20)
	for _, tc := range []struct {
		name, node, method string
		ctx                context.Context
		body               []byte
		want               CallError
		text               string
	}{
		{name: "coded", node: "server", method: "coded", want: CallError{Sent: true, Answered: true, Code: "not_leader"}, text: "ask eu-west-1"},
		{name: "plain", node: "server", method: "plain", want: CallError{Sent: true, Answered: true, Code: CodeInternal}, text: "broken"},
		{name: "handler ran out of time", node: "server", method: "late", want: CallError{Sent: true, Answered: true, Code: CodeDeadline}},
		{name: "response too large", node: "server", method: "big", body: megabyte, want: CallError{Sent: true, Answered: true, Code: CodeTooLarge}},
		{name: "request too large there", node: "server", method: "big", body: append(megabyte, 1), want: CallError{Sent: true, Answered: true, Refused: true, Code: CodeTooLarge}},
		{name: "request too large here", node: "server", method: "big", body: make([]byte, 4<<20+1), want: CallError{}},
		{name: "caller gives up", node: "server", method: "wait", ctx: abandoned, want: CallError{Sent: true}, text: "outcome unknown"},
		{name: "unknown node", node: "nobody", method: "plain", want: CallError{}, text: "not sent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.ctx == nil {
				tc.ctx = ctx
			}
			_, err := rpc.Call(tc.ctx, tc.node, tc.method, tc.body)
			var call *CallError
			if !errors.As(err, &call) {
				t.Fatalf("error is %v, want *CallError", err)
			}
			got := CallError{Sent: call.Sent, Answered: call.Answered, Refused: call.Refused, Code: call.Code}
			if got != tc.want {
				t.Errorf("got %+v, want %+v (%v)", got, tc.want, err)
			}
			if !strings.Contains(err.Error(), tc.text) {
				t.Errorf("error %q does not contain %q", err, tc.text)
			}
		})
	}
}

// The handler's context must carry the caller's deadline, or a forwarded spin
// would be worked on after its player was told "unknown".
func TestRPC_HandlerSeesDeadline(t *testing.T) {
	rpc, _ := rpcPair(t, func(ctx context.Context, _ Identity, _ string, _ []byte) ([]byte, error) {
		deadline, ok := ctx.Deadline()
		return fmt.Appendf(nil, "%v %v", ok, time.Until(deadline) <= 7*time.Second), nil
	})
	ctx, cancel := context.WithTimeout(testContext(t), 7*time.Second)
	defer cancel()
	body, err := rpc.Call(ctx, "server", "m", nil)
	if err != nil || string(body) != "true true" {
		t.Fatalf("handler saw %q, %v", body, err)
	}
}

func TestRPC_UnsentWhenPeerIsGone(t *testing.T) {
	rpc, server := rpcPair(t, func(context.Context, Identity, string, []byte) ([]byte, error) { return nil, nil })
	ctx := testContext(t)
	if _, err := rpc.Call(ctx, "server", "m", nil); err != nil {
		t.Fatal(err)
	}
	if err := server.endpoint.Close(); err != nil {
		t.Fatal(err)
	}
	// The first call may still meet the dying connection; a new dial cannot.
	for {
		_, err := rpc.Call(ctx, "server", "m", nil)
		var call *CallError
		if !errors.As(err, &call) {
			t.Fatalf("call to a closed endpoint: %v", err)
		}
		if !call.Sent {
			break
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	seed, err := (&rpcRequest{method: "m", timeout: time.Second, headers: map[string]string{"k": "v"}, body: []byte("b")}).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := readRequest(bytes.NewReader(data), 1<<16)
		if err != nil {
			return
		}
		again, err := req.encode()
		if err != nil {
			return // more than a caller may send
		}
		back, err := readRequest(bytes.NewReader(again), 1<<16)
		if err != nil || back.method != req.method || !bytes.Equal(back.body, req.body) || len(back.headers) != len(req.headers) {
			t.Fatalf("round trip of %+v gave %+v, %v", req, back, err)
		}
	})
}
