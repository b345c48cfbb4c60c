package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/chaos/load"
	"github.com/edgereel/edgereel/client"
)

// What players play for.
const (
	currency   = "EUR"
	stakeMinor = 100
	fundsMinor = 200_000
	// patience is how often an operation of unknown effect is asked for again
	// under its key, each time for the client's whole budget.
	patience = 3
	// hurry is the budget of one region's clients, less than a failover may
	// take: their operations end unknown, and are asked for again.
	hurry = 800 * time.Millisecond
)

// crowd is everybody outside: one client per region, players at both games,
// cashiers who move money into and out of the same wallets, and readers. Each
// goroutine owns its handles; the mutex guards records.
type crowd struct {
	clients  []*client.Client
	recorder *load.Recorder
	operator string
	seats    []load.Seat
	think    time.Duration
	seed     uint64

	mu      sync.Mutex
	records []history.Record
}

// newCrowd opens a client in every region and funds one wallet per player.
func newCrowd(ctx context.Context, c *Cluster, cfg Config) (*crowd, error) {
	w := &crowd{operator: c.OperatorToken(), think: cfg.Think, seed: cfg.Seed}
	w.recorder = load.NewRecorder(w.record)
	var homes []string
	for i, m := range c.Members() {
		homes = append(homes, m.Region)
		at := client.Config{Observe: w.recorder.Observe}
		if i > 0 && i == len(c.Members())-1 {
			at.Budget = hurry
		}
		reach, err := c.Client(ctx, "people-"+m.Region, m.Region, at)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.clients = append(w.clients, reach)
	}
	var err error
	w.seats, err = load.OpenSeats(ctx, w.clients[0], w.operator, cfg.Players, load.OpenConfig{
		Currency: currency, HomeRegions: homes, AmountMinor: fundsMinor, TTLSeconds: int64((24 * time.Hour).Seconds()),
	})
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *crowd) record(r history.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
}

// history is what was seen, in order of the calls. Everybody must have gone.
func (w *crowd) history() []history.Record {
	w.recorder.Flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(w.records, func(a, b history.Record) int {
		return cmp.Or(cmp.Compare(a.CallNS, b.CallNS), cmp.Compare(a.Wallet, b.Wallet), cmp.Compare(a.Key, b.Key))
	})
	return w.records
}

func (w *crowd) close() error {
	var errs []error
	for _, c := range w.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// work lets everybody go on until ctx ends, and returns when all calls have.
// Calls under way are not cut short: the clients' budget bounds them.
func (w *crowd) work(ctx context.Context) error {
	calls := context.WithoutCancel(ctx)
	var all sync.WaitGroup
	errs := make([]error, len(w.seats))
	for i, seat := range w.seats {
		all.Go(func() {
			g := &guest{
				w: w, seat: seat, rng: w.random(3, i),
				near: w.clients[i%len(w.clients)].Player(seat.Token, seat.Wallet),
				far:  w.clients[(i+1)%len(w.clients)].Player(seat.Token, seat.Wallet),
			}
			if err := g.run(ctx, calls); err != nil {
				errs[i] = fmt.Errorf("player %s: %w", seat.Player, err)
			}
		})
	}
	for i, c := range w.clients {
		all.Go(func() {
			(&cashier{w: w, c: c, rng: w.random(4, i), operator: c.Operator(w.operator)}).run(ctx, calls)
		})
		all.Go(func() {
			(&reader{w: w, rng: w.random(5, i), operator: c.Operator(w.operator)}).run(ctx, calls)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (w *crowd) random(part uint64, i int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, part<<32|uint64(i))) //nolint:gosec // people, no outcome
}

// pause is around the time players think.
func (w *crowd) pause(ctx context.Context, rng *rand.Rand) {
	wait(ctx, between(rng, w.think/2, w.think*3/2+2*time.Millisecond))
}

// cashier pays in and out, and takes some of it back.
type cashier struct {
	w        *crowd
	c        *client.Client
	rng      *rand.Rand
	operator *client.Operator
	paid     []payment
}

type payment struct{ wallet, key string }

func (k *cashier) run(ctx, calls context.Context) {
	for ctx.Err() == nil {
		k.w.pause(ctx, k.rng)
		k.w.pause(ctx, k.rng)
		key, err := k.c.NewKey()
		if err != nil {
			continue
		}
		k.settle(calls, k.choose(k.w.seats[k.rng.IntN(len(k.w.seats))].Wallet, key))
	}
}

// choose makes one operation, which can be repeated.
func (k *cashier) choose(wallet, key string) func(context.Context) error {
	amount := 1 + k.rng.Int64N(2000)
	switch dice := k.rng.IntN(20); {
	case dice < 10:
		k.paid = append(k.paid, payment{wallet, key})
		return func(ctx context.Context) error {
			_, err := k.operator.Deposit(ctx, &edgereelv1.DepositRequest{
				Wallet: wallet, TransactionId: key, AmountMinor: amount, Currency: currency, Reason: "simulation",
			})
			return err
		}
	case dice < 18 || len(k.paid) == 0:
		return func(ctx context.Context) error {
			_, err := k.operator.Withdraw(ctx, &edgereelv1.WithdrawRequest{
				Wallet: wallet, TransactionId: key, AmountMinor: amount, Currency: currency, Reason: "simulation",
			})
			return err
		}
	}
	last := k.paid[len(k.paid)-1]
	k.paid = k.paid[:len(k.paid)-1]
	return func(ctx context.Context) error {
		_, err := k.operator.Reverse(ctx, &edgereelv1.ReverseRequest{
			Wallet: last.wallet, TransactionId: key, OriginalTransactionId: last.key, Reason: "simulation",
		})
		return err
	}
}

// settle repeats an operation while its effect is unknown.
func (k *cashier) settle(ctx context.Context, do func(context.Context) error) {
	err := do(ctx)
	for range patience {
		if client.EffectOf(err) != client.Unknown {
			return
		}
		err = do(client.AfterUnknown(ctx))
	}
}

// reader reads wallets while others change them: an old leader that still
// answers shows as a read that went back in time.
type reader struct {
	w        *crowd
	rng      *rand.Rand
	operator *client.Operator
}

func (r *reader) run(ctx, calls context.Context) {
	for ctx.Err() == nil {
		r.w.pause(ctx, r.rng)
		// What a failed read means for the ledger is in the history.
		_, _ = r.operator.GetWallet(calls, r.w.seats[r.rng.IntN(len(r.w.seats))].Wallet, false)
	}
}
