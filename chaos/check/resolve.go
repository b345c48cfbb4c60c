package check

import (
	"math"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/wallet"
)

// never is the return time of an operation nobody saw end.
const never = int64(math.MaxInt64)

// Settle makes one record of each key and takes out what was refused, so that
// the rest either happened or may have happened. With a ledger the unknown
// operations are decided: they took effect as the journal says, at any time
// after their call, or they never did. A nil ledger leaves them open.
func Settle(records []history.Record, ledger *Ledger) []history.Record {
	at := map[key]int{}
	var settled []history.Record
	for i := range records {
		r := records[i]
		if !r.Mutating() {
			if r.Effect == history.Applied {
				settled = append(settled, r)
			}
			continue
		}
		if r.Effect == history.NotApplied || r.Effect == history.NotAppliedRetryable {
			continue
		}
		if r.Effect == history.Unknown {
			r.ReturnNS = never
		}
		place, seen := at[keyOf(&r)]
		if !seen {
			at[keyOf(&r)] = len(settled)
			settled = append(settled, r)
			continue
		}
		settled[place] = merge(settled[place], r)
	}
	if ledger == nil {
		return settled
	}
	decided := settled[:0]
	for _, r := range settled {
		facts := ledger.facts[keyOf(&r)]
		if r.Effect == history.Unknown {
			if len(facts) == 0 {
				continue
			}
			fill(&r, facts[0])
		}
		decided = append(decided, r)
	}
	return decided
}

// merge joins two records of one key: it was called with the first call and had
// taken effect by the first acknowledgement.
func merge(a, b history.Record) history.Record {
	if a.Effect == history.Unknown && b.Effect == history.Applied {
		a, b = b, a
	}
	a.CallNS = min(a.CallNS, b.CallNS)
	if b.Effect == history.Applied {
		a.ReturnNS = min(a.ReturnNS, b.ReturnNS)
	}
	return a
}

// fill gives an unknown record the result the journal holds.
func fill(r *history.Record, f *Fact) {
	r.Effect = history.Applied
	r.CostMinor, r.WinMinor, r.RoundWinMinor, r.RoundOpen = f.CostMinor, f.WinMinor, f.RoundWinMinor, f.RoundOpen
	r.BalanceMinor, r.WalletSeq = f.BalanceMinor, f.WalletSeq
	r.Shard, r.Epoch, r.ShardSeq, r.ShardHash = f.Shard, f.Epoch, f.Seq, f.Hash
	if f.Kind == wallet.KindReverse {
		r.AmountMinor = f.WinMinor - f.CostMinor
	}
}
