// Package releases moves a node towards what the registry says: it holds the
// modules and documents of releases, and has the shards it leads run them.
//
// It promises that only bytes of the right digest are loaded, whenever that
// happens, and that they are compared again at every start and once a day: a
// module whose file changed is stopped on this node, fetched anew from another
// one, and both are told. It promises that a shard this node leads follows the
// registry within a second of knowing it. What players get is decided by the
// shard alone (PROTOCOL 16); nothing here deletes a digest.
//
// # Concurrency
//
// A [Service] is safe for concurrent use. One goroutine installs, with a few
// workers of its own, one verifies, and one for each shard compares and orders.
//
// # Durability
//
// Blobs are those of package blobs. Compiled code is kept beside them by the
// host and never leaves the node.
//
// # Errors
//
// What goes wrong with a module is in [Service.Status], in the log and in the
// metrics, and tried again; nobody waits for it.
package releases
