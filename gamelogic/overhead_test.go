package gamelogic_test

import (
	"context"
	"encoding/binary"
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
	s.refuel()
	io, err := mod.ExportedFunction("edgereel_io").Call(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	in := make([]byte, 32)
	in[0], in[4], in[16] = 1, 1, 100
	mod.Memory().Write(uint32(io[0]), in)
	return s
}

func (s *spinner) refuel() {
	if s.fuel != nil {
		s.fuel.Set(1_000_000)
		s.depth.Set(meter.StackSlots)
	}
}

// spins plays n times and returns the digest of nothing but the last answer.
func (s *spinner) spins(tb testing.TB, n int) uint64 {
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
	return s.stack[0]
}

// The same spins with and without meters, in turns; the least time of each
// batch counts, so that a busy machine disturbs the ratio little.
func BenchmarkMetering(b *testing.B) {
	for _, g := range games.All() {
		b.Run(g.ID, func(b *testing.B) {
			limits := meter.DefaultLimits()
			limits.Imports = map[string]string{"edgereel.draw": "i>i", "edgereel.draw_many": "iii>"}
			metered, report, err := meter.Rewrite(g.Wasm, limits)
			if err != nil {
				b.Fatal(err)
			}
			b.Logf("%+v", report)
			kinds := []*spinner{newSpinner(b, g.Wasm), newSpinner(b, metered)}
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
			b.ReportMetric(float64(len(metered))/float64(len(g.Wasm)), "size-ratio")
		})
	}
}
