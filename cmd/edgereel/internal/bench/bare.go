package bench

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgereel/edgereel/gamelogic/meter"
)

// bare runs opening steps of a module on the engine alone, with draws from a
// counter, so that only the module's own code differs between two of them.
type bare struct {
	runtime wazero.Runtime
	play    api.Function
	io      api.Function
	fuel    api.MutableGlobal // nil without meters
	depth   api.MutableGlobal
	ctx     context.Context
	next    uint64
	stack   [1]uint64
}

func newBare(ctx context.Context, wasm []byte, stakeMinor int64) (_ *bare, err error) {
	b := &bare{ctx: ctx, runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(meter.Features))}
	defer func() {
		if err != nil {
			_ = b.runtime.Close(ctx)
		}
	}()
	if err := b.exportDraws(ctx); err != nil {
		return nil, fmt.Errorf("build the draw functions: %w", err)
	}
	mod, err := b.runtime.Instantiate(ctx, wasm)
	if err != nil {
		return nil, fmt.Errorf("start the bare module: %w", err)
	}
	b.fuel, _ = mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	b.depth, _ = mod.ExportedGlobal(meter.StackExport).(api.MutableGlobal)
	b.play, b.io = mod.ExportedFunction("edgereel_play"), mod.ExportedFunction("edgereel_io")
	if err := b.empty(); err != nil {
		return nil, err
	}
	input := make([]byte, 32)
	input[0], input[4] = 1, 1 // version, action
	binary.LittleEndian.PutUint64(input[16:], uint64(stakeMinor))
	if !mod.Memory().Write(uint32(b.stack[0]), input) {
		return nil, fmt.Errorf("write the input at %d", b.stack[0])
	}
	return b, b.spin()
}

func (b *bare) exportDraws(ctx context.Context) error {
	draw := func(bound uint32) uint64 {
		b.next = b.next*6364136223846793005 + 1442695040888963407
		return (b.next >> 32) * uint64(bound) >> 32
	}
	i32 := api.ValueTypeI32
	_, err := b.runtime.NewHostModuleBuilder("edgereel").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) {
		stack[0] = draw(uint32(stack[0]))
	}), []api.ValueType{i32}, []api.ValueType{i32}).Export("draw").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, stack []uint64) {
		bounds, _ := mod.Memory().Read(uint32(stack[0]), 4*uint32(stack[2]))
		values, _ := mod.Memory().Read(uint32(stack[1]), 4*uint32(stack[2]))
		for i := 0; i < len(bounds); i += 4 {
			binary.LittleEndian.PutUint32(values[i:], uint32(draw(binary.LittleEndian.Uint32(bounds[i:]))))
		}
	}), []api.ValueType{i32, i32, i32}, nil).Export("draw_many").Instantiate(ctx)
	return err
}

func (b *bare) refuel() {
	if b.fuel != nil {
		b.fuel.Set(1_000_000)
		b.depth.Set(meter.StackSlots)
	}
}

// spin plays one opening step.
func (b *bare) spin() error {
	b.refuel()
	b.stack[0] = 32
	if err := b.play.CallWithStack(b.ctx, b.stack[:]); err != nil {
		return fmt.Errorf("spin on the bare engine: %w", err)
	}
	if int32(b.stack[0]) < 32 {
		return fmt.Errorf("spin on the bare engine: code %d", int32(b.stack[0]))
	}
	return nil
}

// empty calls a function that returns a constant.
func (b *bare) empty() error {
	b.refuel()
	if err := b.io.CallWithStack(b.ctx, b.stack[:]); err != nil {
		return fmt.Errorf("call an empty function: %w", err)
	}
	return nil
}

// metered is a pure module with its meters.
func metered(wasm []byte) ([]byte, error) {
	limits := meter.DefaultLimits()
	limits.Imports = map[string]string{"edgereel.draw": "i>i", "edgereel.draw_many": "iii>"}
	code, _, err := meter.Rewrite(wasm, limits)
	if err != nil {
		return nil, fmt.Errorf("add meters: %w", err)
	}
	return code, nil
}
