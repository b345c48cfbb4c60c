// Package membership knows which nodes there are, where they are and how they
// do, by gossip (hashicorp/memberlist) over the mesh.
//
// It promises that on a LAN every node hears of a dead one within 5 s, that a
// node that lost touch keeps trying to come back, and that a lost node stays
// listed for a while. What it knows is hearsay: it serves routing, screens and
// hints, and nothing about money is ever decided by it.
//
// A member is suspect when it has not answered this node's own probes for
// longer than it should; other nodes may see it otherwise. A member that
// announced its planned stop is left, one that fell silent is dead.
//
// # Concurrency
//
// All methods are safe for concurrent use and none waits for the network,
// except Leave and Close. The gossip library calls back while it holds its own
// lock, so the callbacks only note what they hear; one goroutine tells OnChange.
//
// # Errors
//
// A peer that cannot be reached is not an error but a member that is missing.
package membership
