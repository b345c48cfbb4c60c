// Package push takes a studio's module in: it receives the blobs, verifies who
// signed them, has the module checked in a process of its own, and records the
// release with its verdict in the registry.
package push
