//go:build !(wasip1 || wasm_unknown)

package edgereel

// Export does nothing outside of a module, so that a game builds for its tests.
func Export(Game) {}
