package proof

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/edgereel/edgereel/gamelogic"
)

// closed is the successor of a step that ends the round.
const closed = -1

// surveySteps is how many steps are played before a walk.
const surveySteps = 50_000

// position is what a round can stand at: its state and the actions offered,
// each with all its choices.
type position struct {
	state   []byte
	offered []string
	actions []*action
	// declared is the index of what the studio's strategy does here.
	declared int
}

// action is one thing to do at a position, and what comes of it.
type action struct {
	position int
	name     string
	choice   uint32
	refused  bool   // the module does not take this choice here
	probe    uint64 // leaves, if every branch is as wide as the first
	first    uint32 // bound of the first draw, 1 where there is none
	leaves   uint64 // 0: not walked yet
	edges    []edge // in no particular order
}

// edge is all leaves with the same consequence and probability.
type edge struct {
	to     int // position or closed
	win    int64
	weight *big.Rat // of all of them together
}

// outcome is an edge's key while leaves are counted. One leaf weighs one over
// the product of its bounds, which is hi·2⁶⁴ + lo.
type outcome struct {
	to     int
	win    int64
	hi, lo uint64
}

// walk owns the graph. Workers touch only what they are handed and ask for
// positions under mu.
type walk struct {
	m   *gamelogic.Module
	cfg ExactConfig

	mu        sync.Mutex // guards what follows; held for map reads and writes only
	index     map[string]int
	positions []*position
	fresh     []*action // not walked yet
	done      uint64    // leaves walked
}

func newWalk(m *gamelogic.Module, cfg ExactConfig) *walk {
	w := &walk{m: m, cfg: cfg, index: map[string]int{}}
	w.stand(nil, []string{m.Manifest().Actions[0].Name})
	return w
}

// stand finds or adds a position. The same state with other actions offered
// is another position.
func (w *walk) stand(state []byte, actions []string) int {
	key := strings.Join(actions, ",") + "\x00" + string(state)
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, ok := w.index[key]; ok {
		return at
	}
	at := len(w.positions)
	p := &position{state: slices.Clone(state), offered: actions}
	for _, name := range actions {
		for choice := range choices(w.m, name) {
			a := &action{position: at, name: name, choice: choice}
			p.actions = append(p.actions, a)
			w.fresh = append(w.fresh, a)
		}
	}
	w.index[key] = at
	w.positions = append(w.positions, p)
	return at
}

// choices is how many choices an action has, at least one.
func choices(m *gamelogic.Module, action string) uint32 {
	a, _ := m.Manifest().Action(action)
	return max(1, a.Choices)
}

// size counts walked actions by their leaves and others by their probe.
func (w *walk) size() Size {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Size{States: uint64(len(w.positions))}
	for _, p := range w.positions {
		for _, a := range p.actions {
			if a.leaves > 0 {
				s.Leaves = saturate(s.Leaves, a.leaves)
			} else {
				s.Leaves = saturate(s.Leaves, a.probe)
			}
		}
	}
	return s
}

func saturate(a, b uint64) uint64 {
	if a+b < a {
		return 1<<64 - 1
	}
	return a + b
}

// survey plays some rounds to meet positions before the walk and probes what
// they offer.
func (w *walk) survey(ctx context.Context) (Size, error) {
	sim, err := w.m.NewSimulator(ctx)
	if err != nil {
		return Size{}, err
	}
	defer sim.Close()
	stream := gamelogic.NewStream(simulationSeed(0), w.m.Digest(), 0)
	for steps := 0; steps < surveySteps; {
		st := gamelogic.Step{Mode: w.cfg.Mode, Action: w.m.Manifest().Actions[0].Name, StakeMinor: w.cfg.StakeMinor}
		for range gamelogic.MaxRoundSteps {
			st.Draws = stream.Step()
			out, err := sim.Play(st)
			steps++
			if refusedChoice(w.m, st, err) {
				break // the walk will see it again
			}
			if err != nil {
				return w.size(), fmt.Errorf("survey: %w", err)
			}
			if out.Closed {
				break
			}
			w.stand(out.State, out.NextActions)
			st.State, st.WonMinor = out.State, st.WonMinor+out.WinMinor
			st.Action = out.NextActions[steps%len(out.NextActions)]
			st.Choice = uint32(steps) % choices(w.m, st.Action)
		}
		if err := ctx.Err(); err != nil {
			return w.size(), err
		}
	}
	probe := w.newWalker(sim)
	for _, a := range w.fresh {
		if err := probe.probe(a); err != nil {
			return w.size(), err
		}
		if known := w.size(); w.tooLarge(known) != nil {
			return known, nil // the walk will say so
		}
	}
	return w.size(), nil
}

// all walks actions until none is left that was not.
func (w *walk) all(ctx context.Context) error {
	workers := make([]*walker, w.cfg.Workers)
	for i := range workers {
		sim, err := w.m.NewSimulator(ctx)
		if err != nil {
			return err
		}
		defer sim.Close()
		workers[i] = w.newWalker(sim)
	}
	for {
		w.mu.Lock()
		batch := w.fresh
		w.fresh = nil
		w.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		for _, a := range batch {
			if err := workers[0].probe(a); err != nil {
				return err
			}
		}
		if err := w.tooLarge(w.size()); err != nil {
			return err
		}
		for _, a := range batch {
			if a.refused {
				continue
			}
			if err := w.action(ctx, workers, a); err != nil {
				return fmt.Errorf("walk action %q, choice %d, in state %x: %w", a.name, a.choice, w.positions[a.position].state, err)
			}
		}
	}
}

// settle drops the choices that the module does not take and asks for the
// studio's strategy in every position, once all are known.
func (w *walk) settle(ctx context.Context) error {
	sim, err := w.m.NewSimulator(ctx)
	if err != nil {
		return err
	}
	defer sim.Close()
	for at, p := range w.positions {
		p.actions = slices.DeleteFunc(p.actions, func(a *action) bool { return a.refused })
		if len(p.actions) == 0 {
			return fmt.Errorf("%w: the module takes none of the actions %q that it offers in state %x", ErrEndless, p.offered, p.state)
		}
		if at == 0 {
			continue // nothing is asked at the opening
		}
		st := gamelogic.Step{Mode: w.cfg.Mode, StakeMinor: w.cfg.StakeMinor, State: p.state}
		name, choice, err := sim.Advise(st, p.offered)
		if err != nil {
			return fmt.Errorf("ask for the strategy in state %x: %w", p.state, err)
		}
		p.declared = slices.IndexFunc(p.actions, func(a *action) bool { return a.name == name && a.choice == choice })
		if p.declared < 0 {
			return fmt.Errorf("%w: the strategy takes action %q, choice %d, in state %x, and the module refuses it", ErrEndless, name, choice, p.state)
		}
	}
	return nil
}

// refusedChoice tells a choice that an action does not have in this state from
// a fault. Only an action that picks something may refuse what it offers.
func refusedChoice(m *gamelogic.Module, st gamelogic.Step, err error) bool {
	return errors.Is(err, gamelogic.ErrBadInput) && choices(m, st.Action) > 1
}

// action walks one action with all workers: each takes the parts of the tree
// that begin with a value of the first draw.
func (w *walk) action(ctx context.Context, workers []*walker, a *action) error {
	var next atomic.Uint32
	errs := make([]error, len(workers))
	reports := make(chan Size)
	var group sync.WaitGroup
	state := w.positions[a.position].state
	for i, x := range workers {
		x.counts, x.last, x.run, x.reports = map[outcome]uint64{}, outcome{}, 0, reports
		group.Go(func() {
			for {
				v := next.Add(1) - 1
				if v >= a.first || errs[i] != nil {
					return
				}
				errs[i] = x.part(ctx, a, state, v)
			}
		})
	}
	go func() {
		defer close(reports)
		group.Wait()
	}()
	most := uint64(0) // reports of two workers may come in the wrong order
	for r := range reports {
		if most = max(most, r.Leaves); w.cfg.Progress != nil {
			w.cfg.Progress(most, max(most, w.size().Leaves))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	total := map[outcome]uint64{}
	for _, x := range workers {
		x.flush()
		for k, n := range x.counts {
			total[k] += n
		}
	}
	whole := new(big.Rat)
	for k, n := range total {
		e := edge{k.to, k.win, new(big.Rat).SetFrac(new(big.Int).SetUint64(n), sum{k.hi, k.lo}.int())}
		whole.Add(whole, e.weight)
		a.leaves += n
		a.edges = append(a.edges, e)
	}
	// Leaves of a whole tree weigh one together, if the bounds of draws depend
	// on nothing but the draws before them.
	if whole.Cmp(big.NewRat(1, 1)) != 0 {
		return fmt.Errorf("%w: its leaves weigh %s together", ErrHiddenState, whole.FloatString(9))
	}
	return nil
}
