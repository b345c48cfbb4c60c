// Package load plays: any number of players at once, each with a wallet of its
// own, each one step at a time, and a history of everything they did.
//
// What it promises: every operation it started is in the history with what is
// known of it, also when it is stopped half way, and a step of unknown outcome
// is asked for under its key before anything else is played. It judges nothing.
//
// # Concurrency
//
// One goroutine per player. Run returns after all of them.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/client"
)

// Config describes a load.
type Config struct {
	// Client reaches the cluster; its Observe is replaced.
	Client client.Config
	// Seats are the players with their wallets, at least one.
	Seats []Seat
	// Game, Mode and StakeMinor are what they bet on; an empty Mode is "base".
	Game, Mode string
	StakeMinor int64
	// Rounds is how many rounds they play, all together.
	Rounds int
	// Seed chooses among actions and the players' own part of the randomness.
	Seed uint64
	// OperatorToken, where given, pays in TopUpMinor when a wallet is empty.
	OperatorToken string
	TopUpMinor    int64
	Currency      string
	// History gets one line per operation; nil keeps none.
	History io.Writer
	// KeepSessions leaves the sessions open, so that their seeds stay sealed.
	KeepSessions bool
	// Patience is how often an unknown step is asked for again, each time for
	// the client's whole budget; 0 is 4.
	Patience int
	// Progress is told of every finished round, by several goroutines.
	Progress func(rounds int)
}

// Seat is one player.
type Seat struct{ Player, Wallet, Token string }

// Result is what a load came to.
type Result struct {
	Rounds uint64 `json:"rounds"`
	Steps  uint64 `json:"steps"`
	// Acknowledged, Refused and Unknown count operations that change the
	// ledger: steps, sessions, deposits.
	Acknowledged    uint64 `json:"acknowledged"`
	Refused         uint64 `json:"refused"`
	Unknown         uint64 `json:"unknown"`
	StakeTotalMinor int64  `json:"stake_total_minor"`
	WinTotalMinor   int64  `json:"win_total_minor"`
	// P50MS and P99MS are of acknowledged steps, all attempts included.
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
	Failovers uint64  `json:"failovers"`
	// LongestGapMS is the longest time between two acknowledgements of a player.
	LongestGapMS float64 `json:"longest_gap_ms"`
}

// Run plays until all rounds are done, ctx ends or every player is stuck. The
// result is complete in any case; the error says why rounds are missing.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if len(cfg.Seats) == 0 || cfg.Rounds < 1 || cfg.Game == "" {
		return Result{}, errors.New("a load needs a game, at least one player and at least one round")
	}
	if cfg.Mode == "" {
		cfg.Mode = "base"
	}
	if cfg.Patience == 0 {
		cfg.Patience = 4
	}
	total := newTally()
	record := total.add
	var out *history.Writer
	if cfg.History != nil {
		out = history.NewWriter(cfg.History)
		record = func(r history.Record) { total.add(r); out.Write(r) }
	}
	recorder := NewRecorder(record)
	cfg.Client.Observe = recorder.Observe
	c, err := client.New(ctx, cfg.Client)
	if err != nil {
		return Result{}, closeAll(err, out)
	}
	errs := make([]error, len(cfg.Seats))
	var tickets atomic.Int64
	var players sync.WaitGroup
	for i, seat := range cfg.Seats {
		players.Go(func() {
			p := newPlayer(&cfg, i)
			p.c, p.seat, p.handle, p.tickets, p.tally = c, seat, c.Player(seat.Token, seat.Wallet), &tickets, total
			if errs[i] = p.run(ctx, i); errs[i] != nil {
				errs[i] = fmt.Errorf("player %s: %w", seat.Player, errs[i])
			}
		})
	}
	players.Wait()
	recorder.Flush()
	return total.result(), closeAll(errors.Join(errors.Join(errs...), c.Close()), out)
}

func closeAll(err error, out *history.Writer) error {
	if out == nil {
		return err
	}
	return errors.Join(err, out.Close())
}

// player is one seat at work. It belongs to its goroutine.
type player struct {
	cfg     *Config
	c       *client.Client
	seat    Seat
	handle  *client.Player
	rng     *rand.Rand
	tickets *atomic.Int64
	tally   *tally
}

func newPlayer(cfg *Config, number int) *player {
	return &player{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, uint64(number)))} //nolint:gosec // a load, no outcome
}

// run plays rounds while there are tickets. Calls are not cut short when ctx
// ends: the client's budget bounds them, and a known outcome is worth the wait.
func (p *player) run(ctx context.Context, number int) error {
	calls := context.WithoutCancel(ctx)
	session, err := p.handle.Sit(calls, p.cfg.Game, fmt.Sprintf("load-%d-%d", p.cfg.Seed, number))
	if err != nil {
		return err
	}
	defer func() { p.tally.player(p.handle.Stats()) }()
	err = p.rounds(ctx, session)
	if p.cfg.KeepSessions || session.Pending() || session.OpenRound() != nil {
		return err
	}
	_, closed := session.Close(calls)
	return errors.Join(err, closed)
}

// rounds finishes what an earlier load left open, then plays.
func (p *player) rounds(ctx context.Context, session *client.Session) error {
	calls := context.WithoutCancel(ctx)
	if err := p.finishRound(calls, session); err != nil {
		return err
	}
	for ctx.Err() == nil && p.tickets.Add(1) <= int64(p.cfg.Rounds) {
		if err := p.round(calls, session); err != nil {
			return err
		}
		p.tally.round()
		if p.cfg.Progress != nil {
			p.cfg.Progress(1)
		}
	}
	return nil
}

// round bets, and pays in when the wallet is empty.
func (p *player) round(ctx context.Context, session *client.Session) error {
	bet := client.Bet{Mode: p.cfg.Mode, StakeMinor: p.cfg.StakeMinor}
	err := p.step(ctx, session, bet)
	if client.CodeOf(err) == "insufficient_funds" && client.EffectOf(err) == client.NotApplied && p.cfg.OperatorToken != "" {
		if err = p.topUp(ctx); err == nil {
			err = p.step(ctx, session, bet)
		}
	}
	if err != nil {
		return err
	}
	return p.finishRound(ctx, session)
}

// finishRound goes on with an open round, choosing among the offered actions.
func (p *player) finishRound(ctx context.Context, session *client.Session) error {
	for session.OpenRound() != nil {
		if err := frozen(session.OpenRound()); err != nil {
			return err
		}
		if err := p.step(ctx, session, client.Bet{Action: p.choose(session.OpenRound().GetNextActions())}); err != nil {
			return err
		}
	}
	return nil
}

func frozen(round *edgereelv1.Round) error {
	if round.GetFrozen() {
		return fmt.Errorf("round %s is frozen after an incident: it waits for its resolution", round.GetRound())
	}
	return nil
}

func (p *player) choose(mask uint32) uint32 {
	var offered []uint32
	for action := range uint32(32) {
		if mask&(1<<action) != 0 {
			offered = append(offered, action)
		}
	}
	if len(offered) == 0 {
		return 0
	}
	return offered[p.rng.IntN(len(offered))]
}

// step makes one step, and asks for its outcome again while it is unknown.
func (p *player) step(ctx context.Context, session *client.Session, bet client.Bet) error {
	_, err := session.Play(ctx, bet)
	for range p.cfg.Patience {
		if !session.Pending() {
			break
		}
		_, err = session.Settle(ctx)
	}
	return err
}

func (p *player) topUp(ctx context.Context) error {
	key, err := p.c.NewKey()
	if err != nil {
		return err
	}
	return Deposit(ctx, p.c.Operator(p.cfg.OperatorToken), p.seat.Wallet, key, p.cfg.Currency, p.cfg.TopUpMinor)
}

// tally adds up what the history says. The mutex guards everything.
type tally struct {
	mu    sync.Mutex
	sum   Result
	times []time.Duration
	gap   time.Duration
}

func newTally() *tally { return &tally{} }

func (t *tally) add(r history.Record) {
	if !r.Mutating() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch r.Effect {
	case history.Applied:
		t.sum.Acknowledged++
	case history.Unknown:
		t.sum.Unknown++
	default:
		t.sum.Refused++
	}
	if r.Kind == history.KindPlay && r.Effect == history.Applied {
		t.sum.Steps++
		t.sum.StakeTotalMinor += r.CostMinor
		t.sum.WinTotalMinor += r.WinMinor
		t.times = append(t.times, time.Duration(r.ReturnNS-r.CallNS))
	}
}

func (t *tally) round() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Rounds++
}

func (t *tally) player(s client.Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Failovers += s.Failovers
	t.gap = max(t.gap, s.LongestGap)
}

func (t *tally) result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.times)
	sum := t.sum
	sum.P50MS, sum.P99MS, sum.LongestGapMS = quantile(t.times, 50), quantile(t.times, 99), milliseconds(t.gap)
	return sum
}

// quantile is the smallest time that percent of all are not above.
func quantile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return milliseconds(sorted[(len(sorted)*percent+99)/100-1])
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
