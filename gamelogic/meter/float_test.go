package meter

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// floatOps are the instructions that give a float, by how many floats of which
// width they take.
func floatOps() map[byte][2]byte { // operand type, number of operands
	ops := map[byte][2]byte{opF32Demote: {valF64, 1}, opF64Promote: {valF32, 1}}
	for op := byte(opF32Abs); op <= opF64Copysign; op++ {
		width, n := byte(valF32), byte(1)
		if op >= opF64Abs {
			width = valF64
		}
		if k := (op - opF32Abs) % 14; k >= 7 {
			n = 2
		}
		ops[op] = [2]byte{width, n}
	}
	return ops
}

// oddFloats are bits of numbers and of what is none, quiet and signalling, of
// both signs.
func oddFloats(width byte) [][]byte {
	var out [][]byte
	if width == valF32 {
		for _, v := range []uint32{0, 1 << 31, 0x3f800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fa00001, 0xffc12345, 0x00000001} {
			out = append(out, binary.LittleEndian.AppendUint32([]byte{opF32Const}, v))
		}
		return out
	}
	for _, v := range []uint64{
		0, 1 << 63, 0x3ff0000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000000,
		0x7ff4000000000001, 0xfff8123456789abc, 1,
	} {
		out = append(out, binary.LittleEndian.AppendUint64([]byte{opF64Const}, v))
	}
	return out
}

// Every instruction that gives a float gives the same bits in both engines,
// and where it computes, no NaN but the canonical one.
func TestRewrite_OneNaN(t *testing.T) {
	type made struct {
		name  string
		op    byte
		f64   bool
		index int
	}
	var bodies [][]byte
	var all []made
	for op, of := range floatOps() {
		f64 := op >= opF64Abs && op <= opF64Copysign || op == opF64Promote
		back := []byte{0xbc, 0xad} // i32.reinterpret_f32 i64.extend_i32_u
		if f64 {
			back = []byte{0xbd}
		}
		for i, a := range oddFloats(of[0]) {
			for j, b := range oddFloats(of[0]) {
				operands := cat(a, b)
				if of[1] == 1 {
					if j > 0 {
						break
					}
					operands = a
				}
				body := cat([]byte{0}, operands, []byte{op}, back, []byte{0x0b})
				all = append(all, made{fmt.Sprintf("%#x of %d and %d", op, i, j), op, f64, len(bodies)})
				bodies = append(bodies, append(uleb(uint64(len(body))), body...))
			}
		}
	}
	types, exports := [][]byte{}, [][]byte{}
	for i := range bodies {
		types = append(types, []byte{0})
		exports = append(exports, cat(str(fmt.Sprint("f", i)), []byte{0}, uleb(uint64(i))))
	}
	wasm := cat([]byte(magic), sec(1, vec([]byte{0x60, 0, 1, valI64})), sec(3, vec(types...)), sec(7, vec(exports...)), sec(10, vec(bodies...)))
	metered, _, err := Rewrite(wasm, RuntimeLimits())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var mods []api.Module
	for _, cfg := range []wazero.RuntimeConfig{wazero.NewRuntimeConfigCompiler(), wazero.NewRuntimeConfigInterpreter()} {
		rt := wazero.NewRuntimeWithConfig(ctx, cfg.WithCoreFeatures(FloatFeatures))
		defer rt.Close(ctx)
		mod, err := rt.Instantiate(ctx, metered)
		if err != nil {
			t.Fatal(err)
		}
		mods = append(mods, mod)
	}
	nans := 0
	for _, m := range all {
		var bits [2]uint64
		for i, mod := range mods {
			mod.ExportedGlobal(FuelExport).(api.MutableGlobal).Set(testFuel)
			mod.ExportedGlobal(StackExport).(api.MutableGlobal).Set(StackSlots)
			res, err := mod.ExportedFunction(fmt.Sprint("f", m.index)).Call(ctx)
			if err != nil {
				t.Fatal(err)
			}
			bits[i] = res[0]
		}
		if bits[0] != bits[1] {
			t.Errorf("%s: compiled %#x, interpreted %#x", m.name, bits[0], bits[1])
		}
		switch m.op {
		case opF32Abs, opF32Neg, opF32Copysign, opF64Abs, opF64Neg, opF64Copysign:
			continue // they move bits
		}
		quiet, exponent := uint64(0x7fc00000), uint64(0x7f800000)
		if m.f64 {
			quiet, exponent = 0x7ff8000000000000, 0x7ff0000000000000
		}
		if fraction := exponent&-exponent - 1; bits[0]&exponent == exponent && bits[0]&fraction != 0 {
			nans++
			if bits[0] != quiet {
				t.Errorf("%s: %#x", m.name, bits[0])
			}
		}
	}
	if nans == 0 {
		t.Error("no NaN was made")
	}
}

// Modules with floats made at random end the same way in both engines, with
// the same memory, and pay for what they run.
func TestRewrite_FloatsAreTheSame(t *testing.T) {
	n := 400
	if testing.Short() {
		n = 60
	}
	rng := rand.New(rand.NewPCG(5, 9))
	limits := RuntimeLimits()
	results := 0
	for range n {
		data := make([]byte, 40+rng.IntN(500))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		wasm := generateFrom(&generator{data: data, floats: true})
		_, _, r := compareUnder(t, wasm, limits, grainOf(&limits))
		results += r
	}
	if results < n/20 {
		t.Error("hardly a module ends")
	}
}

// What brings floats with it is refused under the limits of a pure module, and
// data.drop under any: it would be missing in the next step.
func TestRewrite_FloatsAreOneProfile(t *testing.T) {
	wasm := three([]byte{0x43, 0, 0, 0x80, 0x3f, 0xbc})
	if _, _, err := Rewrite(wasm, DefaultLimits()); err == nil {
		t.Error("a pure module with floats")
	}
	limits := RuntimeLimits()
	if _, report, err := Rewrite(wasm, limits); err != nil || report.Profile != "wasi" {
		t.Errorf("%+v, %v", report, err)
	}
	for _, body := range [][]byte{{0xfc, 9, 0}, {0xfc, 16, 0}, {0xfd, 12}} {
		if _, _, err := Rewrite(three(body, i32c(1)), limits); err == nil {
			t.Errorf("instruction %x is accepted", body)
		}
	}
}
