package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
)

// studioGroup is `edgereel studio`.
type studioGroup struct {
	Init     studioInit     `cmd:"" help:"Begin a project in Rust, AssemblyScript, C or Go."`
	Build    studioBuild    `cmd:"" help:"Build a project with its language's own compiler."`
	Inspect  studioInspect  `cmd:"" help:"Look into a module, and whether a host would take it."`
	Try      studioTry      `cmd:"" help:"Play rounds of a module and look at every step."`
	Simulate studioSimulate `cmd:"" help:"Play many rounds of a module and measure what it pays."`
	Exact    studioExact    `cmd:"" help:"Walk all draws of a module and compute what it pays."`
	Check    studioCheck    `cmd:"" help:"Run the publish gate: everything that decides whether a module may be released."`
	Replay   studioReplay   `cmd:"" help:"Play a recorded round again from its revealed seed, bit for bit."`
	Import   studioImport   `cmd:"" help:"Make games of content that was published elsewhere."`

	releaseVerbs
}

type (
	studioInspect  struct{ studio.Inspect }
	studioTry      struct{ studio.Try }
	studioSimulate struct{ studio.Simulate }
	studioExact    struct{ studio.Exact }
	studioCheck    struct{ studio.Check }
)

// Run inspects a module.
func (s *studioInspect) Run(ctx context.Context, std *streams) error {
	return studioFailure(s.Do(ctx, std.out))
}

// Run plays rounds of a module.
func (s *studioTry) Run(ctx context.Context, std *streams) error {
	in, person := std.in.(*os.File)
	console := studio.Console{In: std.in, Out: std.out, Terminal: person && isTerminal(in) && isTerminal(std.out)}
	return projectFailure(s.Do(ctx, console, std.progress()))
}

// Run simulates a module.
func (s *studioSimulate) Run(ctx context.Context, std *streams) error {
	return studioFailure(s.Do(ctx, std.out, std.progress()))
}

// Run walks a module.
func (s *studioExact) Run(ctx context.Context, std *streams) error {
	return studioFailure(s.Do(ctx, std.out, std.progress()))
}

// Run checks a module.
func (s *studioCheck) Run(ctx context.Context, std *streams) error {
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
	case errors.Is(err, gamelogic.ErrUnknownMode), errors.Is(err, gamelogic.ErrBadStake), errors.Is(err, studio.ErrFlag), errors.Is(err, gate.ErrConfig):
		return &failure{ExitUsage, err}
	case errors.Is(err, context.Canceled):
		// Unlike a cluster that is stopped, a figure that was asked for is missing.
		return &failure{ExitFailed, errors.New("stopped before the end")}
	}
	return err
}
