// Package telemetry is what a node tells about itself: JSON logs that carry
// trace ids, Prometheus metrics, traces and health.
//
// It promises that a trace id exists for every request whether or not traces
// are sent anywhere, that nothing here is global (two nodes in one process do
// not mix), and that telling never delays a request: a trace that cannot be
// sent is dropped. It does not know what is secret; callers never hand it a
// seed, a token or a player's id.
//
// # Concurrency
//
// Everything is safe for concurrent use. Close flushes traces and waits.
package telemetry
