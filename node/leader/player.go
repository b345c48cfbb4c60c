package leader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

func (s *Service) getWallet(ctx context.Context, call *Call, req *edgereelv1.GetWalletRequest) (proto.Message, error) {
	w, pos, err := s.readWallet(ctx, call, req.GetWallet())
	if err != nil {
		return nil, err
	}
	return &edgereelv1.GetWalletResponse{Wallet: w, Position: pos}, nil
}

// readWallet answers from the entry the read rides in (PROTOCOL 20).
func (s *Service) readWallet(ctx context.Context, call *Call, text string) (*edgereelv1.Wallet, *edgereelv1.Position, error) {
	id, err := wallet.ParseID(text)
	if err != nil {
		return nil, nil, refuse(wallet.CodeInvalid, "%v", err)
	}
	res, err := s.commit(ctx, call, id, undecided, func() (wallet.Op, error) { return &wallet.Read{Wallet: id}, nil })
	if err != nil {
		return nil, nil, err
	}
	if res.View.Operator != call.Principal.GetOperator() {
		return nil, nil, refuse(wallet.CodeWrongOperator, "the wallet belongs to another operator")
	}
	return WalletMessage(res.View), s.position(&res), nil
}

func (s *Service) openSession(ctx context.Context, call *Call, req *edgereelv1.OpenSessionRequest) (proto.Message, error) {
	id, err := wallet.ParseID(req.GetWallet())
	if err != nil {
		return nil, refuse(wallet.CodeInvalid, "%v", err)
	}
	var basis wallet.SessionBasis
	res, err := s.commit(ctx, call, id, func(sh *wallet.Shard) (repeat *wallet.Result, err error) {
		if err = own(sh, call.Principal, id); err == nil {
			basis, repeat, err = sh.PrepareSession(id, req.GetKey(), req.GetGame())
		}
		if repeat != nil && otherSeed(sh, repeat, req.GetClientSeed()) {
			return nil, refuse(wallet.CodeKeyReused, "key %q opened the session with another client seed", req.GetKey())
		}
		return repeat, err
	}, func() (wallet.Op, error) { return s.sealSession(call, id, req, basis) })
	if err != nil {
		return nil, err
	}
	return &edgereelv1.OpenSessionResponse{
		Session: &edgereelv1.Session{
			Session: ref(id, res.Session), Game: res.Game, Commitment: res.Commitment.String(),
			ClientSeed: req.GetClientSeed(), NextStep: 1,
		},
		Position: s.position(&res),
	}, nil
}

// otherSeed reports whether the session a key opened has another client seed
// than the one a repeat brings: the player would take its seed for used.
func otherSeed(sh *wallet.Shard, opened *wallet.Result, clientSeed string) bool {
	v, _ := sh.View(opened.Wallet)
	for _, ses := range v.Sessions {
		if ses.Session == opened.Session {
			return ses.ClientSeed != clientSeed
		}
	}
	return false
}

// sealSession draws the session's seed and seals it before any wager.
func (s *Service) sealSession(call *Call, id wallet.ID, req *edgereelv1.OpenSessionRequest, basis wallet.SessionBasis) (wallet.Op, error) {
	var seed [32]byte
	if _, err := io.ReadFull(s.cfg.Rand, seed[:]); err != nil {
		return nil, notReady(errors.New("no entropy for a seed"))
	}
	sealed, keyID, err := s.cfg.Seeds.Seal(seed, id, basis.Session, basis.Epoch)
	if err != nil {
		return nil, notReady(fmt.Errorf("seal seed: %w", err))
	}
	return &wallet.OpenSession{
		Meta: meta(call, ""), Wallet: id, Key: req.GetKey(), Game: req.GetGame(), ClientSeed: req.GetClientSeed(),
		Session: basis.Session, Epoch: basis.Epoch, Commitment: wallet.SeedCommitment(seed), Sealed: sealed, KeyID: keyID,
		Algorithm: uint32(gamelogic.AlgorithmHMACChaCha20),
	}, nil
}

func meta(call *Call, reason string) wallet.Meta {
	actor := "operator"
	if call.Principal.GetWallet() != "" {
		actor = "player"
	}
	return wallet.Meta{Actor: actor, Reason: reason}
}

// session reads a session and checks that it belongs to the wallet.
func session(walletText, sessionText string) (wallet.Ref, error) {
	id, err := wallet.ParseID(walletText)
	if err != nil {
		return wallet.Ref{}, refuse(wallet.CodeInvalid, "%v", err)
	}
	r, err := wallet.ParseRef(sessionText)
	if err != nil {
		return wallet.Ref{}, refuse(wallet.CodeInvalid, "%v", err)
	}
	if r.Wallet != id {
		return wallet.Ref{}, refuse(wallet.CodeUnknownSession, "session %s belongs to another wallet", r)
	}
	return r, nil
}

// play settles one step: look up, check, evaluate, commit, answer.
func (s *Service) play(ctx context.Context, call *Call, req *edgereelv1.PlayRequest) (proto.Message, error) {
	sess, err := session(req.GetWallet(), req.GetSession())
	if err != nil {
		return nil, err
	}
	step := wallet.PlayRequest{
		Wallet: sess.Wallet, Session: sess.Number, Step: req.GetStep(), Mode: req.GetMode(), StakeMinor: req.GetStakeMinor(),
		Action: req.GetAction(), Choice: req.GetChoice(),
	}
	var ev wallet.Evaluation
	var presentation []byte
	res, err := s.commit(ctx, call, sess.Wallet, func(sh *wallet.Shard) (repeat *wallet.Result, err error) {
		if err = own(sh, call.Principal, sess.Wallet); err == nil {
			ev, repeat, err = sh.PreparePlay(step)
		}
		return repeat, err
	}, func() (wallet.Op, error) {
		op, err := s.evaluate(ctx, call, step, ev)
		presentation = nil
		if p, ok := op.(*wallet.Play); ok {
			presentation = p.Presentation
		}
		return op, err
	})
	if err != nil {
		return nil, err
	}
	if res.Repeat {
		if presentation, err = s.presentation(res.Seq); err != nil {
			return nil, err
		}
	} else {
		s.countStep(&res, step.Mode, ev.MinCycleMS)
	}
	return s.playResponse(&res, presentation), nil
}

// evaluate runs on the proposer goroutine, on the state the step will meet.
func (s *Service) evaluate(ctx context.Context, call *Call, step wallet.PlayRequest, ev wallet.Evaluation) (wallet.Op, error) {
	if err := s.checkCycle(step.Wallet, ev.MinCycleMS); err != nil {
		return nil, err
	}
	seed, err := s.cfg.Seeds.Open(ev.Sealed, ev.KeyID, step.Wallet, step.Session, ev.Epoch)
	if err != nil {
		return nil, notReady(fmt.Errorf("open seed: %w", err))
	}
	_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("edgereel/leader").Start(ctx, "evaluate")
	defer span.End()
	// A step is evaluated to its end: a caller that leaves must not decide
	// whether an outcome it could have seen is recorded.
	start := time.Now()
	op, err := rounds.Evaluate(context.WithoutCancel(ctx), s.cfg.Modules, gamelogic.Game.Play, meta(call, ""), step, ev, seed)
	if refusal := (*wallet.Refusal)(nil); err != nil && !errors.As(err, &refusal) {
		s.missed(ev.Digest, err)
		return nil, notReady(err)
	}
	took := time.Since(start)
	s.cfg.Metrics.Evaluated(ev.Game, took)
	if s.cfg.Times != nil {
		s.cfg.Times.Observe(ev.Digest, took, s.cfg.Now())
	}
	s.lacking.found(ev.Digest)
	return op, err
}

// notReady is for what this node cannot do now and another may.
func notReady(err error) error {
	return &consensus.Error{Effect: wallet.NotAppliedRetryable, Code: consensus.CodeNotReady, Err: err}
}

// undecided is for operations without a key.
func undecided(*wallet.Shard) (*wallet.Result, error) { return nil, nil }

// checkCycle holds the minimum game cycle against this node's own time, where
// a restart counts as the last round; shard time is checked by the ledger.
func (s *Service) checkCycle(id wallet.ID, minMS int64) error {
	if minMS == 0 {
		return nil
	}
	cycle := time.Duration(minMS) * time.Millisecond
	until, seen := s.cycles.get(id)
	if !seen {
		until = s.started.Add(cycle)
	}
	if s.cfg.Now().Before(until) {
		return &wallet.Refusal{Effect: wallet.NotAppliedRetryable, Code: wallet.CodeTooFast, Detail: fmt.Sprintf("a game cycle lasts at least %d ms", minMS)}
	}
	return nil
}

func (s *Service) countStep(r *wallet.Result, mode string, minCycleMS int64) {
	if r.Incident != "" {
		s.cfg.Metrics.Incident(r.Game)
		return
	}
	opened := r.CostMinor > 0
	if opened && minCycleMS > 0 {
		now := s.cfg.Now()
		s.cycles.set(r.Wallet, now, now.Add(time.Duration(minCycleMS)*time.Millisecond))
	}
	s.cfg.Metrics.Step(r.Game, mode, r.Currency, opened, r.CostMinor, r.WinMinor)
}

// presentation reads what a decided step showed from the journal, so that a
// repeat is byte-equal to the first answer.
func (s *Service) presentation(seq uint64) ([]byte, error) {
	rec, err := s.cfg.Journal.Get(seq)
	if err != nil {
		return nil, fmt.Errorf("read the decided step %d: %w", seq, err)
	}
	op, err := wallet.DecodeOp(rec.Input)
	if err != nil {
		return nil, fmt.Errorf("read the decided step %d: %w", seq, err)
	}
	if p, ok := op.(*wallet.Play); ok {
		return p.Presentation, nil
	}
	return nil, nil
}

// errFound ends a scan early.
var errFound = errors.New("found")

// lookUpStep answers for a step that left the retained window. The read before
// the scan makes sure that this journal holds everything acknowledged so far.
func (s *Service) lookUpStep(ctx context.Context, call *Call, req *edgereelv1.LookUpStepRequest) (proto.Message, error) {
	sess, err := session(req.GetWallet(), req.GetSession())
	if err != nil {
		return nil, err
	}
	if _, _, err := s.readWallet(ctx, call, req.GetWallet()); err != nil {
		return nil, err
	}
	last, _ := s.cfg.Journal.Last()
	var found *edgereelv1.PlayResponse
	err = s.cfg.Journal.Scan(1, last, func(rec storage.Record) error {
		res, err := wallet.DecodeResult(rec.Result)
		if err != nil {
			return fmt.Errorf("read record %d: %w", rec.Seq, err)
		}
		if res.Wallet != sess.Wallet || res.Session != sess.Number || res.Step != req.GetStep() || res.Step == 0 {
			return ctx.Err()
		}
		res.Hash, res.Salt = wallet.ChainHash(rec.Prev, rec.Leaf), rec.Salt
		shown, err := s.presentation(rec.Seq)
		if err != nil {
			return err
		}
		found = s.playResponse(res, shown)
		return errFound
	})
	switch {
	case found != nil:
		return found, nil
	case ctx.Err() != nil:
		return nil, &consensus.Error{Effect: wallet.NotAppliedRetryable, Code: consensus.CodeDeadline, Err: errors.New("the journal was not read in time")}
	case err != nil:
		return nil, fmt.Errorf("look up step %d: %w", req.GetStep(), err)
	}
	return nil, refuse(codeUnknownStep, "step %d of session %s was not decided", req.GetStep(), sess)
}

func (s *Service) closeSession(ctx context.Context, call *Call, req *edgereelv1.CloseSessionRequest) (proto.Message, error) {
	sess, err := session(req.GetWallet(), req.GetSession())
	if err != nil {
		return nil, err
	}
	var closing wallet.ClosingSession
	var epoch uint32
	res, err := s.commit(ctx, call, sess.Wallet, func(sh *wallet.Shard) (repeat *wallet.Result, err error) {
		epoch = sh.Head().Epoch
		if err = own(sh, call.Principal, sess.Wallet); err == nil {
			closing, repeat, err = sh.PrepareClose(sess.Wallet, sess.Number)
		}
		return repeat, err
	}, func() (wallet.Op, error) {
		seed, err := s.cfg.Seeds.Open(closing.Sealed, closing.KeyID, sess.Wallet, sess.Number, epoch)
		if err != nil {
			return nil, notReady(fmt.Errorf("open seed: %w", err))
		}
		return &wallet.CloseSession{Meta: meta(call, ""), Wallet: sess.Wallet, Session: sess.Number, Seed: seed}, nil
	})
	if err != nil {
		return nil, err
	}
	return &edgereelv1.CloseSessionResponse{
		Seed: res.Seed.String(), Commitment: res.Commitment.String(), Position: s.position(&res),
	}, nil
}
