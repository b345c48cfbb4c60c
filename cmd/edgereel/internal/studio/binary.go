package studio

import (
	"errors"
	"fmt"
)

var errBinary = errors.New("it ends too early or a number is too long")

// decoder walks bytes; after its first error everything reads zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() { d.b, d.err = nil, errBinary }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	part := d.b[:n]
	d.b = d.b[n:]
	return part
}

// u32 also passes signed numbers of up to ten bytes, whose value does not matter.
func (d *decoder) u32() uint32 {
	var v uint64
	for i := range 10 {
		c := d.byte()
		if i < 5 {
			v |= uint64(c&0x7f) << (7 * i)
		}
		if c < 0x80 {
			return uint32(v)
		}
	}
	d.fail()
	return 0
}

func (d *decoder) name() string { return string(d.bytes(d.u32())) }

// vector calls f for each element while there is no error.
func (d *decoder) vector(f func()) {
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		f()
	}
}

func (d *decoder) limits() uint32 {
	flags, low := d.byte(), d.u32()
	if flags&1 != 0 {
		d.u32()
	}
	return low
}

// binary is what a file holds, whether it would be admitted or not.
type binary struct {
	Sections      []Section
	Imports       []Import
	Exports       []Export
	Functions     int
	Globals       int
	MemoryPages   uint32
	TableElements uint32
	Floats        int
	err           error
}

var sectionNames = []string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"}

var kindNames = []string{"function", "table", "memory", "global"}

func kindName(kind byte) string {
	if int(kind) < len(kindNames) {
		return kindNames[kind]
	}
	return fmt.Sprintf("kind %d", kind)
}

// decode takes a binary apart as far as it can be.
func decode(wasm []byte) *binary {
	b := &binary{Sections: []Section{}, Imports: []Import{}, Exports: []Export{}}
	if len(wasm) < 8 || string(wasm[:8]) != "\x00asm\x01\x00\x00\x00" {
		b.err = errors.New("it is not a WebAssembly 1 binary")
		return b
	}
	d := &decoder{b: wasm[8:]}
	for len(d.b) > 0 && b.err == nil {
		id := d.byte()
		body := d.bytes(d.u32())
		if d.err != nil {
			b.err = fmt.Errorf("section %d: %w", id, d.err)
			break
		}
		name := fmt.Sprintf("section %d", id)
		if int(id) < len(sectionNames) {
			name = sectionNames[id]
		}
		b.Sections = append(b.Sections, Section{name, len(body)})
		s := &decoder{b: body}
		b.section(id, s)
		if s.err != nil {
			b.err = fmt.Errorf("section %q: %w", name, s.err)
		}
	}
	return b
}

func (b *binary) section(id byte, s *decoder) {
	switch id {
	case 1:
		s.vector(func() {
			s.byte()
			s.vector(func() { b.value(s.byte()) })
			s.vector(func() { b.value(s.byte()) })
		})
	case 2:
		s.vector(func() { b.readImport(s) })
	case 3:
		s.vector(func() { s.u32(); b.Functions++ })
	case 4:
		s.vector(func() { s.byte(); b.TableElements += s.limits() })
	case 5:
		s.vector(func() { b.MemoryPages += s.limits() })
	case 6:
		s.vector(func() {
			b.value(s.byte())
			s.byte()
			b.Globals++
			b.code(s, true)
		})
	case 7:
		s.vector(func() {
			name, kind := s.name(), s.byte()
			s.u32()
			b.Exports = append(b.Exports, Export{name, kindName(kind)})
		})
	case 10:
		s.vector(func() {
			f := &decoder{b: s.bytes(s.u32())}
			f.vector(func() { f.u32(); b.value(f.byte()) })
			b.code(f, false)
		})
	}
}

func (b *binary) readImport(s *decoder) {
	module, name, kind := s.name(), s.name(), s.byte()
	switch kind {
	case 0:
		s.u32()
	case 1:
		s.byte()
		s.limits()
	case 2:
		b.MemoryPages += s.limits()
	case 3:
		b.value(s.byte())
		s.byte()
	}
	if s.err == nil {
		b.Imports = append(b.Imports, Import{module, name, kindName(kind)})
	}
}

// value counts a float or vector among types.
func (b *binary) value(t byte) {
	if t >= 0x7b && t <= 0x7d {
		b.Floats++
	}
}

// code counts float instructions until the end of a body, or of one constant
// expression, or an instruction that is not of WebAssembly 1 with bulk memory.
func (b *binary) code(d *decoder, constant bool) {
	for len(d.b) > 0 && d.err == nil {
		op := d.byte()
		switch {
		case op == 0x0b && constant:
			return
		case op >= 0x02 && op <= 0x04, op == 0x0c, op == 0x0d, op == 0x10, op >= 0x20 && op <= 0x24, op == 0x3f, op == 0x40, op == 0x41, op == 0x42:
			d.u32()
		case op == 0x0e:
			d.vector(func() { d.u32() })
			d.u32()
		case op == 0x11:
			d.u32()
			d.u32()
		case op == 0x2a, op == 0x2b, op == 0x38, op == 0x39:
			b.Floats++
			d.u32()
			d.u32()
		case op >= 0x28 && op <= 0x3e:
			d.u32()
			d.u32()
		case op == 0x43:
			b.Floats++
			d.bytes(4)
		case op == 0x44:
			b.Floats++
			d.bytes(8)
		case op >= 0x5b && op <= 0x66, op >= 0x8b && op <= 0xa6, op >= 0xa8 && op <= 0xab, op >= 0xae && op <= 0xbf:
			b.Floats++
		case op == 0xfc:
			b.prefixed(d)
		case op > 0xc4 || op >= 0x06 && op <= 0x0a || op >= 0x12 && op <= 0x19 || op >= 0x1c && op <= 0x1f || op >= 0x25 && op <= 0x27:
			d.b = nil // of a later version; what admission says names it
		}
	}
}

func (b *binary) prefixed(d *decoder) {
	switch sub := d.u32(); {
	case sub < 8:
		b.Floats++ // saturating conversions
	case sub == 9 || sub == 11:
		d.u32()
	case sub == 8 || sub == 10:
		d.u32()
		d.u32()
	default:
		d.b = nil
	}
}
