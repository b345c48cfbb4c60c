package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bank is the replicated state that all nodes of a test share: every key is
// decided once. The mutex guards everything.
type bank struct {
	mu       sync.Mutex
	balance  int64
	seq      uint64
	decided  map[string]proto.Message
	sessions []*edgereelv1.Session
	opened   int
	log      []seen
	script   func(*seen) action
}

// seen is one attempt as a node saw it.
type seen struct {
	node, kind, key, body, token string
	// number counts the attempts of all nodes from 1.
	number int
}

// action is what a node does with an attempt.
type action struct {
	// silent answers nothing; applied says whether the operation is applied
	// before that, and before an error is answered.
	silent, applied bool
	err             error
}

func newBank(script func(*seen) action) *bank {
	return &bank{balance: 100_000, seq: 1, decided: map[string]proto.Message{}, script: script}
}

func refusal(effect edgereelv1.Effect, code string) error {
	return api.Error(effect, code, connect.CodeFailedPrecondition, "", "scripted")
}

// serve handles one attempt at one node.
func (b *bank) serve(ctx context.Context, node, kind, key string, request proto.Message, apply func() proto.Message) (proto.Message, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, err
	}
	info, _ := connect.CallInfoForServerContext(ctx)
	b.mu.Lock()
	entry := seen{
		node: node, kind: kind, key: key, body: string(body), number: len(b.log) + 1,
		token: strings.TrimPrefix(info.RequestHeader().Get("Authorization"), "Bearer "),
	}
	b.log = append(b.log, entry)
	do := action{applied: true}
	if b.script != nil {
		do = b.script(&entry)
	}
	var response proto.Message
	if do.applied {
		response = b.decide(kind+"/"+key, apply)
	}
	b.mu.Unlock()
	switch {
	case do.silent:
		<-ctx.Done()
		return nil, ctx.Err()
	case do.err != nil:
		return nil, do.err
	}
	return response, nil
}

func (b *bank) decide(key string, apply func() proto.Message) proto.Message {
	if first := b.decided[key]; first != nil {
		return first
	}
	response := apply()
	if response == nil {
		panic("a scripted node must refuse what it does not apply")
	}
	if key != "" {
		b.decided[key] = response
	}
	return response
}

// attempts lists what the nodes saw of one kind of call.
func (b *bank) attempts(kind string) []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []seen
	for _, entry := range b.log {
		if entry.kind == kind {
			found = append(found, entry)
		}
	}
	return found
}

func (b *bank) money() (balance int64, seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.balance, b.seq
}

// branch is one node of the bank.
type branch struct {
	edgereelv1connect.UnimplementedPlayerServiceHandler
	edgereelv1connect.UnimplementedOperatorServiceHandler
	edgereelv1connect.UnimplementedAuditServiceHandler
	bank *bank
	node string
}

func (n *branch) position() *edgereelv1.Position {
	return &edgereelv1.Position{ShardSeq: n.bank.seq, WalletSeq: n.bank.seq, Node: n.node, ShardHash: fmt.Sprintf("%064x", n.bank.seq)}
}

func (n *branch) Play(ctx context.Context, request *edgereelv1.PlayRequest) (*edgereelv1.PlayResponse, error) {
	key := fmt.Sprintf("%s/%d", request.GetSession(), request.GetStep())
	response, err := n.bank.serve(ctx, n.node, "play", key, request, func() proto.Message {
		n.bank.balance -= request.GetStakeMinor()
		n.bank.seq++
		return &edgereelv1.PlayResponse{
			CostMinor: request.GetStakeMinor(), BalanceMinor: n.bank.balance, Position: n.position(),
			Round: "round-" + key, Step: request.GetStep(),
		}
	})
	return as[*edgereelv1.PlayResponse](response, err)
}

func (n *branch) LookUpStep(ctx context.Context, request *edgereelv1.LookUpStepRequest) (*edgereelv1.PlayResponse, error) {
	n.bank.mu.Lock()
	defer n.bank.mu.Unlock()
	n.bank.log = append(n.bank.log, seen{node: n.node, kind: "look_up_step", number: len(n.bank.log) + 1})
	found := n.bank.decided[fmt.Sprintf("play/%s/%d", request.GetSession(), request.GetStep())]
	if found == nil {
		return nil, refusal(edgereelv1.Effect_EFFECT_NOT_APPLIED, "unknown_step")
	}
	return found.(*edgereelv1.PlayResponse), nil
}

func (n *branch) GetWallet(_ context.Context, request *edgereelv1.GetWalletRequest) (*edgereelv1.GetWalletResponse, error) {
	n.bank.mu.Lock()
	defer n.bank.mu.Unlock()
	wallet := &edgereelv1.Wallet{Wallet: request.GetWallet(), BalanceMinor: n.bank.balance, WalletSeq: n.bank.seq}
	for _, session := range n.bank.sessions {
		wallet.Sessions = append(wallet.Sessions, proto.CloneOf(session))
	}
	return &edgereelv1.GetWalletResponse{Wallet: wallet, Position: n.position()}, nil
}

func (n *branch) OpenSession(ctx context.Context, request *edgereelv1.OpenSessionRequest) (*edgereelv1.OpenSessionResponse, error) {
	response, err := n.bank.serve(ctx, n.node, "open_session", request.GetKey(), request, func() proto.Message {
		n.bank.opened++
		n.bank.seq++
		session := &edgereelv1.Session{Session: fmt.Sprintf("w-%d", n.bank.opened), Game: request.GetGame(), NextStep: 1}
		n.bank.sessions = append(n.bank.sessions, session)
		return &edgereelv1.OpenSessionResponse{Session: session, Position: n.position()}
	})
	return as[*edgereelv1.OpenSessionResponse](response, err)
}

func (n *branch) CloseSession(ctx context.Context, request *edgereelv1.CloseSessionRequest) (*edgereelv1.CloseSessionResponse, error) {
	response, err := n.bank.serve(ctx, n.node, "close_session", request.GetSession(), request, func() proto.Message {
		n.bank.sessions = nil
		n.bank.seq++
		return &edgereelv1.CloseSessionResponse{Seed: "seed", Position: n.position()}
	})
	return as[*edgereelv1.CloseSessionResponse](response, err)
}

func (n *branch) Deposit(ctx context.Context, request *edgereelv1.DepositRequest) (*edgereelv1.CashResponse, error) {
	response, err := n.bank.serve(ctx, n.node, "deposit", request.GetTransactionId(), request, func() proto.Message {
		n.bank.balance += request.GetAmountMinor()
		n.bank.seq++
		return &edgereelv1.CashResponse{BalanceMinor: n.bank.balance, Position: n.position()}
	})
	return as[*edgereelv1.CashResponse](response, err)
}

func (n *branch) ReadJournal(_ context.Context, request *edgereelv1.ReadJournalRequest, stream edgereelv1connect.AuditServiceReadJournalServerStream) error {
	for seq := request.GetFromSeq(); seq <= request.GetToSeq(); seq++ {
		err := stream.Send(&edgereelv1.ReadJournalResponse{Entries: []*edgereelv1.JournalEntry{{ShardSeq: seq, Leaf: []byte(n.node)}}})
		if err != nil {
			return err
		}
	}
	return nil
}

func as[T proto.Message](response proto.Message, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return response.(T), nil
}

func (n *branch) handler() http.Handler {
	server := connect.NewServer(api.Effects())
	edgereelv1connect.RegisterPlayerServiceHandler(server, n)
	edgereelv1connect.RegisterOperatorServiceHandler(server, operatorBranch{n})
	edgereelv1connect.RegisterAuditServiceHandler(server, n)
	return api.Handler(server)
}

// operatorBranch keeps the two GetWallet procedures apart.
type operatorBranch struct{ *branch }

func (n operatorBranch) GetWallet(context.Context, *edgereelv1.OperatorGetWalletRequest) (*edgereelv1.OperatorGetWalletResponse, error) {
	return nil, errors.New("not scripted")
}

// wire hands requests to the nodes' handlers without a network, so that a test
// can run in virtual time. The mutex guards down.
type wire struct {
	handlers map[string]http.Handler
	rtt      map[string]time.Duration
	mu       sync.Mutex
	down     map[string]bool
}

func (w *wire) dead(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down[address]
}

func (w *wire) kill(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[address] = true
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	address := request.URL.Host
	body := []byte(nil)
	if request.Body != nil {
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
		request.Body.Close()
	}
	if w.dead(address) {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	inner := request.Clone(request.Context())
	inner.Body = io.NopCloser(strings.NewReader(string(body)))
	recorder := httptest.NewRecorder()
	w.handlers[address].ServeHTTP(recorder, inner)
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

func (w *wire) Probe(ctx context.Context, address string) (time.Duration, error) {
	if w.dead(address) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return w.rtt[address], nil
}

func (w *wire) Close() error { return nil }
