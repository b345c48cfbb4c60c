package gamelogic

import (
	"fmt"

	"github.com/edgereel/edgereel/gamelogic/meter"
)

// Limits of a module, ABI v1.
const (
	MaxModule       = 512 << 10 // bytes of a .wasm
	MaxMemoryPages  = 64        // of 64 KiB
	MaxState        = 4 << 10   // bytes of round state
	MaxPresentation = 16 << 10  // bytes of presentation
	MaxDraws        = 4096      // in one step
)

// metered checks a binary against ABI v1 and rewrites it so that it runs only
// on fuel: limits, integer types and instructions, the two imports, no start
// function, validation, export signatures.
func metered(wasm []byte) ([]byte, meter.Report, error) {
	limits := meter.DefaultLimits()
	limits.Bytes, limits.MemoryPages = MaxModule, MaxMemoryPages
	limits.Imports = map[string]string{"edgereel.draw": "i>i", "edgereel.draw_many": "iii>"}
	code, report, err := meter.Rewrite(wasm, limits)
	if err != nil {
		return nil, meter.Report{}, fmt.Errorf("%w: %w", ErrRefusedModule, err)
	}
	return code, report, checkExports(report)
}

func checkExports(r meter.Report) error {
	if r.Memories != 1 {
		return refuse("%d memories, want one of its own", r.Memories)
	}
	if e, ok := r.Exports["memory"]; !ok || e.Kind != 2 {
		return refuse("it does not export its memory as %q", "memory")
	}
	for _, want := range []struct{ name, signature string }{
		{"edgereel_abi_1", ">i"}, {"edgereel_io", ">i"}, {"edgereel_manifest", ">i"}, {"edgereel_play", "i>i"},
	} {
		e, ok := r.Exports[want.name]
		if !ok || e.Kind != 0 {
			return refuse("it does not export the function %q", want.name)
		}
		if e.Signature != want.signature {
			return refuse("export %q has the wrong signature", want.name)
		}
	}
	return nil
}
