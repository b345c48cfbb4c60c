package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/wallet"
)

func compareProblems(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Wallet, b.Wallet), cmp.Compare(a.Shard, b.Shard),
		cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Detail, b.Detail))
}

// Acknowledged counts the operations of a history that a ledger must hold,
// each key once.
func Acknowledged(records []history.Record) int {
	keys := map[key]bool{}
	for i := range records {
		if r := &records[i]; r.Mutating() && r.Effect == history.Applied {
			keys[keyOf(r)] = true
		}
	}
	return len(keys)
}

// Durable holds a history against the ledger: what was acknowledged is there,
// at its place and with its amounts; what was refused is not.
func Durable(records []history.Record, ledger *Ledger) []Problem {
	acknowledged := map[key]bool{}
	for i := range records {
		if records[i].Effect == history.Applied {
			acknowledged[keyOf(&records[i])] = true
		}
	}
	var problems []Problem
	for i := range records {
		r := &records[i]
		if !r.Mutating() || r.Effect == history.Unknown {
			continue
		}
		facts := ledger.facts[keyOf(r)]
		switch {
		case r.Effect == history.Applied && len(facts) == 0:
			problems = append(problems, problem(Missing, r, "acknowledged, but not in the journal"))
		case r.Effect == history.Applied:
			if why := differs(r, facts[0]); why != "" {
				problems = append(problems, problem(Mismatched, r, why))
			}
		case len(facts) > 0 && !acknowledged[keyOf(r)] && sameBody(r, facts[0]):
			problems = append(problems, problem(Mismatched, r, fmt.Sprintf("%s (%s), but in the journal at %d", r.Effect, r.Code, facts[0].Seq)))
		}
	}
	slices.SortFunc(problems, compareProblems)
	return problems
}

func problem(check string, r *history.Record, detail string) Problem {
	return Problem{Check: check, Wallet: r.Wallet, Key: r.Key, Shard: r.Shard, Seq: r.ShardSeq, Detail: detail}
}

// sameBody keeps a refusal of a reused key apart from a refusal of the
// operation that is in the journal.
func sameBody(r *history.Record, f *Fact) bool {
	return r.Code != "key_reused" && r.StakeMinor == f.StakeMinor && r.AmountMinor == f.AmountMinor
}

// differs says where a record and its fact differ, empty when nowhere.
func differs(r *history.Record, f *Fact) string {
	if r.Kind == history.KindOpenWallet {
		return "" // a repeat is answered with the wallet as it is by then
	}
	if got, ok := kinds[f.Kind]; !ok || got != r.Kind {
		return fmt.Sprintf("the journal holds a %s under this key", f.Kind)
	}
	places := []struct {
		name      string
		got, want any
	}{
		{"shard", r.Shard, f.Shard},
		{"epoch", r.Epoch, f.Epoch},
		{"shard sequence", r.ShardSeq, f.Seq},
		{"shard hash", r.ShardHash, f.Hash},
		{"wallet sequence", r.WalletSeq, f.WalletSeq},
	}
	if r.Kind != history.KindOpenSession && r.Kind != history.KindCloseSession {
		places = append(places, []struct {
			name      string
			got, want any
		}{
			{"balance", r.BalanceMinor, f.BalanceMinor},
			{"stake", r.StakeMinor, f.StakeMinor},
		}...)
	}
	if r.Kind == history.KindPlay {
		places = append(places, []struct {
			name      string
			got, want any
		}{
			{"win", r.WinMinor, f.WinMinor},
			{"cost", r.CostMinor, f.CostMinor},
			{"round win", r.RoundWinMinor, f.RoundWinMinor},
			{"open round", r.RoundOpen, f.RoundOpen},
			{"round", r.Round, f.Round},
			{"step", r.Step, f.Step},
			{"module digest", r.ModuleDigest, f.ModuleDigest},
			{"draws digest", r.DrawsDigest, f.DrawsDigest},
			{"incident", r.Incident, f.Incident},
		}...)
	}
	for _, p := range places {
		if p.got != p.want {
			return fmt.Sprintf("acknowledged with %s %v, the journal says %v", p.name, p.got, p.want)
		}
	}
	if r.AmountMinor != f.AmountMinor && f.Kind != wallet.KindReverse {
		return fmt.Sprintf("acknowledged with amount %d, the journal says %d", r.AmountMinor, f.AmountMinor)
	}
	return ""
}

// kinds are the history's words for what the journal holds.
var kinds = map[wallet.Kind]string{
	wallet.KindDeposit: history.KindDeposit, wallet.KindWithdraw: history.KindWithdraw, wallet.KindReverse: history.KindReverse,
	wallet.KindOpenSession: history.KindOpenSession, wallet.KindPlay: history.KindPlay, wallet.KindIncident: history.KindPlay,
	wallet.KindCloseSession: history.KindCloseSession, wallet.KindOpenWallet: history.KindOpenWallet,
}

// SameResults reports keys that were acknowledged with different results.
func SameResults(records []history.Record) []Problem {
	first := map[key]*history.Record{}
	var problems []Problem
	for i := range records {
		r := &records[i]
		if !r.Mutating() || r.Effect != history.Applied || r.Kind == history.KindOpenWallet {
			continue
		}
		before := first[keyOf(r)]
		if before == nil {
			first[keyOf(r)] = r
			continue
		}
		if core(r) != core(before) {
			problems = append(problems, problem(Conflicting, r, fmt.Sprintf("at %d first, at %d now, or with other amounts", before.ShardSeq, r.ShardSeq)))
		}
	}
	slices.SortFunc(problems, compareProblems)
	return problems
}

// core is the part of a record that every retry of its key must repeat.
func core(r *history.Record) history.Record {
	c := *r
	c.CallNS, c.ReturnNS, c.Node, c.Attempts, c.Player, c.Code = 0, 0, "", 0, "", ""
	return c
}

// NoInvention reports what the ledger holds of the history's wallets, since
// their first record, without anybody having tried it. It is only meaningful
// for wallets nobody else used meanwhile.
func NoInvention(records []history.Record, ledger *Ledger) []Problem {
	tried, since := map[key]bool{}, map[string]uint64{}
	for i := range records {
		r := &records[i]
		tried[keyOf(r)] = true
		if r.Effect != history.Applied {
			continue
		}
		begin := r.WalletSeq
		if r.Kind == history.KindRead {
			begin++ // a read is not in the journal: what follows it is new
		}
		if at, ok := since[r.Wallet]; !ok || begin < at {
			since[r.Wallet] = begin
		}
	}
	var problems []Problem
	for at, facts := range ledger.facts {
		begin, ok := since[at.wallet]
		for _, f := range facts {
			if ok && !tried[at] && f.WalletSeq >= begin {
				problems = append(problems, Problem{
					Check: Invented, Wallet: f.Wallet, Key: f.Key, Shard: f.Shard, Seq: f.Seq,
					Detail: fmt.Sprintf("a %s nobody asked for", f.Kind),
				})
			}
		}
	}
	slices.SortFunc(problems, compareProblems)
	return problems
}
