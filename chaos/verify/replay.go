package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/wallet"
)

// evaluator replays game steps here, from nothing but the journal: once a
// session is closed its seed is public, and no node has to be believed. It
// knows the reference games; steps of other modules are left to the nodes. It
// belongs to one goroutine.
type evaluator struct {
	host     *gamelogic.Host
	modules  map[wallet.Hash]*gamelogic.Module
	sessions map[wallet.Ref]*sitting
	// fault is told of a step that came out otherwise.
	fault func(seq uint64, detail string)
	// from is the first sequence that is evaluated; done counts the steps.
	from uint64
	done int
}

// sitting is a session whose seed may be revealed later.
type sitting struct {
	opened *wallet.OpenSession
	steps  []recorded
}

// recorded is one step as the journal holds it.
type recorded struct {
	seq uint64
	op  wallet.Op
}

// newEvaluator compiles the reference games.
func newEvaluator(ctx context.Context) (*evaluator, error) {
	all := games.All()
	cfg := gamelogic.HostConfig{}
	for _, game := range all {
		cfg.Allow = append(cfg.Allow, sha256.Sum256(game.Wasm))
	}
	host, err := gamelogic.NewHost(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare to replay: %w", err)
	}
	e := &evaluator{host: host, modules: map[wallet.Hash]*gamelogic.Module{}, sessions: map[wallet.Ref]*sitting{}}
	for _, game := range all {
		module, err := host.Load(ctx, game.Wasm)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("prepare to replay %s: %w", game.ID, err), host.Close())
		}
		e.modules[module.Digest()] = module
	}
	return e, nil
}

func (e *evaluator) close() error { return e.host.Close() }

// next takes the next record of a shard's journal.
func (e *evaluator) next(ctx context.Context, seq uint64, input []byte) error {
	op, err := wallet.DecodeOp(input)
	if err != nil {
		return err
	}
	switch o := op.(type) {
	case *wallet.OpenSession:
		e.sessions[wallet.Ref{Wallet: o.Wallet, Number: o.Session}] = &sitting{opened: o}
	case *wallet.Play:
		e.keep(wallet.Ref{Wallet: o.Wallet, Number: o.Session}, seq, op)
	case *wallet.Incident:
		e.keep(wallet.Ref{Wallet: o.Wallet, Number: o.Session}, seq, op)
	case *wallet.CloseSession:
		ref := wallet.Ref{Wallet: o.Wallet, Number: o.Session}
		session := e.sessions[ref]
		delete(e.sessions, ref)
		if session != nil {
			e.replay(ctx, session, o.Seed, seq)
		}
	}
	return ctx.Err()
}

func (e *evaluator) keep(ref wallet.Ref, seq uint64, op wallet.Op) {
	if session := e.sessions[ref]; session != nil {
		session.steps = append(session.steps, recorded{seq, op})
	}
}

// replay evaluates all steps of a session whose seed is revealed.
func (e *evaluator) replay(ctx context.Context, s *sitting, seed [32]byte, seq uint64) {
	if wallet.SeedCommitment(seed) != s.opened.Commitment {
		e.fault(seq, "the revealed seed is not the one the session committed to")
		return
	}
	round := gamelogic.Step{}
	for _, step := range s.steps {
		switch op := step.op.(type) {
		case *wallet.Play:
			if len(round.State) == 0 {
				round = gamelogic.Step{Mode: op.Mode, StakeMinor: op.StakeMinor}
			}
			e.step(ctx, s, step.seq, round, op.PlayRequest, op.Basis, seed, func(out gamelogic.Outcome, err error) string { return compare(op, out, err) })
			round.State, round.WonMinor = op.State, round.WonMinor+op.WinMinor
		case *wallet.Incident:
			if len(round.State) == 0 {
				round = gamelogic.Step{Mode: op.Mode, StakeMinor: op.StakeMinor}
			}
			e.step(ctx, s, step.seq, round, op.PlayRequest, op.Basis, seed, func(out gamelogic.Outcome, err error) string {
				var trap *gamelogic.TrapError
				if !errors.As(err, &trap) || string(trap.Kind) != op.Trap || out.DrawsDigest != op.DrawsDigest {
					return fmt.Sprintf("recorded as the incident %s, evaluates to %v", op.Trap, err)
				}
				return ""
			})
			if len(round.State) > 0 {
				return // frozen: how it was resolved is not the module's doing
			}
		}
	}
}

// step evaluates one step and has judge look at what came out.
func (e *evaluator) step(ctx context.Context, s *sitting, seq uint64, round gamelogic.Step, req wallet.PlayRequest, basis wallet.Basis,
	seed [32]byte, judge func(gamelogic.Outcome, error) string,
) {
	module := e.modules[basis.Digest]
	if module == nil || seq < e.from {
		return
	}
	if s.opened.Algorithm > math.MaxUint16 {
		e.fault(seq, fmt.Sprintf("the draws are of the unknown algorithm %d", s.opened.Algorithm))
		return
	}
	draws, err := gamelogic.NewDraws(seed, gamelogic.DrawContext{
		Algorithm: gamelogic.Algorithm(s.opened.Algorithm), ClientSeed: []byte(s.opened.ClientSeed),
		Module: basis.Digest, RoundID: basis.Round, StepNonce: basis.Nonce,
	})
	if err != nil {
		e.fault(seq, err.Error())
		return
	}
	round.Draws, round.Choice = draws, req.Choice
	for i, action := range module.Manifest().Actions {
		// Action 0 opens a round with the action every round begins with.
		if action.ID == req.Action || i == 0 && req.Action == 0 && len(round.State) == 0 {
			round.Action = action.Name
		}
	}
	e.done++
	if detail := judge(module.Play(ctx, round)); detail != "" {
		e.fault(seq, detail)
	}
}

// compare names the first thing that came out otherwise.
func compare(op *wallet.Play, out gamelogic.Outcome, err error) string {
	switch {
	case err != nil:
		return "the step does not evaluate again: " + err.Error()
	case out.DrawsDigest != op.DrawsDigest:
		return "the draws differ"
	case out.WinMinor != op.WinMinor:
		return fmt.Sprintf("the win is %d, recorded %d", out.WinMinor, op.WinMinor)
	case out.Closed != op.Closed || !bytes.Equal(out.State, op.State):
		return "the round's state differs"
	case !bytes.Equal(out.Presentation, op.Presentation):
		return "the presentation differs"
	}
	return ""
}
