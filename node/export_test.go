package node

import (
	"slices"

	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/node/releases"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/wallet"
)

// Fatal ends the node as a replica that may not go on does.
func (n *Node) Fatal(err error) { n.fatal(err) }

// Registry, Releases and Blobs are the node's own, for tests that make releases
// without a studio and damage what is stored.
func (n *Node) Registry() *registry.Service { return n.registry }

func (n *Node) Releases() *releases.Service { return n.releases }

func (n *Node) Blobs() *blobs.Store { return n.blobs }

// Builds is what this node's replica of a shard runs of a game.
func (n *Node) Builds(shard uint32, game string) (b wallet.GameBuilds) {
	n.replicas[shard].group.View(func(sh *wallet.Shard) { b, _ = sh.BuildsOf(game) })
	return b
}

// Pins reports whether this node's replica of a shard needs a module.
func (n *Node) Pins(shard uint32, digest wallet.Hash) (yes bool) {
	n.replicas[shard].group.View(func(sh *wallet.Shard) { yes = slices.Contains(sh.Pinned(), digest) })
	return yes
}
