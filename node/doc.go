// Package node is one regional node: its sockets, its stores, its replicas of
// the wallet shards, the games it runs and the services it offers, put together
// and taken apart in the right order.
//
// It promises that a node that runs answers for itself alone: it serves what it
// can, refuses what it cannot, and stops as a whole when a replica may not go
// on. It adds no rule of its own; the rules are in wallet, consensus and the
// packages below node.
//
// # A spin's way through this folder
//
// gateway (token, limits) → router (slot, shard, leader; over the mesh when it
// is elsewhere) → leader (key, checks, evaluation on the proposer) → consensus
// (entry, quorum, apply) → leader (answer).
//
// # A release's way
//
// push (upload, signature, check in a process of its own) → registry (draft,
// verdict, moves by persons; a Raft group of its own, learned by nodes without
// a vote) → releases (blobs fetched over the mesh, verified, loaded; shards this
// node leads are ordered to follow) → wallet (the shard's catalogue decides) →
// canary (watches, takes back).
//
// # Concurrency
//
// New starts everything, Close ends and awaits everything. Run is New's
// counterpart for a process: it serves until its context ends, drains and
// closes.
package node
