// Package cli is the command line of edgereel: which verbs there are, what they
// print and how they end.
//
// It promises that what a script reads (JSON on standard output, one value per
// line, each with "schema":1) is apart from what a person reads (progress and
// errors on standard error); that every error says its effect first and what to
// do next; and that exit codes mean the same for every verb: 0 fine, 1 failed,
// 2 usage, 10 and above a verdict.
//
// The formats are described in docs/cli-json.md and held by golden files.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/edgereel/edgereel/client"
)

// Exit codes.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
	// ExitVerdict is a question that was asked and answered "no".
	ExitVerdict = 10
)

// streams are what a verb reads from and writes to.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// commands is the tree of verbs.
type commands struct {
	Dev     devCommand     `cmd:"" help:"Run a three-region cluster on this machine."`
	Node    nodeCommand    `cmd:"" help:"Run one regional node."`
	Play    playCommand    `cmd:"" help:"Play rounds and report how it went."`
	Wallet  walletGroup    `cmd:"" help:"Look at wallets."`
	Ledger  ledgerGroup    `cmd:"" help:"Verify the ledger."`
	Round   roundGroup     `cmd:"" help:"End rounds whose module failed."`
	Games   gamesCommand   `cmd:"" help:"List the games."`
	Studio  studioGroup    `cmd:"" help:"Prove the maths of a module."`
	Cluster clusterGroup   `cmd:"" help:"Look at the cluster."`
	Bench   benchGroup     `cmd:"" help:"Measure this machine."`
	Version versionCommand `cmd:"" help:"Show the version of this program."`

	GateChild gateChildCommand `cmd:"" hidden:"" help:"Check a module within limits; a node starts it."`
}

// failure is an error with its exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usage(format string, args ...any) error {
	return &failure{ExitUsage, fmt.Errorf(format, args...)}
}

// errVerdict ends a verb whose report says "no"; the report was printed.
var errVerdict = &failure{ExitVerdict, errors.New("the verdict is no")}

// leave carries an exit code out of kong, which ends a program for --help.
type leave int

// Main runs one command line and returns its exit code.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if at := recover(); at != nil {
			asked, ok := at.(leave)
			if !ok {
				panic(at)
			}
			code = int(asked)
		}
	}()
	std := &streams{stdin, stdout, stderr}
	tree := &commands{}
	parser, err := kong.New(tree,
		kong.Name("edgereel"),
		kong.Description("Edgereel settles slot rounds in several regions at once and loses none of them with a region."+"\n\n"+
			"Start with `edgereel dev`, then `edgereel play --game comet-spins --rounds 200` in a second terminal."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(leave(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ShortUsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		panic(err) // the tree above is wrong
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return report(stderr, &failure{ExitUsage, err}, helpOf(parser.Model.Node, args))
	}
	return report(stderr, parsed.Run(), "")
}

// helpOf names the command line that explains what was typed, as far as it is
// a command.
func helpOf(node *kong.Node, args []string) string {
	line := "edgereel"
	for _, arg := range args {
		next := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == arg })
		if next < 0 {
			break
		}
		node = node.Children[next]
		line += " " + arg
	}
	return line + " --help"
}

// report prints an error, effect first, and gives the exit code.
func report(stderr io.Writer, err error, help string) int {
	if err == nil || errors.Is(err, context.Canceled) && !isCall(err) {
		return ExitOK
	}
	failed := &failure{code: ExitFailed, err: err}
	_ = errors.As(err, &failed)
	if errors.Is(err, errVerdict) {
		return failed.code
	}
	text, hint := err.Error(), help
	if hint != "" {
		hint = "See `" + hint + "`."
	}
	var call *client.Error
	switch {
	case errors.As(err, &call):
		// The effect of the money comes first, whatever was on the way to it.
		text = withEffectFirst(text, call)
		if call.Hint != "" {
			hint = call.Hint
		}
	case failed.code == ExitUsage:
		text = "not_applied: usage: " + text
	default:
		text = "not_applied: " + text
	}
	fmt.Fprintf(stderr, "edgereel: %s\n", text)
	if hint != "" {
		fmt.Fprintf(stderr, "  %s\n", hint)
	}
	return failed.code
}

func isCall(err error) bool {
	var call *client.Error
	return errors.As(err, &call)
}

// withEffectFirst moves "while doing something: " behind the effect.
func withEffectFirst(text string, call *client.Error) string {
	own := call.Error()
	doing := strings.TrimSuffix(text, own)
	if doing == text || doing == "" {
		if strings.HasPrefix(text, string(call.Effect)) {
			return text
		}
		return string(call.Effect) + ": " + text
	}
	effect := string(call.Effect) + ": "
	return effect + doing + strings.TrimPrefix(own, effect)
}
