// Package seeds keeps the secrets every voter of a cluster shares: the ring of
// keys that seal session seeds, the keys of the player directory, and the keys
// that sign tokens.
//
// It promises that a sealed seed opens only for the wallet, session, epoch and
// key it was sealed for, that a player's identity opens only with a key of its
// own, which can be destroyed, and that neither a plain seed nor a key ever
// appears in an error or in the printed form of a value of this package. It
// does not protect against whoever holds the key files: they can foresee the
// outcomes of open sessions.
//
// # Files
//
// Each of the three is a JSON file with a version, readable by its owner alone;
// a file that others can read is refused. All nodes of a cluster hold the same
// files, because any voter may lead.
//
// # Concurrency
//
// [Ring], [Directory] and [Tokens] are immutable and safe for concurrent use,
// provided their source of randomness is. Rotation makes a new value.
//
// # Errors
//
// Opening fails with [ErrUnknownKey] or [ErrSealBroken], and says no more.
package seeds
