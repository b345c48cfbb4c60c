// Package registry keeps which studios there are, with which keys they sign,
// and what became of every release: one small replicated state for the whole
// cluster, changed by its voters and learned by all other nodes.
//
// The core is pure: [State.Apply] is a function of a state and an operation,
// without clock, randomness or I/O; the leader puts the time into the
// operation. Around it, [Service] is a node's part of it: it brings operations
// to the leader, repeats only what is safe to repeat, and tells who listens
// that something changed.
//
// It promises that an operation answered without an error is committed by a
// majority of the voters, that a refusal is a decision of the same log, and
// that an operation sent twice under one id is applied once. It does not decide
// what a player gets: that is each shard's catalogue (PROTOCOL 16), which the
// reconciler moves towards [State.Desired].
//
// # Phases
//
// A release goes from draft to checked or rejected by the check's verdict, and
// on by persons: checked, rolled_back or retired to approved (never by who
// pushed it), approved to canary and live, canary to canary of another share
// and to live, canary and live to rolled_back, and checked, approved or live to
// retired. One version of a game is live at a time and one in canary. A version
// that becomes live retires the one before, and taking it back brings that one
// back. A draft or rejected version may be pushed again; any other is there for
// good. Nothing whose key was revoked comes closer to players, and nothing that
// returns otherwise than what players met under its name: a mode of the same
// family and variant, or of the same game id where it has none, keeps its
// theoretical return.
//
// # Versions
//
// Operations and snapshots carry a version. A replica that meets a newer one
// stops: operations of a new form may be proposed only once every voter runs a
// build that knows them, as with the ledger (PROTOCOL 3).
//
// # Concurrency
//
// A [State] is never changed once it was made: Apply gives a new one. A
// [Service] is safe for concurrent use.
//
// # Errors
//
// [*Refusal] is a decision: the same operation meets it again until the state
// changes. Every other error of Submit is an *Error that says whether the
// operation may still take effect.
package registry
