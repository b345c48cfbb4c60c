// Package rounds turns what the ledger knows of a step into what a module is
// asked, and a module's answer into the operation the ledger applies.
//
// It promises that the same ledger state and request give the same operation on
// every node, whoever leads: the outcome is a function of the sealed seed, the
// player's seed, the module and the wallet's own counters (PROTOCOL 13). It
// keeps nothing and decides nothing about money.
package rounds

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/wallet"
)

// Modules finds a loaded game by digest; nil when this node lacks it.
type Modules interface {
	Game(digest [32]byte) gamelogic.Game
}

// Hosted finds the modules that a host has loaded.
type Hosted struct{ Host *gamelogic.Host }

// Game gives a loaded module, nil for any other digest.
func (h Hosted) Game(digest [32]byte) gamelogic.Game {
	if m := h.Host.Module(digest); m != nil {
		return m
	}
	return nil
}

// Why this node cannot evaluate a step now; another may.
var (
	ErrNoModule = errors.New("module is not loaded on this node")
	// ErrBudget: the shard holds the module to another meter or fuel than this
	// node would.
	ErrBudget = errors.New("this node would hold the module to another budget")
)

// Player evaluates a step: gamelogic.Game.Play for a player, Replay for a
// verifier.
type Player func(g gamelogic.Game, ctx context.Context, s gamelogic.Step) (gamelogic.Outcome, error)

// budgeted is a game whose steps pay for their work.
type budgeted interface {
	Budget() (meterVersion uint16, fuelPerStep uint64)
}

// checkBudget compares what the shard holds the round's steps to with what this
// node would. Builds from before version 2 of the ledger name nothing.
func checkBudget(game gamelogic.Game, ev *wallet.Evaluation) error {
	if ev.MeterVersion == 0 && ev.FuelPerStep == 0 {
		return nil
	}
	var meter uint16
	var fuel uint64
	if b, ok := game.(budgeted); ok {
		meter, fuel = b.Budget()
	}
	if meter != ev.MeterVersion || fuel != ev.FuelPerStep {
		return fmt.Errorf("meter %d with %d of fuel, the shard says meter %d with %d: %w", meter, fuel, ev.MeterVersion, ev.FuelPerStep, ErrBudget)
	}
	return nil
}

// Evaluate plays one step and returns the *wallet.Play or *wallet.Incident to
// propose. A *wallet.Refusal means that the module was not asked; any other
// error that this node cannot evaluate.
func Evaluate(ctx context.Context, modules Modules, play Player, meta wallet.Meta, req wallet.PlayRequest, ev wallet.Evaluation, seed [32]byte) (wallet.Op, error) {
	module := modules.Game(ev.Digest)
	if module == nil {
		return nil, fmt.Errorf("evaluate with module %s: %w", ev.Digest, ErrNoModule)
	}
	if err := checkBudget(module, &ev); err != nil {
		return nil, fmt.Errorf("evaluate with module %s: %w", ev.Digest, err)
	}
	step, err := stepOf(module, req, ev, seed)
	if err != nil {
		return nil, err
	}
	out, err := play(module, ctx, step)
	trap := (*gamelogic.TrapError)(nil)
	switch {
	case err == nil:
	case errors.As(err, &trap):
		return incident(meta, req, ev, string(trap.Kind), out), nil
	case errors.Is(err, gamelogic.ErrBadState):
		// The state is the module's own: refusing it would lock the player in.
		return incident(meta, req, ev, "bad_state", out), nil
	case errors.Is(err, gamelogic.ErrBadInput), errors.Is(err, gamelogic.ErrUnknownAction):
		return nil, refusal(wallet.CodeActionNotAllowed, err)
	case errors.Is(err, gamelogic.ErrBadStake):
		return nil, refusal(wallet.CodeBadStake, err)
	case errors.Is(err, gamelogic.ErrUnknownMode):
		return nil, refusal(wallet.CodeUnknownMode, err)
	default:
		return nil, fmt.Errorf("evaluate step %d of session %s: %w", req.Step, ev.SessionRef, err)
	}
	return &wallet.Play{
		Meta: meta, PlayRequest: req, Basis: ev.Basis,
		WinMinor: out.WinMinor, Closed: out.Closed, NextActions: maskOf(module, out.NextActions), State: out.State,
		DrawsDigest: out.DrawsDigest, Draws: uint32(out.DrawCount), Presentation: out.Presentation,
	}, nil
}

func stepOf(module gamelogic.Game, req wallet.PlayRequest, ev wallet.Evaluation, seed [32]byte) (gamelogic.Step, error) {
	draws, err := gamelogic.NewDraws(seed, gamelogic.DrawContext{
		Algorithm: gamelogic.Algorithm(ev.Algorithm), ClientSeed: []byte(ev.ClientSeed),
		Module: module.Digest(), RoundID: ev.Round, StepNonce: ev.Nonce,
	})
	if err != nil {
		return gamelogic.Step{}, fmt.Errorf("derive draws: %w", err)
	}
	step := gamelogic.Step{
		Choice: req.Choice, StakeMinor: ev.StakeMinor, WonMinor: ev.WonMinor, State: ev.State, Draws: draws,
	}
	for _, m := range module.Manifest().Modes {
		if m.ID == ev.ModeID {
			step.Mode = m.Name
		}
	}
	for i, a := range module.Manifest().Actions {
		// Action 0 opens a round with the action every round begins with.
		if a.ID == req.Action || i == 0 && req.Action == 0 && len(ev.State) == 0 {
			step.Action = a.Name
		}
	}
	if step.Action == "" {
		return gamelogic.Step{}, refusal(wallet.CodeActionNotAllowed, fmt.Errorf("the game has no action %d", req.Action))
	}
	return step, nil
}

func incident(meta wallet.Meta, req wallet.PlayRequest, ev wallet.Evaluation, trap string, out gamelogic.Outcome) *wallet.Incident {
	return &wallet.Incident{
		Meta: meta, PlayRequest: req, Basis: ev.Basis, Trap: trap, DrawsDigest: out.DrawsDigest, Draws: uint32(out.DrawCount),
	}
}

func maskOf(module gamelogic.Game, names []string) uint32 {
	var mask uint32
	for _, name := range names {
		for _, a := range module.Manifest().Actions {
			if a.Name == name {
				mask |= 1 << a.ID
			}
		}
	}
	return mask
}

func refusal(code wallet.Code, err error) *wallet.Refusal {
	return &wallet.Refusal{Effect: wallet.NotApplied, Code: code, Detail: err.Error()}
}

// Catalogue gives the catalogue entry of a loaded game, with the limits this
// cluster sets.
func Catalogue(module gamelogic.Game, maxStakeMinor int64) *wallet.Catalogue {
	m := module.Manifest()
	c := &wallet.Catalogue{Game: m.ID, Version: m.Release, Digest: module.Digest(), Enabled: true, Modes: Modes(m)}
	c.MinStakeMinor, c.MaxStakeMinor = StakeLimits(m, maxStakeMinor)
	return c
}

// Build gives the build of a loaded game, as a release names it.
func Build(module gamelogic.Game) wallet.Build {
	m := module.Manifest()
	b := wallet.Build{Version: m.Release, Digest: module.Digest(), Modes: Modes(m)}
	if metered, ok := module.(budgeted); ok {
		b.MeterVersion, b.FuelPerStep = metered.Budget()
	}
	return b
}

// Modes gives a manifest's modes in the ledger's form.
func Modes(m *gamelogic.Manifest) []wallet.Mode {
	var modes []wallet.Mode
	for _, mode := range m.Modes {
		modes = append(modes, wallet.Mode{
			ID: mode.ID, Name: mode.Name, CostX100: uint32(mode.CostX100), MaxWinX: uint64(mode.MaxWinX),
		})
	}
	return modes
}

// StakeLimits gives a game's least and greatest stake in minor units, where the
// cluster allows up to maxStakeMinor.
func StakeLimits(m *gamelogic.Manifest, maxStakeMinor int64) (minMinor, maxMinor int64) {
	return m.StakeMultipleMinor, max(maxStakeMinor, m.StakeMultipleMinor)
}
