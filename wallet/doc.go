// Package wallet is the pure core of Edgereel: money, accounts, ledger
// entries, rounds, game sessions and idempotency keys of one wallet shard.
//
// A [Shard] is a deterministic state machine. [Shard.Apply] takes the bytes of
// one committed log [Entry] and returns one [Result] per operation and one
// [Record] per operation that changed the ledger. Two replicas that apply the
// same entries hold the same state, the same chain hash and give the same
// results, whatever machine they run on and wherever they started from a
// snapshot.
//
// The package promises double entry (every operation's postings sum to zero),
// exactly-once keys (a repeated key returns the first result), checked 64-bit
// arithmetic and a chain of salted commitments over every operation. It does
// not decide outcomes, keep files, read a clock or know a network: what an
// operation needs from there is evaluated by the proposer and written into the
// operation, and Apply checks that it was evaluated on the present state. Which
// build of a game a wallet's round runs on, a canary's share included, is part
// of that state, and so is what the rounds of each build came to ([Tally]).
//
// # Concurrency
//
// A Shard is owned by one goroutine. Nothing in it is safe for concurrent use;
// views are copies and may be kept.
//
// # Errors
//
// A refusal is a [Result] whose Effect is not Applied. An error from Apply is
// different: this replica must stop, because going on could diverge.
package wallet
