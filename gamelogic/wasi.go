package gamelogic

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Errors of the system that a module of ProfileWASI finds.
const (
	wasiOK      = 0
	wasiBadFile = 8  // EBADF
	wasiInvalid = 28 // EINVAL
)

const (
	// wasiClock is what every clock says: 2026-01-01T00:00:00Z. A clock that
	// moves would be a state between steps.
	wasiClock = 1_767_225_600_000_000_000
	// maxWASIRandom is the most bytes one random_get gives, and maxWASIVectors
	// the most buffers one fd_write takes: an import costs the same whatever it
	// is asked for, so it may not be asked for much.
	maxWASIRandom  = 1024
	maxWASIVectors = 16
)

// wasiFunction is one function of the constant system. Its answer depends on
// its arguments and the module's digest alone.
type wasiFunction struct {
	name, signature string // signature as in meter.Limits
	call            func(in *instance, mem api.Memory, args []uint64) uint32
}

// wasiFunctions are what a program of Go or TinyGo needs to start and to print;
// whatever reads a file or opens anything is not among them.
func wasiFunctions() []wasiFunction {
	answer := func(errno uint32) func(*instance, api.Memory, []uint64) uint32 {
		return func(*instance, api.Memory, []uint64) uint32 { return errno }
	}
	return []wasiFunction{
		{"args_get", "ii>i", answer(wasiOK)},
		{"args_sizes_get", "ii>i", wasiEmpty},
		{"clock_res_get", "ii>i", wasiResolution},
		{"clock_time_get", "ili>i", wasiTime},
		{"environ_get", "ii>i", answer(wasiOK)},
		{"environ_sizes_get", "ii>i", wasiEmpty},
		{"fd_close", "i>i", answer(wasiBadFile)},
		{"fd_fdstat_get", "ii>i", answer(wasiBadFile)},
		{"fd_fdstat_set_flags", "ii>i", answer(wasiBadFile)},
		{"fd_prestat_dir_name", "iii>i", answer(wasiBadFile)},
		{"fd_prestat_get", "ii>i", answer(wasiBadFile)},
		{"fd_seek", "ilii>i", answer(wasiBadFile)},
		{"fd_write", "iiii>i", wasiWrite},
		{"poll_oneoff", "iiii>i", wasiPoll},
		{"proc_exit", "i>", wasiExit},
		{"random_get", "ii>i", wasiRandom},
		{"sched_yield", ">i", answer(wasiOK)},
	}
}

// wasiEmpty says that there are no arguments, or no variables.
func wasiEmpty(_ *instance, mem api.Memory, args []uint64) uint32 {
	return written(mem.WriteUint32Le(uint32(args[0]), 0) && mem.WriteUint32Le(uint32(args[1]), 0))
}

func wasiTime(_ *instance, mem api.Memory, args []uint64) uint32 {
	return written(mem.WriteUint64Le(uint32(args[2]), wasiClock))
}

func wasiResolution(_ *instance, mem api.Memory, args []uint64) uint32 {
	return written(mem.WriteUint64Le(uint32(args[1]), 1))
}

// wasiWrite takes what is printed and drops it.
func wasiWrite(_ *instance, mem api.Memory, args []uint64) uint32 {
	n := uint32(args[2])
	if n > maxWASIVectors {
		return wasiInvalid
	}
	vectors, ok := mem.Read(uint32(args[1]), 8*n)
	if !ok {
		return wasiInvalid
	}
	total := uint32(0)
	for ; len(vectors) > 0; vectors = vectors[8:] {
		total += binary.LittleEndian.Uint32(vectors[4:])
	}
	return written(mem.WriteUint32Le(uint32(args[3]), total))
}

// wasiRandom gives the same bytes at every call, so that no call leaves a trace
// for the next one. What a game draws comes from edgereel.draw.
func wasiRandom(in *instance, mem api.Memory, args []uint64) uint32 {
	n := uint32(args[1])
	if n > maxWASIRandom {
		return wasiInvalid
	}
	return written(mem.Write(uint32(args[0]), in.random[:n]))
}

// wasiPoll says that the first thing waited for has come, without waiting.
func wasiPoll(_ *instance, mem api.Memory, args []uint64) uint32 {
	if uint32(args[2]) == 0 {
		return wasiInvalid
	}
	user, ok := mem.ReadUint64Le(uint32(args[0]))
	if !ok {
		return wasiInvalid
	}
	var event [32]byte // no error, and of the kind of a clock
	binary.LittleEndian.PutUint64(event[:], user)
	return written(mem.Write(uint32(args[1]), event[:]) && mem.WriteUint32Le(uint32(args[3]), 1))
}

func wasiExit(in *instance, _ api.Memory, args []uint64) uint32 {
	in.stop(KindTrap, fmt.Sprintf("the program ended with code %d", uint32(args[0])), nil)
	return 0
}

func written(ok bool) uint32 {
	if !ok {
		return wasiInvalid
	}
	return wasiOK
}

// wasiStream is the beginning of the random bytes of a module: SHA-256 over
// its digest and a counter.
func wasiStream(digest [32]byte) []byte {
	b := make([]byte, 0, maxWASIRandom)
	for i := uint32(0); len(b) < maxWASIRandom; i++ {
		block := field(nil, []byte("edgereel/wasi-random/1"))
		block = append(block, digest[:]...)
		block = binary.BigEndian.AppendUint32(block, i)
		sum := sha256.Sum256(block)
		b = append(b, sum[:]...)
	}
	return b
}

// exportWASI builds the constant system.
func exportWASI(ctx context.Context, engine wazero.Runtime) error {
	b := engine.NewHostModuleBuilder(wasiModule)
	for _, f := range wasiFunctions() {
		params, results := valueTypes(f.signature)
		b = b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			errno := f.call(instanceOf(ctx), mod.Memory(), stack)
			if len(results) > 0 {
				stack[0] = uint64(errno)
			}
		}), params, results).Export(f.name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("gamelogic: build the constant system: %w", err)
	}
	return nil
}

// valueTypes reads a signature of integers.
func valueTypes(signature string) (params, results []api.ValueType) {
	into := &params
	for _, c := range signature {
		switch c {
		case '>':
			into = &results
		case 'i':
			*into = append(*into, api.ValueTypeI32)
		case 'l':
			*into = append(*into, api.ValueTypeI64)
		}
	}
	return params, results
}
