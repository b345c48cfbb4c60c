// Package sim runs a whole cluster in one process: real nodes with their real
// files, modules, Raft groups, gossip and QUIC, on a simulated network, with
// players and cashiers at work, while faults drawn from a seed hit it. At the
// end the nodes are asked for their ledger and the clients' history is held
// against it.
//
// What it promises: a Result without violations means that every acknowledged
// operation was found once, at its place and with its amounts, in journals that
// are equal on all nodes, that one order explains what every client saw of its
// wallet, that the recorded outcomes come out the same again, and that the
// cluster came back after every fault by itself.
//
// What it does not: the same seed gives the same faults and the same players,
// not the same schedule, because goroutines and TLS draw their own randomness.
// Real sockets, real fsync stalls and the exit of a process are for tests with
// processes.
//
// Everything is meant to run in a testing/synctest bubble, where only virtual
// time passes; outside of one the same run takes as long as it says. A Cluster
// makes certificates, keys and tokens by the clock it is started under.
//
// # Concurrency
//
// A Cluster belongs to one goroutine. Run starts one goroutine per player,
// cashier and reader, and returns after all of them and of the nodes'. In a
// bubble the caller must let Settle pass before the bubble ends.
package sim
