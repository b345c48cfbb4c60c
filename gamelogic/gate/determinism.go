package gate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/edgereel/edgereel/gamelogic"
)

const (
	domainCorpus = "edgereel/gate-corpus/1"
	domainFuzz   = "edgereel/gate-fuzz/1"
)

// streamSeed is the seed of one kind of stream of the gate.
func streamSeed(seed uint64, domain string) [32]byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(domain)))
	b = append(b, domain...)
	return sha256.Sum256(binary.BigEndian.AppendUint64(b, seed))
}

// effort is how many steps are played in each way. Guests with a runtime of
// their own are slow to build and to interpret.
type effort struct{ corpus, fresh, interpreted, fuzzed int }

func (c *checker) effort() effort {
	if c.m == nil || c.m.Profile() == gamelogic.ProfilePure {
		return effort{corpus: 4000, fresh: 1000, interpreted: 1000, fuzzed: 20_000}
	}
	return effort{corpus: 1000, fresh: 100, interpreted: 60, fuzzed: 2000}
}

// determinism plays the same steps in different places, where nothing but the
// step's own input can be the same.
func (c *checker) determinism(ctx context.Context) error {
	e := c.effort()
	var err error
	if c.corpus, err = c.collect(ctx, e.corpus); err != nil {
		return err
	}
	if len(c.corpus) == 0 {
		c.skip(StageDeterminism, "fresh", "no step could be played")
		return nil
	}
	total := uint64(2*len(c.corpus) + e.fresh + e.interpreted)
	ways := []func(context.Context, effort, uint64, uint64) (uint64, error){c.fresh, c.interpreted, c.shuffled}
	if c.m == nil {
		total, ways = uint64(e.fresh), ways[:1]
		c.skip(StageDeterminism, "interpreter", "a table has no code")
		c.skip(StageDeterminism, "shuffled", "a table has no instance that could keep anything")
	}
	for _, part := range ways {
		if c.done, err = part(ctx, e, c.done, total); err != nil {
			return err
		}
	}
	c.tell(StageDeterminism, total, total)
	return nil
}

// fresh plays steps in instances built for each of them.
func (c *checker) fresh(ctx context.Context, e effort, done, total uint64) (uint64, error) {
	n := 0
	for i := 0; i < len(c.corpus) && n < e.fresh; i += max(1, len(c.corpus)/e.fresh) {
		s := c.corpus[i]
		out, err := c.game.Replay(ctx, s.again())
		if err := blame(ctx, err); err != nil {
			return done, err
		}
		n++
		done++
		if d := s.difference(out, err, true); d != "" {
			c.add(StageDeterminism, "fresh", s.step.Mode, Fail, nil, "hidden state: a step comes out otherwise in a fresh instance: %s (%s)", d, s.where())
			return done, nil
		}
		c.tell(StageDeterminism, done, total)
	}
	c.add(StageDeterminism, "fresh", "", Pass, nil, "%d steps come out the same in fresh instances as in pooled ones", n)
	return done, nil
}

// interpreted plays steps on the engine that does not compile.
func (c *checker) interpreted(ctx context.Context, e effort, done, total uint64) (_ uint64, err error) {
	cfg := c.hostConfig()
	cfg.Interpreter, cfg.CompileCacheDir = true, ""
	host, err := gamelogic.NewHost(ctx, cfg)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	m, err := host.Load(ctx, c.cfg.Wasm)
	if err != nil {
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		c.add(StageDeterminism, "interpreter", "", Fail, nil, "the interpreter refuses what the compiler takes: %v", err)
		return done, nil
	}
	n := 0
	for i := 0; i < len(c.corpus) && n < e.interpreted; i += max(1, len(c.corpus)/e.interpreted) {
		s := c.corpus[i]
		out, err := m.Play(ctx, s.again())
		if err := blame(ctx, err); err != nil {
			return done, err
		}
		n++
		done++
		if d := s.difference(out, err, true); d != "" {
			c.add(StageDeterminism, "interpreter", s.step.Mode, Fail, nil, "the interpreter disagrees with the compiler: %s (%s)", d, s.where())
			return done, nil
		}
		c.tell(StageDeterminism, done, total)
	}
	c.add(StageDeterminism, "interpreter", "", Pass, nil, "%d steps come out the same interpreted and compiled", n)
	return done, nil
}

// shuffled plays the steps in another order, in one instance that is never
// restored: what a step leaves behind would show in another one.
func (c *checker) shuffled(ctx context.Context, _ effort, done, total uint64) (uint64, error) {
	sim, err := c.m.NewSimulator(ctx)
	if err != nil {
		return done, err
	}
	defer sim.Close()
	random := c.random(forShuffle)
	for pass := range 2 {
		for _, i := range random.Perm(len(c.corpus)) {
			s := c.corpus[i]
			out, err := sim.Play(s.again())
			if ctx.Err() != nil {
				return done, context.Cause(ctx)
			}
			done++
			if d := s.difference(out, err, false); d != "" {
				c.add(StageDeterminism, "shuffled", s.step.Mode, Fail, nil,
					"hidden state: a step comes out otherwise behind other steps: %s (%s, in pass %d)", d, s.where(), pass+1)
				return done, nil
			}
		}
		c.tell(StageDeterminism, done, total)
	}
	c.add(StageDeterminism, "shuffled", "", Pass, nil, "%d steps come out the same in two other orders, in an instance that is not restored", len(c.corpus))
	return done, nil
}

// adviceSteps are asked for the module's strategy twice.
const adviceSteps = 500

// advice asks for the declared strategy where a round stands open, in pooled
// instances and in one that is not restored: it has to be a function of the
// state, and something that can be done.
func (c *checker) advice(ctx context.Context) error {
	if c.m == nil || !c.m.Advises() {
		return nil
	}
	sim, err := c.m.NewSimulator(ctx)
	if err != nil {
		return err
	}
	defer sim.Close()
	n := 0
	for _, s := range c.corpus {
		if s.out.Closed || n == adviceSteps {
			continue
		}
		st := gamelogic.Step{Mode: s.step.Mode, StakeMinor: s.step.StakeMinor, State: s.out.State, WonMinor: s.step.WonMinor + s.out.WinMinor}
		action, choice, err := c.m.Advise(ctx, st, s.out.NextActions)
		if err := blame(ctx, err); err != nil {
			return err
		}
		if err != nil {
			c.add(StageDeterminism, "advice", st.Mode, Fail, nil, "the declared strategy has no answer that can be played in state %q: %v", fmt.Sprintf("%x", st.State), err)
			return nil
		}
		again, other, err := sim.Advise(st, s.out.NextActions)
		if err != nil || again != action || other != choice {
			c.add(StageDeterminism, "advice", st.Mode, Fail, nil, "hidden state: the declared strategy in state %q is %q, choice %d, and behind other questions %q, choice %d (%v)",
				fmt.Sprintf("%x", st.State), action, choice, again, other, err)
			return nil
		}
		n++
	}
	c.add(StageDeterminism, "advice", "", Pass, nil, "the declared strategy gives the same answer twice in %d open rounds", n)
	return nil
}
