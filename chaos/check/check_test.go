package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/wallet"
)

func TestVerdict_HonestHistory(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(t, seed, 6).run(1500)
		l := w.ledger()
		if problems := verdict(w.records, l, true); len(problems) != 0 {
			t.Fatalf("seed %d: %d problems, first %s", seed, len(problems), problems[0])
		}
		// Without the journal the unknown stay open, and the rest must still fit.
		if problems := Linearizable(Settle(w.records, nil), LinearConfig{Complete: true}); len(problems) != 0 {
			t.Fatalf("seed %d without a journal: %s", seed, problems[0])
		}
		if Acknowledged(w.records) < 1200 {
			t.Fatalf("only %d acknowledged: the test would prove little", Acknowledged(w.records))
		}
	}
}

// pick is the position of a record in the middle of the history.
func pick(t *testing.T, records []history.Record, fits func(*history.Record) bool) int {
	t.Helper()
	for i := len(records) / 2; i < len(records); i++ {
		if fits(&records[i]) {
			return i
		}
	}
	t.Fatal("no record fits")
	return 0
}

func acknowledgedPlay(r *history.Record) bool {
	return r.Kind == history.KindPlay && r.Effect == history.Applied && !r.RoundOpen
}

// TestVerdict_FindsPlanted changes one thing in an honest history or journal:
// the checker for it, and at least it, must report.
func TestVerdict_FindsPlanted(t *testing.T) {
	tests := map[string]struct {
		want   string
		mutate func(t *testing.T, w *world, l *Ledger)
	}{
		"balance off by a cent": {NotLinear, func(t *testing.T, w *world, _ *Ledger) {
			w.records[pick(t, w.records, acknowledgedPlay)].BalanceMinor++
		}},
		"win off by a cent": {Mismatched, func(t *testing.T, w *world, _ *Ledger) {
			w.records[pick(t, w.records, acknowledgedPlay)].WinMinor++
		}},
		"another hash": {Mismatched, func(t *testing.T, w *world, _ *Ledger) {
			w.records[pick(t, w.records, acknowledgedPlay)].ShardHash = strings.Repeat("0", 64)
		}},
		"another outcome": {Mismatched, func(t *testing.T, w *world, _ *Ledger) {
			w.records[pick(t, w.records, acknowledgedPlay)].DrawsDigest = strings.Repeat("0", 64)
		}},
		"lost after the acknowledgement": {Missing, func(t *testing.T, w *world, l *Ledger) {
			delete(l.facts, keyOf(&w.records[pick(t, w.records, acknowledgedPlay)]))
		}},
		"settled twice": {Duplicated, func(t *testing.T, w *world, l *Ledger) {
			at := keyOf(&w.records[pick(t, w.records, acknowledgedPlay)])
			again := *l.facts[at][0]
			again.Seq, again.WalletSeq = again.Seq+1, again.WalletSeq+1
			l.facts[at] = append(l.facts[at], &again)
		}},
		"transaction twice in two wallets": {Duplicated, func(t *testing.T, w *world, l *Ledger) {
			r := &w.records[pick(t, w.records, func(r *history.Record) bool { return r.Kind == history.KindDeposit && r.Effect == history.Applied })]
			again := *l.facts[keyOf(r)][0]
			again.Wallet = "another"
			l.facts[key{"another", classCash, r.Key}] = []*Fact{&again}
		}},
		"refused but applied": {Mismatched, func(t *testing.T, w *world, _ *Ledger) {
			r := &w.records[pick(t, w.records, acknowledgedPlay)]
			r.Effect, r.Code = history.NotApplied, "insufficient_funds"
		}},
		"one key, two answers": {Conflicting, func(t *testing.T, w *world, _ *Ledger) {
			again := w.records[pick(t, w.records, acknowledgedPlay)]
			again.CallNS, again.ReturnNS = again.ReturnNS+1, again.ReturnNS+2
			again.BalanceMinor -= 5
			w.records = append(w.records, again)
		}},
		"nobody asked for it": {Invented, func(t *testing.T, w *world, _ *Ledger) {
			i := pick(t, w.records, acknowledgedPlay)
			w.records = slices.Delete(w.records, i, i+1)
		}},
		"answered out of order": {Order, func(t *testing.T, w *world, _ *Ledger) {
			i := pick(t, w.records, acknowledgedPlay)
			w.records[i].CallNS += 1_000_000_000
			w.records[i].ReturnNS += 1_000_000_000
		}},
		"in effect before it was called": {NotLinear, func(t *testing.T, w *world, _ *Ledger) {
			i := pick(t, w.records, acknowledgedPlay)
			w.records[i].CallNS += 1_000_000_000
			w.records[i].ReturnNS += 1_000_000_000
		}},
		"stale read": {NotLinear, func(t *testing.T, w *world, _ *Ledger) {
			i := pick(t, w.records, func(r *history.Record) bool { return r.Kind == history.KindRead && r.Effect == history.Applied })
			w.records[i].CallNS += 1_000_000_000
			w.records[i].ReturnNS += 1_000_000_000
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 7, 4).run(600)
			l := w.ledger()
			test.mutate(t, w, l)
			if problems := verdict(w.records, l, true); Count(problems, test.want) == 0 {
				t.Errorf("no %s among %v", test.want, problems)
			}
		})
	}
}

// TestLinearizable_WithoutJournal must find the faults from the clients' side
// alone, also where others used the wallets.
func TestLinearizable_WithoutJournal(t *testing.T) {
	w := newWorld(t, 11, 4).run(600)
	lost := slices.Clone(w.records)
	i := pick(t, lost, acknowledgedPlay)
	lost = slices.Delete(lost, i, i+1)
	if problems := Linearizable(Settle(lost, nil), LinearConfig{Complete: true}); len(problems) != 1 {
		t.Errorf("an operation is missing: %v", problems)
	}
	if problems := Linearizable(Settle(lost, nil), LinearConfig{}); len(problems) != 0 {
		t.Errorf("somebody else's operation is allowed: %v", problems)
	}
	twice := slices.Clone(w.records)
	i = pick(t, twice, acknowledgedPlay)
	double := twice[i]
	for j := range twice {
		if twice[j].Wallet == double.Wallet && twice[j].WalletSeq > double.WalletSeq {
			twice[j].BalanceMinor -= double.CostMinor
		}
	}
	if problems := Linearizable(Settle(twice, nil), LinearConfig{}); len(problems) != 1 {
		t.Errorf("a stake was taken twice: %v", problems)
	}
}

// TestChainReader_FindsPlanted changes one thing in a journal.
func TestChainReader_FindsPlanted(t *testing.T) {
	honest := newWorld(t, 3, 2).run(100)
	honest.ledger()
	const at = 40
	tests := map[string]func(journal []wallet.Record) []wallet.Record{
		"input": func(j []wallet.Record) []wallet.Record {
			j[at].Input = slices.Clone(j[at].Input)
			j[at].Input[len(j[at].Input)-1] ^= 1
			return j
		},
		"result": func(j []wallet.Record) []wallet.Record {
			j[at].Result = slices.Clone(j[at].Result)
			j[at].Result[20] ^= 1
			return j
		},
		"leaf":    func(j []wallet.Record) []wallet.Record { j[at].Leaf[0] ^= 1; return j },
		"salt":    func(j []wallet.Record) []wallet.Record { j[at].Salt[0] ^= 1; return j },
		"prev":    func(j []wallet.Record) []wallet.Record { j[at].Prev[0] ^= 1; return j },
		"epoch":   func(j []wallet.Record) []wallet.Record { j[at].Epoch++; return j },
		"gap":     func(j []wallet.Record) []wallet.Record { return slices.Delete(j, at, at+1) },
		"twice":   func(j []wallet.Record) []wallet.Record { return slices.Insert(j, at, j[at]) },
		"swapped": func(j []wallet.Record) []wallet.Record { j[at], j[at+1] = j[at+1], j[at]; return j },
		"forged with its leaf": func(j []wallet.Record) []wallet.Record {
			r := &j[at]
			r.Salt[5] ^= 1
			r.Leaf = wallet.Leaf(1, r.Epoch, r.Seq, wallet.Commitment(r.Salt, r.Input, r.Result))
			return j
		},
		"another origin": func(j []wallet.Record) []wallet.Record { j[0].Prev[0] ^= 1; return j },
		"no genesis":     func(j []wallet.Record) []wallet.Record { return j[1:] },
	}
	for name, mutate := range tests {
		t.Run(name, func(t *testing.T) {
			journal := mutate(slices.Clone(honest.journal))
			reader := NewChainReader(3, 1)
			for i := range journal {
				if _, err := reader.Read(&journal[i]); err != nil {
					return
				}
			}
			if _, hash := reader.Head(); hash == honest.shard.Head().Hash {
				t.Error("a changed journal was accepted")
			} else {
				t.Error("the change was only seen by the head's hash")
			}
		})
	}
}

// TestLedger_FindsWrongArithmetic plants faults that a consistent chain hides.
func TestLedger_FindsWrongArithmetic(t *testing.T) {
	w := newWorld(t, 5, 2).run(200)
	facts := func() []*Fact {
		var facts []*Fact
		reader := NewChainReader(3, 1)
		for i := range w.journal {
			fact, err := reader.Read(&w.journal[i])
			if err != nil {
				t.Fatal(err)
			}
			if fact != nil {
				facts = append(facts, fact)
			}
		}
		return facts
	}
	tests := map[string]func(f *Fact){
		"balance":         func(f *Fact) { f.BalanceMinor++ },
		"balance before":  func(f *Fact) { f.BalanceBeforeMinor-- },
		"wallet sequence": func(f *Fact) { f.WalletSeq++ },
		"cost":            func(f *Fact) { f.CostMinor++ },
		"shard":           func(f *Fact) { f.Shard++ },
		"negative":        func(f *Fact) { f.HeldNow = -1 },
	}
	for name, mutate := range tests {
		planted := facts()
		i := slices.IndexFunc(planted[100:], func(f *Fact) bool { return f.Kind == wallet.KindPlay }) + 100
		mutate(planted[i])
		l := NewLedger(nil)
		for _, f := range planted {
			l.Add(f)
		}
		if Count(l.Problems(), Arithmetic) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

func BenchmarkLinearizable(b *testing.B) {
	w := newWorld(b, 1, 50).run(20_000)
	settled := Settle(w.records, nil)
	b.ResetTimer()
	for b.Loop() {
		if problems := Linearizable(settled, LinearConfig{Complete: true}); len(problems) != 0 {
			b.Fatal(problems[0])
		}
	}
	b.ReportMetric(float64(len(settled))*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
