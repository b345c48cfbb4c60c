//go:build !race

package gatechild

func dataLimit(bytes uint64) uint64 { return bytes }
