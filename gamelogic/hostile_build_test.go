package gamelogic_test

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// attack is one line of the corpus: a module, what it is for, and how it ends.
// Exactly one of Refused and Steps is set.
type attack struct {
	Name string `json:"name"` // of the file, without .wasm
	Cell string `json:"cell"` // row of the matrix in docs/threats.md
	// Refused is the rule that a module is not admitted by: one of package
	// meter, "exhausted", "depth" or "trap" for what it did when it was asked,
	// or "abi" for a contract it breaks. Says is part of the reason given.
	Refused string `json:"refused,omitempty"`
	Says    string `json:"says,omitempty"`
	// Draws are the scripted draws of each step, the steps of a round in order;
	// Steps says how each ends, "ok" or the kind of an incident.
	Draws [][]uint32 `json:"draws,omitempty"`
	Steps []string   `json:"steps,omitempty"`
	// Advice is how asking for the declared strategy ends after those steps.
	Advice string `json:"advice,omitempty"`

	wasm []byte
}

// plain assembles a module of sections that are no game.
func plain(sections ...[]byte) []byte {
	return cat([]byte("\x00asm\x01\x00\x00\x00"), cat(sections...))
}

func many(n int, part ...byte) []byte { return bytes.Repeat(part, n) }

// The answers of the attackers. Function 0 is draw and 1 draw_many, 5 is play
// itself and 6 does nothing.
func roll(bound int32) []byte { return cat(i32c(bound), call(0)) }

func dropped(b []byte) []byte { return append(b, 0x1a) }

func endless(b ...[]byte) []byte {
	return cat([]byte{0x03, 0x40}, cat(b...), []byte{0x0c, 0, 0x0b, 0x00})
}

// open answers with a round that goes on, with one byte of state.
func open() []byte { return cat(answer(0, 0, 2, 1, 0), ret(33)) }

// later plays one thing in the first step and another in those that follow.
func later(first, then []byte) []byte {
	return cat(i32c(24), []byte{0x28, 2, 0, 0x45, 0x04, 0x7f}, first, []byte{0x05}, then, []byte{0x0b})
}

// hostile builds the corpus.
func hostile(t testing.TB) []attack {
	var all []attack
	add := func(cell, name string, wasm []byte, a attack) {
		a.Cell, a.Name, a.wasm = cell, name, wasm
		if a.Refused == "" && a.Draws == nil {
			a.Draws = make([][]uint32, len(a.Steps))
			for i := range a.Draws {
				a.Draws[i] = []uint32{3, 1, 4, 1, 5, 2, 0, 5}
			}
		}
		all = append(all, a)
	}
	refused := func(rule, says string) attack { return attack{Refused: rule, Says: says} }
	steps := func(s ...string) attack { return attack{Steps: s} }
	changed := func(change func(*guest)) []byte {
		g := newGuest(closedWin(0))
		change(g)
		return g.build(t)
	}
	played := func(play ...[]byte) []byte { return newGuest(play...).build(t) }
	good := played(closedWin(0))

	malformed(add, refused, good)
	atStart(add, refused, changed)
	imports(add, refused, changed)
	sizes(add, refused, played, changed)
	runaways(t, add, steps, played)
	answers(add, steps, played)
	rounds(t, add, steps, played)
	advised(t, add)
	withRuntime(t, add, refused, steps)
	return all
}

type (
	adder    func(cell, name string, wasm []byte, a attack)
	refuser  func(rule, says string) attack
	stepper  func(...string) attack
	changer  func(func(*guest)) []byte
	playable func(...[]byte) []byte
)

func malformed(add adder, refused refuser, good []byte) {
	const cell = "malformed"
	add(cell, "not-wasm", []byte("MZ\x90\x00"), refused("format", "not a WebAssembly 1 binary"))
	add(cell, "truncated", good[:len(good)-7], refused("format", "ends too early"))
	add(cell, "overlong-number", plain([]byte{1, 0x80, 0x80, 0x80, 0x80, 0x80, 0}), refused("format", "too long"))
	add(cell, "overlong-local-index", plain(sec(1, []byte{1, 0x60, 0, 0}), sec(3, []byte{1, 0}), sec(10, []byte{1, 10, 0, 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b})), refused("format", "too long"))
	add(cell, "huge-count", plain(sec(1, []byte{0xff, 0xff, 0xff, 0xff, 0x0f})), refused("format", "over its limit"))
	add(cell, "huge-section", plain([]byte{10, 0xff, 0xff, 0xff, 0xff, 0x0f}), refused("format", "section"))
	add(cell, "huge-name", plain(sec(1, []byte{0}), sec(2, []byte{1, 0xff, 0xff, 0xff, 0x7f, 'a'})), refused("format", "over its limit"))
	add(cell, "section-twice", append(bytes.Clone(good), 11, 1, 0), refused("section", "repeated"))
	add(cell, "sections-out-of-order", plain(sec(3, []byte{0}), sec(1, []byte{0})), refused("section", "out of order"))
	add(cell, "unknown-section", append(bytes.Clone(good), 13, 0), refused("section", "unknown"))
	add(cell, "bytes-behind-a-section", plain(sec(1, []byte{0, 0})), refused("format", "left over"))
	add(cell, "no-bodies", plain(sec(1, []byte{1, 0x60, 0, 0}), sec(3, []byte{2, 0, 0})), refused("format", "0 function bodies for 2"))
	add(cell, "million-locals", plain(sec(1, []byte{1, 0x60, 0, 0}), sec(3, []byte{1, 0}), sec(10, []byte{1, 6, 1, 0xc0, 0x84, 0x3d, 0x7f, 0x0b})), refused("locals", "1000000 locals"))
	add(cell, "billions-of-locals", plain(sec(1, []byte{1, 0x60, 0, 0}), sec(3, []byte{1, 0}),
		sec(10, []byte{1, 14, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b})), refused("locals", "locals"))
	add(cell, "ill-typed", plain(sec(1, []byte{1, 0x60, 0, 1, 0x7f}), sec(3, []byte{1, 0}), sec(10, []byte{1, 3, 0, 0x6a, 0x0b})), refused("invalid", "validate"))
}

func atStart(add adder, refused refuser, changed changer) {
	loop := endless()
	add("start", "loop-in-start-section", changed(func(g *guest) { g.start, g.idle = true, []byte{0x03, 0x40, 0x0c, 0, 0x0b} }), refused("start", "start function"))
	add("start", "loop-when-asked-for-its-version", changed(func(g *guest) { g.marker = loop }), refused("exhausted", "edgereel_abi_1"))
	add("start", "loop-when-asked-for-its-block", changed(func(g *guest) { g.ask = loop }), refused("exhausted", "edgereel_io"))
	add("start", "loop-when-asked-for-its-manifest", changed(func(g *guest) { g.describe = loop }), refused("exhausted", "edgereel_manifest"))
	add("start", "recursion-when-asked", changed(func(g *guest) { g.marker = call(2) }), refused("depth", "edgereel_abi_1"))
	add("start", "trap-when-asked", changed(func(g *guest) { g.describe = []byte{0x00} }), refused("trap", "edgereel_manifest"))
	add("start", "draw-when-asked", changed(func(g *guest) { g.describe = roll(6) }), refused("trap", "a draw outside a step"))
	add("start", "growth-when-asked", changed(func(g *guest) { g.ask = cat(i32c(1), []byte{0x40, 0, 0x1a}, i32c(0)) }), refused("abi", "grows the memory"))
	add("start", "block-outside-the-memory", changed(func(g *guest) { g.io = -65536 }), refused("abi", "outside the memory"))
	add("start", "manifest-of-4-gib", changed(func(g *guest) { g.describe = i32c(-1) }), refused("abi", "a manifest of 4294967295 bytes"))
	add("start", "manifest-of-nothing", changed(func(g *guest) { g.describe = i32c(0) }), refused("abi", "a manifest of 0 bytes"))
}

func imports(add adder, refused refuser, changed changer) {
	from := func(module, name string, kind ...byte) func(*guest) {
		return func(g *guest) { g.imports, g.nImports = cat(leb(1), str(module), str(name), kind), 1 }
	}
	add("imports", "import-of-the-host-clock", changed(from("env", "now", 0, 0)), refused("import", "imports env.now"))
	add("imports", "import-of-a-made-up-draw", changed(from("edgereel", "redraw", 0, 1)), refused("import", "imports edgereel.redraw"))
	add("imports", "draw-of-another-type", changed(from("edgereel", "draw", 0, 2)), refused("import", "wrong signature"))
	add("imports", "import-of-a-memory", changed(from("edgereel", "draw", 2, 0, 1)), refused("import", "imports edgereel.draw"))
	add("imports", "import-of-a-file", changed(from("wasi_snapshot_preview1", "fd_read", 0, 0)), refused("import", "fd_read"))
	add("imports", "import-of-a-directory", changed(from("wasi_snapshot_preview1", "path_open", 0, 0)), refused("import", "path_open"))
	add("imports", "import-of-a-socket", changed(from("wasi_snapshot_preview1", "sock_send", 0, 0)), refused("import", "sock_send"))

	export := func(name string, kind byte) func(*guest) {
		return func(g *guest) { g.extra, g.nExtra = cat(str(name), []byte{kind}, leb(0)), 1 }
	}
	add("refill", "import-of-the-fuel", changed(from("edgereel", "fuel", 3, 0x7e, 1)), refused("import", "edgereel.fuel"))
	add("refill", "export-of-the-fuel", changed(export("edgereel.fuel", 2)), refused("reserved", "edgereel.fuel"))
	add("refill", "export-of-the-stack", changed(export("edgereel.stack", 2)), refused("reserved", "edgereel.stack"))
	add("refill", "export-of-a-global", changed(export("edgereel.global.0", 2)), refused("reserved", "edgereel.global.0"))
	play := func(b ...[]byte) func(*guest) {
		return func(g *guest) { g.play = cat(cat(b...), closedWin(0)) }
	}
	add("refill", "refill-by-index", changed(play([]byte{0x42}, sleb(1<<40), []byte{0x24, 0})), refused("invalid", "validate"))
	add("refill", "reading-the-fuel", changed(play([]byte{0x23, 0, 0x1a})), refused("invalid", "validate"))
	add("refill", "local-of-the-meter", changed(play([]byte{0x42, 0x7f, 0x21, 1})), refused("invalid", "validate"))
	add("refill", "call-of-the-meter", changed(play(i32c(0), call(7), []byte{0x1a})), refused("invalid", "validate"))

	add("floats", "float-constant", changed(play([]byte{0x43, 0, 0, 0xc0, 0x7f, 0x1a})), refused("instruction", "0x43"))
	add("floats", "float-division", changed(play(i32c(0), []byte{0xb7, 0x1a})), refused("instruction", "0xb7"))
	add("floats", "float-global", changed(func(g *guest) { g.globals = []byte{1, 0x7d, 0, 0x43, 0, 0, 0, 0, 0x0b} }), refused("type", "0x7d"))
	add("floats", "float-in-a-type", changed(func(g *guest) { g.types, g.nTypes = []byte{0x60, 1, 0x7c, 0}, 1 }), refused("type", "0x7c"))
	add("floats", "saturating-truncation", changed(play([]byte{0xfc, 0})), refused("instruction", "0xfc 0"))
	add("instructions", "vector", changed(play([]byte{0xfd, 12})), refused("instruction", "0xfd"))
	add("instructions", "atomic", changed(play([]byte{0xfe, 0})), refused("instruction", "0xfe"))
	add("instructions", "tail-call", changed(play([]byte{0x12, 0})), refused("instruction", "0x12"))
	add("instructions", "data-drop", changed(func(g *guest) { g.passive = []byte("gone"); g.play = cat([]byte{0xfc, 9, 1}, closedWin(0)) }), refused("instruction", "data.drop"))
}

// function is a body of edgereel_play with so many locals.
func function(n uint64, body ...[]byte) func(*guest) {
	return func(g *guest) {
		g.locals, g.play = []byte{0}, cat(cat(body...), closedWin(0))
		if n > 0 {
			g.locals = cat([]byte{1}, leb(n), []byte{0x7f})
		}
	}
}

func sizes(add adder, refused refuser, played playable, changed changer) {
	add("memory", "memory-of-4-gib", changed(func(g *guest) { g.memory = cat([]byte{1, 0}, leb(65536)) }), refused("memory", "65536 pages"))
	add("memory", "shared-memory", changed(func(g *guest) { g.memory = []byte{1, 3, 2, 2} }), refused("memory", "flags"))
	add("memory", "two-memories", changed(func(g *guest) { g.memory = []byte{2, 0, 2, 0, 2} }), refused("format", "over its limit"))
	add("tables", "table-of-10-million", changed(func(g *guest) { g.table = cat([]byte{1, 0x70, 0}, leb(10_000_000)) }), refused("table", "10000000 elements"))
	add("tables", "table-growth", played([]byte{0xfc, 15, 0}, closedWin(0)), refused("instruction", "0xfc 15"))
	add("tables", "table-fill", played([]byte{0xfc, 17, 0}, closedWin(0)), refused("instruction", "0xfc 17"))
	add("tables", "table-of-foreign-type", changed(func(g *guest) { g.table = []byte{1, 0x6f, 0, 1} }), refused("table", "0x6f"))

	read := []byte{0x20, 0, 0x28, 0, 0}
	rows := func(n int, part ...byte) []byte { return many(n, part...) }
	add("compile", "ifs-over-many-locals", changed(function(250, rows(500, 0x20, 0, 0x04, 0x40, 0x0b))), refused("blocks", "251 locals"))
	add("compile", "nested-loops", changed(function(0, many(300, 0x03, 0x40), many(300, 0x0b))), refused("nesting", "256"))
	add("compile", "branch-table-of-80-000", changed(function(0, []byte{0x02, 0x40, 0x20, 0, 0x0e}, leb(30_000), many(30_001, 0), []byte{0x0b})), refused("branch_table", "30000 targets"))
	add("compile", "body-of-40-kib", changed(function(0, many(40<<10, 0x01))), refused("body", "at most 32768"))
	add("compile", "values-over-ifs", changed(function(0, rows(2700, read...), rows(2700, 0x20, 0, 0x04, 0x40, 0x0b), many(2700, 0x1a))), refused("effort", "at most"))
	add("compile", "values-over-loops", changed(function(0, rows(2300, read...), rows(2300, 0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b), many(2300, 0x1a))), refused("effort", "at most"))
	add("compile", "million-types", plain(sec(1, cat(leb(1_000_000), many(3000, 0x60, 0, 0)))), refused("format", "over its limit"))
	add("compile", "million-functions", plain(sec(1, []byte{1, 0x60, 0, 0}), sec(3, cat(leb(1_000_000), many(1000, 0)))), refused("functions", "1000000 functions"))
	add("compile", "ten-thousand-globals", changed(func(g *guest) { g.globals = cat(leb(10_000), many(10_000, 0x7f, 1, 0x41, 0, 0x0b)) }), refused("globals", "10000 globals"))
}

func runaways(t testing.TB, add adder, steps stepper, played playable) {
	draw := dropped(roll(6))
	add("loops", "loop-in-play", played(endless()), steps("exhausted"))
	add("loops", "loop-after-a-draw", played(draw, endless()), steps("exhausted"))
	add("loops", "loop-in-a-later-step", played(later(open(), cat(draw, endless()))), steps("ok", "exhausted"))
	add("loops", "loop-of-calls", played(endless(call(6))), steps("exhausted"))
	add("loops", "loop-of-empty-draws", played(endless(i32c(65536), i32c(65536), i32c(0), call(1))), steps("exhausted"))
	add("loops", "loop-by-branch-table", played([]byte{0x03, 0x40, 0x20, 0, 0x0e, 2, 0, 0, 0, 0x0b, 0x00}), steps("exhausted"))
	counting := newGuest([]byte{0x03, 0x40, 0x20, 1, 0x41}, sleb(-1), []byte{0x49, 0x04, 0x40, 0x20, 1, 0x41, 1, 0x6a, 0x21, 1, 0x0c, 1, 0x0b, 0x0b}, closedWin(0))
	counting.locals = []byte{1, 1, 0x7f}
	add("loops", "count-to-4-billion", counting.build(t), steps("exhausted"))

	self := cat([]byte{0x20, 0}, i32c(1), []byte{0x6b}, call(5), []byte{0x1a})
	add("recursion", "tree-of-calls", played([]byte{0x20, 0, 0x04, 0x40}, self, self, []byte{0x0b}, closedWin(0)), steps("exhausted"))
	add("recursion", "recursion", played([]byte{0x20, 0}, call(5)), steps("depth"))
	table := newGuest([]byte{0x20, 0}, i32c(0), []byte{0x11, 1, 0})
	table.table, table.elements = []byte{1, 0x70, 0, 1}, cat([]byte{1, 0}, i32c(0), []byte{0x0b, 1, 5})
	add("recursion", "recursion-through-the-table", table.build(t), steps("depth"))

	add("bulk", "fill", played(endless(i32c(65536), i32c(0), i32c(65536), []byte{0xfc, 11, 0})), steps("exhausted"))
	add("bulk", "copy", played(endless(i32c(65536), i32c(0), i32c(65536), []byte{0xfc, 10, 0, 0})), steps("exhausted"))
	add("bulk", "fill-of-4-gib", played(i32c(0), i32c(0), i32c(-1), []byte{0xfc, 11, 0}, closedWin(0)), steps("exhausted"))
	initial := newGuest(endless(i32c(65536), i32c(0), i32c(64), []byte{0xfc, 8, 1, 0}))
	initial.passive = many(64, 7)
	add("bulk", "init", initial.build(t), steps("exhausted"))
	add("memory", "growth", played(endless(i32c(1), []byte{0x40, 0, 0x1a})), steps("exhausted"))
	add("memory", "row-of-growths", played(many(6000, 0x41, 0, 0x40, 0, 0x1a), closedWin(0)), steps("exhausted"))
	add("memory", "growth-of-4-gib", played(cat(i32c(-1), []byte{0x40, 0, 0x1a}), closedWin(0)), steps("ok"))
}

func answers(add adder, steps stepper, played playable) {
	draw := dropped(roll(6))
	bad := func(name string, body ...[]byte) {
		add("answers", name, played(draw, cat(body...)), steps("bad_output"))
	}
	bad("win-above-the-maximum", closedWin(1001))
	bad("win-negative", closedWin(-1))
	bad("win-overflowing", closedWin(1<<62))
	bad("win-of-the-least-number", closedWin(-1<<63))
	bad("state-too-large", answer(0, 0, 2, 17, 0), ret(49))
	bad("state-of-4-gib", answer(0, 0, 2, -1, 0), ret(31))
	bad("output-too-large", answer(0, 1, 0, 0, 16385), ret(32+16385))
	bad("output-beyond-the-block", answer(0, 1, 0, 0, 0), ret(1<<20))
	bad("output-shorter-than-its-header", answer(0, 1, 0, 0, 0), ret(31))
	bad("closed-with-a-state", answer(0, 1, 0, 4, 0), ret(36))
	bad("open-without-a-state", answer(0, 0, 2, 0, 0), ret(32))
	bad("action-nobody-declared", answer(0, 0, 1<<30, 1, 0), ret(33))
	bad("reserved-field", answer(0, 1, 0, 0, 0), set64(24, 1), ret(32))
	whole := cat(answer(600, 0, 2, 1, 0), ret(33))
	add("answers", "wins-that-add-up", played(later(whole, closedWin(600))), steps("ok", "bad_output"))

	add("pointers", "bounds-outside", played(i32c(131_070), i32c(65536), i32c(1), call(1), closedWin(0)), steps("bad_draw"))
	add("pointers", "values-outside", played(i32c(65536), i32c(-4), i32c(1), call(1), closedWin(0)), steps("bad_draw"))
	add("pointers", "count-that-overflows", played(i32c(65536), i32c(65536), i32c(1<<30), call(1), closedWin(0)), steps("too_many_draws"))
	add("pointers", "load-outside", played(i32c(-1), []byte{0x28, 2, 0}), steps("trap"))

	add("draws", "bound-0", played(dropped(roll(0)), closedWin(0)), steps("bad_draw"))
	add("draws", "bound-0-among-many", played(i32c(65536), i32c(65536), i32c(2), call(1), closedWin(0)), steps("bad_draw"))
	add("draws", "million-draws", played(endless(draw)), steps("too_many_draws"))
	add("draws", "million-draws-at-once", played(i32c(65536), i32c(65536), i32c(1_000_000), call(1), closedWin(0)), steps("too_many_draws"))
	add("draws", "refusal-after-a-draw", played(draw, ret(-1)), steps("refused_after_draw"))
	// It refuses what it does not like to pay.
	add("draws", "refusal-of-a-big-win", played(roll(6), i32c(5), []byte{0x46, 0x04, 0x40}, ret(-3), []byte{0x0f, 0x0b}, closedWin(0)),
		attack{Draws: [][]uint32{{4}}, Steps: []string{"ok"}})
	add("draws", "refusal-of-a-big-win-drawn", played(roll(6), i32c(5), []byte{0x46, 0x04, 0x40}, ret(-3), []byte{0x0f, 0x0b}, closedWin(0), []byte{0x01}),
		attack{Draws: [][]uint32{{5}}, Steps: []string{"refused_after_draw"}})
}

func rounds(t testing.TB, add adder, steps stepper, played playable) {
	draw, trap := dropped(roll(6)), []byte{0x00}
	add("traps", "trap-before-a-draw", played(trap), steps("trap"))
	add("traps", "trap-after-a-draw", played(draw, trap), steps("trap"))
	add("traps", "trap-after-the-answer", played(draw, answer(10, 1, 0, 0, 0), trap), steps("trap"))
	add("traps", "trap-in-a-later-step", played(later(open(), cat(draw, trap))), steps("ok", "trap"))
	add("traps", "division-by-zero", played(draw, i32c(1), i32c(0), []byte{0x6d, 0x1a}, closedWin(0)), steps("trap"))
	big := cat(roll(6), i32c(5), []byte{0x46, 0x04, 0x40, 0x00, 0x0b}, closedWin(10))
	add("traps", "trap-on-a-big-win", played(big), attack{Draws: [][]uint32{{5}}, Steps: []string{"trap"}})
	add("traps", "no-trap-on-a-small-win", played(big, []byte{0x01}), attack{Draws: [][]uint32{{2}}, Steps: []string{"ok"}})
	add("traps", "loop-on-a-big-win", played(roll(6), i32c(5), []byte{0x46, 0x04, 0x40, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b}, closedWin(10)),
		attack{Draws: [][]uint32{{5}}, Steps: []string{"exhausted"}})
	add("traps", "internal-error", played(ret(-5)), steps("internal"))

	// Pays more the more it has been played, if it could remember.
	add("hidden-state", "counts-steps", counter().build(t), steps("ok"))
	// Pays nothing in the first thousand steps, so that a simulation sees no
	// win, or the other way round: it would need the same memory.
	g := newGuest(
		i32c(65536), i32c(65536), []byte{0x28, 2, 0}, i32c(1), []byte{0x6a, 0x36, 2, 0},
		i32c(65536), []byte{0x28, 2, 0}, i32c(3), []byte{0x4b, 0x04, 0x7f}, closedWin(900), []byte{0x05}, closedWin(0), []byte{0x0b})
	add("simulation", "waits-for-the-fourth-step", g.build(t), steps("ok"))
	add("hidden-state", "reads-what-was-left", played(answer(0, 1, 0, 0, 0),
		i32c(16384), i32c(65536), []byte{0x29, 3, 0, 0x37, 3, 0}, i32c(65536), []byte{0x42}, sleb(500), []byte{0x37, 3, 0}, ret(32)), steps("ok"))
}

// advised is a game whose strategy is the attack.
func advised(t testing.TB, add adder) {
	advise := func(name, kind string, body ...[]byte) {
		g := newGuest(answer(0, 0, 1<<1|1<<4, 1, 0), ret(33))
		g.minor, g.advise = 1, cat(body...)
		add("advice", name, g.build(t), attack{Steps: []string{"ok"}, Advice: kind})
	}
	advise("loop-when-asked-for-advice", "exhausted", endless())
	advise("recursion-when-asked-for-advice", "depth", []byte{0x20, 0}, call(7))
	advise("trap-when-asked-for-advice", "trap", []byte{0x00})
	advise("draw-when-asked-for-advice", "bad_draw", roll(6))
	advise("advice-nobody-offered", "bad_output", i32c(31))
	advise("advice-of-a-huge-choice", "bad_output", i32c(0x7fffffe1))
}

// system adds imports of the constant system to a guest; they come before draw
// and draw_many.
func (g *guest) system() *guest {
	// Types 4 (i32,i32)->i32, 5 (i32)->(), 6 (i32,i32,i32,i32)->i32, 7 (i32,i64,i32)->i32
	g.types = []byte{0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 0, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7f, 0x60, 3, 0x7f, 0x7e, 0x7f, 1, 0x7f}
	g.nTypes = 4
	wasi := func(name string, t byte) []byte { return cat(str("wasi_snapshot_preview1"), str(name), []byte{0, t}) }
	g.imports = cat(leb(6), wasi("random_get", 4), wasi("proc_exit", 5), wasi("fd_write", 6), wasi("clock_time_get", 7),
		str("edgereel"), str("draw"), []byte{0, 1}, str("edgereel"), str("draw_many"), []byte{0, 2})
	g.nImports = 6
	return g
}

func withRuntime(t testing.TB, add adder, refused refuser, steps stepper) {
	initialize := func(body ...[]byte) []byte {
		g := newGuest(closedWin(0)).system()
		g.idle = cat(body...)
		g.extra, g.nExtra = cat(str("_initialize"), []byte{0}, leb(uint64(g.nImports)+4)), 1
		return g.build(t)
	}
	add("start", "loop-in-initialize", initialize([]byte{0x03, 0x40, 0x0c, 0, 0x0b}), refused("exhausted", "_initialize"))
	add("start", "recursion-in-initialize", initialize(call(10)), refused("depth", "_initialize"))
	add("start", "exit-in-initialize", initialize(i32c(0), call(1)), refused("trap", "_initialize"))
	none, library := newGuest(closedWin(0)), newGuest(closedWin(0)).system()
	none.memory, library.memory = []byte{1, 0, 0}, []byte{1, 0, 0}
	add("start", "data-outside-the-memory", none.build(t), refused("abi", "instantiate"))
	add("start", "data-outside-the-memory-of-a-library", library.build(t), refused("abi", "a data segment"))
	program := newGuest(closedWin(0)).system()
	program.extra, program.nExtra = cat(str("_start"), []byte{0}, leb(uint64(program.nImports)+4)), 1
	add("system", "program", program.build(t), refused("abi", "-buildmode=c-shared"))

	play := func(body ...[]byte) []byte {
		g := newGuest(body...).system()
		g.locals = []byte{1, 1, 0x7e}
		return g.build(t)
	}
	pay := func(value []byte) []byte { // an i64 modulo 1000 as the win
		return cat(answer(0, 1, 0, 0, 0), i32c(16384), value, []byte{0x42}, sleb(1000), []byte{0x82, 0x37, 3, 0}, ret(32))
	}
	zero := binary.LittleEndian.AppendUint64([]byte{0x44}, 0)
	add("nan", "bits-of-a-nan", play(pay(cat(zero, zero, []byte{0xa3, 0xbd}))), steps("ok"))
	odd := binary.LittleEndian.AppendUint64([]byte{0x44}, 0xfff8123456789abc)
	add("nan", "sum-of-two-nans", play(pay(cat(odd, zero, zero, []byte{0xa3, 0xa0, 0xbd}))), steps("ok"))
	add("nan", "sign-of-a-nan", play(pay(cat(binary.LittleEndian.AppendUint64([]byte{0x44}, 0x3ff0000000000000), zero, zero, []byte{0xa3, 0xa6, 0xbd}))), steps("ok"))
	word := []byte{0x29, 3, 0}
	add("system", "random-bytes", play(dropped(cat(i32c(65536), i32c(8), call(0))), pay(cat(i32c(65536), word, []byte{0x42, 1, 0x88}))), steps("ok"))
	add("system", "clock", play(dropped(cat(i32c(0), []byte{0x42, 0}, i32c(65536), call(3))), pay(cat(i32c(65536), word))), steps("ok"))
	add("system", "exit", play(dropped(cat(i32c(6), call(4))), i32c(0), call(1), closedWin(0)), steps("trap"))
	add("system", "loop-of-random-bytes", play(endless(dropped(cat(i32c(65536), i32c(1024), call(0))))), steps("exhausted"))
	add("system", "random-bytes-outside", play(cat(i32c(-4), i32c(1024), call(0)), []byte{0xad, 0x21, 1}, pay([]byte{0x20, 1})), steps("ok"))
	add("system", "writing-4-billion-buffers", play(cat(i32c(1), i32c(0), i32c(-1), i32c(65536), call(2)), []byte{0xad, 0x21, 1}, pay([]byte{0x20, 1})), steps("ok"))
}
