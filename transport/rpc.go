package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"
)

// Handler answers one call of a verified peer. ctx ends with the caller's
// deadline, when the caller gives up and when the connection ends; it carries
// the caller's trace. An error reaches the caller as its text, with a code when
// it is a *CodeError.
type Handler func(ctx context.Context, peer Identity, method string, body []byte) ([]byte, error)

// Codes of calls refused before their handler was started (CodeTooLarge also of
// a response that was too large), and of handlers' errors without a code.
const (
	CodeOverloaded = "overloaded"
	CodeTooLarge   = "too_large"
	CodeMalformed  = "malformed"
	CodeNoHandler  = "no_handler"
	// CodeDeadline is a handler's end by the caller's deadline or hang-up; like
	// a lost answer it leaves the outcome unknown.
	CodeDeadline = "deadline"
	// CodeInternal is the code of a handler's error that has none.
	CodeInternal = "internal"
)

// CodeError is a handler's error with a code that callers can act on.
type CodeError struct {
	Code string
	Err  error
}

func (e *CodeError) Error() string { return e.Code + ": " + e.Err.Error() }
func (e *CodeError) Unwrap() error { return e.Err }

// CallError is a call that brought no result.
type CallError struct {
	Node, Method string
	// Sent is false when no byte of the request was written: the peer surely
	// did not get it.
	Sent bool
	// Answered is true when the peer replied; Code and Text are its answer.
	Answered bool
	// Refused is true when the peer replied that its handler was not started.
	Refused    bool
	Code, Text string
	Err        error // local cause, nil when Answered
}

func (e *CallError) Error() string {
	call := fmt.Sprintf("call %s on node %s", e.Method, e.Node)
	switch {
	case e.Answered:
		return fmt.Sprintf("%s: %s: %s", call, e.Code, e.Text)
	case !e.Sent:
		return fmt.Sprintf("%s: not sent: %v", call, e.Err)
	default:
		return fmt.Sprintf("%s: sent, outcome unknown: %v", call, e.Err)
	}
}

func (e *CallError) Unwrap() error { return e.Err }

// NotExecuted is true when the peer's handler surely did not run. Otherwise,
// without an answer or with CodeDeadline, the outcome is unknown.
func (e *CallError) NotExecuted() bool { return !e.Sent || e.Refused }

// RPCConfig describes one side of the calls between nodes.
type RPCConfig struct {
	Mesh *Mesh
	// Handler serves peers' calls; nil refuses them.
	Handler Handler
	// MaxBodyBytes of a request or response; 0 is 4 MiB.
	MaxBodyBytes int
	// MaxInFlight calls served at once, over all peers; 0 is 4096. Above it
	// calls are refused.
	MaxInFlight int
	// MaxCallTime serves calls that carry no deadline; 0 is 30 s.
	MaxCallTime time.Duration
	// Logger; nil is silent.
	Logger *slog.Logger
}

// RPC makes and serves calls over edgereel-rpc/1, one stream a call. It is
// immutable; the slots channel counts running handlers.
type RPC struct {
	cfg   RPCConfig
	slots chan struct{}
	trace propagation.TraceContext
}

// NewRPC makes the endpoint of cfg.Mesh serve calls. It needs no closing: the
// endpoint's Close ends and awaits all handlers.
func NewRPC(cfg RPCConfig) (*RPC, error) {
	if cfg.Mesh == nil {
		return nil, errors.New("open rpc: Mesh is required")
	}
	setDefault(&cfg.MaxBodyBytes, 4<<20)
	setDefault(&cfg.MaxInFlight, 4096)
	setDefault(&cfg.MaxCallTime, 30*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &RPC{cfg: cfg, slots: make(chan struct{}, cfg.MaxInFlight)}
	cfg.Mesh.cfg.Endpoint.Handle(ALPNRPC, r.serve)
	return r, nil
}

// Call asks a node and waits for its answer until ctx ends. Every error is a
// *CallError.
func (r *RPC) Call(ctx context.Context, node, method string, body []byte) ([]byte, error) {
	fail := func(sent bool, err error) ([]byte, error) {
		return nil, &CallError{Node: node, Method: method, Sent: sent, Err: err}
	}
	if len(body) > r.cfg.MaxBodyBytes {
		return fail(false, fmt.Errorf("body of %d bytes, at most %d: %w", len(body), r.cfg.MaxBodyBytes, errFrameTooLarge))
	}
	req := &rpcRequest{method: method, headers: map[string]string{}, body: body}
	r.trace.Inject(ctx, propagation.MapCarrier(req.headers))
	conn, err := r.cfg.Mesh.Conn(ctx, node, ALPNRPC)
	if err != nil {
		return fail(false, err)
	}
	stream, err := conn.OpenStream(ctx)
	if err != nil {
		return fail(false, err)
	}
	defer func() { _ = stream.Close() }()
	// An abandoned call resets its stream, which ends the handler's context.
	defer context.AfterFunc(ctx, func() { stream.Abort(codeDone) })()
	if deadline, ok := ctx.Deadline(); ok {
		// A relative time survives clocks that disagree.
		req.timeout = max(time.Millisecond, time.Until(deadline))
	}
	message, err := req.encode()
	if err != nil {
		return fail(false, err)
	}
	if err := ctx.Err(); err != nil {
		return fail(false, err)
	}
	resp, err := exchange(stream, message, r.cfg.MaxBodyBytes)
	if err != nil {
		return fail(true, errors.Join(ctx.Err(), err))
	}
	if resp.status != statusOK {
		return nil, &CallError{
			Node: node, Method: method, Sent: true, Answered: true,
			Refused: resp.status == statusRefused, Code: resp.code, Text: resp.text,
		}
	}
	return resp.body, nil
}

// exchange writes and reads; a peer that refuses early resets the send side,
// so a failed write still looks for the answer.
func exchange(stream *Stream, message []byte, maxBody int) (*rpcResponse, error) {
	_, writeErr := stream.Write(message)
	if writeErr == nil {
		writeErr = stream.CloseWrite()
	}
	resp, err := readResponse(stream, maxBody)
	if err != nil {
		return nil, errors.Join(writeErr, err)
	}
	return resp, nil
}

func (r *RPC) serve(ctx context.Context, conn *Conn) {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		work.Go(func() { r.answer(stream) })
	}
}

func (r *RPC) answer(stream *Stream) {
	defer func() { _ = stream.Close() }()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		r.reply(stream, &rpcResponse{status: statusRefused, code: CodeOverloaded, text: "too many calls at once"})
		return
	}
	_ = stream.SetReadDeadline(time.Now().Add(r.cfg.MaxCallTime))
	req, err := readRequest(stream, r.cfg.MaxBodyBytes)
	if err != nil {
		code := CodeMalformed
		if errors.Is(err, errFrameTooLarge) {
			code = CodeTooLarge
		}
		r.reply(stream, &rpcResponse{status: statusRefused, code: code, text: err.Error()})
		return
	}
	if r.cfg.Handler == nil {
		r.reply(stream, &rpcResponse{status: statusRefused, code: CodeNoHandler, text: "this node serves no calls"})
		return
	}
	r.reply(stream, r.run(stream, req))
}

func (r *RPC) run(stream *Stream, req *rpcRequest) *rpcResponse {
	timeout := r.cfg.MaxCallTime
	if req.timeout > 0 {
		timeout = req.timeout
	}
	ctx, cancel := context.WithTimeout(stream.Context(), timeout)
	defer cancel()
	ctx = r.trace.Extract(ctx, propagation.MapCarrier(req.headers))
	body, err := r.cfg.Handler(ctx, stream.Peer(), req.method, req.body)
	if err == nil && len(body) > r.cfg.MaxBodyBytes {
		// The handler did run: this is a failure, not a refusal.
		err = &CodeError{Code: CodeTooLarge, Err: fmt.Errorf("response of %d bytes, at most %d", len(body), r.cfg.MaxBodyBytes)}
	}
	if err == nil {
		return &rpcResponse{status: statusOK, body: body}
	}
	resp := &rpcResponse{status: statusFailed, code: CodeInternal, text: err.Error()}
	var coded *CodeError
	switch {
	case errors.As(err, &coded):
		resp.code, resp.text = coded.Code, coded.Err.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		resp.code = CodeDeadline
	}
	return resp
}

func (r *RPC) reply(stream *Stream, resp *rpcResponse) {
	_ = stream.SetWriteDeadline(time.Now().Add(r.cfg.MaxCallTime))
	if _, err := stream.Write(resp.encode()); err != nil {
		r.cfg.Logger.Debug("reply to a call", "peer", stream.Peer().Node, "error", err)
	}
}
