package gamelogic

import (
	"cmp"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgereel/edgereel/gamelogic/meter"
)

// Profile is the class of a module. What the module imports decides it.
type Profile string

// The profiles.
const (
	// ProfilePure: integers only, nothing but draws from outside.
	ProfilePure Profile = "pure"
	// ProfileWASI: the runtime of a language comes along and finds a system
	// whose every answer is a constant. Larger, slower, with limits of its own.
	ProfileWASI Profile = "wasi"
)

// wasiModule is what the runtimes of Go and TinyGo import their system from.
const wasiModule = "wasi_snapshot_preview1"

// profileOf reads what a binary imports from. Of a binary that cannot be read
// it says pure, whose check then says what is wrong.
func profileOf(wasm []byte) Profile {
	if meter.ImportsFrom(wasm, wasiModule) {
		return ProfileWASI
	}
	return ProfilePure
}

// limits of a profile, ABI v1, imports included.
func (p Profile) limits() meter.Limits {
	limits := meter.DefaultLimits()
	limits.Bytes, limits.MemoryPages = MaxModule, MaxMemoryPages
	limits.Imports = map[string]string{"edgereel.draw": "i>i", "edgereel.draw_many": "iii>"}
	if p == ProfileWASI {
		imports := limits.Imports
		limits = meter.RuntimeLimits()
		for _, f := range wasiFunctions() {
			imports[wasiModule+"."+f.name] = f.signature
		}
		limits.Imports, limits.DetachData = imports, true
	}
	return limits
}

// budgets of a module of this profile, in units of fuel.
func (p Profile) budgets(cfg *HostConfig) (step, start int64) {
	step, start = DefaultFuelPerStep, DefaultFuelPerInit
	if p == ProfileWASI {
		step, start = DefaultWASIFuelPerStep, DefaultWASIFuelPerInit
	}
	return cmp.Or(cfg.FuelPerStep, step), cmp.Or(cfg.FuelPerInit, start)
}

func (p Profile) features() api.CoreFeatures {
	if p == ProfileWASI {
		return meter.FloatFeatures
	}
	return meter.Features
}
