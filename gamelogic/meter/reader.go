package meter

import "errors"

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

// zero passes a byte that version 1 keeps at zero.
func (r *reader) zero() {
	if r.byte() != 0 {
		r.fail(errors.New("a reserved byte is set"))
	}
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

// i32 reads a signed number of 32 bits.
func (r *reader) i32() int32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if shift < 28 && c&0x40 != 0 {
				v |= ^uint64(0) << (shift + 7)
			}
			return int32(uint32(v))
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
		return refuse(RuleGlobals, "a global starts with opcode %#x, want an integer constant", op)
	}
	if r.byte() != 0x0b {
		return refuse(RuleGlobals, "a global's start value is no single constant")
	}
	return nil
}
