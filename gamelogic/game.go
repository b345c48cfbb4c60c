package gamelogic

import "context"

// Game is anything that evaluates the steps of a round: a module, or a game
// that the host itself knows how to play.
//
// A step is a pure function of the game's bytes, the Step and its draws: the
// same on every node and at every time, whatever was played before. All its
// randomness comes from Step.Draws, which serve this one step; a game that is
// no module claims them first (Draws.Claim). Both methods hold the step and
// the answer to the manifest, and return the errors that package gamelogic
// names: those that blame the caller come before the first draw and without an
// outcome, a *TrapError beside an outcome that tells the draws. Safe for
// concurrent use.
type Game interface {
	// Digest is SHA-256 of the bytes that the game is.
	Digest() [32]byte
	// Manifest is the game's own statement. It is shared: do not change it.
	Manifest() *Manifest
	// Play evaluates one step for a player.
	Play(ctx context.Context, s Step) (Outcome, error)
	// Replay evaluates one step for a verifier, with nothing that an earlier
	// step could have left behind.
	Replay(ctx context.Context, s Step) (Outcome, error)
}

var _ Game = (*Module)(nil)
