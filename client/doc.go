// Package client is the Go SDK of players and operators: it finds the nearest
// healthy node, keeps a standby warm, moves on when a node dies, and repeats a
// money call under the same key until the key has answered.
//
// What it promises: a mutating call that returns nil was applied exactly once,
// however many attempts and nodes it took. A call that returns an *[Error] says
// what is known of the money, and never more than is known. It does not promise
// an answer: when the budget of a call ends first, the effect is unknown and
// the caller keeps the key.
//
// # The three effects
//
// Every attempt ends in one of four ways. An answer: the call is applied, now
// or by an earlier attempt. A refusal with effect not_applied or
// not_applied_retryable: it speaks for this attempt. Anything else - a broken
// connection, a timeout, an error without a detail - is unknown: the attempt
// may still be on its way and commit later. The call then follows these rules:
//
//   - unknown: repeat with the same key, at once on the next node when this one
//     was silent, after a pause when it answered "unknown" itself;
//   - not_applied_retryable: repeat with the same key after a pause;
//   - not_applied, and every earlier attempt was refused too: final, for each
//     attempt has spoken for itself;
//   - not_applied, but an earlier attempt is unknown: not final, because that
//     attempt can still commit. The call goes on asking until the key answers.
//     Only a committed tombstone (code "reversed") ends it as not_applied, since
//     it refuses the late copy as well;
//   - already_decided: the step left the retained window; it is looked up.
//
// When the budget ends, the effect is unknown if any attempt was, otherwise
// not_applied_retryable. Reads change nothing, so theirs is never unknown.
//
// # Nearest node
//
// Nodes are ranked by the round trip of a QUIC handshake, the best of three. A
// player stays where it is until another node is below two thirds of the
// present round trip and at least 10 ms better, twice in a row, and never moves
// during an open round; only failure moves it at once.
//
// # Concurrency
//
// Client is safe for concurrent use. Player, Operator, Session belong to one
// goroutine each, because a player does one thing at a time: two copies of one
// step in flight would be decided once anyway. Close ends every goroutine.
//
// # Errors
//
// Every failed call of a Player, Operator, Session or Node returns an *[Error].
package client
