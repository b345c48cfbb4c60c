package meter

import "encoding/binary"

// The payload and sign of a NaN are left open by WebAssembly and differ between
// processors and engines, and a module can look at them. So after every
// instruction whose result may be a new NaN the result is replaced by one NaN,
// the positive canonical one: what the standard calls the deterministic
// profile. Loads, stores, constants, moves, neg, abs, copysign and
// reinterpretation pass bits on unchanged everywhere, so no other place needs
// it, and bits that a module moves through floats stay as they are.

// Weights of floating-point instructions with what is added to them.
const (
	weightFloat      = 8
	weightFloatSlow  = 24 // division and root
	weightFloatPlain = 1  // moves bits or compares
)

const (
	opF32Load, opF64Load   = 0x2a, 0x2b
	opF32Store, opF64Store = 0x38, 0x39
	opF32Const, opF64Const = 0x43, 0x44
	opF32Eq, opF64Eq       = 0x5b, 0x61
	opF32Abs, opF32Neg     = 0x8b, 0x8c
	opF32Sqrt, opF32Div    = 0x91, 0x95
	opF32Copysign          = 0x98
	opF64Abs, opF64Neg     = 0x99, 0x9a
	opF64Sqrt, opF64Div    = 0x9f, 0xa3
	opF64Copysign          = 0xa6
	opF32Demote            = 0xb6
	opF64Promote           = 0xbb
)

// isFloat tells the instructions of WebAssembly 1 that take or give a float.
func isFloat(op byte) bool {
	switch {
	case op == opF32Load, op == opF64Load, op == opF32Store, op == opF64Store, op == opF32Const, op == opF64Const:
		return true
	case op >= opF32Eq && op <= 0x66, op >= opF32Abs && op <= opF64Copysign:
		return true
	}
	return op >= 0xa8 && op <= 0xab || op >= 0xae && op <= 0xbf
}

// float passes the immediates of such an instruction and returns its weight.
func (f *function) float(op byte) int64 {
	r := &f.r
	switch op {
	case opF32Load, opF64Load, opF32Store, opF64Store:
		r.u32()
		r.u32()
		return weightFloatPlain
	case opF32Const:
		r.bytes(4)
		return weightFloatPlain
	case opF64Const:
		r.bytes(8)
		return weightFloatPlain
	case opF32Abs, opF32Neg, opF32Copysign, opF64Abs, opF64Neg, opF64Copysign:
		return weightFloatPlain
	}
	switch {
	case op <= 0x66:
		return weightFloatPlain
	case op < opF64Abs, op == opF32Demote:
		f.single = true
		f.edits = append(f.edits, edit{at: r.at, kind: editSingle})
	case op <= opF64Copysign, op == opF64Promote:
		f.double = true
		f.edits = append(f.edits, edit{at: r.at, kind: editDouble})
	}
	f.values += 4
	f.extra += effortFloat
	switch op {
	case opF32Sqrt, opF32Div, opF64Sqrt, opF64Div:
		return weightFloatSlow
	}
	return weightFloat
}

// canonical replaces a NaN on top of the stack by the canonical one: the value,
// the NaN, and whether the value equals itself, into a select.
func (c *coder) canonical(valueType byte) {
	local, eq := c.single, byte(opF32Eq)
	if valueType == valF64 {
		local, eq = c.double, opF64Eq
	}
	c.op(0x22, local)
	if valueType == valF64 {
		c.out = append(c.out, opF64Const)
		c.out = binary.LittleEndian.AppendUint64(c.out, 0x7ff8000000000000)
	} else {
		c.out = append(c.out, opF32Const)
		c.out = binary.LittleEndian.AppendUint32(c.out, 0x7fc00000)
	}
	c.op(0x20, local)
	c.op(0x20, local)
	c.out = append(c.out, eq, 0x1b)
}
