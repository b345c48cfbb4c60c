// Package gamelogic runs slot games as WebAssembly modules and owns every
// random draw they make. It promises that a step is a pure function: the same
// module bytes, step and draws give the same outcome on every node, in a
// pooled or in a fresh instance. It promises that every call of a module ends:
// it runs on fuel and stack slots (package meter), and out of either it is the
// same incident everywhere. It promises that a module has no other
// source of entropy, no clock and no I/O, that nothing of one step is left in
// the instance of the next, and that a module's answer is checked against its
// own manifest before anyone sees it.
//
// It does not know wallets, balances, rounds' totals or the log: a caller
// hands in the stake and the state of an open round and gets back the win of
// one step and the next state. It does not admit modules: what a stranger's
// binary costs to compile, and whether its game is what its studio says, is
// settled elsewhere, so it runs only digests that it was told to allow.
//
// # Concurrency
//
// Host and Module are safe for concurrent use. An instance belongs to one
// goroutine at a time; Draws, Stream and Simulator belong to one goroutine.
// Host.Close waits for every step in flight, Host.Unload for those of a module.
//
// # Errors
//
// An error that wraps ErrUnknownMode, ErrUnknownAction, ErrBadStake,
// ErrBadInput, ErrBadState or ErrBadDraws blames the caller: the step was not
// played and consumed no draw. A *TrapError blames the module: it is an
// incident, its draws are spent and recorded in the outcome returned beside it.
// ErrClosed, ErrUnloaded and a context's error say that nothing ran.
package gamelogic
