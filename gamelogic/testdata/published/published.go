// Package published carries the modules of the published games, whose return
// is known to every digit. It is for measuring and testing; no node plays them.
package published

import _ "embed"

// The modules. They are shared: do not change them.
var (
	//go:embed sizzling.wasm
	Sizzling []byte
	//go:embed columbus.wasm
	Columbus []byte
	//go:embed atkins.wasm
	Atkins []byte
)
