package gamelogic_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

func TestLoad_UnknownDigest(t *testing.T) {
	h, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{{1}}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Load(t.Context(), newGuest(closedWin(0)).build(t)); !errors.Is(err, gamelogic.ErrNotAllowed) {
		t.Fatalf("error %v", err)
	}
}

func TestLoad_SameBytesSameModule(t *testing.T) {
	wasm := newGuest(closedWin(0)).build(t)
	h, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	a, err := h.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.Load(t.Context(), bytes.Clone(wasm))
	if err != nil || a != b || h.Module(sha256.Sum256(wasm)) != a || a.Digest() != sha256.Sum256(wasm) {
		t.Fatalf("%p %p %v", a, b, err)
	}
}

// Every refusal says why.
func TestLoad_Refuses(t *testing.T) {
	tests := []struct {
		name, reason string
		change       func(*guest)
		patch        func([]byte) []byte
	}{
		{name: "not WebAssembly", reason: "not a WebAssembly 1 binary", patch: func([]byte) []byte { return []byte("MZ") }},
		{name: "too large", reason: "at most 524288", patch: func(b []byte) []byte {
			return append(b, sec(0, make([]byte, 600<<10))...)
		}},
		{name: "cut off", reason: "section", patch: func(b []byte) []byte { return b[:len(b)-3] }},
		{name: "unknown section", reason: "section 13", patch: func(b []byte) []byte { return append(b, 13, 0) }},
		{name: "repeated section", reason: "out of order", patch: func(b []byte) []byte { return append(b, 1, 1, 0) }},
		{name: "foreign import", reason: "imports env.abort", change: func(g *guest) {
			g.imports, g.nImports = cat(leb(1), str("env"), str("abort"), []byte{0, 1}), 1
		}},
		{name: "unknown host function", reason: "imports edgereel.time", change: func(g *guest) {
			g.imports, g.nImports = cat(leb(1), str("edgereel"), str("time"), []byte{0, 1}), 1
		}},
		{name: "imported memory", reason: "imports edgereel.draw", change: func(g *guest) {
			g.imports, g.nImports = cat(leb(1), str("edgereel"), str("draw"), []byte{2, 0, 1}), 0
		}},
		{name: "wrong import signature", reason: "wrong signature", change: func(g *guest) {
			g.imports, g.nImports = cat(leb(1), str("edgereel"), str("draw"), []byte{0, 2}), 1
		}},
		{name: "start function", reason: "start function", change: func(g *guest) { g.start = true }},
		{name: "no memory", reason: "memory", change: func(g *guest) { g.noMemory = true }},
		{name: "too much memory", reason: "65 pages", change: func(g *guest) { g.pages = 65 }},
		{name: "missing play", reason: `"edgereel_play"`, change: func(g *guest) { g.hide = "edgereel_play" }},
		{name: "missing marker", reason: `"edgereel_abi_1"`, change: func(g *guest) { g.hide = "edgereel_abi_1" }},
		{name: "memory not exported", reason: `"memory"`, change: func(g *guest) { g.hide = "memory" }},
		{name: "reserved export", reason: "reserved name", change: func(g *guest) {
			g.extra, g.nExtra = cat(str("edgereel.global.0"), []byte{0}, leb(2)), 1
		}},
		{name: "export of the fuel", reason: "reserved name", change: func(g *guest) {
			g.extra, g.nExtra = cat(str("edgereel.fuel"), []byte{2}, leb(0)), 1
		}},
		{name: "refill by index", reason: "invalid: validate", change: func(g *guest) {
			g.play = cat([]byte{0x42}, sleb(1<<40), []byte{0x24, 0}, closedWin(0))
		}},
		{name: "endless start", reason: "exhausted", change: func(g *guest) {
			g.marker = []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x00}
		}},
		{name: "endless recursion at the start", reason: "depth", change: func(g *guest) {
			g.marker = call(2)
		}},
		{name: "float constant", reason: "opcode 0x43", change: func(g *guest) {
			g.play = cat([]byte{0x43, 0, 0, 0, 0, 0x1a}, closedWin(0))
		}},
		{name: "float global", reason: "global of type 0x7d", change: func(g *guest) {
			g.globals = []byte{1, 0x7d, 0, 0x43, 0, 0, 0, 0, 0x0b}
		}},
		{name: "saturating truncation", reason: "opcode 0xfc 0", change: func(g *guest) {
			g.play = cat([]byte{0xfc, 0}, closedWin(0))
		}},
		{name: "table growth", reason: "opcode 0xfc 15", change: func(g *guest) {
			g.play = cat([]byte{0xfc, 15, 0}, closedWin(0))
		}},
		{name: "vector instruction", reason: "opcode 0xfd", change: func(g *guest) {
			g.play = cat([]byte{0xfd, 12}, closedWin(0))
		}},
		{name: "invalid code", reason: "invalid: validate", change: func(g *guest) { g.play = []byte{0x6a} }},
		{name: "other ABI", reason: "minor version 7", change: func(g *guest) { g.minor = 7 }},
		{name: "strategy of an older version", reason: "edgereel_advise", change: func(g *guest) { g.advise = ret(1) }},
		{name: "strategy with the wrong signature", reason: `"edgereel_advise" has the wrong signature`, change: func(g *guest) {
			g.minor, g.extra, g.nExtra = 1, cat(str("edgereel_advise"), []byte{0}, leb(2)), 1
		}},
		{name: "too many choices", reason: "4097 choices", change: func(g *guest) { g.manifest.Actions[1].Choices = 4097 }},
		{name: "family without variant", reason: "both or neither", change: func(g *guest) { g.manifest.Family = "test" }},
		{name: "variant that is no id", reason: `variant "96 %"`, change: func(g *guest) {
			g.manifest.Family, g.manifest.Variant = "test", "96 %"
		}},
		{name: "misaligned block", reason: "I/O block", change: func(g *guest) { g.io = 4 }},
		{name: "block outside", reason: "I/O block", change: func(g *guest) { g.io = 65536 + 8 }},
		{name: "no manifest", reason: "manifest", change: func(g *guest) { g.io = 65536 }},
		{name: "manifest format", reason: "format 2", change: func(g *guest) { g.manifest.Version = 2 }},
		{name: "manifest id", reason: "id", change: func(g *guest) { g.manifest.ID = "Test Reel" }},
		{name: "manifest version", reason: "version", change: func(g *guest) { g.manifest.Release = "1" }},
		{name: "manifest draws", reason: "max_draws", change: func(g *guest) { g.manifest.MaxDraws = 5000 }},
		{name: "manifest state", reason: "max_state", change: func(g *guest) { g.manifest.MaxState = 5000 }},
		{name: "manifest stake multiple", reason: "stake_multiple_minor", change: func(g *guest) { g.manifest.StakeMultipleMinor = 0 }},
		{name: "no modes", reason: "0 modes", change: func(g *guest) { g.manifest.Modes = nil }},
		{name: "mode twice", reason: "mode", change: func(g *guest) { g.manifest.Modes = append(g.manifest.Modes, g.manifest.Modes[0]) }},
		{name: "RTP over one", reason: "rtp", change: func(g *guest) { g.manifest.Modes[0].RTP = "1.01" }},
		{name: "RTP zero", reason: "rtp", change: func(g *guest) { g.manifest.Modes[0].RTP = "0.0" }},
		{name: "no maximum", reason: "max_win_x", change: func(g *guest) { g.manifest.Modes[0].MaxWinX = 0 }},
		{name: "no cost", reason: "cost_x100", change: func(g *guest) { g.manifest.Modes[0].CostX100 = 0 }},
		{name: "action beyond the mask", reason: "action", change: func(g *guest) { g.manifest.Actions[0].ID = 32 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuest(closedWin(0))
			if tt.change != nil {
				tt.change(g)
			}
			wasm := g.build(t)
			if tt.patch != nil {
				wasm = tt.patch(wasm)
			}
			_, err := tryLoad(t, wasm)
			if !errors.Is(err, gamelogic.ErrRefusedModule) || !strings.Contains(err.Error(), tt.reason) {
				t.Fatalf("error %v, want a refusal that says %q", err, tt.reason)
			}
		})
	}
}

func TestPlay_CallerErrors(t *testing.T) {
	g := newGuest([]byte{0x20, 0}, []byte{0x1a}, closedWin(0))
	g.manifest.StakeMultipleMinor = 10
	g.manifest.Modes = append(g.manifest.Modes, gamelogic.Mode{ID: 4, Name: "ante", CostX100: 125, RTP: "0.9", HitFrequency: "0.5", MaxWinX: 10})
	m := load(t, g.build(t))
	other, err := gamelogic.NewDraws([32]byte{}, gamelogic.DrawContext{Algorithm: gamelogic.AlgorithmHMACChaCha20, Module: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		want   error
		change func(*gamelogic.Step)
	}{
		{"mode", gamelogic.ErrUnknownMode, func(s *gamelogic.Step) { s.Mode = "turbo" }},
		{"action", gamelogic.ErrUnknownAction, func(s *gamelogic.Step) { s.Action = "cheat" }},
		{"stake zero", gamelogic.ErrBadStake, func(s *gamelogic.Step) { s.StakeMinor = 0 }},
		{"stake negative", gamelogic.ErrBadStake, func(s *gamelogic.Step) { s.StakeMinor = -100 }},
		{"stake not a multiple", gamelogic.ErrBadStake, func(s *gamelogic.Step) { s.StakeMinor = 105 }},
		{"cost not whole", gamelogic.ErrBadStake, func(s *gamelogic.Step) { s.Mode, s.StakeMinor = "ante", 110 }},
		{"stake overflows", gamelogic.ErrBadStake, func(s *gamelogic.Step) { s.StakeMinor = math.MaxInt64 / 10 * 10 }},
		{"won negative", gamelogic.ErrBadInput, func(s *gamelogic.Step) { s.WonMinor = -1 }},
		{"won over the maximum", gamelogic.ErrBadInput, func(s *gamelogic.Step) { s.WonMinor = 1001 }},
		{"state too large", gamelogic.ErrBadState, func(s *gamelogic.Step) { s.State = make([]byte, 17) }},
		{"no draws", gamelogic.ErrBadDraws, func(s *gamelogic.Step) { s.Draws = nil }},
		{"draws of another module", gamelogic.ErrBadDraws, func(s *gamelogic.Step) { s.Draws = other }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := step()
			tt.change(&s)
			if out, err := m.Play(t.Context(), s); !errors.Is(err, tt.want) || out.DrawsDigest != [32]byte{} {
				t.Fatalf("outcome %+v, error %v, want %v", out, err, tt.want)
			}
		})
	}
	s := step()
	if _, err := m.Play(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Play(t.Context(), s); !errors.Is(err, gamelogic.ErrBadDraws) {
		t.Fatalf("the same draws again: %v", err)
	}
}

// What a module refuses before it draws is the caller's fault.
func TestPlay_ModuleRefusals(t *testing.T) {
	for code, want := range map[int32]error{-1: gamelogic.ErrBadInput, -3: gamelogic.ErrBadState, -4: gamelogic.ErrUnknownAction} {
		m := load(t, newGuest(ret(code)).build(t))
		out, err := m.Play(t.Context(), step())
		if !errors.Is(err, want) || out.DrawsDigest != [32]byte{} {
			t.Errorf("code %d: outcome %+v, error %v", code, out, err)
		}
	}
}

// A round may win up to its maximum over all its steps, not in each of them.
func TestPlay_MaximumIsOfTheRound(t *testing.T) {
	m := load(t, newGuest(closedWin(400)).build(t))
	s := step()
	s.WonMinor = 600
	if _, err := m.Play(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s = step()
	s.WonMinor = 601
	var trap *gamelogic.TrapError
	if _, err := m.Play(t.Context(), s); !errors.As(err, &trap) || trap.Kind != gamelogic.KindBadOutput {
		t.Fatalf("error %v", err)
	}
}

// counter is a module that wants to remember: each step it adds one to a
// mutable global and to a word of memory and pays their sum.
func counter() *guest {
	g := newGuest()
	g.globals = []byte{2, 0x7e, 1, 0x42, 5, 0x0b, 0x7f, 0, 0x41, 9, 0x0b} // mutable i64 = 5, constant i32
	g.play = cat(
		answer(0, 1, 0, 0, 0),
		[]byte{0x23, 0, 0x42, 1, 0x7c, 0x24, 0},                                 // global += 1
		i32c(65536), i32c(65536), []byte{0x29, 3, 0, 0x42, 1, 0x7c, 0x37, 3, 0}, // memory += 1
		i32c(16384), []byte{0x23, 0}, i32c(65536), []byte{0x29, 3, 0, 0x7c, 0x37, 3, 0},
		ret(32),
	)
	return g
}

// Nothing of a step is left for the next one: neither memory nor globals, and
// neither in the instance's own words nor in what the module could export.
func TestPlay_RestoresMemoryAndGlobals(t *testing.T) {
	m := load(t, counter().build(t))
	for i := range 10 {
		out, err := m.Play(t.Context(), step())
		if err != nil || out.WinMinor != 7 {
			t.Fatalf("step %d: win %d, %v, want 7 every time", i, out.WinMinor, err)
		}
	}
	// The control: without restore the same module does count.
	sim, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	for i := range int64(3) {
		out, err := sim.Play(step())
		if err != nil || out.WinMinor != 7+2*i {
			t.Fatalf("simulated step %d: win %d, %v", i, out.WinMinor, err)
		}
	}
}

// An instance whose memory grew is not used again: the module pays its number
// of pages and asks for one more.
func TestPlay_DiscardsAfterGrowth(t *testing.T) {
	g := newGuest()
	g.play = cat(answer(0, 1, 0, 0, 0), i32c(16384), []byte{0x3f, 0, 0xad, 0x37, 3, 0}, i32c(1), []byte{0x40, 0, 0x1a}, ret(32))
	m := load(t, g.build(t))
	for i := range 8 {
		out, err := m.Play(t.Context(), step())
		if err != nil || out.WinMinor != 2 {
			t.Fatalf("step %d: %d pages, %v, want 2", i, out.WinMinor, err)
		}
	}
}

// Draws reach the module in order, singly and in bulk, in place as well.
func TestPlay_Draws(t *testing.T) {
	g := newGuest()
	g.play = cat(
		answer(0, 1, 0, 0, 0),
		i32c(65536), i32c(10), []byte{0x36, 2, 0}, i32c(65540), i32c(20), []byte{0x36, 2, 0},
		i32c(65536), i32c(65536), i32c(2), call(1),
		// win = first * 100 + second * 10 + a single draw
		i32c(16384),
		i32c(65536), []byte{0x28, 2, 0}, i32c(100), []byte{0x6c},
		i32c(65540), []byte{0x28, 2, 0}, i32c(10), []byte{0x6c}, []byte{0x6a},
		i32c(8), call(0), []byte{0x6a, 0xad, 0x37, 3, 0},
		ret(32),
	)
	m := load(t, g.build(t))
	s := step(3, 2, 7)
	out, err := m.Play(t.Context(), s)
	if err != nil || out.WinMinor != 327 || out.DrawCount != 3 || out.DrawsDigest != s.Draws.Digest() {
		t.Fatalf("outcome %+v, %v", out, err)
	}
	want := []gamelogic.Draw{{Index: 0, Bound: 10, Value: 3}, {Index: 1, Bound: 20, Value: 2}, {Index: 2, Bound: 8, Value: 7}}
	for i, d := range s.Draws.Log() {
		if d != want[i] {
			t.Errorf("draw %d: %+v, want %+v", i, d, want[i])
		}
	}
}

// A compile cache is filled, and what comes out of it plays the same.
func TestHost_CompileCache(t *testing.T) {
	dir := t.TempDir()
	wasm := counter().build(t)
	for run := range 2 {
		h, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}, CompileCacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		m, err := h.Load(t.Context(), wasm)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := m.Play(t.Context(), step()); err != nil || out.WinMinor != 7 {
			t.Fatalf("run %d: win %d, %v", run, out.WinMinor, err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files := 0
	if err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files++
		}
		return err
	}); err != nil || files == 0 {
		t.Fatalf("%d files in the cache, %v", files, err)
	}
}
