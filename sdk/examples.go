package sdk

import "embed"

// The example of the Go kit is not here: it is a hundred times as large.
//
//go:embed rust/example/example.wasm assemblyscript/example/example.wasm c/example/example.wasm
var examples embed.FS

// Example is the built module of a kit's example game; nil for a language
// whose module the program does not carry.
func Example(language string) []byte {
	b, err := examples.ReadFile(language + "/example/example.wasm")
	if err != nil {
		return nil
	}
	return b
}
