package meter

import "encoding/binary"

// Bulk instructions pay for their length in line where there are few of them,
// and otherwise by a call of a function added behind those of the module, which
// takes the length and gives it back: in line, the payment would make a compile
// bomb of a row of small instructions.

func (f *function) inline() bool { return f.bulks > 0 && f.bulks <= f.m.grain.bulks }

// payLength pays for the length on top of the stack.
func (c *coder) payLength(trap uint64) {
	c.op(0x21, c.length)
	c.left()
	c.op(0x20, c.length)
	c.weigh()
	c.settle(trap)
	c.op(0x20, c.length)
}

// weigh turns a length into units.
func (c *coder) weigh() {
	c.out = append(c.out, 0xad) // i64.extend_i32_u
	c.i64(bulkShift)
	c.out = append(c.out, 0x88) // i64.shr_u
}

// Bytes moved for one unit of fuel, as a power of two.
const bulkShift = 4

// helper is the index of the function that pays for lengths of that kind.
func (m *module) helper(kind editKind) uint64 {
	if kind == editGrow {
		return uint64(len(m.funcs)) + 1
	}
	return uint64(len(m.funcs))
}

// helped tells whether any function pays for a length.
func (m *module) helped() bool {
	for _, f := range m.bodies {
		if f.lengths {
			return true
		}
	}
	return false
}

const helperSignature = "i>i"

// helperType is the index of their type, which may have to be added.
func (m *module) helperType() (index int, added bool) {
	for i, sig := range m.types {
		if sig == helperSignature {
			return i, false
		}
	}
	return len(m.types), true
}

func (m *module) typeSection(body []byte) []byte {
	if _, added := m.helperType(); added && m.helped() {
		return extend(body, 1, []byte{0x60, 1, valI32, 1, valI32})
	}
	return body
}

func (m *module) functionSection(body []byte) []byte {
	if !m.helped() {
		return body
	}
	index, _ := m.helperType()
	one := binary.AppendUvarint(nil, uint64(index))
	return extend(body, 2, append(one, one...))
}

// helpers are the bodies of the added functions: parameter 0 is the length,
// local 1 the fuel.
func (m *module) helpers() [][]byte {
	if !m.helped() {
		return nil
	}
	begin := func() coder { return coder{m: m, fuel: 1, out: []byte{1, 1, valI64}} }
	bulk := begin()
	bulk.left()
	bulk.op(0x20, 0)
	bulk.weigh()
	bulk.settle(0)
	bulk.op(0x20, 0)
	// Growth moves the memory there is and clears what is added, in whole pages.
	// A length that can only fail costs as much as the greatest that cannot.
	grow, most := begin(), m.limits.MemoryPages
	grow.left()
	grow.op(0x20, 0)
	grow.i32(most)
	grow.op(0x20, 0)
	grow.i32(most)
	grow.out = append(grow.out, 0x49, 0x1b, 0x3f, 0x00, 0x6a, 0xad) // i32.lt_u select memory.size i32.add extend
	grow.i64(16 - bulkShift)
	grow.out = append(grow.out, 0x86) // i64.shl
	grow.settle(0)
	grow.op(0x20, 0)
	return [][]byte{append(bulk.out, 0x0b), append(grow.out, 0x0b)}
}
