package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/edgereel/edgereel/chaos/history"
)

// waits finds how long players waited for acknowledgements, and which faults
// were on meanwhile. records are in order of their calls.
func (r *Result) waits(records []history.Record) {
	plays := map[string][]history.Record{}
	for i := range records {
		if records[i].Kind == history.KindPlay {
			plays[records[i].Wallet] = append(plays[records[i].Wallet], records[i])
		}
	}
	for _, calls := range plays {
		acks := slices.DeleteFunc(slices.Clone(calls), func(p history.Record) bool { return p.Effect != history.Applied })
		slices.SortFunc(acks, func(a, b history.Record) int { return cmp.Compare(a.ReturnNS, b.ReturnNS) })
		before := int64(0)
		for i := range acks {
			r.wait(waitedFrom(calls, before, acks[i].CallNS), acks[i].ReturnNS)
			before = acks[i].ReturnNS
		}
	}
}

// waitedFrom is when a player wanted to go on after the acknowledgement before:
// with the first call since, whatever came of it, so that thinking does not
// count, and not before that acknowledgement.
func waitedFrom(calls []history.Record, before, call int64) int64 {
	i, _ := slices.BinarySearchFunc(calls, before, func(p history.Record, at int64) int { return cmp.Compare(p.CallNS, at) })
	if i < len(calls) {
		call = min(call, calls[i].CallNS)
	}
	return max(call, before)
}

func (r *Result) wait(from, to int64) {
	waited := time.Duration(to - from)
	r.LongestGap = max(r.LongestGap, waited)
	for i := range r.Faults {
		f := &r.Faults[i]
		if to >= f.At.UnixNano() && from <= f.Healed.Add(f.Recovery).UnixNano() {
			f.Gap = max(f.Gap, waited)
		}
	}
}

// Gaps are the longest gaps of all faults of a kind, the shortest first.
func (r *Result) Gaps(kind Kind) []time.Duration {
	var gaps []time.Duration
	for _, f := range r.Faults {
		if f.Fault.Kind == kind {
			gaps = append(gaps, f.Gap)
		}
	}
	slices.Sort(gaps)
	return gaps
}
