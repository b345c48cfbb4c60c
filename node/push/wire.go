package push

import "encoding/json"

// ChildVersion numbers what parent and child say to each other. Both are the
// same program, unless it was replaced on disk in between.
const ChildVersion = 1

// Phases of a child.
const (
	PhaseAdmit = "admit"
	PhaseProve = "prove"
)

// MaxModuleBytes bounds the file a child reads. Admission has tighter bounds of
// its own, by profile; this one is for the reading.
const MaxModuleBytes = 16 << 20

// MaxTableBytes bounds a table, which a child holds in memory as a whole.
const MaxTableBytes = 256 << 20

// ChildJob is what a child reads from its standard input.
type ChildJob struct {
	Version  int    `json:"version"`
	Phase    string `json:"phase"`
	Module   string `json:"module"` // path
	Digest   string `json:"digest"`
	PAR      []byte `json:"par,omitempty"`
	Rounds   uint64 `json:"rounds,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`
	FloorRTP string `json:"floor_rtp,omitempty"`
	Workers  int    `json:"workers,omitempty"`
	// MemoryBytes is where the child's collector begins to try harder.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
}

// ChildLine is one line a child writes to its standard output: progress, or
// how it ended, which is one of the last four and then the last line.
type ChildLine struct {
	Version int    `json:"version"`
	Stage   string `json:"stage,omitempty"`
	Done    uint64 `json:"done,omitempty"`
	Total   uint64 `json:"total,omitempty"`

	// Admission ends the phase of that name.
	Admission *Admission `json:"admission,omitempty"`
	// Report ends a proof.
	Report json.RawMessage `json:"report,omitempty"`
	// Refused blames the module, Failed the machine.
	Refused string `json:"refused,omitempty"`
	Failed  string `json:"failed,omitempty"`
}
