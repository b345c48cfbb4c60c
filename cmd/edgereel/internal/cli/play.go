package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/edgereel/edgereel/chaos/load"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
)

const (
	playCurrency = "EUR"
	// playFundsMinor is what an extra player gets, and an empty wallet again.
	playFundsMinor = 10_000_000
	playTokenTTL   = 24 * 60 * 60
)

// playCommand is `edgereel play`.
type playCommand struct {
	reachFlags
	Game         string `help:"Id of the game, see edgereel games." required:"" placeholder:"ID"`
	Rounds       int    `help:"How many rounds, all players together (default ${default})." default:"100" placeholder:"N"`
	Players      int    `help:"How many players at once. The cluster file's come first; for more, wallets are opened and funded (default ${default})." default:"1" placeholder:"P"`
	Mode         string `help:"Bet mode of the game (default ${default})." default:"base" placeholder:"M"`
	Stake        int64  `help:"Stake of a round in minor units (default ${default})." default:"100" placeholder:"MINOR"`
	LoadSeed     uint64 `help:"Chooses among actions; the same seed chooses the same (default ${default})." default:"1" placeholder:"N"`
	History      string `help:"Write one JSON line per operation to FILE, for edgereel ledger verify." placeholder:"FILE" type:"path"`
	KeepSessions bool   `help:"Leave the sessions open: their seeds are not revealed."`
}

// Help is shown by --help.
func (*playCommand) Help() string {
	return `Finds the nearest healthy node and plays; when that node dies, play goes on at
another one under the same keys. Ends with what came of it; the exit code is 1
when a round is missing or an outcome stayed unknown.

Examples:
  edgereel play --game comet-spins --rounds 200
  edgereel play --game harbor-lines --rounds 3000 --players 30 --history h.jsonl --json
  edgereel ledger verify --history h.jsonl`
}

// playReport is the line of --json.
type playReport struct {
	Schema int `json:"schema"`
	load.Result
}

// Run plays.
func (p *playCommand) Run(ctx context.Context, std *streams) error {
	if p.Rounds < 1 || p.Players < 1 || p.Players > 10_000 {
		return usage("--rounds and --players start at 1, --players ends at 10000")
	}
	file, cfg, err := p.load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // a second signal ends it at once
	seats, err := p.seats(ctx, file, cfg)
	if err != nil {
		return err
	}
	history, closeHistory, err := createHistory(p.History)
	if err != nil {
		return err
	}
	progress := newProgress(std.err, p.Rounds, !p.JSON && isTerminal(std.err))
	result, err := load.Run(ctx, load.Config{
		Client: cfg, Seats: seats, Game: p.Game, Mode: p.Mode, StakeMinor: p.Stake, Rounds: p.Rounds, Seed: p.LoadSeed,
		OperatorToken: file.OperatorToken, TopUpMinor: max(playFundsMinor, 100*p.Stake), Currency: playCurrency,
		History: history, KeepSessions: p.KeepSessions, Progress: progress.add,
	})
	progress.end()
	err = errors.Join(err, closeHistory())
	if p.JSON || result.Steps > 0 || err == nil {
		err = errors.Join(err, p.print(std.out, result))
	}
	switch {
	case err != nil:
		return err
	case result.Unknown > 0:
		return fmt.Errorf("%d operations stayed unknown: `edgereel ledger verify --history` tells what became of them", result.Unknown)
	case result.Rounds < uint64(p.Rounds):
		return fmt.Errorf("stopped after %d of %d rounds; run it again to go on", result.Rounds, p.Rounds)
	}
	return nil
}

// seats takes the file's players, and opens wallets for more.
func (p *playCommand) seats(ctx context.Context, file *clusterfile.File, cfg client.Config) ([]load.Seat, error) {
	var seats []load.Seat
	for _, player := range file.Players[:min(p.Players, len(file.Players))] {
		seats = append(seats, load.Seat{Player: player.Player, Wallet: player.Wallet, Token: player.Token})
	}
	more := p.Players - len(seats)
	if more == 0 {
		return seats, nil
	}
	if err := needOperator(file); err != nil {
		return nil, err
	}
	c, err := client.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer closeClient(c)
	open := load.OpenConfig{Currency: playCurrency, AmountMinor: max(playFundsMinor, 100*p.Stake), TTLSeconds: playTokenTTL}
	for _, n := range file.Nodes {
		open.HomeRegions = append(open.HomeRegions, n.Region)
	}
	opened, err := load.OpenSeats(ctx, c, file.OperatorToken, more, open)
	return append(seats, opened...), err
}

func createHistory(path string) (io.Writer, func() error, error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the history: %w", err)
	}
	return file, func() error {
		if err := file.Close(); err != nil {
			return fmt.Errorf("close the history: %w", err)
		}
		return nil
	}, nil
}

func (p *playCommand) print(out io.Writer, r load.Result) error {
	if p.JSON {
		return printJSON(out, playReport{Schema: 1, Result: r})
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "rounds\t%d in %d steps\n", r.Rounds, r.Steps)
	fmt.Fprintf(table, "operations\t%d acknowledged, %d refused, %d unknown\n", r.Acknowledged, r.Refused, r.Unknown)
	fmt.Fprintf(table, "staked\t%s\n", amount(r.StakeTotalMinor, 2, playCurrency))
	fmt.Fprintf(table, "won\t%s\n", amount(r.WinTotalMinor, 2, playCurrency))
	fmt.Fprintf(table, "latency\tp50 %.1f ms, p99 %.1f ms\n", r.P50MS, r.P99MS)
	fmt.Fprintf(table, "failovers\t%d\n", r.Failovers)
	fmt.Fprintf(table, "longest gap\t%.0f ms\n", r.LongestGapMS)
	return table.Flush()
}

// progress shows how far a play is: a bar for a person, lines otherwise. One
// goroutine prints; add only counts.
type progress struct {
	done  atomic.Int64
	total int64
	out   io.Writer
	bar   *progressbar.ProgressBar
	stop  chan struct{}
	ended chan struct{}
}

func newProgress(out io.Writer, total int, bar bool) *progress {
	p := &progress{total: int64(total), out: out, stop: make(chan struct{}), ended: make(chan struct{})}
	if bar {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("playing"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rounds"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	go p.run()
	return p
}

func (p *progress) add(rounds int) { p.done.Add(int64(rounds)) }

func (p *progress) run() {
	defer close(p.ended)
	every := 2 * time.Second
	if p.bar != nil {
		every = 100 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.show()
		case <-p.stop:
			if p.bar != nil {
				_ = p.bar.Set64(p.done.Load())
				_ = p.bar.Finish()
			}
			return
		}
	}
}

func (p *progress) show() {
	if p.bar == nil {
		fmt.Fprintf(p.out, "played %d of %d rounds\n", p.done.Load(), p.total)
		return
	}
	_ = p.bar.Set64(p.done.Load())
}

func (p *progress) end() {
	close(p.stop)
	<-p.ended
}
