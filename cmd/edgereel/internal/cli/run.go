package cli

import (
	"context"
	"os"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/dev"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/gatechild"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/nodecmd"
)

// devCommand is `edgereel dev`.
type devCommand struct{ dev.Options }

// Help is shown by --help.
func (*devCommand) Help() string {
	return `Starts three regional nodes as three processes, makes what they need, and stays
in the foreground until Ctrl-C.

Examples:
  edgereel dev
  edgereel dev --data ./cluster`
}

// Run runs a cluster until it is stopped.
func (d *devCommand) Run(ctx context.Context, std *streams) error {
	d.Out = std.out
	return dev.Run(ctx, d.Options)
}

// nodeCommand is `edgereel node`.
type nodeCommand struct{ nodecmd.Options }

// Help is shown by --help.
func (*nodeCommand) Help() string {
	return `Runs until SIGTERM or SIGINT, then hands its leadership over and stops.

Example:
  edgereel node --config /etc/edgereel/node.yaml`
}

// Run runs a node until it is stopped.
func (n *nodeCommand) Run(ctx context.Context) error {
	if err := nodecmd.Run(ctx, n.Options); err != nil {
		return &failure{nodecmd.ExitCode(err), err}
	}
	return nil
}

// gateChildCommand is what a node starts to check a module.
type gateChildCommand struct{ gatechild.Options }

// Run is one phase of a check.
func (g *gateChildCommand) Run(ctx context.Context, std *streams) error {
	return gatechild.Run(ctx, g.Options, os.Args[1:], std.in, std.out)
}
