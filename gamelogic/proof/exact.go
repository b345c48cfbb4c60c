package proof

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"runtime"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// Limits of Exact when the configuration names none.
const (
	DefaultMaxLeaves = 4_000_000_000
	DefaultMaxStates = 100_000
)

// ExactConfig says what to walk.
type ExactConfig struct {
	Mode       string
	StakeMinor int64
	// MaxLeaves and MaxStates end a walk that would take too long; 0 means the default.
	MaxLeaves, MaxStates uint64
	// Opening asks for the first step of a mode that is too large as a whole.
	Opening bool
	// MaxTerms bounds the distribution of a round's win, which is left out when
	// it would take more; 0 means DefaultMaxTerms.
	MaxTerms uint64
	// Workers walk at the same time; 0 means GOMAXPROCS.
	Workers int
	// Survey is told once, before the walk, how large the tree is at least.
	Survey func(Size)
	// Progress is told leaves walked and leaves known so far, one call at a time.
	Progress func(done, known uint64)
}

// Size is how much of a tree is known.
type Size struct {
	States uint64 // what a round can stand at, the opening included
	Leaves uint64 // sequences of draws of one step, over all states and actions
}

// ExactResult is what a mode pays, as fractions. Beside ErrTooLarge only the
// module, States and Leaves are set, as lower bounds.
type ExactResult struct {
	ModuleDigest [32]byte
	Countable    bool // the whole tree was walked
	Size
	// RTP and the rest are those of the studio's declared strategy
	// (gamelogic.Module.Advise): without one, of the first action offered and
	// its choice 0.
	RTP, HitFrequency, Variance *big.Rat
	// MaxWinX is nil when a cycle of states pays, so that nothing but the
	// manifest's maximum ends it.
	MaxWinX *big.Rat
	// MaxWinAnyX is the same for whatever a player may choose.
	MaxWinAnyX *big.Rat
	// Wins is the distribution of a whole round's win, ascending, 0 included
	// where it has a share. Nil when WhyNoWins says why.
	Wins      []Win
	WhyNoWins string
	// Opening is what can be counted of a mode that is too large: its first
	// step. Nil when all was counted, or when that step is too large by itself.
	Opening *Opening
	// RTPOptimal and RTPWorst are set where a player has a choice.
	RTPOptimal, RTPWorst *big.Rat
}

// Exact walks every sequence of draws of every state of a mode, for every
// action offered there and every choice of it that the module takes. A table
// is no tree: its weights are summed up.
func Exact(ctx context.Context, g gamelogic.Game, cfg ExactConfig) (ExactResult, error) {
	res := ExactResult{ModuleDigest: g.Digest()}
	cost, err := checkMode(g, cfg.Mode, cfg.StakeMinor)
	if err != nil {
		return res, err
	}
	if t, ok := g.(*table.Game); ok {
		return exactTable(res, t, cfg)
	}
	m, ok := g.(*gamelogic.Module)
	if !ok {
		return res, fmt.Errorf("proof: a %T cannot be walked", g)
	}
	if cfg.MaxLeaves == 0 {
		cfg.MaxLeaves = DefaultMaxLeaves
	}
	if cfg.MaxStates == 0 {
		cfg.MaxStates = DefaultMaxStates
	}
	if cfg.MaxTerms == 0 {
		cfg.MaxTerms = DefaultMaxTerms
	}
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	w := newWalk(m, cfg)
	res.Size, err = w.survey(ctx)
	if err != nil {
		return res, err
	}
	if cfg.Survey != nil {
		cfg.Survey(res.Size)
	}
	if err := w.all(ctx); err != nil {
		if errors.Is(err, ErrTooLarge) {
			// What the survey met and what the walk met overlap.
			known := w.size()
			res.Size = Size{max(res.States, known.States), max(res.Leaves, known.Leaves)}
			if cfg.Opening {
				var failed error
				if res.Opening, failed = opening(ctx, m, cfg, cost); failed != nil {
					return res, failed
				}
			}
		}
		return res, err
	}
	if err := w.settle(ctx); err != nil {
		return res, err
	}
	res.Size, res.Countable = w.size(), true
	return res, w.solve(&res, cost)
}

// tooLarge says which limit ended it.
func (w *walk) tooLarge(s Size) error {
	switch {
	case s.Leaves > w.cfg.MaxLeaves:
		return fmt.Errorf("%w: %d leaves in the %d states known so far, the limit is %d", ErrTooLarge, s.Leaves, s.States, w.cfg.MaxLeaves)
	case s.States > w.cfg.MaxStates:
		return fmt.Errorf("%w: %d states known so far, the limit is %d", ErrTooLarge, s.States, w.cfg.MaxStates)
	}
	return nil
}
