// Package transport carries everything a node says over the network: QUIC
// connections told apart by ALPN, with TLS 1.3 and a certificate on both sides
// of the mesh. It promises that a mesh peer is who its certificate says (chain,
// cluster, role and, where asked, node name), that a connection handed out was
// accepted by the other side, and that a failed call says whether its request
// surely never left.
//
// It does not retry, does not know what it carries, and does not hide that a
// network loses messages: a call that failed after its first byte was written
// may have been executed. It knows no wallet. quic-go stays inside: no type of
// that library is exported, because its API changes almost monthly.
//
// # Layers
//
// [Authority] issues and [Credentials] holds a process's identity. An [Endpoint]
// owns one UDP socket. A [Mesh] keeps one connection per peer node and protocol
// and carries Raft ([Mesh.RaftLayer]), gossip ([NewGossip]) and calls ([NewRPC]).
// [ServePublic] serves players over HTTP/3 and HTTP/2; [HTTPClient] is its
// counterpart. Package simnet replaces the socket in simulations.
//
// # Concurrency
//
// All exported types are safe for concurrent use. Every Close is idempotent and
// waits for the goroutines it started. Nothing blocks while holding a mutex, so
// everything runs inside a testing/synctest bubble.
//
// # Errors
//
// Identity failures are [*IdentityError] on the side that noticed; the other
// side sees a TLS alert. [*CallError] and [*HTTPError] say whether the request
// was surely not sent.
package transport
