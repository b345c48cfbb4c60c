package check

import (
	"fmt"
	"slices"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/wallet"
)

// key names an operation within the whole cluster.
type key struct{ wallet, class, key string }

func keyOf(r *history.Record) key { return key{r.Wallet, classOf(r.Kind), r.Key} }

// Ledger collects the facts of all shards that a history can be compared with,
// and checks the arithmetic of every wallet on the way. It belongs to one
// goroutine.
type Ledger struct {
	// Keep chooses the wallets whose facts are kept; nil keeps all.
	Keep func(wallet string) bool

	facts    map[key][]*Fact
	last     map[string]walletState
	problems []Problem
}

// walletState is where the journal left a wallet.
type walletState struct {
	seq     uint64
	balance int64
	shard   uint32
}

// NewLedger collects the facts of the wallets keep accepts.
func NewLedger(keep func(wallet string) bool) *Ledger {
	return &Ledger{Keep: keep, facts: map[key][]*Fact{}, last: map[string]walletState{}}
}

// Add takes the facts of one shard in order; nil is skipped.
func (l *Ledger) Add(f *Fact) {
	if f == nil {
		return
	}
	l.follow(f)
	if f.Class == "" || l.Keep != nil && !l.Keep(f.Wallet) {
		return
	}
	at := key{f.Wallet, f.Class, f.Key}
	l.facts[at] = append(l.facts[at], f)
}

// follow checks that a wallet's story has no gap and that every amount adds up.
func (l *Ledger) follow(f *Fact) {
	report := func(format string, args ...any) {
		l.problems = append(l.problems, Problem{
			Check: Arithmetic, Wallet: f.Wallet, Key: f.Key, Shard: f.Shard, Seq: f.Seq, Detail: fmt.Sprintf(format, args...),
		})
	}
	before, known := l.last[f.Wallet]
	if f.Kind == wallet.KindOpenWallet && known {
		report("the wallet is opened a second time")
	}
	if known {
		switch {
		case f.Shard != before.shard:
			report("the wallet was in shard %d before", before.shard)
		case f.WalletSeq != before.seq+1:
			report("wallet sequence %d follows %d", f.WalletSeq, before.seq)
		case f.BalanceBeforeMinor != before.balance:
			report("balance before is %d, the operation before left %d", f.BalanceBeforeMinor, before.balance)
		}
		if want := before.balance + f.delta(); f.BalanceMinor != want {
			report("%s leaves a balance of %d, want %d", f.Kind, f.BalanceMinor, want)
		}
	}
	if f.BalanceMinor < 0 || f.HeldNow < 0 {
		report("balance %d, held %d: neither may be negative", f.BalanceMinor, f.HeldNow)
	}
	l.last[f.Wallet] = walletState{seq: f.WalletSeq, balance: f.BalanceMinor, shard: f.Shard}
}

// delta is what the operation adds to the balance.
func (f *Fact) delta() int64 {
	switch f.Kind { //nolint:exhaustive // all other kinds move no money
	case wallet.KindDeposit:
		return f.AmountMinor
	case wallet.KindWithdraw:
		return -f.AmountMinor
	case wallet.KindReverse:
		return f.WinMinor - f.CostMinor
	case wallet.KindPlay:
		if f.RoundOpen {
			return -f.CostMinor
		}
		return f.RoundWinMinor - f.CostMinor
	case wallet.KindResolve:
		return f.WinMinor
	}
	return 0
}

// Problems are the faults of the journal itself, duplicated keys included.
func (l *Ledger) Problems() []Problem {
	problems := slices.Clone(l.problems)
	cash := map[[2]string][]*Fact{}
	for at, facts := range l.facts {
		if at.class == classCash {
			scoped := [2]string{facts[0].Operator, at.key}
			cash[scoped] = append(cash[scoped], facts...)
			continue
		}
		problems = append(problems, duplicates(facts)...)
	}
	for _, facts := range cash {
		problems = append(problems, duplicates(facts)...)
	}
	slices.SortFunc(problems, compareProblems)
	return problems
}

func duplicates(facts []*Fact) []Problem {
	var problems []Problem
	for _, f := range facts[1:] {
		problems = append(problems, Problem{
			Check: Duplicated, Wallet: f.Wallet, Key: f.Key, Shard: f.Shard, Seq: f.Seq,
			Detail: fmt.Sprintf("the same key is in shard %d at %d", facts[0].Shard, facts[0].Seq),
		})
	}
	return problems
}
