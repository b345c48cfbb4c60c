package gamelogic

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// guestContext is the context of every call of a guest. It carries the instance
// to the host's functions, which the engine hands it on as it is; it never ends,
// since the engine looks at no context during a call.
type guestContext struct {
	context.Context
	in *instance
}

// Value is asked by the engine for switches of its own. All are off.
func (*guestContext) Value(any) any { return nil }

func instanceOf(ctx context.Context) *instance { return ctx.(*guestContext).in }

// hostDraw is edgereel.draw(bound) -> value: one uniform value below bound.
func hostDraw(ctx context.Context, _ api.Module, stack []uint64) {
	stack[0] = uint64(instanceOf(ctx).take(uint32(stack[0])))
}

// hostDrawMany is edgereel.draw_many(bounds, out, n): n draws in order, bounds
// and values as arrays of u32. Both ranges are checked before the first draw.
func hostDrawMany(ctx context.Context, _ api.Module, stack []uint64) {
	in := instanceOf(ctx)
	n := uint32(stack[2])
	if n > MaxDraws {
		in.stop(KindTooManyDraws, fmt.Sprintf("draw_many of %d", n), nil)
	}
	bounds, ok := in.mem.Read(uint32(stack[0]), 4*n)
	values, ok2 := bounds, ok
	if stack[1] != stack[0] {
		values, ok2 = in.mem.Read(uint32(stack[1]), 4*n)
	}
	if !ok || !ok2 {
		in.stop(KindBadDraw, "draw_many outside the memory", nil)
	}
	if d := in.draws; d != nil && len(d.log)+int(n) <= in.limit {
		bounds, values = d.takeMany(bounds, values)
	}
	for ; len(bounds) >= 4 && len(values) >= 4; bounds, values = bounds[4:], values[4:] {
		binary.LittleEndian.PutUint32(values, in.take(binary.LittleEndian.Uint32(bounds)))
	}
}

func (in *instance) take(bound uint32) uint32 {
	d := in.draws
	if d == nil || bound == 0 || len(d.log) >= in.limit {
		in.refuseDraw(bound)
	}
	v, err := d.take(bound)
	if err != nil {
		in.stop(KindBadDraw, "", err)
	}
	return v
}

// refuseDraw says why there is no draw.
func (in *instance) refuseDraw(bound uint32) {
	switch {
	case in.draws == nil:
		in.stop(KindBadDraw, "a draw outside a step", nil)
	case bound == 0:
		in.stop(KindBadDraw, "bound 0", nil)
	default:
		in.stop(KindTooManyDraws, fmt.Sprintf("more than the declared %d", in.limit), nil)
	}
}

// stop ends the guest's call. The engine recovers the panic and returns it
// with its own trace; run reads the fault instead.
func (in *instance) stop(kind TrapKind, detail string, err error) {
	in.fault = &TrapError{Kind: kind, Detail: detail, Err: err}
	panic(in.fault)
}
