package meter

import (
	"encoding/binary"
	"fmt"
)

// Rewrite checks a module against the limits, has the engine validate it, and
// returns it with meters in it. Custom sections are dropped. A *RefusedError
// says why a module was not rewritten.
func Rewrite(wasm []byte, limits Limits) (instrumented []byte, report Report, err error) {
	return rewrite(wasm, limits, grainOf(&limits))
}

func rewrite(wasm []byte, limits Limits, fine grain) (instrumented []byte, report Report, err error) {
	m, err := decode(wasm, limits, fine)
	if err != nil {
		return nil, Report{}, err
	}
	// Before anything is added: afterwards the indexes of the added globals
	// and locals would be valid in the module's own code.
	if err := validate(wasm, limits); err != nil {
		return nil, Report{}, err
	}
	m.measure()
	m.fold()
	if n := m.effort(); n > limits.Effort {
		return nil, Report{}, refuse(RuleEffort, "compiling it is taken for %d, at most %d", n, limits.Effort)
	}
	return m.encode(), m.report(), nil
}

func (m *module) report() Report {
	rep := Report{
		Version: Version, Effort: m.effort(), Profile: m.limits.Profile, Exports: m.exports, Memories: m.memories,
		Functions: len(m.bodies), Nesting: m.deepest, Recursive: m.recursive,
	}
	rep.Data = m.detached()
	for _, g := range m.mutable {
		rep.Globals = append(rep.Globals, globalName(g))
	}
	for _, f := range m.bodies {
		rep.LargestBody = max(rep.LargestBody, len(f.r.b))
		rep.MostLocals = max(rep.MostLocals, f.locals)
		rep.LocalsXBlocks = max(rep.LocalsXBlocks, f.merges())
		rep.LargestFrame = max(rep.LargestFrame, f.frame())
	}
	return rep
}

// globalName is the reserved export under which the host reaches a mutable global.
func globalName(index uint32) string { return fmt.Sprintf("%sglobal.%d", ReservedPrefix, index) }

// encode writes the binary with the two globals, the reserved exports and the
// metered code.
func (m *module) encode() []byte {
	out := []byte(magic)
	for _, id := range order {
		body := m.sections[id]
		switch id {
		case 1:
			body = m.typeSection(body)
		case 3:
			body = m.functionSection(body)
		case 6:
			const zero = "\x7e\x01\x42\x00\x0b" // mutable i64 = 0
			body = extend(body, 2, []byte(zero+zero))
		case 7:
			body = m.exportSection(body)
		case 10:
			if body != nil {
				body = m.codeSection()
			}
		}
		if body == nil || (id == 11 || id == 12) && m.detached() != nil {
			continue
		}
		out = append(out, id)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out
}

// extend adds n encoded elements to a section that is a vector, or begins it.
func extend(section []byte, n int, elements []byte) []byte {
	r := &reader{b: section}
	count := uint64(0)
	if section != nil {
		count = uint64(r.u32())
	}
	out := binary.AppendUvarint(nil, count+uint64(n))
	out = append(out, section[r.at:]...)
	return append(out, elements...)
}

func (m *module) exportSection(body []byte) []byte {
	var added []byte
	add := func(name string, global int) {
		added = binary.AppendUvarint(added, uint64(len(name)))
		added = append(added, name...)
		added = append(added, 3)
		added = binary.AppendUvarint(added, uint64(global))
	}
	for _, g := range m.mutable {
		add(globalName(g), int(g))
	}
	add(FuelExport, m.globals)
	add(StackExport, m.globals+1)
	return extend(body, len(m.mutable)+2, added)
}

func (m *module) codeSection() []byte {
	bodies := make([][]byte, 0, len(m.bodies)+2)
	for _, f := range m.bodies {
		bodies = append(bodies, f.body())
	}
	bodies = append(bodies, m.helpers()...)
	out := binary.AppendUvarint(nil, uint64(len(bodies)))
	for _, body := range bodies {
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out
}

// coder appends instructions. Every sequence leaves the operand stack as it was.
type coder struct {
	m              *module
	fuel, length   uint64 // locals
	single, double uint64
	// cached: the function has loops, so it keeps the fuel in its local and
	// writes the global before calls and at its exits.
	cached bool
	out    []byte
}

func (c *coder) op(op byte, index uint64) {
	c.out = append(c.out, op)
	c.out = binary.AppendUvarint(c.out, index)
}

func (c *coder) i32(v int) { c.signed(0x41, int64(v)) }

func (c *coder) i64(v int64) { c.signed(0x42, v) }

// signed pushes a constant.
func (c *coder) signed(op byte, v int64) {
	c.out = append(c.out, op)
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			c.out = append(c.out, b)
			return
		}
		c.out = append(c.out, b|0x80)
	}
}

func (c *coder) fuelGlobal() uint64  { return uint64(c.m.globals) }
func (c *coder) stackGlobal() uint64 { return uint64(c.m.globals) + 1 }

// enter pays for the entry of a function. Where some calls are paid by stack
// slots it looks at those, which the caller has paid, in the same comparison.
func (c *coder) enter(weight int64) {
	c.op(0x23, c.fuelGlobal())
	c.i64(weight)
	c.out = append(c.out, 0x7d) // i64.sub
	c.op(0x22, c.fuel)
	c.op(0x24, c.fuelGlobal())
	c.op(0x20, c.fuel)
	if c.m.recursive {
		c.op(0x23, c.stackGlobal())
		c.out = append(c.out, 0x84) // i64.or: negative when one of them is
	}
	c.i64(0)
	c.out = append(c.out, 0x53, 0x04, 0x40, 0x00, 0x0b) // i64.lt_s if unreachable end
}

// pay pays for one round of a loop.
func (c *coder) pay(weight int64, trap uint64) {
	c.left()
	c.i64(weight)
	c.settle(trap)
}

// left pushes the fuel that is left.
func (c *coder) left() {
	if c.cached {
		c.op(0x20, c.fuel)
	} else {
		c.op(0x23, c.fuelGlobal())
	}
}

// settle subtracts what lies on the stack from the fuel below it and traps
// below zero. A function with a cached fuel has one place to trap at, which
// the hot path does not jump over; trap is its label from here.
func (c *coder) settle(trap uint64) {
	c.out = append(c.out, 0x7d) // i64.sub
	c.op(0x22, c.fuel)
	if !c.cached {
		c.op(0x24, c.fuelGlobal())
		c.op(0x20, c.fuel)
	}
	c.i64(0)
	c.out = append(c.out, 0x53) // i64.lt_s
	if c.cached {
		c.op(0x0d, trap)
		return
	}
	c.out = append(c.out, 0x04, 0x40, 0x00, 0x0b) // if unreachable end
}

// open begins the blocks around the code of a function with a cached fuel. A
// branch to the label of the function now ends the inner one, which has the
// same index for it, and so comes by the flush.
func (c *coder) open(blockType byte) {
	c.out = append(c.out, 0x02, 0x40, 0x02, blockType)
}

// close ends them: the exit, then the place to trap at.
func (c *coder) close() {
	c.out = append(c.out, 0x0b)
	c.flush()
	c.out = append(c.out, 0x0f, 0x0b)       // return end
	c.out = append(c.out, 0x42, 0x7f, 0x24) // i64.const -1 global.set
	c.out = binary.AppendUvarint(c.out, c.fuelGlobal())
	c.out = append(c.out, 0x00)
}

// flush writes a cached local to the global, fetch reads it back.
func (c *coder) flush() {
	if c.cached {
		c.op(0x20, c.fuel)
		c.op(0x24, c.fuelGlobal())
	}
}

func (c *coder) fetch() {
	if c.cached {
		c.op(0x23, c.fuelGlobal())
		c.op(0x21, c.fuel)
	}
}

// frame pays for the caller's frame, or gives it back. Who looks at the result
// is the callee.
func (c *coder) frame(slots int, before bool) {
	c.op(0x23, c.stackGlobal())
	c.i64(int64(slots))
	if before {
		c.out = append(c.out, 0x7d)
	} else {
		c.out = append(c.out, 0x7c)
	}
	c.op(0x24, c.stackGlobal())
}

// ImportsFrom tells whether a binary imports anything from a module of that
// name. It decides whose limits a binary is held to and checks nothing.
func ImportsFrom(wasm []byte, name string) bool {
	if len(wasm) < len(magic) {
		return false
	}
	for r := (&reader{b: wasm[len(magic):]}); r.more(); {
		id := r.byte()
		body := reader{b: r.bytes(int(r.u32()))}
		if id != 2 {
			continue
		}
		for range body.count(maxImports) {
			from := body.name()
			if body.name(); from == name {
				return true
			}
			if body.byte() != 0 {
				return false // no function, refused under any limits
			}
			body.u32()
		}
		return false
	}
	return false
}
