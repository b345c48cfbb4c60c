package meter

import "fmt"

// Version of the rewriting. Fuel is part of what a module's outcome depends
// on, so any change of weights or of what is added is a new version. Version 1
// paid for a whole loop at its head and for every function at its entry, and
// was never released.
const Version = 2

// Names under which the host reaches what was added.
const (
	// ReservedPrefix begins the export names a module may not use.
	ReservedPrefix = "edgereel."
	// FuelExport is a mutable i64: what is left. Below zero after a trap it
	// says that the call was out of fuel.
	FuelExport = ReservedPrefix + "fuel"
	// StackExport is a mutable i64: slots left. Below zero after a trap it says
	// that calls were nested too deeply.
	StackExport = ReservedPrefix + "stack"
)

// StackSlots is what the host sets StackExport to before a call. A slot is
// eight bytes of native stack at most and a frame at least 1,024 slots, so a
// module can never reach the engine's own limits (50,000,000 bytes when
// compiled, 2,000 frames when interpreted), which differ.
const StackSlots = 1 << 20

const (
	minFrame   = 1 << 10 // slots; bounds paid calls to 1,024
	freeSlots  = 1 << 17 // height of what may be called without payment
	freeFrames = 512
)

// Limits of a module. Every field but the booleans must be set.
type Limits struct {
	Profile       string // their name, repeated in the report
	Bytes         int    // of the binary
	Functions     int
	BodyBytes     int // of one function
	Locals        int // declared in one function
	LocalsXBlocks int // of one function: locals and parameters times blocks
	Nesting       int // of blocks in one function
	BranchTable   int // targets of one br_table
	Globals       int
	TableElements int
	MemoryPages   int // of 64 KiB
	// Effort bounds what compiling the rewritten module costs, see effort.
	Effort int64
	// Floats allows floating-point types and instructions. What they compute is
	// made the same everywhere, see the package's text.
	Floats bool
	// DetachData takes the active data segments out of the module and puts them
	// into the report, where the code does not need them: who builds many
	// instances copies the memory of the first one.
	DetachData bool
	// Imports allows functions by "module.name"; the value is the signature,
	// 'i' for i32, 'l' for i64, 'f' for f32 and 'd' for f64: "ii>l".
	Imports map[string]string
}

// letter stands for a value type in signatures; 0 is a type that is not allowed.
func (l *Limits) letter(valueType byte) byte {
	switch {
	case valueType == valI32:
		return 'i'
	case valueType == valI64:
		return 'l'
	case valueType == valF32 && l.Floats:
		return 'f'
	case valueType == valF64 && l.Floats:
		return 'd'
	}
	return 0
}

// allowed says in a refusal what letter knows.
func (l *Limits) allowed() string {
	if l.Floats {
		return "only numbers are allowed"
	}
	return "only integers are allowed"
}

// DefaultLimits are those of a pure module, without any import.
func DefaultLimits() Limits {
	return Limits{
		Profile: "pure", Bytes: 512 << 10, Functions: 10_000, BodyBytes: 32 << 10, Locals: 256, LocalsXBlocks: 100_000,
		Nesting: 256, BranchTable: 1024, Globals: 256, TableElements: 4096, MemoryPages: 64,
		Effort: 3_000_000,
	}
}

// RuntimeLimits are those of a module that brings the runtime of its language
// with it, without any import.
func RuntimeLimits() Limits {
	return Limits{
		Profile: "wasi", Bytes: 4 << 20, Functions: 10_000, BodyBytes: 64 << 10, Locals: 256, LocalsXBlocks: 100_000,
		Nesting: 1024, BranchTable: 4096, Globals: 256, TableElements: 16_384, MemoryPages: 256, Floats: true,
		Effort: 6_000_000,
	}
}

// Rule names what a module was refused for. The text is stable.
type Rule string

// The rules of a RefusedError.
const (
	RuleFormat      Rule = "format"      // no well-formed binary
	RuleBytes       Rule = "bytes"       // size of the binary
	RuleSection     Rule = "section"     // unknown, repeated or out of order
	RuleType        Rule = "type"        // a value type that is no integer
	RuleImport      Rule = "import"      // not on the list
	RuleReserved    Rule = "reserved"    // an export name of the host's
	RuleStart       Rule = "start"       // a start function
	RuleInstruction Rule = "instruction" // not an integer instruction
	RuleFunctions   Rule = "functions"
	RuleBody        Rule = "body"
	RuleLocals      Rule = "locals"
	RuleBlocks      Rule = "blocks" // locals × blocks
	RuleEffort      Rule = "effort" // of compiling it
	RuleNesting     Rule = "nesting"
	RuleBranchTable Rule = "branch_table"
	RuleGlobals     Rule = "globals"
	RuleTable       Rule = "table"
	RuleMemory      Rule = "memory"
	RuleInvalid     Rule = "invalid" // the engine's validation
)

// RefusedError says which rule a module breaks and how.
type RefusedError struct {
	Rule   Rule
	Detail string
	Err    error // of the engine, for RuleInvalid
}

func (e *RefusedError) Error() string {
	s := string(e.Rule) + ": " + e.Detail
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the engine's error, if there is one.
func (e *RefusedError) Unwrap() error { return e.Err }

func refuse(rule Rule, format string, args ...any) error {
	return &RefusedError{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}

// Report is what a host needs to know of a rewritten module.
type Report struct {
	Version  int    // of the rewriting
	Profile  string // whose limits the module keeps
	Exports  map[string]Export
	Globals  []string // reserved export names of the module's mutable globals
	Memories int      // 0 or 1

	// Data are the segments taken out; whoever instantiates the module writes
	// them, in order, and refuses it when one lies outside the memory.
	Data []Segment

	Functions     int // with a body
	LargestBody   int // bytes
	MostLocals    int
	LocalsXBlocks int // the greatest of a function
	Nesting       int
	LargestFrame  int // slots
	Effort        int64
	Recursive     bool // some calls are paid by stack slots
}

// Segment is an active data segment.
type Segment struct {
	Offset uint32
	Bytes  []byte
}

// Export is one export of the original.
type Export struct {
	Kind      byte // 0 function, 1 table, 2 memory, 3 global
	Index     uint32
	Signature string // of a function, as in Limits.Imports; "?" when it has none
}
