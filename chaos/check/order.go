package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/edgereel/edgereel/chaos/history"
)

// InOrder reports answers that went back in time: an operation called after
// another one had returned stands later in its wallet and, if both changed the
// ledger, later in its shard. records are those of Settle.
func InOrder(records []history.Record) []Problem {
	var problems []Problem
	byWallet, byShard := map[string][]*history.Record{}, map[uint32][]*history.Record{}
	for i := range records {
		r := &records[i]
		// An opening answers a repeat with the present state of the shard.
		if r.Effect != history.Applied || r.Kind == history.KindOpenWallet {
			continue
		}
		byWallet[r.Wallet] = append(byWallet[r.Wallet], r)
		if r.Mutating() {
			byShard[r.Shard] = append(byShard[r.Shard], r)
		}
	}
	for _, group := range byWallet {
		problems = append(problems, sweep(group, "wallet", func(r *history.Record) uint64 { return r.WalletSeq }, (*history.Record).Mutating)...)
	}
	for _, group := range byShard {
		problems = append(problems, sweep(group, "shard", func(r *history.Record) uint64 { return r.ShardSeq }, (*history.Record).Mutating)...)
	}
	slices.SortFunc(problems, compareProblems)
	return problems
}

// sweep walks through calls in order of time, with the greatest sequence that
// had been answered before each. strict operations must be above it.
func sweep(group []*history.Record, name string, seq func(*history.Record) uint64, strict func(*history.Record) bool) []Problem {
	calls, returns := slices.Clone(group), slices.Clone(group)
	slices.SortFunc(calls, func(a, b *history.Record) int { return cmp.Compare(a.CallNS, b.CallNS) })
	slices.SortFunc(returns, func(a, b *history.Record) int { return cmp.Compare(a.ReturnNS, b.ReturnNS) })
	var problems []Problem
	var highest uint64
	for _, r := range calls {
		for len(returns) > 0 && returns[0].ReturnNS < r.CallNS {
			highest = max(highest, seq(returns[0]))
			returns = returns[1:]
		}
		if seq(r) < highest || seq(r) == highest && strict(r) {
			problems = append(problems, problem(Order, r, fmt.Sprintf("%s sequence %d, but %d was answered before the call", name, seq(r), highest)))
		}
	}
	return problems
}
