package meter

import "encoding/binary"

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func uleb(v uint64) []byte { return binary.AppendUvarint(nil, v) }

func sleb(v int64) []byte {
	var b []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func str(s string) []byte { return append(uleb(uint64(len(s))), s...) }

func vec(items ...[]byte) []byte { return append(uleb(uint64(len(items))), cat(items...)...) }

func sec(id byte, body []byte) []byte { return cat([]byte{id}, uleb(uint64(len(body))), body) }

func i32c(v int64) []byte { return append([]byte{0x41}, sleb(v)...) }

// code is a function body: a local i32 three times, an i64, then instructions.
func code(parts ...[]byte) []byte {
	b := cat([]byte{2, 3, valI32, 1, valI64}, cat(parts...), []byte{0x0b})
	return append(uleb(uint64(len(b))), b...)
}

// assemble builds a module of functions (i32)->i32, exported as f0, f1, …,
// which also stand in the table. Memory is one page, of at most three; global
// 0 is an i32 and global 1 an i64; passive data segment 0 has 16 bytes.
func assemble(bodies ...[]byte) []byte { return assembleHiding(0, bodies...) }

// assembleHiding neither exports the last functions nor puts them in the table.
func assembleHiding(hidden int, bodies ...[]byte) []byte {
	types, exports, elements := [][]byte{}, [][]byte{cat(str("m"), []byte{2, 0}), cat(str("g"), []byte{3, 0}), cat(str("h"), []byte{3, 1})}, [][]byte{}
	for i := range bodies {
		types = append(types, []byte{0})
		if i >= len(bodies)-hidden {
			continue
		}
		elements = append(elements, uleb(uint64(i)))
		exports = append(exports, cat(str("f"+string(rune('0'+i%10))+string(rune('0'+i/10))), []byte{0}, uleb(uint64(i))))
	}
	return cat([]byte(magic),
		sec(1, vec([]byte{0x60, 1, valI32, 1, valI32}, []byte{0x60, 0, 0})),
		sec(3, vec(types...)),
		sec(4, cat([]byte{1, 0x70, 0}, uleb(uint64(len(bodies))))),
		sec(5, []byte{1, 1, 1, 3}),
		sec(6, vec([]byte{valI32, 1, 0x41, 7, 0x0b}, []byte{valI64, 1, 0x42, 9, 0x0b})),
		sec(7, vec(exports...)),
		sec(9, cat([]byte{1, 0}, i32c(0), []byte{0x0b}, vec(elements...))),
		sec(12, []byte{1}),
		sec(10, vec(bodies...)),
		sec(11, cat([]byte{1, 1}, str("0123456789abcdef"))),
	)
}

// generator turns bytes into a valid module of six functions, with every
// kind of control flow; it may loop, recurse and trap.
type generator struct {
	data   []byte
	labels []byte // number of values that a branch to each open block takes
	loops  []bool // which of them are loops
	budget int
	floats bool
}

func generate(data []byte) []byte { return generateFrom(&generator{data: data}) }

func generateFrom(g *generator) []byte {
	var bodies [][]byte
	for range 3 {
		g.labels, g.loops, g.budget = []byte{1}, []bool{false}, 60
		bodies = append(bodies, code(g.statements(4), g.value(2)))
	}
	for range 3 { // small ones that only calls reach
		g.labels, g.loops, g.budget = []byte{1}, []bool{false}, 8
		bodies = append(bodies, code(g.statements(1), g.value(1)))
	}
	return assembleHiding(3, bodies...)
}

func (g *generator) pick(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	v := int(g.data[0])
	g.data = g.data[1:]
	return v % n
}

func (g *generator) value(depth int) []byte {
	g.budget--
	if depth == 0 || g.budget < 0 {
		if g.pick(3) == 0 {
			return i32c(int64(g.pick(256)) - 100)
		}
		return []byte{0x20, byte(g.pick(4))}
	}
	if g.floats && g.pick(2) == 0 {
		return g.float(depth)
	}
	switch g.pick(9) {
	case 0:
		return []byte{0x23, 0}
	case 1:
		return cat(g.address(depth-1), []byte{0x28, 0, 0})
	case 2:
		return cat(g.value(depth-1), g.value(depth-1), []byte{[]byte{0x6d, 0x70, 0x6e}[g.pick(3)]}) // may trap
	case 3:
		return cat(g.value(depth-1), []byte{0x10, byte(g.pick(6))})
	case 4:
		return cat(g.value(depth-1), i32c(int64(g.pick(4))), []byte{0x11, 0, 0}) // index 3 traps
	case 5:
		return cat(g.value(depth-1), []byte{0xac, 0x23, 1, 0x7c, 0xa7})
	case 6:
		return cat(g.value(depth-1), g.value(depth-1), g.value(depth-1), []byte{0x1b})
	default:
		return cat(g.value(depth-1), g.value(depth-1), []byte{[]byte{0x6a, 0x6b, 0x6c, 0x71, 0x73, 0x48, 0x4d, 0x75}[g.pick(8)]})
	}
}

// float computes with floats whose bits it looks at afterwards.
func (g *generator) float(depth int) []byte {
	a := cat(g.value(depth-1), []byte{0xac, 0xbf}) // i64.extend_i32_s f64.reinterpret_i64
	b := cat(g.value(depth-1), []byte{0xb7})       // f64.convert_i32_s
	op := byte(opF64Abs + g.pick(opF64Copysign-opF64Abs+1))
	x := cat(a, []byte{op})
	if op >= 0xa0 {
		x = cat(a, b, []byte{op})
	}
	switch g.pick(4) {
	case 0:
		return cat(x, []byte{0xfc, 2}) // i32.trunc_sat_f64_s
	case 1:
		return cat(x, []byte{0xaa}) // i32.trunc_f64_s, may trap
	case 2:
		return cat(x, []byte{0xb6, byte(opF32Abs + g.pick(7)), 0xbc}) // demote, one of one operand, reinterpret
	}
	return cat(x, []byte{0xbd}, i64c(32), []byte{0x88, 0xa7})
}

func i64c(v int64) []byte { return append([]byte{0x42}, sleb(v)...) }

func (g *generator) address(depth int) []byte {
	return cat(g.value(depth), i32c(0xfff8), []byte{0x71})
}

func (g *generator) statements(depth int) []byte {
	var b []byte
	for range 1 + g.pick(4) {
		b = append(b, g.statement(depth)...)
	}
	return b
}

// inside writes the statements of a block whose label takes n values.
func (g *generator) inside(depth int, n byte, loop bool) []byte {
	g.labels, g.loops = append(g.labels, n), append(g.loops, loop)
	b := g.statements(depth - 1)
	if loop && g.pick(4) > 0 { // count a local down and go round
		l := byte(1 + g.pick(3))
		round := []byte{0x20, l, 0x41, 1, 0x6b, 0x22, l}
		if n == 1 {
			b = cat(b, []byte{0x1a}, g.value(1), round, []byte{0x0d, 0})
		} else {
			b = cat(b, round, []byte{0x0d, 0})
		}
	}
	g.labels, g.loops = g.labels[:len(g.labels)-1], g.loops[:len(g.loops)-1]
	return b
}

// branch jumps to an open block, by a condition or by a table.
func (g *generator) branch() []byte {
	i := g.pick(len(g.labels))
	n := g.labels[len(g.labels)-1-i]
	var operand, rest []byte
	if n == 1 {
		operand, rest = g.value(1), []byte{0x1a}
	}
	switch g.pick(4) {
	case 0:
		return cat(operand, []byte{0x0c, byte(i)})
	case 1:
		return cat(operand, g.value(1), []byte{0x0e, 1, byte(i), byte(i)})
	default:
		return cat(operand, g.value(1), []byte{0x0d, byte(i)}, rest)
	}
}

// counting is a loop as a compiler writes it for counting up, or nearly so.
func (g *generator) counting(depth int) []byte {
	i := byte(1 + g.pick(3))
	get, n, less := []byte{0x20, i}, []byte(nil), byte(0x48+g.pick(2))
	if g.pick(2) == 0 {
		n = i32c(int64(g.pick(40)) - 4)
	} else {
		n = []byte{0x20, byte(g.pick(4))}
	}
	compare := cat(get, n, []byte{less})
	if g.pick(3) == 0 {
		compare = cat(n, get, []byte{less + 2})
	}
	var start []byte
	if g.pick(3) > 0 {
		start = cat(i32c(int64(g.pick(20))-10), []byte{0x21, i})
	}
	g.labels, g.loops = append(g.labels, 0, 0), append(g.loops, true, false)
	var body []byte
	switch g.pick(6) {
	case 0:
		body = g.statements(depth - 1)
	case 1: // goes on from within an if
		body = cat(g.value(1), []byte{0x04, 0x40}, get, []byte{0x41, 1, 0x6a, 0x21, i, 0x0c, 2, 0x0b})
	case 2: // twice
		body = cat(get, []byte{0x41, 1, 0x6a, 0x21, i})
	case 3:
		body = cat(g.value(1), []byte{0x0d, byte(g.pick(len(g.labels) - 1))}) // may leave, may go on without counting
		if g.labels[len(g.labels)-1-int(body[len(body)-1])] != 0 {
			body = nil
		}
	default:
		body = cat(g.address(1), g.value(1), []byte{0x36, 0, 0})
	}
	g.labels, g.loops = g.labels[:len(g.labels)-2], g.loops[:len(g.loops)-2]
	round := cat(get, []byte{0x41, 1, 0x6a, 0x21, i, 0x0c, 1})
	if g.pick(8) == 0 { // counts where it should not
		return cat(start, []byte{0x03, 0x40}, compare, []byte{0x04, 0x40}, body, []byte{0x05}, round, []byte{0x0b, 0x0b})
	}
	return cat(start, []byte{0x03, 0x40}, compare, []byte{0x04, 0x40}, body, round, []byte{0x0b, 0x0b})
}

func (g *generator) statement(depth int) []byte {
	g.budget--
	if depth == 0 || g.budget < 0 {
		return cat(g.value(1), []byte{0x21, byte(g.pick(4))})
	}
	switch g.pick(18) {
	case 0:
		return cat(g.value(2), []byte{0x24, 0})
	case 1:
		return cat(g.value(2), []byte{0xad, 0x24, 1})
	case 2:
		return cat(g.address(2), g.value(2), []byte{0x36, 0, 0})
	case 3:
		return cat([]byte{0x02, 0x40}, g.inside(depth, 0, false), []byte{0x0b})
	case 4, 5:
		return cat([]byte{0x03, 0x40}, g.inside(depth, 0, true), []byte{0x0b})
	case 6: // a loop with a parameter
		return cat(g.value(1), []byte{0x03, 0}, g.inside(depth, 1, true), []byte{0x21, 1, 0x20, 1, 0x0b, 0x21, 2})
	case 7:
		return cat(g.value(2), []byte{0x04, 0x40}, g.inside(depth, 0, false), []byte{0x05}, g.inside(depth, 0, false), []byte{0x0b})
	case 8, 9:
		return g.branch()
	case 10:
		return cat(g.address(1), g.value(1), g.value(1), []byte{0xfc, 11, 0})
	case 11:
		return cat(g.address(1), g.address(1), g.value(1), []byte{0xfc, 10, 0, 0})
	case 13, 14, 15, 16:
		return g.counting(depth)
	case 12:
		return cat(g.address(1), i32c(0), g.value(1), []byte{0xfc, 8, 0, 0})
	default:
		if g.pick(3) == 0 {
			return cat(g.value(1), []byte{0x0f})
		}
		return cat(g.value(1), []byte{0x40, 0, 0x1a})
	}
}
