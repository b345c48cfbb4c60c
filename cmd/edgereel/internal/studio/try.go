package studio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/edgereel/edgereel/gamelogic"
)

// Try are the flags of `edgereel studio try`.
type Try struct {
	Module string   `arg:"" help:"The module, or a project that is built first." placeholder:"M.wasm" type:"path"`
	Mode   string   `help:"The bet mode; default is the module's first." placeholder:"M"`
	Stake  int64    `help:"Stake in minor units; default is the smallest." placeholder:"MINOR"`
	Seed   uint64   `help:"Rounds of the same module, seed and number are the same." default:"1"`
	Round  uint64   `help:"Number of the first round to play (default ${default})." default:"1" placeholder:"N"`
	Rounds Count    `help:"How many rounds; with --until at most so many (default 1, with --until 1e6)." placeholder:"N"`
	Until  string   `help:"Play silently until a round is like this, and show that one: win, x=N (pays N stakes), step=K (has K steps), or the name of a feature." placeholder:"WHAT"`
	Choice []string `help:"What to take where it is offered: ACTION, or ACTION=N for one of its choices." placeholder:"ACTION=N"`
	Watch  string   `help:"Go on: when a file in DIR (or DIR itself) changes, build and play the same draws again." placeholder:"DIR" type:"path"`
	Build  string   `help:"How to build, a shell command; default is what studio build does, if DIR is a project." placeholder:"CMD"`
	JSON   bool     `help:"Print JSON, one line for a step, see docs/cli-json.md."`
}

// TryReport is what --json prints for each step.
type TryReport struct {
	Schema       int            `json:"schema"`
	ModuleDigest string         `json:"module_digest"`
	Mode         string         `json:"mode"`
	StakeMinor   int64          `json:"stake_minor"`
	Seed         uint64         `json:"seed"`
	Round        uint64         `json:"round"`
	Step         int            `json:"step"`
	Action       string         `json:"action"`
	Choice       uint32         `json:"choice"`
	Draws        []TryDraw      `json:"draws"`
	WinMinor     int64          `json:"win_minor"`
	WonMinor     int64          `json:"won_minor"`
	Closed       bool           `json:"closed"`
	Next         []TryAction    `json:"next"`
	State        string         `json:"state"`
	Presentation tryPresentable `json:"presentation"`
	Fuel         int64          `json:"fuel"`
	Incident     string         `json:"incident"`
}

// TryDraw is one draw of a step.
type TryDraw struct {
	Index uint32 `json:"index"`
	Bound uint32 `json:"bound"`
	Value uint32 `json:"value"`
}

// TryAction is something the player may do next.
type TryAction struct {
	Action  string `json:"action"`
	Choices uint32 `json:"choices"`
}

// Help is shown by --help.
func (*Try) Help() string {
	return `Plays rounds on this machine, on the path that plays for money, and prints every
step: draws, grid, wins, what may follow, state and fuel. Where the player has to
decide, --choice does; without it you are asked on a terminal, and elsewhere the
module's declared strategy answers.

A presentation that is JSON with "grid" (reels of symbols from the top), "wins" or
"lines" (a list), "falls" (a list of objects with a grid) and "feature" (a name) is
laid out; anything else is printed as it is. --until NAME finds a round whose "feature" is NAME, or that has a field
beginning with NAME that is not 0, false or empty; - and _ are the same there.
"--until feature" finds a round of more than one step.

With --watch the module is built again when a file changes, and the round that is
on the screen is played again with the same draws. A folder that is no project, and
for which there is no --build, is watched for a module that something else builds.

Exit codes: 0 played, 10 no such round was found, 1 anything else.

Examples:
  edgereel studio try game.wasm
  edgereel studio try game.wasm --mode base --until free-spins --seed 7
  edgereel studio try game.wasm --until x=50 --json | jq .presentation
  edgereel studio try owl-run --watch owl-run
  edgereel studio try build/game.wasm --watch src --build "make"`
}

// Console is how a person sits before a verb.
type Console struct {
	In       io.Reader
	Out      io.Writer
	Terminal bool // In and Out are a person's
}

// tried is the state of one `studio try`. One goroutine.
type tried struct {
	*Try
	c       Console
	lines   *bufio.Scanner
	until   condition
	choices map[string]uint32
	p       *Progress
	project string // folder that studio build knows how to build, or none
}

// Do plays and prints, and with --watch until ctx ends.
func (t *Try) Do(ctx context.Context, c Console, p *Progress) error {
	x := &tried{Try: t, c: c, lines: bufio.NewScanner(c.In), choices: map[string]uint32{}, p: p}
	var err error
	if x.until, err = parseUntil(t.Until); err != nil {
		return err
	}
	for _, choice := range t.Choice {
		name, number, some := strings.Cut(choice, "=")
		n, err := strconv.ParseUint(number, 10, 32)
		if name == "" || some && err != nil {
			return fmt.Errorf("%w: --choice %q is no ACTION and no ACTION=N", ErrFlag, choice)
		}
		x.choices[name] = uint32(n)
	}
	if t.Round == 0 {
		return fmt.Errorf("%w: --round begins with 1", ErrFlag)
	}
	x.findProject()
	if t.Watch != "" {
		return x.watch(ctx)
	}
	if err := x.build(ctx); err != nil {
		return err
	}
	return x.once(ctx, nil)
}

// once loads the module, plays what was asked for, and unloads it. The log
// keeps the draws of the rounds shown, and gives them again if it has some.
func (x *tried) once(ctx context.Context, log *drawLog) error {
	m, host, err := load(ctx, x.Module)
	if err != nil {
		return err
	}
	err = x.rounds(ctx, m, log)
	return errors.Join(err, host.Close())
}

func (x *tried) rounds(ctx context.Context, m gamelogic.Game, log *drawLog) error {
	mode := x.Mode
	if mode == "" {
		mode = m.Manifest().Modes[0].Name
	}
	stakeMinor, err := stake(m, mode, x.Stake)
	if err != nil {
		return err
	}
	for name, choice := range x.choices {
		a, ok := m.Manifest().Action(name)
		if !ok {
			return fmt.Errorf("%w: --choice: %w: %q", ErrFlag, gamelogic.ErrUnknownAction, name)
		}
		if err := a.CheckChoice(choice); err != nil {
			return fmt.Errorf("%w: --choice: %w", ErrFlag, err)
		}
	}
	g := &trying{x: x, m: m, mode: mode, stakeMinor: stakeMinor, log: log}
	first, many := x.Round, uint64(x.Rounds)
	if many == 0 {
		many = 1
	}
	if x.until.search() {
		if x.Rounds == 0 {
			many = 1_000_000
		}
		if log == nil || log.round == 0 {
			if first, err = g.find(ctx, first, many); err != nil {
				return err
			}
		} else {
			first = log.round
		}
		many = 1
	}
	for round := first; round < first+many; round++ {
		if err := g.show(ctx, round); err != nil {
			return err
		}
	}
	return nil
}
