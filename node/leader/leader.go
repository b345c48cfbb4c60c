// Package leader is what the leader of a wallet shard does with a call: it
// checks the owner, looks the key up, evaluates, submits one operation and
// turns what it came to into the answer.
//
// It promises that one key is executed at most once and always answers the
// same, and that every error says its effect. It trusts its caller, the
// gateway of this or another node, to have verified the token; it does not
// choose the shard.
//
// # Concurrency
//
// A Service is safe for concurrent use. Evaluation happens on the group's
// proposer goroutine.
package leader

import (
	"context"
	"io"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// Group is the replica of the shard this service speaks for.
type Group interface {
	// Submit brings a task through the log; see consensus.Group.
	Submit(ctx context.Context, task consensus.Task) (consensus.Answer, error)
	// View reads this replica's present state.
	View(fn func(*wallet.Shard))
}

// Seeds seals and opens session seeds and the identities behind wallets.
type Seeds interface {
	// Seal binds a seed to its session; the key id tells what opens it again.
	Seal(seed [32]byte, wallet [16]byte, session uint64, epoch uint32) (sealed []byte, keyID string, err error)
	// Open gives the seed back, or an error where this node lacks the key.
	Open(sealed []byte, keyID string, wallet [16]byte, session uint64, epoch uint32) ([32]byte, error)
}

// Directory hides who a wallet belongs to.
type Directory interface {
	// Lookup is a keyed digest of a player's place at an operator.
	Lookup(operator, player, currency string) [32]byte
	// SealIdentity encrypts a player's id under a fresh key of its own.
	SealIdentity(wallet [16]byte, player string) (identity, wrappedKey []byte, err error)
}

// Journal reads the shard's operations.
type Journal interface {
	// Get gives one record; storage.ErrNotFound where it is not there.
	Get(seq uint64) (storage.Record, error)
	// Scan calls fn for the records of a range in order.
	Scan(from, to uint64, fn func(storage.Record) error) error
	// Last gives the last sequence and the chain hash after it.
	Last() (seq uint64, hash [32]byte)
}

// Metrics counts what a leader decides.
type Metrics interface {
	// Step is told of every settled step, Incident of every failed one, and
	// Evaluated of the time a step spent in its module.
	Step(game, mode, currency string, opened bool, stakeMinor, winMinor int64)
	Incident(game string)
	Evaluated(game string, took time.Duration)
}

// Config is what a service is made of; all fields but the last four are
// required.
type Config struct {
	Node      string
	Shard     uint32
	Group     Group
	Journal   Journal
	Modules   rounds.Modules
	Seeds     Seeds
	Directory Directory
	Metrics   Metrics
	Now       func() time.Time
	Rand      io.Reader
	Logger    *slog.Logger
	// MaxStakeMinor bounds the stakes of games enabled here.
	MaxStakeMinor int64
	// Fetch asks for a module that a round needs and this node lacks, GiveAway
	// for another leader where it did not arrive within ModuleWait, 0 for 5 s.
	// Both return at once, and are called from the proposer's goroutine.
	Fetch      func(digest wallet.Hash)
	GiveAway   func()
	ModuleWait time.Duration
	// Times takes how long evaluations take, per module.
	Times *Times
}

// Service answers the calls of one shard.
type Service struct {
	cfg Config

	// started counts as the last round of every wallet after a restart.
	started time.Time
	cycles  cycles
	lacking lacking
}

// New makes the service of one shard.
func New(cfg Config) *Service {
	if cfg.ModuleWait <= 0 {
		cfg.ModuleWait = defaultModuleWait
	}
	return &Service{cfg: cfg, started: cfg.Now(), cycles: cycles{until: map[wallet.ID]time.Time{}}}
}

// Call is an authenticated request. Principal says who asks.
type Call struct {
	Principal *edgereelv1.Principal
	Request   proto.Message
	// UnlessDecided, when set, is the code to refuse with unless the key is
	// decided already.
	UnlessDecided string
}

// Serve answers one call. The error carries its effect (package api).
func (s *Service) Serve(ctx context.Context, call Call) (proto.Message, error) {
	res, err := s.serve(ctx, &call)
	if err == nil {
		return res, nil
	}
	answer := APIError(err)
	if code := api.DetailOf(answer).GetCode(); code == "" || code == string(consensus.CodeInternal) {
		// The caller is not told the cause, which may hold anything.
		s.cfg.Logger.ErrorContext(ctx, "a call failed", "shard", s.cfg.Shard, "request", call.Request.ProtoReflect().Descriptor().Name(), "error", err)
	}
	return nil, answer
}

func (s *Service) serve(ctx context.Context, call *Call) (proto.Message, error) {
	switch req := call.Request.(type) {
	case *edgereelv1.GetWalletRequest:
		return s.getWallet(ctx, call, req)
	case *edgereelv1.OperatorGetWalletRequest:
		return s.operatorGetWallet(ctx, call, req)
	case *edgereelv1.OpenSessionRequest:
		return s.openSession(ctx, call, req)
	case *edgereelv1.PlayRequest:
		return s.play(ctx, call, req)
	case *edgereelv1.LookUpStepRequest:
		return s.lookUpStep(ctx, call, req)
	case *edgereelv1.CloseSessionRequest:
		return s.closeSession(ctx, call, req)
	case *edgereelv1.ClaimRequest:
		return s.claim(ctx, call, req)
	case *edgereelv1.OpenClaimedRequest:
		return s.openClaimed(ctx, call, req)
	case *edgereelv1.DepositRequest:
		return s.deposit(ctx, call, req)
	case *edgereelv1.WithdrawRequest:
		return s.withdraw(ctx, call, req)
	case *edgereelv1.ReverseRequest:
		return s.reverse(ctx, call, req)
	case *edgereelv1.SetGameRequest:
		return s.setGame(ctx, call, req)
	case *edgereelv1.ResolveRoundRequest:
		return s.resolveRound(ctx, call, req)
	}
	return nil, refuse("unknown_procedure", "no shard answers %T", call.Request)
}

// own checks that the caller may touch a wallet, on the state a task meets.
func own(sh *wallet.Shard, p *edgereelv1.Principal, id wallet.ID) error {
	v, ok := sh.View(id)
	if !ok {
		return refuse(wallet.CodeUnknownWallet, "no wallet %s", id)
	}
	if v.Operator != p.GetOperator() {
		return refuse(wallet.CodeWrongOperator, "the wallet belongs to another operator")
	}
	return nil
}

// gated is the refusal of a call whose key turned out to be undecided.
func (c *Call) gated() error {
	r := &wallet.Refusal{Effect: wallet.NotApplied, Code: wallet.Code(c.UnlessDecided), Detail: "the key of this call is not decided, and the call is not allowed"}
	if r.Code == CodeRateLimited {
		r.Effect = wallet.NotAppliedRetryable
	}
	return r
}

// commit brings one operation through the log. decide looks at the state: it
// finds a decided key, a refusal, or what build needs to make the operation.
// A gated call proposes nothing of its own. Its refusal is given by the
// proposer all the same: an earlier copy of the key that waits there or is in
// flight is decided first. Only a rate is held before that, because its refusal
// asks for a repeat and must cost less than what it bounds.
func (s *Service) commit(ctx context.Context, call *Call, id wallet.ID, decide func(*wallet.Shard) (*wallet.Result, error), build func() (wallet.Op, error)) (wallet.Result, error) {
	look := func(view func(func(*wallet.Shard))) (res *wallet.Result, err error) {
		view(func(sh *wallet.Shard) { res, err = decide(sh) })
		return res, err
	}
	if call.UnlessDecided == string(CodeRateLimited) {
		if res, err := look(s.cfg.Group.View); res == nil && err == nil {
			return wallet.Result{}, call.gated()
		}
	}
	ans, err := s.cfg.Group.Submit(ctx, consensus.Task{
		Wallet: id,
		Prepare: func(_ context.Context, view func(func(*wallet.Shard))) (wallet.Op, *wallet.Result, error) {
			res, err := look(view)
			switch {
			case res != nil || err != nil:
				return nil, res, err
			case call.UnlessDecided != "":
				return nil, nil, call.gated()
			}
			op, err := build()
			return op, nil, err
		},
	})
	if err != nil {
		return wallet.Result{}, err
	}
	record(ctx, &ans)
	return ans.Result, nil
}
