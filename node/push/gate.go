package push

import (
	"context"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
)

// Gate checks a module that nobody has vouched for yet. What it finds out about
// the module is an answer or a [Refusal]; any other error is this machine's
// fault and says nothing about the module.
type Gate interface {
	// Admit decodes, compiles and starts the module, within bounds that no
	// honest module comes near, and gives what it says of itself.
	Admit(ctx context.Context, job Job) (*Admission, error)
	// Prove runs the whole check. tell is called in between by one goroutine;
	// total is 0 where a stage has no measure.
	Prove(ctx context.Context, job Job, tell func(stage string, done, total uint64)) (*gate.Report, error)
}

// Kinds of games.
const (
	KindModule = "wasm"
	KindTable  = "table"
)

// Admission is what a module says of itself, and the class it runs in.
type Admission struct {
	Kind     string              `json:"kind"`
	Manifest *gamelogic.Manifest `json:"manifest"`
	Profile  string              `json:"profile"` // empty for a table
	// MeterVersion and FuelPerStep are what a step of it is held to; 0 for a
	// table, which has no code.
	MeterVersion uint16 `json:"meter_version"`
	FuelPerStep  int64  `json:"fuel_per_step"`
}

// Job is what a gate is asked.
type Job struct {
	// Module is the file's path. It is read only after its size is known to be
	// within bounds; Digest is what it has to hash to.
	Module string
	Digest [32]byte
	PAR    []byte
	// Rounds are simulated in each mode; 0 is the gate's own number.
	Rounds uint64
	Seed   uint64
	// FloorRTP is the least return of any mode, a decimal; empty is none.
	FloorRTP string
}

// Refusal says that the module itself is why a check ended: it is no module, or
// it took more than a module may take.
type Refusal struct {
	// Stage is where the check was.
	Stage string
	// Reason is a sentence without a full stop, for the studio.
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }
