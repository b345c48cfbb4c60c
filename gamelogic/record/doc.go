// Package record is a round as it was decided, written down so that anybody
// can play it again: the seed once it is revealed, what the player asked, and
// what came of every step.
//
// It promises that Replay says "the same" only when every step of the round
// comes out bit for bit, from the seed that the session committed to before
// any wager, and that anything else has a reason that names the first thing
// that is wrong. It reads no journal and asks no node; that the record itself
// is what the ledger holds is for the ledger's chain to prove.
//
// # Errors
//
// ErrRecord: it is no record, or one of a later version. ErrSealed: its seed is
// not revealed yet. ErrSeed: the seed is not the one of the commitment.
// ErrModule: another game than the one that was played. ErrMissing: a step is
// missing. A *MismatchError names step, field and both values.
package record
