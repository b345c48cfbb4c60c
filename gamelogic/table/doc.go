// Package table plays games that are lists of finished outcomes instead of
// code: each mode holds weighted rounds, a round's win and what the player is
// shown. Studios that publish such lists elsewhere keep their content.
//
// It promises that a row is drawn with exactly its weight over the total, by the
// host's certified draws; that a game is one file whose digest names it and
// that nothing outside of the file decides an outcome; and that importing the
// same content gives the same file. A table game is a gamelogic.Game like a
// module: same rounds, same ledger, same replay.
//
// A round whose presentation is larger than one step may carry is shown in
// parts: the first step draws the row, the later ones take the action "next"
// and no draw, the last one pays. What was drawn stands in the round's state
// and so cannot change.
//
// It does not judge the content: returns are computed exactly (Game.Exact) and
// put into the manifest on import, but whether they are allowed is the gate's
// question.
//
// # Concurrency
//
// A Game is safe for concurrent use. It reads presentations through the
// io.ReaderAt it was opened with, which must be too.
//
// # Errors
//
// An *ImportError names the file, line and rule that content breaks.
// ErrFormat and ErrNewerFormat refuse a file. Game's errors are those of
// gamelogic.
package table
