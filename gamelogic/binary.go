package gamelogic

import (
	"fmt"

	"github.com/edgereel/edgereel/gamelogic/meter"
)

// Limits of a module, ABI v1.
const (
	MaxModule       = 512 << 10 // bytes of a .wasm, of ProfilePure
	MaxMemoryPages  = 64        // of 64 KiB, of ProfilePure
	MaxState        = 4 << 10   // bytes of round state
	MaxPresentation = 16 << 10  // bytes of presentation
	MaxDraws        = 4096      // in one step
)

// metered checks a binary against ABI v1 and rewrites it so that it runs only
// on fuel: limits, types and instructions of its profile, imports, no start
// function, validation, export signatures.
func metered(wasm []byte) ([]byte, meter.Report, error) {
	code, report, err := meter.Rewrite(wasm, profileOf(wasm).limits())
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
	if e, ok := r.Exports["edgereel_advise"]; ok && (e.Kind != 0 || e.Signature != "i>i") {
		return refuse("export %q has the wrong signature", "edgereel_advise")
	}
	if Profile(r.Profile) != ProfileWASI {
		return nil
	}
	_, program := r.Exports["_start"]
	start, ok := r.Exports["_initialize"]
	switch {
	case ok && (start.Kind != 0 || start.Signature != ">"):
		return refuse("export %q has the wrong signature", "_initialize")
	case !ok && program:
		return refuse("it is a program (_start) and no library (_initialize): build it with -buildmode=c-shared")
	}
	return nil
}
