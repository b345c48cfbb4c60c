package gamelogic_test

import (
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

// guest assembles small modules for the host's tests. The I/O block is the
// first page; the second page is scratch. The manifest is a data segment that
// already lies in the output area.
type guest struct {
	manifest gamelogic.Manifest
	play     []byte // body of edgereel_play: one i32 parameter, one i32 result
	globals  []byte // encoded globals with their count
	imports  []byte // encoded imports with their count, all functions
	nImports uint32
	pages    uint32
	io       int32
	minor    int32
	start    bool
	noMemory bool
	extra    []byte // further encoded exports
	nExtra   byte
	hide     string // an export to leave out
	marker   []byte // body of edgereel_abi_1 in place of its constant
	advise   []byte // body of edgereel_advise, ABI minor version 1; nil: no export
	ask      []byte // body of edgereel_io
	describe []byte // body of edgereel_manifest
	idle     []byte // body of a function without parameters and results
	locals   []byte // encoded local groups of edgereel_play with their count
	types    []byte // further encoded types
	nTypes   byte
	table    []byte // encoded tables with their count
	elements []byte // encoded element segments with their count
	memory   []byte // encoded memories with their count, in place of pages
	passive  []byte // bytes of a passive data segment, index 1
}

func newGuest(play ...[]byte) *guest {
	g := &guest{pages: 2, imports: cat(leb(2), str("edgereel"), str("draw"), []byte{0, 1}, str("edgereel"), str("draw_many"), []byte{0, 2}), nImports: 2}
	g.play = cat(play...)
	g.manifest = gamelogic.Manifest{
		Version: 1, ID: "test-reel", Release: "1.0.0", Name: "Test Reel",
		MaxDraws: 8, MaxState: 16, StakeMultipleMinor: 1,
		Modes:   []gamelogic.Mode{{ID: 3, Name: "base", CostX100: 100, RTP: "0.95", HitFrequency: "0.5", MaxWinX: 10}},
		Actions: []gamelogic.Action{{ID: 1, Name: "spin"}, {ID: 4, Name: "pick"}},
	}
	return g
}

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func leb(v uint64) []byte { return binary.AppendUvarint(nil, v) }

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

func str(s string) []byte { return append(leb(uint64(len(s))), s...) }

func sec(id byte, body []byte) []byte { return cat([]byte{id}, leb(uint64(len(body))), body) }

func i32c(v int32) []byte { return append([]byte{0x41}, sleb(int64(v))...) }

// set32 and set64 store constants in the output area.
func set32(at, v int32) []byte { return cat(i32c(16384+at), i32c(v), []byte{0x36, 2, 0}) }

func set64(at int32, v int64) []byte {
	return cat(i32c(16384+at), []byte{0x42}, sleb(v), []byte{0x37, 3, 0})
}

// answer fills the output header; reserved fields are zero.
func answer(win int64, flags, mask, state, presentation int32) []byte {
	return cat(set64(0, win), set32(8, flags), set32(12, mask), set32(16, state), set32(20, presentation), set64(24, 0))
}

// ret is the end of a play body.
func ret(v int32) []byte { return i32c(v) }

func call(f uint64) []byte { return append([]byte{0x10}, leb(f)...) }

func (g *guest) build(t testing.TB) []byte {
	t.Helper()
	m, err := json.Marshal(g.manifest)
	if err != nil {
		t.Fatal(err)
	}
	fn := func(body []byte) []byte { // no locals
		b := cat([]byte{0}, body, []byte{0x0b})
		return cat(leb(uint64(len(b))), b)
	}
	or := func(body, usual []byte) []byte {
		if body != nil {
			return body
		}
		return usual
	}
	play := cat(or(g.locals, []byte{0}), g.play, []byte{0x0b})
	n := uint64(g.nImports)
	exports, count := []byte(nil), g.nExtra
	add := func(name string, kind byte, index uint64) {
		if name != g.hide {
			exports = cat(exports, str(name), []byte{kind}, leb(index))
			count++
		}
	}
	add("memory", 2, 0)
	add("edgereel_abi_1", 0, n)
	add("edgereel_io", 0, n+1)
	add("edgereel_manifest", 0, n+2)
	add("edgereel_play", 0, n+3)

	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, sec(0, cat(str("note"), []byte("custom sections are ignored")))...)
	// Types: 0 ()->i32, 1 (i32)->i32, 2 (i32,i32,i32)->(), 3 ()->()
	out = append(out, sec(1, cat([]byte{4 + g.nTypes, 0x60, 0, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 3, 0x7f, 0x7f, 0x7f, 0, 0x60, 0, 0}, g.types))...)
	if len(g.imports) > 0 {
		out = append(out, sec(2, g.imports)...)
	}
	types, bodies := []byte{0, 0, 0, 1, 3}, [][]byte{
		fn(or(g.marker, i32c(g.minor))), fn(or(g.ask, i32c(g.io))), fn(or(g.describe, i32c(int32(len(m))))),
		cat(leb(uint64(len(play))), play), fn(g.idle),
	}
	if g.advise != nil {
		add("edgereel_advise", 0, n+5)
		types, bodies = append(types, 1), append(bodies, fn(g.advise))
	}
	out = append(out, sec(3, cat([]byte{byte(len(types))}, types))...)
	if g.table != nil {
		out = append(out, sec(4, g.table)...)
	}
	if !g.noMemory {
		out = append(out, sec(5, or(g.memory, cat([]byte{1, 0}, leb(uint64(g.pages)))))...)
	}
	if g.globals != nil {
		out = append(out, sec(6, g.globals)...)
	}
	out = append(out, sec(7, cat([]byte{count}, exports, g.extra))...)
	if g.start {
		out = append(out, sec(8, leb(n+4))...)
	}
	if g.elements != nil {
		out = append(out, sec(9, g.elements)...)
	}
	segments, nSegments := cat([]byte{0}, i32c(16384), []byte{0x0b}, str(string(m))), byte(1)
	if g.passive != nil {
		out = append(out, sec(12, []byte{2})...)
		segments, nSegments = cat(segments, []byte{1}, str(string(g.passive))), 2
	}
	out = append(out, sec(10, cat([]byte{byte(len(bodies))}, cat(bodies...)))...)
	if !g.noMemory {
		out = append(out, sec(11, append([]byte{nSegments}, segments...))...)
	}
	return out
}

// closedWin is the play body of a game that always pays win and closes.
func closedWin(win int64) []byte { return cat(answer(win, 1, 0, 0, 0), ret(32)) }
