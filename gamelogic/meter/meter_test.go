package meter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

func repeat(n int, part ...byte) []byte {
	var b []byte
	for range n {
		b = append(b, part...)
	}
	return b
}

// three is a module whose function 0 has this body.
func three(body ...[]byte) []byte { return assemble(code(body...), code(i32c(2)), code(i32c(3))) }

// patched replaces a section of a good module.
func patched(id byte, section []byte) []byte { return replaced(three(i32c(1)), id, section) }

func replaced(wasm []byte, id byte, section []byte) []byte {
	out, r := []byte(magic), &reader{b: wasm[len(magic):]}
	for r.more() {
		at := r.byte()
		body := r.bytes(int(r.u32()))
		if at == id {
			body = section
		}
		out = append(out, sec(at, body)...)
	}
	return out
}

// Every limit and every attempt on what will be added is refused by its name.
func TestRewrite_Refuses(t *testing.T) {
	long := func(n int) []byte { return cat(repeat(n, 0x01), i32c(1)) }
	tests := []struct {
		name string
		wasm []byte
		rule Rule
	}{
		{"no module", []byte("MZ"), RuleFormat},
		{"too large", append(three(i32c(1)), sec(0, make([]byte, 512<<10))...), RuleBytes},
		{"cut off", three(i32c(1))[:60], RuleFormat},
		{"over-long number", append([]byte(magic), 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0), RuleFormat},
		{"section of 4 GiB", append([]byte(magic), 1, 0xff, 0xff, 0xff, 0xff, 0x0f), RuleFormat},
		{"unknown section", append(three(i32c(1)), 13, 0), RuleSection},
		{"section twice", append(three(i32c(1)), 11, 1, 0), RuleSection},
		{"bytes behind a section", patched(5, []byte{1, 0, 1, 0}), RuleFormat},
		{"start function", cat([]byte(magic), sec(1, []byte{1, 0x60, 0, 0}), sec(3, []byte{1, 0}), sec(8, []byte{0}), sec(10, []byte{1, 2, 0, 0x0b})), RuleStart},
		{"foreign import", cat([]byte(magic), sec(1, []byte{1, 0x60, 0, 0}), sec(2, vec(cat(str("env"), str("now"), []byte{0, 0})))), RuleImport},
		{"import of the fuel", cat([]byte(magic), sec(2, vec(cat(str("edgereel"), str("fuel"), []byte{3, valI64, 1})))), RuleImport},
		{"export of the fuel", patched(7, vec(cat(str(FuelExport), []byte{3, 1}))), RuleReserved},
		{"export of the stack", patched(7, vec(cat(str(StackExport), []byte{3, 1}))), RuleReserved},
		{"reserved function", patched(7, vec(cat(str("edgereel.x"), []byte{0, 0}))), RuleReserved},
		{"float type", patched(1, []byte{1, 0x60, 1, 0x7d, 0}), RuleType},
		{"float global", patched(6, []byte{1, 0x7c, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b}), RuleType},
		{"float block", three([]byte{0x02, 0x7d, 0x0b}, i32c(1)), RuleType},
		{"float constant", three([]byte{0x43, 0, 0, 0, 0, 0x1a}, i32c(1)), RuleInstruction},
		{"vector", three([]byte{0xfd, 12}, i32c(1)), RuleInstruction},
		{"atomic", three([]byte{0xfe, 0}, i32c(1)), RuleInstruction},
		{"tail call", three([]byte{0x12, 0}), RuleInstruction},
		{"table growth", three([]byte{0xfc, 15, 0}, i32c(1)), RuleInstruction},
		{"table fill", three([]byte{0xfc, 17, 0}, i32c(1)), RuleInstruction},
		{"table copy", three([]byte{0xfc, 14, 0, 0}, i32c(1)), RuleInstruction},
		{"table init", three([]byte{0xfc, 12, 0, 0}, i32c(1)), RuleInstruction},
		{"functions", patched(3, uleb(10_001)), RuleFunctions},
		{"body", three(long(32 << 10)), RuleBody},
		{"locals", patched(10, vec(cat([]byte{6, 1, 0x81, 0x02, valI32, 0, 0x0b}))), RuleLocals},
		{"locals of 4 GiB", patched(10, vec(cat([]byte{15, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, valI32, 0xff, 0xff, 0xff, 0xff, 0x0f, valI32, 0, 0x0b}))), RuleLocals},
		{"locals × blocks", patched(10, vec(func() []byte {
			b := cat([]byte{1, 0x80, 0x02, valI32}, repeat(400, 0x02, 0x40, 0x0b), []byte{0, 0x0b})
			return append(uleb(uint64(len(b))), b...)
		}())), RuleBlocks},
		{"nesting", three(repeat(257, 0x02, 0x40), repeat(257, 0x0b), i32c(1)), RuleNesting},
		{"br_table", three([]byte{0x20, 0, 0x0e}, uleb(1025), repeat(1026, 0)), RuleBranchTable},
		{"globals", patched(6, append(uleb(257), repeat(257, valI32, 0, 0x41, 0, 0x0b)...)), RuleGlobals},
		{"table", patched(4, cat([]byte{1, 0x70, 0}, uleb(4097))), RuleTable},
		{"memory", patched(5, []byte{1, 0, 65}), RuleMemory},
		{"shared memory", patched(5, []byte{1, 3, 1, 1}), RuleMemory},
		{"code behind the end", three(i32c(1), []byte{0x0b, 0x01}), RuleFormat},
		{"refill by index", three([]byte{0x42}, sleb(1<<40), []byte{0x24, 2}, i32c(1)), RuleInvalid},
		{"reading the fuel", three([]byte{0x23, 2, 0xa7}), RuleInvalid},
		{"stack by index", three([]byte{0x42, 0, 0x24, 3}, i32c(1)), RuleInvalid},
		{"local of the meter", three([]byte{0x20, 5, 0xa7}), RuleInvalid},
		{"export of the global to come", patched(7, vec(cat(str("mine"), []byte{3, 2}))), RuleInvalid},
		{"ill-typed", three([]byte{0x6a}), RuleInvalid},
		{"unknown callee", three(i32c(1), []byte{0x10, 3}), RuleInvalid},
		{"label of the function and one more", three(i32c(1), []byte{0x0c, 1}), RuleInvalid},
		{"else without if", three([]byte{0x02, 0x40, 0x05, 0x0b}, i32c(1)), RuleInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Rewrite(tt.wasm, DefaultLimits())
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Rule != tt.rule {
				t.Fatalf("%v, want a refusal by %q", err, tt.rule)
			}
		})
	}
}

// At a limit a module is still accepted, and its report says so.
func TestRewrite_AtTheLimits(t *testing.T) {
	wasm := three(repeat(256, 0x03, 0x40), repeat(256, 0x0b), []byte{0x20, 0, 0x20, 0, 0x0e}, uleb(1024), repeat(1025, 0), []byte{0x00})
	_, report, err := Rewrite(wasm, DefaultLimits())
	if err != nil || report.Nesting != 256 || report.LocalsXBlocks != 5*(256+1+1) || report.MostLocals != 4 {
		t.Fatalf("%+v, %v", report, err)
	}
	if e := report.Exports["f00"]; e.Signature != "i>i" || report.Memories != 1 || len(report.Globals) != 2 {
		t.Fatalf("%+v", report)
	}
	body := cat(repeat(32<<10-5-3, 0x01), i32c(1)) // 5 bytes of locals, 2 of the constant, the end
	if _, report, err = Rewrite(three(body), DefaultLimits()); err != nil || report.LargestBody != 32<<10 {
		t.Fatalf("%d bytes, %v", report.LargestBody, err)
	}
}

// Active data segments come out where nothing needs them, and stay where the
// code or their form does.
func TestRewrite_DetachData(t *testing.T) {
	active := func(segments ...[]byte) []byte {
		return replaced(replaced(three(i32c(1)), 12, []byte{byte(len(segments))}), 11, vec(segments...))
	}
	plain := func(at int64, b string) []byte { return cat([]byte{0}, i32c(at), []byte{0x0b}, str(b)) }
	initial := replaced(three(i32c(0), i32c(0), i32c(0), []byte{0xfc, 8, 0, 0}, i32c(1)), 11, vec(plain(7, "abc")))
	for _, tt := range []struct {
		name string
		wasm []byte
		want int
	}{
		{"two", active(plain(7, "abc"), plain(70_000, "")), 2},
		{"passive", active(cat([]byte{1}, str("abc"))), 0},
		{"active and passive", active(plain(7, "abc"), cat([]byte{1}, str("abc"))), 0},
		{"of a named memory", active(cat([]byte{2, 0}, i32c(7), []byte{0x0b}, str("abc"))), 0},
		{"used by the code", initial, 0},
	} {
		limits := DefaultLimits()
		_, report, err := Rewrite(tt.wasm, limits)
		if err != nil || report.Data != nil {
			t.Errorf("%s: %d segments without being asked, %v", tt.name, len(report.Data), err)
		}
		limits.DetachData = true
		code, report, err := Rewrite(tt.wasm, limits)
		if err != nil || len(report.Data) != tt.want {
			t.Errorf("%s: %d segments, %v, want %d", tt.name, len(report.Data), err, tt.want)
			continue
		}
		if err := validate(code, limits); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.want > 0 && (report.Data[0].Offset != 7 || string(report.Data[0].Bytes) != "abc") {
			t.Errorf("%s: %+v", tt.name, report.Data[0])
		}
	}
}

// Without fuel nothing runs, not even a function without a loop.
func TestRewrite_StartsEmpty(t *testing.T) {
	metered, _, err := Rewrite(three(i32c(1)), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	mod, err := rt.Instantiate(ctx, metered)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mod.ExportedFunction("f00").Call(ctx, 0); kind(mod, err) != "exhausted" {
		t.Fatalf("error %v", err)
	}
}

// chain is n functions without loops, each calling the next one twice.
func chain(n int) []byte {
	var bodies [][]byte
	for i := range n - 1 {
		next := uint64(i + 1)
		bodies = append(bodies, code([]byte{0x20, 0, 0x10}, uleb(next), []byte{0x10}, uleb(next)))
	}
	return assemble(append(bodies, code(i32c(1)))...)
}

// wide is a recursive function that keeps n values alive over its call.
func wide(n int) []byte {
	b := repeat(n, 0x20, 0, 0x28, 0, 0) // n loads, none of which is the same
	b = cat(b, []byte{0x20, 0, 0x10, 0}, repeat(n, 0x6a))
	return three(b)
}

// hostile modules, and how function 0 of each ends.
func hostile() map[string]struct {
	wasm []byte
	want string
} {
	type entry = struct {
		wasm []byte
		want string
	}
	loop := func(parts ...[]byte) []byte {
		return three([]byte{0x03, 0x40}, cat(parts...), []byte{0x0c, 0, 0x0b, 0x00})
	}
	grow := cat(i32c(1), []byte{0x40, 0, 0x1a})
	return map[string]entry{
		"loop":                  {loop(), "exhausted"},
		"loop by br_if":         {three([]byte{0x03, 0x40}, i32c(1), []byte{0x0d, 0, 0x0b, 0x00}), "exhausted"},
		"loop by br_table":      {three([]byte{0x02, 0x40, 0x03, 0x40}, i32c(1), []byte{0x0e, 2, 1, 0, 0, 0x0b, 0x0b}, i32c(1)), "exhausted"},
		"loop with a parameter": {three(i32c(1), []byte{0x03, 0, 0x0c, 0, 0x0b}), "exhausted"},
		"shifting loop":         {shifting(100), "exhausted"},
		"crowded loop":          {crowded(), "exhausted"},
		"nested loops":          {three(repeat(200, 0x03, 0x40), []byte{0x0c}, uleb(199), repeat(200, 0x0b), []byte{0x00}), "exhausted"},
		"inner loops":           {three([]byte{0x03, 0x40, 0x03, 0x40, 0x20, 1}, i32c(1), []byte{0x6a, 0x22, 1}, i32c(7), []byte{0x71, 0x0d, 0, 0x0b, 0x0c, 0, 0x0b, 0x00}), "exhausted"},
		"recursion":             {three([]byte{0x20, 0, 0x10, 0}), "depth"},
		"recursion of two":      {assemble(code([]byte{0x20, 0, 0x10, 1}), code([]byte{0x20, 0, 0x10, 0}), code(i32c(1))), "depth"},
		"indirect recursion":    {three([]byte{0x20, 0}, i32c(0), []byte{0x11, 0, 0}), "depth"},
		"wide recursion":        {wide(3000), "depth"},
		"tree of calls":         {chain(60), "exhausted"},
		"tree by recursion": {three([]byte{0x20, 0, 0x45, 0x04, 0x40}, i32c(0), []byte{0x0f, 0x0b, 0x20, 0}, i32c(1),
			[]byte{0x6b, 0x22, 1, 0x10, 0, 0x20, 1, 0x10, 0, 0x6a}), "exhausted"},
		"fill":          {loop(i32c(0), i32c(1), i32c(65536), []byte{0xfc, 11, 0}), "exhausted"},
		"copy":          {loop(i32c(1), i32c(0), i32c(65535), []byte{0xfc, 10, 0, 0}), "exhausted"},
		"init":          {loop(i32c(0), i32c(0), i32c(16), []byte{0xfc, 8, 0, 0}), "exhausted"},
		"fill of 4 GiB": {three(i32c(0), i32c(1), i32c(-1), []byte{0xfc, 11, 0}, i32c(1)), "exhausted"},
		"growth":        {loop(grow), "exhausted"},
		"growth alone":  {three(cat(repeat(300, grow...)), i32c(1)), "exhausted"},
		"division":      {loop(i32c(7), i32c(3), []byte{0x6d, 0x1a}), "exhausted"},
	}
}

// shifting is a loop of n parameters whose every round moves all of them by one.
func shifting(n int) []byte {
	return retyped(cat([]byte{2}, []byte{0x60, 1, valI32, 1, valI32}, []byte{0x60}, uleb(uint64(n)), repeat(n, valI32), []byte{0}),
		code(repeat(n, 0x20, 0), []byte{0x03, 1, 0x20, 1, 0x0c, 0, 0x0b, 0x00}))
}

// crowded is a loop whose rounds are short but whose locals all change in an
// inner loop that is never entered.
func crowded() []byte {
	var set []byte
	for i := range 250 {
		set = cat(set, []byte{0x20}, uleb(uint64((i+7)%250+1)), []byte{0x21}, uleb(uint64(i+1)))
	}
	b := cat([]byte{1}, uleb(251), []byte{valI32}, []byte{0x03, 0x40, 0x20, 0, 0x45, 0x04, 0x40, 0x03, 0x40}, set,
		[]byte{0x20, 1, 0x0d, 0, 0x0b, 0x0b, 0x0c, 0, 0x0b, 0x00, 0x0b})
	return retyped([]byte{2, 0x60, 1, valI32, 1, valI32, 0x60, 0, 0}, append(uleb(uint64(len(b))), b...))
}

// retyped is a module of other types and another function 0.
func retyped(types, body []byte) []byte {
	return replaced(assemble(body, code(i32c(2)), code(i32c(3))), 1, types)
}

const hostileFuel = 1_000_000

// attack runs function 0 once and returns how it ended and what was left.
func attack(t testing.TB, cfg wazero.RuntimeConfig, wasm []byte) string {
	t.Helper()
	metered, _, err := Rewrite(wasm, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, cfg.WithCoreFeatures(Features).WithMemoryLimitPages(64))
	defer rt.Close(ctx)
	mod, err := rt.Instantiate(ctx, metered)
	if err != nil {
		t.Fatal(err)
	}
	fuel, stack := mod.ExportedGlobal(FuelExport).(api.MutableGlobal), mod.ExportedGlobal(StackExport).(api.MutableGlobal)
	fuel.Set(hostileFuel)
	stack.Set(StackSlots)
	_, err = mod.ExportedFunction("f00").Call(ctx, 32)
	k := kind(mod, err)
	if err != nil && !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("ended by the engine: %v", err)
	}
	return fmt.Sprint(k, " ", int64(fuel.Get()), " ", int64(stack.Get()))
}

// Whatever does not end by itself ends by the meter, with the same fuel and
// stack left in both engines.
func TestRewrite_Hostile(t *testing.T) {
	for name, tt := range hostile() {
		t.Run(name, func(t *testing.T) {
			fast := attack(t, wazero.NewRuntimeConfigCompiler(), tt.wasm)
			if !strings.HasPrefix(fast, tt.want+" ") {
				t.Errorf("ended by %s, want %s", fast, tt.want)
			}
			if slow := attack(t, wazero.NewRuntimeConfigInterpreter(), tt.wasm); slow != fast {
				t.Errorf("compiled %s, interpreted %s", fast, slow)
			}
		})
	}
}

// What the meter takes a frame for is no less than what the compiler makes of
// it: a recursion without meters, until the engine's own limit of 50 MB.
func TestRewrite_FramesAreBounded(t *testing.T) {
	ctx := context.Background()
	for _, n := range []int{1, 100, 1000, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			wasm := wide(n)
			m, err := decode(wasm, DefaultLimits(), pureGrain())
			if err != nil {
				t.Fatal(err)
			}
			rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(Features))
			defer rt.Close(ctx)
			mod, err := rt.Instantiate(ctx, counted(t, wasm))
			if err != nil {
				t.Fatal(err)
			}
			_, err = mod.ExportedFunction("f00").Call(ctx, 32)
			if err == nil || !strings.Contains(err.Error(), "stack overflow") {
				t.Fatalf("error %v", err)
			}
			perCall := weightEntry + 4 + 3 + 2*n + 1 + weightCall + 3 // of what runs before the next call
			depth := mod.ExportedGlobal("count").Get() / uint64(perCall)
			if depth == 0 {
				t.Fatal("it did not recurse")
			}
			bytes, slots := 100_000_000/depth, m.bodies[0].frame()
			t.Logf("%d calls, at most %d bytes each, %d slots", depth, bytes, slots)
			if bytes > 8*uint64(slots) {
				t.Errorf("a frame of up to %d bytes is taken for %d slots", bytes, slots)
			}
		})
	}
}

// Calls that cannot go round cost no stack and need no check of it.
func TestRewrite_FreeCalls(t *testing.T) {
	for _, tt := range []struct {
		name      string
		wasm      []byte
		recursive bool
	}{
		{"no calls", three(i32c(1)), false},
		{"chain", chain(20), false},
		{"a chain too high", chain(200), true},
		{"recursion", three([]byte{0x20, 0, 0x10, 0}), true},
		{"indirect", three([]byte{0x20, 0}, i32c(0), []byte{0x11, 0, 0}), true},
	} {
		if _, report, err := Rewrite(tt.wasm, DefaultLimits()); err != nil || report.Recursive != tt.recursive {
			t.Errorf("%s: recursive %v, %v", tt.name, report.Recursive, err)
		}
	}
}

// Time for a runaway to spend a million units.
func BenchmarkKill(b *testing.B) {
	ctx := context.Background()
	for name, tt := range hostile() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			metered, _, err := Rewrite(tt.wasm, DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(Features).WithMemoryLimitPages(64))
			defer rt.Close(ctx)
			code, err := rt.CompileModule(ctx, metered)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.StopTimer()
				mod, err := rt.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName(""))
				if err != nil {
					b.Fatal(err)
				}
				mod.ExportedGlobal(FuelExport).(api.MutableGlobal).Set(hostileFuel)
				mod.ExportedGlobal(StackExport).(api.MutableGlobal).Set(StackSlots)
				f := mod.ExportedFunction("f00")
				b.StartTimer()
				if _, err := f.Call(ctx, 32); err == nil {
					b.Fatal("it ended by itself")
				}
				b.StopTimer()
				_ = mod.Close(ctx)
				b.StartTimer()
			}
		})
	}
}
