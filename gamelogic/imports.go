package gamelogic

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// hostDraw is edgereel.draw(bound) -> value: one uniform value below bound.
func hostDraw(ctx context.Context, _ api.Module, stack []uint64) {
	in := ctx.Value(instanceKey{}).(*instance)
	stack[0] = uint64(in.take(uint32(stack[0])))
}

// hostDrawMany is edgereel.draw_many(bounds, out, n): n draws in order, bounds
// and values as arrays of u32. Both ranges are checked before the first draw.
func hostDrawMany(ctx context.Context, mod api.Module, stack []uint64) {
	in := ctx.Value(instanceKey{}).(*instance)
	n := uint32(stack[2])
	if n > MaxDraws {
		in.stop(KindTooManyDraws, fmt.Sprintf("draw_many of %d", n), nil)
	}
	bounds, ok := mod.Memory().Read(uint32(stack[0]), 4*n)
	values, ok2 := mod.Memory().Read(uint32(stack[1]), 4*n)
	if !ok || !ok2 {
		in.stop(KindBadDraw, "draw_many outside the memory", nil)
	}
	for i := 0; i < len(bounds); i += 4 {
		binary.LittleEndian.PutUint32(values[i:], in.take(binary.LittleEndian.Uint32(bounds[i:])))
	}
}

func (in *instance) take(bound uint32) uint32 {
	switch {
	case in.draws == nil:
		in.stop(KindBadDraw, "a draw outside a step", nil)
	case bound == 0:
		in.stop(KindBadDraw, "bound 0", nil)
	case len(in.draws.log) >= in.limit:
		in.stop(KindTooManyDraws, fmt.Sprintf("more than the declared %d", in.limit), nil)
	}
	v, err := in.draws.take(bound)
	if err != nil {
		in.stop(KindBadDraw, "", err)
	}
	return v
}

// stop ends the guest's call. The engine recovers the panic and returns it
// with its own trace; run reads the fault instead.
func (in *instance) stop(kind TrapKind, detail string, err error) {
	in.fault = &TrapError{Kind: kind, Detail: detail, Err: err}
	panic(in.fault)
}
