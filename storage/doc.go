// Package storage keeps what a node must not forget: the Raft logs and stable
// values of all its groups, what it remembers about its peers, and the journal
// of operations of each shard.
//
// It promises that a call which returned nil is on disk (except
// [Journal.Append], which is durable after the next [Journal.Sync] or seal),
// that a torn unacknowledged tail is truncated and reported, and that damage
// anywhere before it is refused with an error that names the place. It does
// not know wallets, rounds or the meaning of a record, takes no snapshots
// (raft's file snapshot store does) and never repairs damage by guessing.
//
// # Concurrency
//
// [Store] and [Group] are safe for concurrent use. One writer goroutine per
// Store commits the pending changes of all groups in one transaction with one
// fsync. A [Journal] has one appender and any number of readers.
//
// # Durability
//
// An error of a commit or an fsync is final: the Store calls Config.OnFatal
// once and refuses every later write, because after a failed fsync nobody knows
// what the disk holds. A Journal behaves in the same way. Nothing is retried.
//
// # Errors
//
// [ErrForeignCluster], [ErrForeignNode], [ErrNewerFormat], [ErrLocked] and
// [ErrMissing] refuse a folder. [DamageError] names a damaged place.
// [DivergenceError] says that two replicas disagree. [ErrFailed] and
// [ErrClosed] refuse writes for good.
//
// DESIGN.md gives the reasons, FORMAT.md the bytes.
package storage
