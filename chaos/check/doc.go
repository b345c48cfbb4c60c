// Package check judges histories of clients and journals of shards: whether the
// cluster kept what it acknowledged, once, in an order that makes sense to every
// client, and whether the journal is the chain it claims to be.
//
// What it promises: every checker reports the fault it is for; the tests plant
// each of them. It does not fetch anything (package verify does) and it knows
// no game: whether an outcome was drawn rightly is for the replay.
//
// An operation that ended unknown may or may not have happened, at any time
// after its call. With a journal at hand the journal decides; without one the
// checkers accept both.
//
// # Concurrency
//
// Everything here belongs to one goroutine, except that Linearizable uses one
// per wallet inside.
package check

import "fmt"

// Checks a Problem can be of.
const (
	Missing     = "missing"
	Duplicated  = "duplicated"
	Mismatched  = "mismatched"
	Conflicting = "conflicting_results"
	Invented    = "invented"
	Order       = "order"
	NotLinear   = "not_linearizable"
	Chain       = "chain"
	Arithmetic  = "arithmetic"
)

// Problem is one fault that was found.
type Problem struct {
	Check  string `json:"check"`
	Wallet string `json:"wallet,omitempty"`
	Key    string `json:"key,omitempty"`
	Shard  uint32 `json:"shard"`
	Seq    uint64 `json:"shard_seq,omitempty"`
	Detail string `json:"detail"`
}

func (p Problem) String() string {
	text := p.Check
	if p.Wallet != "" {
		text += " wallet " + p.Wallet
	}
	if p.Key != "" {
		text += " key " + p.Key
	}
	if p.Seq != 0 {
		text += fmt.Sprintf(" shard %d at %d", p.Shard, p.Seq)
	}
	return text + ": " + p.Detail
}

// Count is how many problems are of a check.
func Count(problems []Problem, check string) int {
	n := 0
	for _, p := range problems {
		if p.Check == check {
			n++
		}
	}
	return n
}
