package meter

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const testFuel = 100_000

func pureGrain() grain {
	limits := DefaultLimits()
	return grainOf(&limits)
}

// kind of a call's end: "" for a result, the engine's first line for a trap.
func kind(mod api.Module, err error) string {
	if err == nil {
		return ""
	}
	for name, kind := range map[string]string{FuelExport: "exhausted", StackExport: "depth"} {
		if g := mod.ExportedGlobal(name); g != nil && int64(g.Get()) < 0 {
			return kind
		}
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func meters(kind string) bool { return kind == "exhausted" || kind == "depth" }

// trace calls the exported function a few times in one instance and lists what
// can be seen afterwards, one line a call; it stops after a trap of the meter
// or after most calls.
type trace struct {
	calls []string // result, trap, memory and globals
	meter []string // fuel and stack left
	spent []int64
	count []uint64 // of the counting version
}

func run(t testing.TB, cfg wazero.RuntimeConfig, wasm []byte, most int) trace {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, cfg.WithCoreFeatures(FloatFeatures).WithMemoryLimitPages(64))
	defer rt.Close(ctx)
	mod, err := rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig())
	if err != nil {
		t.Fatalf("instantiate: %v", err)
	}
	var out trace
	for i := range most {
		fuel, _ := mod.ExportedGlobal(FuelExport).(api.MutableGlobal)
		stack, _ := mod.ExportedGlobal(StackExport).(api.MutableGlobal)
		if fuel != nil {
			fuel.Set(testFuel)
			stack.Set(StackSlots)
		}
		if c, ok := mod.ExportedGlobal("count").(api.MutableGlobal); ok {
			c.Set(0)
		}
		res, err := mod.ExportedFunction([]string{"f00", "f10", "f20"}[i%3]).Call(ctx, uint64(i*3))
		k := kind(mod, err)
		mem, _ := mod.Memory().Read(0, mod.Memory().Size())
		out.calls = append(out.calls, fmt.Sprintf("%v %q %d %x %d %d", res, k, len(mem), sha256.Sum256(mem),
			mod.ExportedGlobal("g").Get(), mod.ExportedGlobal("h").Get()))
		if fuel != nil {
			out.meter = append(out.meter, fmt.Sprintf("%d %d", int64(fuel.Get()), int64(stack.Get())))
			out.spent = append(out.spent, testFuel-int64(fuel.Get()))
			if k == "" && stack.Get() != StackSlots {
				t.Fatalf("call %d gave back all but %d slots", i, StackSlots-stack.Get())
			}
		}
		if c := mod.ExportedGlobal("count"); c != nil {
			out.count = append(out.count, c.Get())
		}
		if meters(k) {
			return out
		}
	}
	return out
}

// counted rewrites a module to add the weight of every single instruction to a
// global just before it runs: what the meter has to cover.
func counted(t testing.TB, wasm []byte) []byte {
	t.Helper()
	m, err := decode(wasm, RuntimeLimits(), pureGrain())
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range m.bodies {
		again := &function{m: m, sig: f.sig, r: reader{b: f.r.b, at: f.edits[0].at}, locals: f.locals, scopes: []scope{{}}, set: map[uint32]bool{}, past: [3]int{-1, -1, -1}, open: []int{0}, entered: []int{0}, ends: []int{1}, bases: []int{0}, moved: []int64{1}}
		sum := again.total
		c := coder{m: m, out: append(uleb(uint64(f.groups)), f.decls...)}
		weight := weightEntry + int64(f.locals+len(f.sig))
		for again.r.more() {
			at, before := again.r.at, sum()
			if err := again.instruction(); err != nil {
				t.Fatal(err)
			}
			c.op(0x23, c.fuelGlobal())
			c.i64(weight + sum() - before)
			c.out = append(c.out, 0x7c)
			c.op(0x24, c.fuelGlobal())
			c.out = append(c.out, f.r.b[at:again.r.at]...)
			weight = 0
		}
		m.bodies[i].r.b = c.out
	}
	out := []byte(magic)
	for _, id := range order {
		body := m.sections[id]
		switch id {
		case 6:
			body = extend(body, 1, []byte("\x7e\x01\x42\x00\x0b"))
		case 7:
			body = extend(body, 1, cat(str("count"), []byte{3}, uleb(uint64(m.globals))))
		case 10:
			var bodies [][]byte
			for _, f := range m.bodies {
				bodies = append(bodies, append(uleb(uint64(len(f.r.b))), f.r.b...))
			}
			body = vec(bodies...)
		}
		if body != nil {
			out = append(out, sec(id, body)...)
		}
	}
	return out
}

// compare runs a module with and without meters. It reports how many calls
// ended by the meter, by the module's own trap, and with a result.
func compare(t testing.TB, wasm []byte, fine grain) (byMeter, byTrap, results int) {
	t.Helper()
	return compareUnder(t, wasm, DefaultLimits(), fine)
}

func compareUnder(t testing.TB, wasm []byte, limits Limits, fine grain) (byMeter, byTrap, results int) {
	t.Helper()
	metered, report, err := rewrite(wasm, limits, fine)
	if err != nil {
		t.Fatalf("a generated module is refused: %v", err)
	}
	if report.Functions != 6 || report.Version != Version {
		t.Fatalf("report %+v", report)
	}
	fast := run(t, wazero.NewRuntimeConfigCompiler(), metered, 6)
	slow := run(t, wazero.NewRuntimeConfigInterpreter(), metered, 6)
	if f, s := fmt.Sprint(fast), fmt.Sprint(slow); f != s {
		t.Fatalf("compiled    %s\ninterpreted %s", f, s)
	}
	// The metered calls ended, so the original's end as well.
	whole := len(fast.calls)
	for _, c := range fast.calls {
		switch {
		case strings.Contains(c, `"exhausted"`) || strings.Contains(c, `"depth"`):
			byMeter++
			whole--
		case strings.Contains(c, `""`):
			results++
		default:
			byTrap++
		}
	}
	plain := run(t, wazero.NewRuntimeConfigInterpreter(), wasm, whole)
	for i := range plain.calls {
		if limits.Floats {
			return // the original's NaNs are the engine's own, and so may be its ways
		}
		if plain.calls[i] != fast.calls[i] {
			t.Fatalf("call %d\noriginal %s\nmetered  %s", i, plain.calls[i], fast.calls[i])
		}
	}
	exact := run(t, wazero.NewRuntimeConfigInterpreter(), counted(t, wasm), whole)
	for i := range exact.count {
		if !strings.Contains(fast.calls[i], `""`) {
			continue // after a trap of its own the global may be older than the last payment
		}
		if exact.count[i] == 0 || int64(exact.count[i]) > fast.spent[i] {
			t.Fatalf("call %d ran instructions of weight %d and paid %d", i, exact.count[i], fast.spent[i])
		}
	}
	return byMeter, byTrap, results
}

// Modules made at random behave the same with meters, pay for at least what
// they run, and end the same way compiled and interpreted.
func TestRewrite_Equivalent(t *testing.T) {
	n := 1500
	if testing.Short() {
		n = 200
	}
	rng := rand.New(rand.NewPCG(3, 14))
	var byMeter, byTrap, results int
	var saved savings
	grains := []grain{
		pureGrain(),
		{scope: 1, least: 1, fold: 1, short: 1},
		{scope: 1, least: 6, fold: 1 << 20, bounded: 200, left: 400, short: 1 << 20},
		{scope: 30, least: 1 << 20, fold: 60, bounded: 1 << 20, bulks: 1},
		{scope: 1 << 20, fold: 1 << 20, left: 1 << 20, short: 40, bulks: 9},
	}
	for i := range n {
		data := make([]byte, 40+rng.IntN(800))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		wasm := generate(data)
		saved.add(t, wasm, grains[i%len(grains)])
		a, b, c := compare(t, wasm, grains[i%len(grains)])
		byMeter, byTrap, results = byMeter+a, byTrap+b, results+c
	}
	t.Logf("%d modules: %d calls ended by the meter, %d by a trap, %d with a result", n, byMeter, byTrap, results)
	t.Logf("%+v", saved)
	if saved.folded < n/20 || saved.around < n/20 || saved.front < n/20 {
		t.Error("the modules do not cover every way to pay")
	}
	if byMeter < n/20 || byTrap < n/20 || results < n/20 {
		t.Error("the modules do not cover every way to end")
	}
}

// savings counts what is not paid for where it runs.
type savings struct{ folded, around, front, behind int }

func (s *savings) add(t testing.TB, wasm []byte, fine grain) {
	m, err := decode(wasm, DefaultLimits(), fine)
	if err != nil {
		t.Fatal(err)
	}
	m.measure()
	m.fold()
	for _, f := range m.bodies {
		if f.folded {
			s.folded++
		}
		for _, x := range f.scopes[1:] {
			switch {
			case x.loop && x.gone:
				s.around++
			case x.count != nil:
				s.front++
			case !x.loop && !x.gone:
				s.behind++
			}
		}
	}
}

// FuzzRewrite makes a valid module of the bytes and compares it with and
// without meters; the bytes themselves are a module for the decoder.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{3, 4, 2, 9, 1, 5, 200, 17, 6, 3, 3, 8, 1, 90, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Add(assemble(code(i32c(1)), code(i32c(2)), code(i32c(3))))
	f.Add(generate([]byte{3, 4, 2, 9, 1, 5, 200, 17, 6, 3, 3, 8, 1, 90, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}))
	f.Fuzz(func(t *testing.T, data []byte) {
		compare(t, generate(data), pureGrain())
		compare(t, generate(data), grain{scope: 1, least: 6, fold: 1 << 20, bounded: 300, short: 20})
		metered, _, err := Rewrite(data, DefaultLimits())
		if err != nil {
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Rule == "" {
				t.Fatalf("refused without a rule: %v", err)
			}
			return
		}
		if err := validate(metered, DefaultLimits()); err != nil {
			t.Fatalf("valid before, not after: %v", err)
		}
	})
}
