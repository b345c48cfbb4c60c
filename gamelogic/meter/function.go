package meter

import (
	"encoding/binary"
	"strings"
)

// function is a walked body: where to add code to it and what it costs.
type function struct {
	m   *module
	sig string
	r   reader // over the body

	groups int // of local declarations
	decls  []byte
	locals int // declared
	blocks int // places where the engine may merge values of locals
	exits  int // returns and traps
	values int // that the code pushes, at most
	calls  []callSite
	// indirect: it calls through the table, where anything may stand.
	indirect bool

	scopes  []scope // 0 the function, then as they begin
	loops   int
	open    []int           // scope of each open block, where the walk is
	entered []int           // scope at the start of each open block
	counts  []countedLoop   // loops that may count, of those open
	set     map[uint32]bool // locals that have been set so far
	ends    []int           // height that each open block ends at
	bases   []int           // height below each open block
	high    int             // values on the stack, where the walk is
	crowd   int64           // values and locals that ways meet with
	extra   int64           // effort of single instructions
	past    [3]int          // offsets of the last instructions, the oldest first
	moved   []int64         // by open block: values that a branch to it moves
	edits   []edit
	lengths bool // it pays for lengths
	bulks   int  // bulk instructions but memory.grow
	folded  bool // its callers pay for it, see fold
	touches bool // so do they, but not for its lengths
	// single and double: it needs the locals for a result that may be no number.
	single, double bool
}

// callSite is one direct call of a function with a body.
type callSite struct {
	callee uint32
	scope  int
}

type editKind byte

const (
	editCharge     editKind = iota // pay for a scope
	editBefore                     // pay the frame before a call
	editAfter                      // give it back
	editBulk                       // pay for the length on the stack
	editGrow                       // pay for the memory that moves
	editBeforeAny                  // as editBefore, through the table
	editAfterwards                 // as editAfter, through the table
	editCount                      // pay for all rounds of a loop
	editReturn                     // the function ends here
	editSingle                     // make the f32 on the stack the one NaN
	editDouble                     // make the f64 on the stack the one NaN
)

// edit adds code in front of an offset of the body; what is the scope of a
// charge and the callee of a call.
type edit struct {
	at   int
	kind editKind
	what uint32
	open int // blocks around it, the function's own included
}

// Weights of what costs more than one unit. A unit is about half a nanosecond.
const (
	weightEntry  = 4  // of a function, besides its locals, parameters and results
	weightCall   = 4  // of a call, besides its parameters and results
	weightDivide = 8  // of a division or remainder
	weightBulk   = 16 // of a bulk instruction, besides its length
	weightTable  = 8  // of a br_table or an indirect call
	weightImport = 64 // of a call that leaves the module

	localsPerUnit = 4 // that may be moved where ways meet
)

// params and results count the values of a signature.
func params(sig string) int  { return strings.IndexByte(sig, '>') }
func results(sig string) int { return len(sig) - params(sig) - 1 }

// scan walks the body once: integer locals, then integer instructions up to
// the end that closes the function.
func (f *function) scan() error {
	r := &f.r
	f.groups = r.count(1000)
	from := r.at
	total := uint64(0)
	for range f.groups {
		total += uint64(r.u32())
		if t := r.byte(); r.err == nil && f.m.limits.letter(t) == 0 {
			return refuse(RuleType, "locals of type %#x; %s", t, f.m.limits.allowed())
		}
		if total > uint64(f.m.limits.Locals) {
			return refuse(RuleLocals, "%d locals, at most %d", total, f.m.limits.Locals)
		}
	}
	if r.err != nil {
		return refuse(RuleFormat, "%v", r.err)
	}
	f.locals = int(total)
	f.decls = r.b[from:r.at]
	f.scopes, f.open, f.entered = []scope{{weight: weightEntry + int64(total) + int64(len(f.sig))}}, []int{0}, []int{0}
	f.past, f.set = [3]int{-1, -1, -1}, map[uint32]bool{}
	f.moved = []int64{int64(results(f.sig))}
	f.ends, f.bases = []int{results(f.sig)}, []int{0}
	f.edits = append(f.edits, edit{at: r.at, kind: editCharge})
	for r.more() && len(f.open) > 0 {
		if err := f.instruction(); err != nil {
			return err
		}
	}
	if r.err != nil || r.more() || len(f.open) > 0 {
		return refuse(RuleFormat, "%v", r.failure())
	}
	if n := f.merges(); n > f.m.limits.LocalsXBlocks {
		return refuse(RuleBlocks, "%d locals and parameters in %d blocks make %d, at most %d",
			f.locals+params(f.sig), f.blocks+1, n, f.m.limits.LocalsXBlocks)
	}
	return nil
}

// merges is locals × blocks.
func (f *function) merges() int { return (f.locals + params(f.sig)) * (f.blocks + 1) }

// frame bounds the native frame of the function in slots: a slot for each
// value the engine may keep, none reused, several for each instruction.
func (f *function) frame() int {
	return max(minFrame, 256+4*f.values+2*f.merges())
}

func (f *function) charge(weight int64) { f.scopes[f.open[len(f.open)-1]].weight += weight }

// instruction passes one instruction and its immediates. What it does not list
// (vectors, references, tables, floats where they are not allowed) is refused.
func (f *function) instruction() error {
	r, at := &f.r, f.r.at
	op := r.byte()
	f.values++
	weight := int64(1)
	defer func() { f.past = [3]int{f.past[1], f.past[2], at} }()
	switch {
	case op == 0x00:
		f.exits++
	case op == 0x01, op == 0x1a, op == 0x1b:
	case op == 0x0f:
		f.exits++
		f.left()
		f.edits = append(f.edits, edit{at: at, kind: editReturn})
	case op == 0x05:
		f.turn()
		f.meet()
		f.otherwise()
		f.open[len(f.open)-1] = f.entered[len(f.open)-1] // not by way of the other branch
	case op == 0x0b:
		f.charge(1)
		top := len(f.open) - 1
		f.open, f.entered, f.moved = f.open[:top], f.entered[:top], f.moved[:top]
		f.leave()
		f.ended(at)
		f.rejoin()
		return nil
	case op >= 0x02 && op <= 0x04:
		return f.block(at, op)
	case op == 0x0c, op == 0x0d:
		if op == 0x0d {
			f.meet()
		}
		label := r.u32()
		f.branched(at, label)
		weight += f.moves(label)
	case op == 0x21, op == 0x22:
		f.assigned(at, r.u32())
	case op >= 0x20 && op <= 0x24:
		r.u32()
	case op == 0x0e:
		last, err := f.branchTable(at)
		if err != nil {
			return err
		}
		weight = weightTable + f.moves(last)
	case op == 0x10:
		weight = f.call(at)
	case op == 0x11:
		weight = weightTable + f.callIndirect(at)
	case op == 0x28, op == 0x29, op >= 0x2c && op <= 0x37, op >= 0x3a && op <= 0x3e:
		r.u32()
		r.u32()
	case op == 0x3f:
		r.zero()
	case op == 0x40:
		weight = weightBulk
		f.length(edit{at: at, kind: editGrow})
		r.zero()
	case op == 0x41:
		r.skipSigned(5)
	case op == 0x42:
		r.skipSigned(10)
	case op >= 0x6d && op <= 0x70, op >= 0x7f && op <= 0x82:
		weight = weightDivide
		f.extra += effortDivide
	case op >= 0x45 && op <= 0x5a, op >= 0x67 && op <= 0x8a:
	case op == 0xa7, op == 0xac, op == 0xad, op >= 0xc0 && op <= 0xc4:
	case op == 0xfc && f.m.limits.Floats && r.at < len(r.b) && r.b[r.at] < 8:
		r.byte()
		weight = weightFloat
		f.extra += effortFloat
	case op == 0xfc:
		weight = weightBulk
		if err := f.bulk(at); err != nil {
			return err
		}
	case isFloat(op) && f.m.limits.Floats:
		weight = f.float(op)
	default:
		return refuse(RuleInstruction, "opcode %#x; only integer instructions are allowed", op)
	}
	f.charge(weight)
	f.move(op)
	return nil
}

// block opens a block, loop or if.
func (f *function) block(at int, op byte) error {
	r := &f.r
	sig := ">"
	c := byte(0)
	if r.at < len(r.b) {
		c = r.b[r.at]
	}
	switch {
	case c == 0x40:
		r.byte()
		f.values++
	case f.m.limits.letter(c) != 0:
		r.byte()
		sig = ">i" // any one value
		f.values++
	case c&0xc0 == 0x40:
		return refuse(RuleType, "a block of type %#x; %s", c, f.m.limits.allowed())
	default:
		if sig = f.m.typeOf(r.u32()); r.err == nil && sig == "?" {
			return refuse(RuleType, "a block of an unknown type")
		}
		f.values += 2 * len(sig)
	}
	if len(f.open) > f.m.limits.Nesting {
		return refuse(RuleNesting, "blocks nest deeper than %d", f.m.limits.Nesting)
	}
	f.m.deepest = max(f.m.deepest, len(f.open))
	f.enter(op, sig)
	f.meet()
	// The compiler moves values that differ between the ways to a place: the
	// operands of the block and, at its start or end, any of the locals.
	merge := int64(f.locals+params(f.sig)) / localsPerUnit
	f.charge(int64(len(sig)) + merge)
	in, moved := f.open[len(f.open)-1], int64(results(sig))
	if op == 0x03 {
		if c == 0x40 {
			f.count(at)
		}
		moved = int64(params(sig))
		in = f.begin(scope{weight: merge, loop: true, outer: in}, len(f.open)+1)
		f.loops++
	}
	f.open, f.entered, f.moved = append(f.open, in), append(f.entered, in), append(f.moved, moved)
	return nil
}

// moves counts the values that a branch to a label moves.
func (f *function) moves(label uint32) int64 {
	if uint64(label) >= uint64(len(f.moved)) {
		return 0 // invalid, as the engine will say
	}
	return f.moved[len(f.moved)-1-int(label)]
}

// branchTable passes the targets and returns the last one; all of them take
// the same values.
func (f *function) branchTable(at int) (last uint32, err error) {
	r := &f.r
	n := r.u32()
	if uint64(n) > uint64(f.m.limits.BranchTable) {
		return 0, refuse(RuleBranchTable, "a br_table of %d targets, at most %d", n, f.m.limits.BranchTable)
	}
	f.meet()
	f.extra += effortTarget * int64(n)
	for range uint64(n) + 1 {
		last = r.u32()
		f.branched(at, last)
	}
	return last, nil
}

func (f *function) call(at int) int64 {
	callee := f.r.u32()
	sig := f.m.signature(callee)
	f.values += len(sig)
	f.height(results(sig) - params(sig))
	f.extra += effortCall + effortOperand*int64(len(sig))
	if int(callee) < f.m.imports {
		return weightImport
	}
	f.calls = append(f.calls, callSite{callee, f.open[len(f.open)-1]})
	f.edits = append(f.edits, edit{at: at, kind: editBefore, what: callee}, edit{at: f.r.at, kind: editAfter, what: callee})
	return weightCall + int64(len(sig))
}

func (f *function) callIndirect(at int) int64 {
	sig := f.m.typeOf(f.r.u32())
	f.r.zero()
	f.values += len(sig)
	f.height(results(sig) - params(sig) - 1)
	f.extra += effortIndirect + effortOperand*int64(len(sig))
	f.indirect = true
	f.edits = append(f.edits, edit{at: at, kind: editBeforeAny}, edit{at: f.r.at, kind: editAfterwards})
	return weightCall + int64(len(sig))
}

// length adds code that reads the length on the top of the stack.
func (f *function) length(e edit) {
	f.lengths = true
	f.meet()
	f.extra += effortBulk
	e.open = len(f.open)
	if e.kind == editBulk {
		f.bulks++
		f.height(-3)
	}
	f.edits = append(f.edits, e)
}

// bulk passes the memory instructions behind the 0xfc prefix.
func (f *function) bulk(at int) error {
	r := &f.r
	switch sub := r.byte(); sub {
	case 8: // memory.init
		f.m.attached = true
		f.length(edit{at: at, kind: editBulk})
		r.u32()
		r.zero()
	case 9:
		return refuse(RuleInstruction, "data.drop; what a step drops would be missing in the next one")
	case 10: // memory.copy
		f.length(edit{at: at, kind: editBulk})
		r.zero()
		r.zero()
	case 11: // memory.fill
		f.length(edit{at: at, kind: editBulk})
		r.zero()
	default:
		return refuse(RuleInstruction, "opcode 0xfc %d; only integer instructions are allowed", sub)
	}
	return nil
}

// body writes the function again with everything added.
func (f *function) body() []byte {
	m := f.m
	groups := f.groups + 1
	for _, needs := range []bool{f.inline(), f.single, f.double} {
		if needs {
			groups++
		}
	}
	out := binary.AppendUvarint(nil, uint64(groups))
	out = append(out, f.decls...)
	c := coder{m: m, cached: f.cached(), out: out}
	next := uint64(params(f.sig) + f.locals)
	local := func(needed bool, valueType byte) (index uint64) {
		if needed {
			c.out = append(c.out, 1, valueType)
			index = next
			next++
		}
		return index
	}
	c.fuel, c.length = local(true, valI64), local(f.inline(), valI32)
	c.single, c.double = local(f.single, valF32), local(f.double, valF64)
	at := f.edits[0].at
	for _, e := range f.edits {
		c.out = append(c.out, f.r.b[at:e.at]...)
		at = e.at
		f.add(&c, e)
	}
	last := len(f.r.b) - 1 // the end of the function
	c.out = append(c.out, f.r.b[at:last]...)
	if c.cached {
		c.close()
	}
	return append(c.out, f.r.b[last])
}

// add writes the code of one edit.
func (f *function) add(c *coder, e edit) {
	switch e.kind {
	case editCharge:
		scope := &f.scopes[e.what]
		if f.folded || scope.gone || scope.count != nil {
			return
		}
		if e.what > 0 {
			c.pay(scope.weight, uint64(e.open))
			return
		}
		c.enter(scope.weight)
		if c.cached {
			c.open(f.blockType())
		}
	case editCount:
		if scope := &f.scopes[e.what]; scope.count != nil && !scope.gone {
			c.payCount(scope.count, scope.weight, uint64(e.open))
		}
	case editBefore, editAfter:
		callee := int(e.what) - f.m.imports
		if body := f.m.bodies[callee]; body.folded && !body.touches {
			return
		}
		if e.kind == editBefore {
			c.flush()
		}
		if f.m.height[callee] == unbounded {
			c.frame(f.frame(), e.kind == editBefore)
		}
		if e.kind == editAfter {
			c.fetch()
		}
	case editBeforeAny:
		c.flush()
		c.frame(f.frame(), true)
	case editAfterwards:
		c.frame(f.frame(), false)
		c.fetch()
	case editReturn:
		c.flush()
	case editSingle:
		c.canonical(valF32)
	case editDouble:
		c.canonical(valF64)
	case editBulk, editGrow:
		if e.kind == editBulk && f.inline() {
			c.payLength(uint64(e.open))
			return
		}
		c.flush()
		c.op(0x10, f.m.helper(e.kind))
		c.fetch()
	}
}

// blockType of a block that gives what the function gives.
func (f *function) blockType() byte {
	switch {
	case results(f.sig) == 0:
		return 0x40
	case f.sig[len(f.sig)-1] == 'i':
		return valI32
	case f.sig[len(f.sig)-1] == 'f':
		return valF32
	case f.sig[len(f.sig)-1] == 'd':
		return valF64
	}
	return valI64
}
