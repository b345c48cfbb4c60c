package studio

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/edgereel/edgereel/gamelogic"
)

// ErrFlag is a flag of try that asks nothing that has an answer.
var ErrFlag = errors.New("bad flag")

// domainTry keeps the draws of a trial apart from any others.
const domainTry = "edgereel/try/1"

// trying is a module being tried. One goroutine.
type trying struct {
	x          *tried
	m          gamelogic.Game
	mode       string
	stakeMinor int64
	log        *drawLog
}

// drawLog keeps the draws of one round, step by step, over changes of the
// module: another module has another stream of draws.
type drawLog struct {
	round uint64
	steps [][]uint32
}

// played is one step that was played.
type played struct {
	step int
	st   gamelogic.Step
	out  gamelogic.Outcome
	err  error
}

// stream gives a round's draws: a function of module, seed and number alone.
func (g *trying) stream(round uint64) *gamelogic.Stream {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", domainTry, g.x.Seed))
	return gamelogic.NewStream(seed, g.m.Digest(), round)
}

// round plays a round and tells each of its steps. A step that fails is told
// too, with what is known of it.
func (g *trying) round(ctx context.Context, round uint64, decide decider, tell func(played) error) error {
	stream := g.stream(round)
	st := gamelogic.Step{Mode: g.mode, Action: g.m.Manifest().Actions[0].Name, StakeMinor: g.stakeMinor}
	for step := 1; ; step++ {
		out, err := g.step(ctx, &st, stream, round, step)
		if err := errors.Join(err, tell(played{step, st, out, err})); err != nil {
			return fmt.Errorf("round %d, step %d: %w", round, step, err)
		}
		if out.Closed {
			return nil
		}
		if step == gamelogic.MaxRoundSteps {
			return fmt.Errorf("round %d does not close within %d steps", round, step)
		}
		st.WonMinor += out.WinMinor
		st.State = out.State
		if st.Action, st.Choice, err = decide(ctx, st, out.NextActions); err != nil {
			return fmt.Errorf("round %d, after step %d: %w", round, step, err)
		}
	}
}

// step plays with the draws the log has for it, as long as they fit, else with
// those of the stream.
func (g *trying) step(ctx context.Context, st *gamelogic.Step, stream *gamelogic.Stream, round uint64, step int) (gamelogic.Outcome, error) {
	if g.log != nil && g.log.round == round && step <= len(g.log.steps) {
		values := g.log.steps[step-1]
		st.Draws = gamelogic.NewScriptedDraws(values)
		out, err := g.m.Play(ctx, *st)
		if len(st.Draws.Log()) == len(values) && err == nil {
			stream.Step() // so that a later step has the draws it would have had
			return out, nil
		}
		g.log.steps = g.log.steps[:step-1] // it draws otherwise now
	}
	st.Draws = stream.Step()
	out, err := g.m.Play(ctx, *st)
	if g.log != nil && err == nil && step == len(g.log.steps)+1 && (g.log.round == round || step == 1) {
		g.log.round = round
		var values []uint32
		for _, d := range st.Draws.Log() {
			values = append(values, d.Value)
		}
		g.log.steps = append(g.log.steps, values)
	}
	return out, err
}

// decider says what to do in an open round.
type decider func(ctx context.Context, st gamelogic.Step, offered []string) (action string, choice uint32, err error)

// declared takes what --choice says, else what the module's strategy does.
func (g *trying) declared(ctx context.Context, st gamelogic.Step, offered []string) (string, uint32, error) {
	for _, name := range offered {
		if choice, ok := g.x.choices[name]; ok {
			return name, choice, nil
		}
	}
	if m, ok := g.m.(*gamelogic.Module); ok {
		return m.Advise(ctx, st, offered)
	}
	return offered[0], 0, nil // such games offer no choice
}

// find plays silently until a round is as asked for.
func (g *trying) find(ctx context.Context, first, many uint64) (uint64, error) {
	for round := first; round < first+many; round++ {
		won, steps, shown := int64(0), 0, false
		err := g.quiet().round(ctx, round, g.declared, func(p played) error {
			won += p.out.WinMinor
			steps = p.step
			shown = shown || g.x.until.shown(p.out.Presentation)
			return ctx.Err()
		})
		if err != nil {
			return 0, err
		}
		if shown || g.x.until.round(won, g.stakeMinor, steps) {
			return round, nil
		}
		g.x.p.tell(round-first+1, many)
	}
	g.x.p.end()
	g.x.p.say("none of %d rounds is like %q: ask for more with --rounds, or for others with --seed", many, g.x.Until)
	return 0, ErrNo
}

// quiet is the same without a log.
func (g *trying) quiet() *trying {
	q := *g
	q.log = nil
	return &q
}

// condition is what --until asks for; the zero value is no search.
type condition struct {
	win     bool
	atLeast *big.Rat // stakes
	steps   int
	feature string
}

func parseUntil(s string) (c condition, err error) {
	key, value, some := strings.Cut(s, "=")
	switch {
	case s == "":
	case s == "win":
		c.win = true
	case s == "feature":
		c.steps = 2
	case some && key == "x":
		var ok bool
		if c.atLeast, ok = new(big.Rat).SetString(value); !ok || len(value) > 20 || c.atLeast.Sign() <= 0 {
			return c, fmt.Errorf("%w: --until x=N needs a number above 0, not %q", ErrFlag, value)
		}
	case some && key == "step":
		if c.steps, err = strconv.Atoi(value); err != nil || c.steps < 1 {
			return c, fmt.Errorf("%w: --until step=K needs a whole number above 0, not %q", ErrFlag, value)
		}
	case some:
		return c, fmt.Errorf("%w: --until knows win, x=N, step=K and names of features, not %q", ErrFlag, s)
	default:
		c.feature = featureName(s)
	}
	return c, nil
}

func (c condition) search() bool { return c.win || c.atLeast != nil || c.steps > 0 || c.feature != "" }

func (c condition) round(wonMinor, stakeMinor int64, steps int) bool {
	switch {
	case c.win:
		return wonMinor > 0
	case c.atLeast != nil:
		return big.NewRat(wonMinor, stakeMinor).Cmp(c.atLeast) >= 0
	case c.steps > 0:
		return steps >= c.steps
	}
	return false
}

// shown tells whether a presentation shows the feature.
func (c condition) shown(presentation []byte) bool {
	if c.feature == "" {
		return false
	}
	fields, ok := fieldsOf(presentation)
	if !ok {
		return strings.Contains(featureName(string(presentation)), c.feature)
	}
	return slices.ContainsFunc(fields, func(f field) bool {
		if f.name == "feature" && slices.Contains(strings.Split(featureName(f.text()), " "), c.feature) {
			return true
		}
		return strings.HasPrefix(featureName(f.name), c.feature) && !f.nothing()
	})
}

func featureName(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
