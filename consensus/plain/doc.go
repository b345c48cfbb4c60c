// Package plain keeps the replicas of any small state machine equal: one
// hashicorp/raft group, one command per entry, no batching and nothing
// evaluated before the log. It is for what changes a few times an hour and has
// to be right, such as the module registry; a wallet shard is a
// consensus.Group.
//
// It promises that an answered command is committed by a majority and applied
// on the answering replica, that a refusal is an answer of the machine and
// stands in the log like any other, and that every error says whether the
// command can still take effect. It does not order reads: whoever needs to
// read its own write waits for the index of its answer.
//
// # Concurrency
//
// Submit is safe for concurrent use. Raft applies on a goroutine of its own,
// which owns the machine: its methods are never called at the same time.
//
// # Durability
//
// As in package consensus: an entry is acknowledged after a majority of voters
// wrote and synced it. Snapshots carry a checksum and the name of their group.
//
// # Errors
//
// *consensus.Error. A machine that fails to apply stops its replica for good
// (OnFatal), because going on could diverge.
package plain
