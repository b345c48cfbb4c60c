package meter

import (
	"context"
	"errors"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// FloatFeatures come on top of Features where Limits.Floats is set.
const FloatFeatures = Features | api.CoreFeatureNonTrappingFloatToIntConversion

// Features of WebAssembly that metered modules may use, for the engine that
// validates them here and the one that runs them.
const Features = api.CoreFeatureMutableGlobal | api.CoreFeatureSignExtensionOps |
	api.CoreFeatureMultiValue | api.CoreFeatureBulkMemoryOperations

// validate has the engine check types and indexes. The interpreter's runtime
// does so without producing machine code.
func validate(wasm []byte, limits Limits) (err error) {
	ctx := context.Background()
	features := Features
	if limits.Floats {
		features = FloatFeatures
	}
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().
		WithMemoryLimitPages(uint32(limits.MemoryPages)).WithCoreFeatures(features))
	defer func() { err = errors.Join(err, rt.Close(ctx)) }()
	code, err := rt.CompileModule(ctx, wasm)
	if err != nil {
		return &RefusedError{Rule: RuleInvalid, Detail: "validate", Err: err}
	}
	return code.Close(ctx)
}
