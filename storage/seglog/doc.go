// Package seglog keeps the Raft logs of all groups of a node in one log of
// preallocated segment files.
//
// It promises that a write which returned nil is on disk, that one fsync
// carries what all groups have queued, that a torn unacknowledged tail is
// truncated and reported, that an entry once seen missing does not come back,
// and that damage anywhere before the tail is refused with file and offset. It
// does not keep term, vote or any other stable value (those stay in the bbolt
// [storage.Store]), takes no snapshots and never repairs damage by guessing.
// The caller holds the lock of the folder: the Store beside it does.
//
// # Concurrency
//
// [Log] and [Group] are safe for concurrent use. Three goroutines belong to a
// Log: the writer appends and fsyncs; the preparer makes the next segment ahead
// of time and removes dead ones; the carrier copies the last live entries out
// of an old segment so that it can be removed.
//
// # Durability
//
// A write is one pwrite and one fdatasync of a batch; the next batch is begun
// only after that. An error of either is final: Config.OnFatal is called once
// and every later write is refused, because after a failed fsync nobody knows
// what the disk holds.
//
// # Errors
//
// The errors are those of package storage: [storage.DamageError] names a
// damaged place; [storage.ErrForeignNode], [storage.ErrNewerFormat] and
// [storage.ErrMissing] refuse a folder; [storage.ErrFailed] and
// [storage.ErrClosed] refuse writes for good; [storage.ErrMiddle] refuses a
// DeleteRange that would leave a hole.
package seglog
