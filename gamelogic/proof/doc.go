// Package proof finds out what a module pays, by playing it: Simulate plays
// random rounds on every core, Exact walks the whole tree of draws.
//
// Both go through the path that plays for money: the same module, the same
// host functions, whole rounds of as many steps as they take. Neither looks
// into a module. Return and deviation are per unit of what a round costs, and
// one observation is one whole round.
//
// Simulate promises the same digest for the same module, mode, stake, seed and
// number of rounds on any machine with any number of workers, and after any
// number of interruptions. Exact promises fractions, not approximations, or
// says that the tree is too large. Money is summed in integers throughout.
//
// Both use instances that are not restored between steps, which is what makes
// them fast, and play a sample again in fresh instances: a module that answers
// differently there has hidden state and gets ErrHiddenState. The sample makes
// that likely to be found, not certain.
//
// # Concurrency
//
// Functions are safe for concurrent use on one module; each call owns its
// workers and waits for them.
//
// # Errors
//
// ErrHiddenState, ErrEndless and a *gamelogic.TrapError blame the module,
// ErrCheckpoint the file to resume from, ErrTooLarge the size of the tree.
// gamelogic's errors for a bad mode or stake come through as they are.
package proof

import "errors"

var (
	// ErrHiddenState: a step came out differently in a fresh instance.
	ErrHiddenState = errors.New("proof: the module keeps state of its own between steps")
	// ErrEndless: a round does not close, or there is a way to play on which it cannot.
	ErrEndless = errors.New("proof: a round does not close")
	// ErrTooLarge: the tree of draws is over the limits. The result beside it says how large.
	ErrTooLarge = errors.New("proof: too large")
	// ErrCheckpoint: the file is damaged, or that of another simulation.
	ErrCheckpoint = errors.New("proof: the checkpoint cannot be used")
)
