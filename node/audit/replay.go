package audit

import (
	"bytes"
	"context"
	"fmt"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// Replay evaluates the game steps of a range again, each in a fresh instance,
// from the inputs the journal holds and the seed sealed in it.
func (s *Service) Replay(ctx context.Context, req *edgereelv1.ReplayRequest) (*edgereelv1.ReplayResponse, error) {
	r, err := s.replica(req.GetShard())
	if err != nil {
		return nil, err
	}
	from, to := bounds(r.Journal, req.GetFromSeq(), req.GetToSeq())
	p := NewReplayer(s.Modules, s.Seeds)
	res := &edgereelv1.ReplayResponse{}
	err = r.Journal.Scan(1, to, func(rec storage.Record) error {
		check, err := p.Next(rec.Seq, rec.Input, rec.Result)
		if err != nil {
			return err
		}
		if check == nil || rec.Seq < from {
			return ctx.Err()
		}
		if detail := check(ctx); detail != "" {
			res.Mismatches = append(res.Mismatches, &edgereelv1.ReplayMismatch{ShardSeq: rec.Seq, Detail: detail})
		}
		res.Replayed++
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("replay shard %d: %w", req.GetShard(), err)
	}
	res.Unrevealed = p.Unrevealed(from)
	return res, nil
}

// Replayer follows a journal from its first record and can evaluate every game
// step on it again. It belongs to one goroutine.
type Replayer struct {
	modules  rounds.Modules
	seeds    Seeds
	sessions map[wallet.Ref]*session
	// budgets are what releases hold modules to; a shard never changes one.
	budgets map[wallet.Hash]budget
}

type budget struct {
	meter uint16
	fuel  uint64
}

// session is what replaying needs of a game session.
type session struct {
	clientSeed string
	sealed     []byte
	keyID      string
	algorithm  uint32
	epoch      uint32
	round      *round
	steps      []uint64
	revealed   bool
}

type round struct {
	mode  wallet.Mode
	stake int64
	won   int64
	state []byte
}

// NewReplayer starts before the first record of a journal.
func NewReplayer(modules rounds.Modules, seeds Seeds) *Replayer {
	return &Replayer{modules: modules, seeds: seeds, sessions: map[wallet.Ref]*session{}, budgets: map[wallet.Hash]budget{}}
}

// Unrevealed counts the game steps from a sequence on whose seed is sealed.
func (p *Replayer) Unrevealed(from uint64) uint64 {
	var n uint64
	for _, s := range p.sessions {
		for _, seq := range s.steps {
			if !s.revealed && seq >= from {
				n++
			}
		}
	}
	return n
}

// Next takes the next record. For a game step it returns how to check it: a
// function that gives the difference found, "" for none.
func (p *Replayer) Next(seq uint64, input, result []byte) (func(context.Context) string, error) {
	op, err := wallet.DecodeOp(input)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", seq, err)
	}
	res, err := wallet.DecodeResult(result)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", seq, err)
	}
	switch o := op.(type) {
	case *wallet.OpenSession:
		p.sessions[wallet.Ref{Wallet: o.Wallet, Number: o.Session}] = &session{
			clientSeed: o.ClientSeed, sealed: o.Sealed, keyID: o.KeyID, algorithm: o.Algorithm, epoch: o.Epoch,
		}
	case *wallet.CloseSession:
		if s := p.sessions[wallet.Ref{Wallet: o.Wallet, Number: o.Session}]; s != nil {
			s.revealed = true
		}
	case *wallet.Resolve:
		if s := p.sessions[wallet.Ref{Wallet: o.Wallet, Number: res.Session}]; s != nil && res.Resolved {
			s.round = nil
		}
	case *wallet.Release:
		p.budgets[o.Live.Digest] = budget{o.Live.MeterVersion, o.Live.FuelPerStep}
		if o.Canary != nil {
			p.budgets[o.Canary.Digest] = budget{o.Canary.MeterVersion, o.Canary.FuelPerStep}
		}
	case *wallet.Play:
		return p.step(seq, o.PlayRequest, o.Basis, op, o)
	case *wallet.Incident:
		return p.step(seq, o.PlayRequest, o.Basis, op, nil)
	}
	return nil, nil
}

// step prepares the check of one game step and moves the round on.
func (p *Replayer) step(seq uint64, req wallet.PlayRequest, basis wallet.Basis, recorded wallet.Op, play *wallet.Play) (func(context.Context) string, error) {
	ref := wallet.Ref{Wallet: req.Wallet, Number: req.Session}
	s := p.sessions[ref]
	if s == nil {
		return nil, fmt.Errorf("record %d: step of session %s, which was never opened", seq, ref)
	}
	s.steps = append(s.steps, seq)
	r := s.round
	if r == nil {
		r = &round{stake: req.StakeMinor}
		if m := p.modules.Game(basis.Digest); m != nil {
			for _, mode := range m.Manifest().Modes {
				if mode.Name == req.Mode {
					r.mode = wallet.Mode{ID: mode.ID, Name: mode.Name}
				}
			}
		}
	}
	ev := wallet.Evaluation{
		Basis: basis, ModeID: r.mode.ID, StakeMinor: r.stake, WonMinor: r.won, State: r.state, ClientSeed: s.clientSeed,
		Sealed: s.sealed, KeyID: s.keyID, Algorithm: s.algorithm, SessionRef: ref,
		MeterVersion: p.budgets[basis.Digest].meter, FuelPerStep: p.budgets[basis.Digest].fuel,
	}
	if play != nil {
		s.round = nil
		if !play.Closed {
			s.round = &round{mode: r.mode, stake: r.stake, won: r.won + play.WinMinor, state: play.State}
		}
	}
	return func(ctx context.Context) string { return p.check(ctx, s.epoch, req, ev, recorded) }, nil
}

// check evaluates a step again and compares everything the module decided.
func (p *Replayer) check(ctx context.Context, epoch uint32, req wallet.PlayRequest, ev wallet.Evaluation, recorded wallet.Op) string {
	if wallet.StateHash(ev.State) != ev.StateHash {
		return "the recorded state of the round is not the one the step was evaluated on"
	}
	seed, err := p.seeds.Open(ev.Sealed, ev.KeyID, req.Wallet, req.Session, epoch)
	if err != nil {
		return "the session's seed does not open: " + err.Error()
	}
	var meta wallet.Meta
	switch o := recorded.(type) {
	case *wallet.Play:
		meta = o.Meta
	case *wallet.Incident:
		meta = o.Meta
	}
	again, err := rounds.Evaluate(ctx, p.modules, gamelogic.Game.Replay, meta, req, ev, seed)
	if err != nil {
		return "the step does not evaluate again: " + err.Error()
	}
	if !bytes.Equal(wallet.EncodeOp(again), wallet.EncodeOp(recorded)) {
		return difference(recorded, again)
	}
	return ""
}

// difference names the first thing that came out otherwise.
func difference(recorded, again wallet.Op) string {
	a, okA := recorded.(*wallet.Play)
	b, okB := again.(*wallet.Play)
	switch {
	case !okA || !okB:
		return fmt.Sprintf("recorded as %s, evaluates to %s", recorded.Kind(), again.Kind())
	case a.DrawsDigest != b.DrawsDigest || a.Draws != b.Draws:
		return "the draws differ"
	case a.WinMinor != b.WinMinor:
		return fmt.Sprintf("the win is %d, recorded %d", b.WinMinor, a.WinMinor)
	case !bytes.Equal(a.State, b.State) || a.Closed != b.Closed || a.NextActions != b.NextActions:
		return "the round's state differs"
	}
	return "the presentation differs"
}
