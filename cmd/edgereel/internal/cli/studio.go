package cli

import (
	"context"
	"errors"
	"time"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
	"github.com/edgereel/edgereel/gamelogic"
)

// studioGroup is `edgereel studio`.
type studioGroup struct {
	Inspect  studioInspect  `cmd:"" help:"Look into a module, and whether a host would take it."`
	Simulate studioSimulate `cmd:"" help:"Play many rounds of a module and measure what it pays."`
	Exact    studioExact    `cmd:"" help:"Walk all draws of a module and compute what it pays."`
	Import   studioImport   `cmd:"" help:"Make games of content that was published elsewhere."`
}

type (
	studioInspect  struct{ studio.Inspect }
	studioSimulate struct{ studio.Simulate }
	studioExact    struct{ studio.Exact }
)

// Run inspects a module.
func (s *studioInspect) Run(ctx context.Context, std *streams) error {
	return studioFailure(s.Do(ctx, std.out))
}

// Run simulates a module.
func (s *studioSimulate) Run(ctx context.Context, std *streams) error {
	return studioFailure(s.Do(ctx, std.out, std.progress()))
}

// Run walks a module.
func (s *studioExact) Run(ctx context.Context, std *streams) error {
	return studioFailure(s.Do(ctx, std.out, std.progress()))
}

func (s *streams) progress() *studio.Progress {
	return &studio.Progress{Out: s.err, Live: isTerminal(s.err), Now: time.Now}
}

// studioFailure tells a question that has no sense from one that has no answer.
func studioFailure(err error) error {
	switch {
	case errors.Is(err, studio.ErrNo):
		return errVerdict
	case errors.Is(err, gamelogic.ErrUnknownMode), errors.Is(err, gamelogic.ErrBadStake):
		return &failure{ExitUsage, err}
	case errors.Is(err, context.Canceled):
		// Unlike a cluster that is stopped, a figure that was asked for is missing.
		return &failure{ExitFailed, errors.New("stopped before the end")}
	}
	return err
}
