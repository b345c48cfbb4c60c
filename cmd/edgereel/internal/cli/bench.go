package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/bench"
)

// benchGroup is `edgereel bench`.
type benchGroup struct {
	Wasm benchWasm `cmd:"" help:"Measure what running games in the sandbox costs."`
}

type benchWasm struct {
	Seconds uint   `help:"How long to measure." default:"20"`
	Go      string `help:"The built example of the Go kit; its figures are left out without it." placeholder:"M.wasm" default:"sdk/go/example/example.wasm" type:"path"`
	JSON    bool   `help:"Print JSON, see docs/cli-json.md."`
}

// Help is shown by --help.
func (*benchWasm) Help() string {
	return `Runs one game in native Go and as a module of each kit, in turns of a few
milliseconds, and what else the sandbox costs: meters, a step that plays for
money, instances, compiling, simulations, a step that never ends. Times are
processor time; what counts is the median. Leave the machine alone meanwhile.

Examples:
  edgereel bench wasm
  edgereel bench wasm --seconds 60 --json`
}

// Run measures and reports. A missed goal is no failure: this machine may be busy.
func (b *benchWasm) Run(ctx context.Context, std *streams) error {
	if b.Seconds > 3600 {
		return usage("%d seconds are more than an hour: name fewer with --seconds", b.Seconds)
	}
	cfg := bench.Config{Duration: time.Duration(b.Seconds) * time.Second}
	module, err := os.ReadFile(b.Go)
	switch {
	case err == nil:
		cfg.GoModule = module
	case errors.Is(err, os.ErrNotExist):
		fmt.Fprintln(std.err, "The Go kit is left out: there is no "+b.Go+"; name its built example with --go.")
	default:
		return fmt.Errorf("read the Go kit's example: %w", err)
	}
	report, err := bench.Wasm(ctx, cfg)
	if errors.Is(err, context.Canceled) {
		return &failure{ExitFailed, errors.New("stopped before the end")}
	}
	if err != nil {
		return err
	}
	if b.JSON {
		return printJSON(std.out, report)
	}
	return report.Print(std.out)
}
