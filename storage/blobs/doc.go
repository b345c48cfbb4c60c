// Package blobs keeps a node's content-addressed files: modules, envelopes,
// sheets, reports, table containers. A blob is named by the SHA-256 of its
// bytes and never changes.
//
// It promises that a blob which [Store.Put] or [Store.Append] stored is on disk
// under its name with exactly the bytes of that name, and that bytes which do
// not match their name are never served once anybody looked: [Store.Read] and
// [Store.Verify] move such a file aside (its name then ends in ".damaged"). It
// does not know what a blob means, who may have it or who still needs it.
//
// # Concurrency
//
// A [Store] is safe for concurrent use. One upload has one writer at a time; a
// second one is refused with [ErrBusy].
//
// # Durability
//
// A blob is written to a file of another name, hashed, synced, renamed, and its
// folder synced, before the call returns. A crash leaves at worst an unfinished
// upload, which goes on where it was, or a temporary file, which [Open] removes.
//
// # Errors
//
// [ErrNotFound], [ErrBusy], [ErrTooLarge] and [ErrTooMany] refuse a call;
// [DigestError] says that the bytes are not those of the name, [OffsetError]
// where an upload goes on, [DamageError] that a stored file has changed.
package blobs
