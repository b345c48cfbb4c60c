// Package consensus keeps the replicas of a wallet shard equal: one
// hashicorp/raft group around the pure wallet core, a proposer that batches,
// and snapshots that are complete only with the journal they name.
//
// It promises that an answered operation is committed by a majority and
// applied, that an operation is prepared on exactly the state it will be
// applied to, that refusals and reads are linearizable, and that every error
// says whether the operation can still take effect. It does not authenticate, route
// or evaluate games; those are handed in as a [Task].
//
// # Concurrency
//
// One proposer goroutine per replica prepares and proposes, with one entry in
// flight. Raft's goroutines apply. Readers copy out of the state under a read
// lock between two entries ([Group.View]).
//
// # Durability
//
// An entry is acknowledged after a majority of voters wrote and synced it. The
// journal follows the log: it is synced before a snapshot lets the log be cut,
// and anything younger is written again from the log after a crash.
//
// # Errors
//
// *wallet.Refusal for a decided refusal, *Error for everything about the group.
// DESIGN.md lists what each one means.
package consensus
