package gamelogic

import (
	"errors"
	"fmt"
)

var (
	errShort = errors.New("it ends too early")
	errLEB   = errors.New("a number is too long")
	errCount = errors.New("a count is over its limit")
	errExtra = errors.New("bytes are left over")
)

// reader walks bytes; its first error sticks and everything after it reads zero.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) more() bool { return r.err == nil && r.at < len(r.b) }

// failure names what stopped a section, for an error text.
func (r *reader) failure() error {
	if r.err != nil {
		return r.err
	}
	return errExtra
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) byte() byte {
	if r.err != nil || r.at >= len(r.b) {
		r.fail(errShort)
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *reader) bytes(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b)-r.at {
		r.fail(errShort)
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if v > 1<<32-1 {
				r.fail(errLEB)
			}
			return uint32(v)
		}
	}
	r.fail(errLEB)
	return 0
}

// skipSigned passes a signed LEB128 of at most n bytes; its value does not matter here.
func (r *reader) skipSigned(n int) {
	for range n {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail(errLEB)
}

// count reads the length of a vector, at most limit.
func (r *reader) count(limit int) int {
	n := r.u32()
	if uint64(n) > uint64(limit) {
		r.fail(errCount)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) name() string { return string(r.bytes(r.count(1024))) }

// limits reads a size with an optional maximum, which the engine clamps.
func (r *reader) limits() (low uint32, flags byte) {
	flags = r.byte()
	low = r.u32()
	if flags&1 != 0 {
		r.u32()
	}
	return low, flags
}

// constant passes the initial value of a global.
func (r *reader) constant() error {
	switch op := r.byte(); op {
	case 0x41:
		r.skipSigned(5)
	case 0x42:
		r.skipSigned(10)
	default:
		return refuse("a global starts with opcode %#x, want an integer constant", op)
	}
	if r.byte() != 0x0b {
		return refuse("a global's start value is no single constant")
	}
	return nil
}

// function walks a body: integer locals, then integer instructions.
func (r *reader) function() error {
	for range r.count(1000) {
		r.u32()
		if t := r.byte(); r.err == nil && t != valI32 && t != valI64 {
			return refuse("locals of type %#x; only integers are allowed", t)
		}
	}
	for r.more() {
		if err := r.instruction(); err != nil {
			return err
		}
	}
	if r.err != nil {
		return fmt.Errorf("%w: %w", ErrRefusedModule, r.err)
	}
	return nil
}

// instruction passes one instruction and its immediates. What it does not list
// (floats, vectors, references, tables) is refused.
func (r *reader) instruction() error {
	op := r.byte()
	switch {
	case op <= 0x01, op == 0x05, op == 0x0b, op == 0x0f, op == 0x1a, op == 0x1b:
	case op >= 0x02 && op <= 0x04:
		r.skipSigned(5) // block type: empty, a value type, or a type index
	case op == 0x0c, op == 0x0d, op == 0x10, op >= 0x20 && op <= 0x24:
		r.u32()
	case op == 0x0e:
		for range r.count(4096) + 1 {
			r.u32()
		}
	case op == 0x11:
		r.u32()
		r.u32()
	case op == 0x28, op == 0x29, op >= 0x2c && op <= 0x37, op >= 0x3a && op <= 0x3e:
		r.u32()
		r.u32()
	case op == 0x3f, op == 0x40:
		r.byte()
	case op == 0x41:
		r.skipSigned(5)
	case op == 0x42:
		r.skipSigned(10)
	case op >= 0x45 && op <= 0x5a, op >= 0x67 && op <= 0x8a:
	case op == 0xa7, op == 0xac, op == 0xad, op >= 0xc0 && op <= 0xc4:
	case op == 0xfc:
		return r.bulk()
	default:
		return refuse("opcode %#x; only integer instructions are allowed", op)
	}
	return nil
}

// bulk passes the memory instructions behind the 0xfc prefix.
func (r *reader) bulk() error {
	switch sub := r.u32(); sub {
	case 8: // memory.init
		r.u32()
		r.byte()
	case 9: // data.drop
		r.u32()
	case 10: // memory.copy
		r.byte()
		r.byte()
	case 11: // memory.fill
		r.byte()
	default:
		return refuse("opcode 0xfc %d; only integer instructions are allowed", sub)
	}
	return nil
}
