package gamelogic_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgereel/edgereel/gamelogic/meter"
	"github.com/edgereel/edgereel/games"
)

// spinner runs base spins of a reference game on the bare engine, with draws
// from a counter, so that only the module's own code differs.
type spinner struct {
	play  api.Function
	mem   api.Memory
	io    uint32
	fuel  api.MutableGlobal
	depth api.MutableGlobal
	seed  uint64
	stack [1]uint64
}

func newSpinner(tb testing.TB, wasm []byte) *spinner {
	tb.Helper()
	ctx := context.Background()
	s := &spinner{}
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(meter.Features))
	tb.Cleanup(func() { _ = rt.Close(ctx) })
	next := func(bound uint32) uint64 {
		s.seed = s.seed*6364136223846793005 + 1442695040888963407
		return (s.seed >> 32) * uint64(bound) >> 32
	}
	i32 := api.ValueTypeI32
	_, err := rt.NewHostModuleBuilder("edgereel").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) {
		stack[0] = next(uint32(stack[0]))
	}), []api.ValueType{i32}, []api.ValueType{i32}).Export("draw").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, stack []uint64) {
		bounds, _ := mod.Memory().Read(uint32(stack[0]), 4*uint32(stack[2]))
		values, _ := mod.Memory().Read(uint32(stack[1]), 4*uint32(stack[2]))
		for i := 0; i < len(bounds); i += 4 {
			binary.LittleEndian.PutUint32(values[i:], uint32(next(binary.LittleEndian.Uint32(bounds[i:]))))
		}
	}), []api.ValueType{i32, i32, i32}, nil).Export("draw_many").Instantiate(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	mod, err := rt.Instantiate(ctx, wasm)
	if err != nil {
		tb.Fatal(err)
	}
	s.fuel, _ = mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	s.depth, _ = mod.ExportedGlobal(meter.StackExport).(api.MutableGlobal)
	s.play = mod.ExportedFunction("edgereel_play")
	if s.depth != nil {
		s.depth.Set(meter.StackSlots) // a call that returns gives its slots back
	}
	s.refuel()
	io, err := mod.ExportedFunction("edgereel_io").Call(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	in := make([]byte, 32)
	in[0], in[4], in[16] = 1, 1, 100
	s.mem, s.io = mod.Memory(), uint32(io[0])
	s.mem.Write(s.io, in)
	return s
}

func (s *spinner) refuel() {
	if s.fuel != nil {
		s.fuel.Set(1_000_000)
	}
}

// spins plays the opening step n times.
func (s *spinner) spins(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		s.refuel()
		s.stack[0] = 32
		if err := s.play.CallWithStack(context.Background(), s.stack[:]); err != nil {
			tb.Fatal(err)
		}
		if int32(s.stack[0]) < 32 {
			tb.Fatalf("code %d", int32(s.stack[0]))
		}
	}
}

// history digests the answers of n steps, feature steps included.
func (s *spinner) history(tb testing.TB, n int) (digest [32]byte, features int) {
	tb.Helper()
	h := sha256.New()
	for range n {
		in, _ := s.mem.Read(s.io, 32)
		state := binary.LittleEndian.Uint32(in[24:])
		s.refuel()
		s.stack[0] = 32 + uint64(state)
		if err := s.play.CallWithStack(context.Background(), s.stack[:]); err != nil {
			tb.Fatal(err)
		}
		out, ok := s.mem.Read(s.io+16384, uint32(s.stack[0]))
		if !ok || len(out) < 32 {
			tb.Fatalf("code %d", int32(s.stack[0]))
		}
		h.Write(out)
		state = binary.LittleEndian.Uint32(out[16:])
		binary.LittleEndian.PutUint32(in[24:], state)
		s.mem.Write(s.io+32, out[32:32+state])
		// The first action that is offered, or the one that opens a round.
		in[4] = 1
		if mask := binary.LittleEndian.Uint32(out[12:]); mask != 0 {
			in[4] = byte(bits.TrailingZeros32(mask))
		}
		if state > 0 {
			features++
		}
	}
	h.Sum(digest[:0])
	return digest, features
}

// The reference games answer the same bytes with meters as without.
func TestMetering_SameAnswers(t *testing.T) {
	n := 50_000
	if testing.Short() {
		n = 5_000
	}
	for _, g := range games.All() {
		want, features := newSpinner(t, g.Wasm).history(t, n)
		if got, _ := newSpinner(t, metered(t, g.Wasm)).history(t, n); got != want {
			t.Errorf("%s answers otherwise with meters", g.ID)
		}
		if g.ID == "comet-spins" && features == 0 {
			t.Error("no feature was played")
		}
	}
}

func metered(tb testing.TB, wasm []byte) []byte {
	tb.Helper()
	limits := meter.DefaultLimits()
	limits.Imports = map[string]string{"edgereel.draw": "i>i", "edgereel.draw_many": "iii>"}
	code, _, err := meter.Rewrite(wasm, limits)
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

// The same spins with and without meters, in turns; the least time of each
// batch counts, so that a busy machine disturbs the ratio little.
func BenchmarkMetering(b *testing.B) {
	for _, g := range games.All() {
		b.Run(g.ID, func(b *testing.B) {
			code := metered(b, g.Wasm)
			kinds := []*spinner{newSpinner(b, g.Wasm), newSpinner(b, code)}
			least := [2]time.Duration{time.Hour, time.Hour}
			const batch = 200
			for b.Loop() {
				for i, s := range kinds {
					start := time.Now()
					s.spins(b, batch)
					least[i] = min(least[i], time.Since(start))
				}
			}
			b.ReportMetric(float64(least[0].Nanoseconds())/batch, "ns/original")
			b.ReportMetric(float64(least[1].Nanoseconds())/batch, "ns/metered")
			b.ReportMetric(float64(least[1])/float64(least[0]), "ratio")
			b.ReportMetric(float64(1_000_000-int64(kinds[1].fuel.Get())), "fuel")
			b.ReportMetric(float64(len(code))/float64(len(g.Wasm)), "size-ratio")
		})
	}
}
