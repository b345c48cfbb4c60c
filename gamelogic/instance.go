package gamelogic

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgereel/edgereel/gamelogic/meter"
)

// snapshot is everything a step can change in an instance.
type snapshot struct {
	size uint32 // of the memory
	// blocks are its contents, restoreBlock bytes each. Blocks of zeros, which
	// most are, are the same one: to compare with it touches little memory.
	blocks  [][]byte
	globals []uint64
}

// ABIMinor is the minor version of the ABI that the module says it was built for.
func (m *Module) ABIMinor() uint32 { return m.minor }

// Advises tells whether the module declares a strategy of its own (Advise).
func (m *Module) Advises() bool { return m.advises }

// Fuel is what a step and each other export may spend.
func (m *Module) Fuel() (perStep, perInit int64) { return m.fuelPerStep, m.fuelPerInit }

// instance is one running copy of a module. It belongs to whoever took it.
type instance struct {
	mod     api.Module
	mem     api.Memory
	play    api.Function
	advise  api.Function // nil without the export
	globals []api.MutableGlobal
	io      uint32
	pages   uint32 // of memory; a change means that the instance cannot be restored

	fuel  api.MutableGlobal // left, below zero when a call was exhausted
	depth api.MutableGlobal // stack slots left, below zero when calls nested too deeply
	level bool              // depth holds what a call begins with
	init  int64             // fuel of a call that is no step

	random []byte // what random_get gives

	ctx   context.Context // of every call, see guestContext
	stack [1]uint64
	draws *Draws // of the step in flight, nil outside a step
	limit int    // draws allowed in it
	fault *TrapError

	offers  uint32 // a mask of actions met before
	offered []string
}

// instantiate builds an instance that is as the first one was after its start.
func (m *Module) instantiate(ctx context.Context) (*instance, error) {
	in, err := m.build(ctx)
	if err != nil {
		return nil, err
	}
	// Without a start every instance begins as the first one did.
	if m.starts && !in.adopt(&m.pristine) {
		in.close(ctx)
		return nil, refuse("the memory of a new instance cannot grow to that of the first one")
	}
	in.io = m.io
	return in, nil
}

// instanceConfig names nothing and starts nothing. The engine seeds a generator
// for every instance that is given no source of its own, which none here reads.
func instanceConfig() wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(noEntropy{})
}

type noEntropy struct{}

func (noEntropy) Read([]byte) (int, error) { return 0, errNoEntropy }

var errNoEntropy = errors.New("gamelogic: an instance has no source of entropy")

// build makes an instance without calling anything in it.
func (m *Module) build(ctx context.Context) (*instance, error) {
	in := &instance{init: m.fuelPerInit, random: m.random}
	in.ctx = &guestContext{context.Background(), in}
	mod, err := m.engine.InstantiateModule(ctx, m.code, instanceConfig())
	if err != nil {
		return nil, fmt.Errorf("%w: instantiate: %w", ErrRefusedModule, err)
	}
	in.mod, in.mem, in.play = mod, mod.Memory(), mod.ExportedFunction("edgereel_play")
	in.pages = in.mem.Size() / pageSize
	in.advise = mod.ExportedFunction("edgereel_advise")
	for _, name := range m.globals {
		g, ok := mod.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			in.close(ctx)
			return nil, refuse("mutable global %q cannot be reached", name)
		}
		in.globals = append(in.globals, g)
	}
	in.fuel, in.depth = in.globals[len(in.globals)-2], in.globals[len(in.globals)-1]
	return in, nil
}

// ask calls an export without parameters during the introduction.
func (in *instance) ask(name string) (uint32, error) {
	in.refuel(in.init)
	res, err := in.mod.ExportedFunction(name).Call(in.ctx)
	if kind := in.spent(); err != nil && kind != KindTrap {
		return 0, fmt.Errorf("%w: call %s: %s", ErrRefusedModule, name, kind)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: call %s: %w", ErrRefusedModule, name, err)
	}
	if len(res) == 0 {
		return 0, nil
	}
	return uint32(res[0]), nil
}

// refuel pays for one call. Without it nothing runs. A call that returned has
// given back every stack slot, so the depth is not written again after it.
func (in *instance) refuel(fuel int64) {
	in.fuel.Set(uint64(fuel))
	if !in.level {
		in.depth.Set(meter.StackSlots)
		in.level = true
	}
}

// spent tells what a trap was. The meter writes before it traps, so what it
// left is the same whatever the engine makes of it.
func (in *instance) spent() TrapKind {
	switch {
	case int64(in.fuel.Get()) < 0:
		return KindExhausted
	case int64(in.depth.Get()) < 0:
		return KindDepth
	}
	return KindTrap
}

func (in *instance) snapshot() snapshot {
	mem, _ := in.mem.Read(0, in.mem.Size())
	s := snapshot{size: uint32(len(mem)), globals: make([]uint64, len(in.globals))}
	zeros := make([]byte, restoreBlock)
	for at := 0; at < len(mem); at += restoreBlock {
		block := zeros
		if b := mem[at : at+restoreBlock]; !bytes.Equal(b, zeros) {
			block = bytes.Clone(b)
		}
		s.blocks = append(s.blocks, block)
	}
	for i, g := range in.globals {
		s.globals[i] = g.Get()
	}
	return s
}

// restore puts the instance back to s, block by block because most of the
// memory of a small game is never written. False when the memory has grown.
func (in *instance) restore(s *snapshot) bool {
	mem, ok := in.mem.Read(0, s.size)
	if !ok || in.mem.Size()/pageSize != in.pages {
		return false
	}
	for i, block := range s.blocks {
		if b := mem[i*restoreBlock : (i+1)*restoreBlock]; !bytes.Equal(b, block) {
			copy(b, block)
		}
	}
	for i, g := range in.globals {
		g.Set(s.globals[i])
	}
	in.level = false
	return true
}

// adopt makes a new instance what another one was at s.
func (in *instance) adopt(s *snapshot) bool {
	if n := s.size / pageSize; n > in.pages {
		if _, ok := in.mem.Grow(n - in.pages); !ok {
			return false
		}
		in.pages = n
	}
	return in.restore(s)
}

func (in *instance) close(ctx context.Context) {
	// Closing an instance that holds no host resources cannot fail in a way
	// that anyone could act on.
	_ = in.mod.Close(ctx)
}
