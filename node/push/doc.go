// Package push takes a studio's module in: it receives the blobs, verifies who
// signed them, has the module checked in a process of its own, and records the
// release with its verdict in the registry.
//
// What it promises: a release is recorded only for a module that an active key
// of the game's own studio signed and that a host would run; "checked" only for
// one whose whole check passed. A push that is refused leaves nothing stored;
// one whose check failed leaves the record and the report. A signed module that
// was recorded once is answered with its record, however often it is pushed. It
// does not decide who may push; the gateway does.
//
// # Concurrency
//
// A [Service] is safe for concurrent use. One check runs at a time; another
// push is asked to come back, because a queue of half-hour checks would hold
// connections for nobody's good.
//
// # Durability
//
// All blobs are stored before the registry's operation that names them is
// submitted.
//
// # Errors
//
// Every error carries its effect. What the studio can correct is not_applied
// with a code of its own; a busy or broken node is not_applied_retryable; an
// undecided record is unknown, and pushing again finds out.
package push
