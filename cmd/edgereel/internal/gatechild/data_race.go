//go:build race

package gatechild

// dataLimit is none in builds with the race detector, which maps many times
// what the program uses.
func dataLimit(uint64) uint64 { return ^uint64(0) }
