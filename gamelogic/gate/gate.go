package gate

import (
	"context"
	"errors"
)

// ErrConfig means that the configuration does not ask a question that has an answer.
var ErrConfig = errors.New("gate: bad configuration")

// Stage is a part of the check, for progress and for grouping.
type Stage string

// Stages in their order.
const (
	StageDecode      Stage = "decode"      // the binary and its limits
	StageManifest    Stage = "manifest"    // what the module says of itself
	StagePAR         Stage = "par"         // the sheet, and whether it is that of the module
	StageDeterminism Stage = "determinism" // fresh against pooled, compiler against interpreter, shuffled order
	StageFuzz        Stage = "fuzz"        // random inputs and states
	StageExact       Stage = "exact"       // all draws, where they can be counted
	StageSimulate    Stage = "simulate"    // many rounds
	StageFigures     Stage = "figures"     // declared against exact and simulated
)

// Stages lists all of them in their order.
func Stages() []Stage {
	return []Stage{StageDecode, StageManifest, StagePAR, StageDeterminism, StageFuzz, StageExact, StageSimulate, StageFigures}
}

// DefaultRounds is simulated in each mode when the configuration names nothing.
const DefaultRounds = 1_000_000

// Config says what to check and how thoroughly.
type Config struct {
	Wasm []byte // the module as its studio built it
	PAR  []byte // par.json; empty is a finding
	// Rounds are simulated in each mode; 0 means DefaultRounds.
	Rounds uint64
	// Seed of the simulation, the fuzzing and the shuffling.
	Seed uint64
	// FloorRTP is the least return the jurisdiction allows in any mode, as a
	// decimal like "0.85"; empty means none.
	FloorRTP string
	// MaxLeaves bounds the exact walk of each mode; 0 means DefaultMaxLeaves.
	MaxLeaves uint64
	// Workers play at the same time; 0 means GOMAXPROCS. The report does not depend on it.
	Workers int
	// CompileCacheDir keeps compiled code between runs; empty means none.
	CompileCacheDir string
	// Progress is told how far a stage is, one call at a time; nil means
	// nobody. total is in units of the stage's own and may grow.
	Progress func(stage Stage, done, total uint64)
}

// DefaultMaxLeaves keeps the exact walk of a mode within about a minute.
const DefaultMaxLeaves = 100_000_000

// Check runs every stage and reports. A module that fails has a report and no
// error: ErrConfig and the end of ctx are the only ones.
func Check(ctx context.Context, cfg Config) (*Report, error) {
	c, err := newChecker(cfg)
	if err != nil {
		return nil, err
	}
	return c.run(ctx)
}
