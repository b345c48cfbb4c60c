package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/proof"
)

// stakeMinor is what every step here is played at.
const stakeMinor = 20

// runner plays steps: a module's simulator, or the twin.
type runner interface {
	PlayInto(s *gamelogic.Step, out *gamelogic.Outcome) error
	Advise(s gamelogic.Step, offered []string) (action string, choice uint32, err error)
}

// steps plays so many steps of whole rounds, with the draws of a simulation and
// the declared strategy.
func steps(r runner, draws *gamelogic.Stream) func(n int) error {
	opening := gamelogic.Step{Mode: modeBase, Action: actionSpin, StakeMinor: stakeMinor}
	step, out := opening, gamelogic.Outcome{}
	return func(n int) (err error) {
		for range n {
			step.Draws = draws.Step()
			if err := r.PlayInto(&step, &out); err != nil {
				return err
			}
			if out.Closed {
				step = opening
				continue
			}
			step.WonMinor, step.State = step.WonMinor+out.WinMinor, out.State
			if step.Action, step.Choice, err = r.Advise(step, out.NextActions); err != nil {
				return err
			}
		}
		return nil
	}
}

// money plays opening steps the way the money path does: draws keyed for the
// step, a pooled instance, its restore, the digest of the draws.
func money(ctx context.Context, m *gamelogic.Module) func(n int) error {
	round := uint64(0)
	return func(n int) error {
		for range n {
			round++
			draws, err := gamelogic.NewDraws([32]byte{1}, gamelogic.DrawContext{
				Algorithm: gamelogic.AlgorithmHMACChaCha20, ClientSeed: []byte("bench"), Module: m.Digest(), RoundID: round, StepNonce: round,
			})
			if err != nil {
				return err
			}
			if _, err := m.Play(ctx, gamelogic.Step{Mode: modeBase, Action: actionSpin, StakeMinor: stakeMinor, Draws: draws}); err != nil {
				return err
			}
		}
		return nil
	}
}

// instances builds instances and frees them.
func instances(ctx context.Context, m *gamelogic.Module) func(n int) error {
	return func(n int) error {
		for range n {
			sim, err := m.NewSimulator(ctx)
			if err != nil {
				return err
			}
			sim.Close()
		}
		return nil
	}
}

// kills plays a step that never ends by itself.
func kills(ctx context.Context, m *gamelogic.Module) func(n int) error {
	return func(n int) error {
		for range n {
			_, err := m.Play(ctx, gamelogic.Step{Mode: modeBase, Action: actionSpin, StakeMinor: 1, Draws: gamelogic.NewScriptedDraws(nil)})
			var trap *gamelogic.TrapError
			if !errors.As(err, &trap) || trap.Kind != gamelogic.KindExhausted {
				return fmt.Errorf("a loop without end: %w", err)
			}
		}
		return nil
	}
}

// simulated plays rounds as `studio simulate` does, on one core.
func simulated(ctx context.Context, m *gamelogic.Module) func(n int) error {
	seed := uint64(0)
	return func(n int) error {
		seed++
		_, err := proof.Simulate(ctx, m, proof.SimulateConfig{Mode: modeBase, StakeMinor: stakeMinor, Rounds: uint64(n), Seed: seed, Workers: 1})
		return err
	}
}

// loading loads a module on a host of its own; dir is a cache of compiled code,
// empty for none.
func loading(ctx context.Context, label string, wasm []byte, dir string) *side {
	var host *gamelogic.Host
	return &side{
		name: label, fixed: 1,
		before: func() (err error) {
			host, err = gamelogic.NewHost(ctx, gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}, CompileCacheDir: dir})
			return err
		},
		run: func(int) error {
			_, err := host.Load(ctx, wasm)
			return err
		},
		after: func() error { return host.Close() },
	}
}

// shelf keeps what a run has opened.
type shelf struct {
	ctx   context.Context
	hosts []*gamelogic.Host
	sims  []*gamelogic.Simulator
	bares []*bare
	dir   string // of compiled code
}

func (s *shelf) load(wasm []byte) (*gamelogic.Module, error) {
	host, err := gamelogic.NewHost(s.ctx, gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
	if err != nil {
		return nil, err
	}
	s.hosts = append(s.hosts, host)
	return host.Load(s.ctx, wasm)
}

func (s *shelf) simulator(m *gamelogic.Module) (*gamelogic.Simulator, error) {
	sim, err := m.NewSimulator(s.ctx)
	if err == nil {
		s.sims = append(s.sims, sim)
	}
	return sim, err
}

func (s *shelf) bare(wasm []byte) (*bare, error) {
	b, err := newBare(s.ctx, wasm, stakeMinor)
	if err == nil {
		s.bares = append(s.bares, b)
	}
	return b, err
}

func (s *shelf) close() error {
	var err error
	for _, sim := range s.sims {
		sim.Close()
	}
	for _, b := range s.bares {
		err = errors.Join(err, b.runtime.Close(context.WithoutCancel(s.ctx)))
	}
	for _, h := range s.hosts {
		err = errors.Join(err, h.Close())
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
