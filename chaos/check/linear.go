package check

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/edgereel/edgereel/chaos/history"
)

// LinearConfig says what a history claims.
type LinearConfig struct {
	// Complete means that nobody else used the wallets: every wallet sequence
	// is then accounted for, and every balance follows from the one before.
	// Otherwise gaps are allowed, and balances are compared across none.
	Complete bool
	// Timeout bounds the search per wallet; 0 is 30 s.
	Timeout time.Duration
	// Parallel is how many wallets are searched at once; 0 is 2.
	Parallel int
}

// Linearizable looks, wallet by wallet, for one order of the operations that
// agrees with the clients' clocks and explains every balance and sequence they
// were told. records are those of Settle.
func Linearizable(records []history.Record, cfg LinearConfig) []Problem {
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 2
	}
	wallets := map[string][]history.Record{}
	for _, r := range records {
		if r.Kind == history.KindOpenWallet {
			continue // answered with the wallet as it is by then
		}
		wallets[r.Wallet] = append(wallets[r.Wallet], r)
	}
	names := slices.Sorted(maps.Keys(wallets))
	found := make([]*Problem, len(names))
	work := make(chan int)
	var searchers sync.WaitGroup
	for range min(cfg.Parallel, len(names)) {
		searchers.Go(func() {
			for i := range work {
				found[i] = search(names[i], wallets[names[i]], cfg)
			}
		})
	}
	for i := range names {
		work <- i
	}
	close(work)
	searchers.Wait()
	var problems []Problem
	for _, p := range found {
		if p != nil {
			problems = append(problems, *p)
		}
	}
	return problems
}

func search(wallet string, records []history.Record, cfg LinearConfig) *Problem {
	operations := make([]porcupine.Operation, len(records))
	for i := range records {
		operations[i] = porcupine.Operation{
			ClientId: i, Input: &records[i], Call: records[i].CallNS, Return: records[i].ReturnNS,
		}
	}
	model := (&porcupine.NondeterministicModel{
		Init: func() []any { return []any{account{}} },
		Step: func(state, input, _ any) []any {
			next := state.(account).step(input.(*history.Record), cfg.Complete)
			states := make([]any, len(next))
			for i := range next {
				states[i] = next[i]
			}
			return states
		},
	}).ToModel()
	switch porcupine.CheckOperationsTimeout(model, operations, cfg.Timeout) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return &Problem{Check: NotLinear, Wallet: wallet, Detail: fmt.Sprintf("undecided after %s and %d operations", cfg.Timeout, len(records))}
	case porcupine.Illegal:
	}
	return &Problem{Check: NotLinear, Wallet: wallet, Detail: fmt.Sprintf("no order explains its %d operations", len(records))}
}

// account is the model of one wallet.
type account struct {
	// known is false before the first operation told where the wallet stands.
	known bool
	seq   uint64
	// exact is false after an unknown play: what it won nobody said.
	exact   bool
	balance int64
}

// step lists the states an operation can lead to; none means that it cannot
// have happened here.
func (a account) step(r *history.Record, complete bool) []account {
	if r.Effect == history.Unknown {
		return a.unknown(r)
	}
	told := account{known: true, seq: r.WalletSeq, exact: true, balance: r.BalanceMinor}
	if tellsNoBalance(r) {
		told.exact, told.balance = a.exact, a.balance
	}
	switch {
	case !a.known:
		return []account{told}
	case !r.Mutating():
		if r.WalletSeq == a.seq && (!a.exact || r.BalanceMinor == a.balance) || !complete && r.WalletSeq > a.seq {
			return []account{told}
		}
	case r.WalletSeq == a.seq+1:
		change, exact := delta(r)
		if !a.exact || !exact || tellsNoBalance(r) || r.BalanceMinor == a.balance+change {
			return []account{told}
		}
	case !complete && r.WalletSeq > a.seq:
		if tellsNoBalance(r) {
			told.exact = false
		}
		return []account{told}
	}
	return nil
}

// unknown may have been applied here, or not at all.
func (a account) unknown(r *history.Record) []account {
	if !a.known {
		return []account{a}
	}
	applied := account{known: true, seq: a.seq + 1}
	if change, exact := delta(r); exact && a.exact && r.Kind != history.KindPlay {
		applied.exact, applied.balance = true, a.balance+change
	}
	return []account{a, applied}
}

// tellsNoBalance is true for operations whose answer holds no balance.
func tellsNoBalance(r *history.Record) bool {
	return r.Kind == history.KindOpenSession || r.Kind == history.KindCloseSession
}

// delta is what an operation adds to the balance, where its record says so.
func delta(r *history.Record) (change int64, exact bool) {
	switch r.Kind {
	case history.KindDeposit:
		return r.AmountMinor, true
	case history.KindWithdraw:
		return -r.AmountMinor, true
	case history.KindPlay:
		if r.RoundOpen {
			return -r.CostMinor, true
		}
		if r.Incident != "" {
			return 0, true
		}
		return r.RoundWinMinor - r.CostMinor, true
	case history.KindOpenSession, history.KindCloseSession:
		return 0, true
	}
	return 0, false
}
