// Package dev runs a whole cluster on one machine: three regional nodes as
// three processes on loopback, with a private authority, keys, and funded
// wallets of three demo players.
//
// It promises that each process is an ordinary node, started by the same
// command a real cluster uses; that cluster.json exists exactly while the
// cluster is ready; that a folder given with Data goes on with every balance;
// and that no process is left behind, whichever way it ends. It decides nothing
// for the nodes and is not asked once they run.
//
// # Folder
//
//	dev.json          cluster id and ports
//	cluster.json      what a client needs, while the cluster is ready
//	ca/               the authority and its key
//	keys/             seeds, tokens, directory
//	nodes/NAME/       node.yaml, certificate, data/, node.log
//
// # Concurrency
//
// One goroutine, that of Run, owns the state of the cluster. Each process has
// a goroutine that waits for its end, and one more goroutine looks at the
// nodes; both report to the owner by channel.
package dev
