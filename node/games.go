package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/consensus/plain"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/membership"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/node/releases"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/wallet"
)

// registryGroup is the Raft group of the registry, beyond the numbers of shards.
const registryGroup = 0xFFFF_FF00

// Folders below the node's data.
const (
	blobsDir    = "blobs"
	compiledDir = "compiled"
)

// Raft settings of the registry, which changes a few times an hour.
const (
	registrySnapshotEntries = 256
	registryTrailingEntries = 256
)

// startRegistry opens this node's part of the registry, and its replica where
// it is a voter.
func (n *Node) startRegistry() error {
	machine := registry.NewMachine()
	cfg := registry.Config{
		Node: n.cfg.Node, Voters: n.cfg.Registry.Voters, Machine: machine, Mesh: n.rpc, Now: n.now, Rand: n.opts.Rand, Logger: n.log,
	}
	if slices.Contains(cfg.Voters, n.cfg.Node) {
		if err := n.openRegistryLog(machine); err != nil {
			return err
		}
		cfg.Group = n.registryLog
	}
	var err error
	if n.registry, err = registry.New(cfg); err != nil {
		return fmt.Errorf("start the registry: %w", err)
	}
	n.onClose("registry", n.registry.Close)
	return nil
}

func (n *Node) openRegistryLog(machine *registry.Machine) error {
	dir := n.store.SnapshotDir(registryGroup)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("open the registry's snapshots: %w", err)
	}
	raftLog := telemetry.HCLog(n.log.With("group", "registry"), "raft")
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(dir, keptSnapshots, raftLog)
	if err != nil {
		return fmt.Errorf("open the registry's snapshots: %w", err)
	}
	stream := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: n.mesh.RaftLayer(registryGroup), MaxPool: 3, Timeout: raftTimeout, MaxRPCsInFlight: 4, Logger: raftLog,
	})
	timers := n.timers()
	timers.SnapshotEntries, timers.TrailingEntries = registrySnapshotEntries, registryTrailingEntries
	logs := n.store.Group(registryGroup)
	n.registryLog, err = plain.Open(plain.Config{
		Name: "registry", Node: n.cfg.Node, Voters: n.cfg.Registry.Voters, Timers: timers,
		Logs: logs, Stable: logs, Snapshots: snapshots, Transport: stream, Machine: machine,
		Logger: n.log, RaftLogger: raftLog, OnFatal: n.fatal,
	})
	if err != nil {
		return joinErr(err, stream.Close())
	}
	n.onClose("registry log", n.registryLog.Close)
	return nil
}

// resignRegistry gives leadership of the registry away before a planned stop.
func (n *Node) resignRegistry(ctx context.Context) error {
	if n.registryLog == nil {
		return nil
	}
	resigned := make(chan error, 1)
	n.wg.Go(func() { resigned <- n.registryLog.Resign() })
	select {
	case err := <-resigned:
		return err
	case <-ctx.Done():
		return fmt.Errorf("give leadership of the registry away: %w", ctx.Err())
	}
}

// startGames opens the store of blobs, serves it to other nodes and loads the
// games that came with the program.
func (n *Node) startGames() error {
	var err error
	n.blobs, err = blobs.Open(blobs.Config{
		Dir: filepath.Join(n.cfg.Data, blobsDir), MaxBytes: n.cfg.Limits.MaxBlobBytes,
		MaxPartials: n.cfg.Limits.MaxUploads, MaxPartialBytes: n.cfg.Limits.MaxUploadBytes, Now: n.now, Logger: n.log,
	})
	if err != nil {
		return fmt.Errorf("open the store of blobs: %w", err)
	}
	n.onClose("blobs", n.blobs.Close)
	compiled := filepath.Join(n.cfg.Data, compiledDir)
	if err := os.MkdirAll(compiled, 0o700); err != nil {
		return fmt.Errorf("make the folder of compiled modules: %w", err)
	}
	if n.host, err = gamelogic.NewHost(n.ctx, gamelogic.HostConfig{CompileCacheDir: compiled}); err != nil {
		return fmt.Errorf("start module host: %w", err)
	}
	n.onClose("module host", n.host.Close)
	n.bulk, err = transport.NewBulk(transport.BulkConfig{Mesh: n.mesh, Source: releases.BulkSource{Blobs: n.blobs}, Logger: n.log})
	if err != nil {
		return fmt.Errorf("serve blobs: %w", err)
	}
	var builtin []releases.Builtin
	for _, g := range games.All() {
		builtin = append(builtin, releases.Builtin{Wasm: g.Wasm, Par: g.Par})
	}
	n.releases, err = releases.New(n.ctx, releases.Config{
		Node: n.cfg.Node, Host: n.host, Blobs: n.blobs, Registry: n.registry, Fetch: n.bulk, Peers: n.alivePeers,
		Builtin: builtin, MaxStakeMinor: n.cfg.Limits.MaxStakeMinor, Now: n.now, Metrics: n.tel.Metrics, Logger: n.log,
	})
	if err != nil {
		return fmt.Errorf("load the games of the program: %w", err)
	}
	n.onClose("releases", n.releases.Close)
	n.modules = n.releases.Builtins()
	n.fetchModule = n.releases.Want
	return nil
}

// startReleases begins to install and to keep the shards at the registry's word.
func (n *Node) startReleases() {
	var shards []releases.Shard
	for _, s := range n.cfg.Votes() {
		shards = append(shards, n.replicas[s.ID].group)
	}
	n.releases.Start(shards)
	// The reconcilers end before the replicas they write to.
	n.onClose("releases of the shards", n.releases.Close)
}

// alivePeers lists the other nodes that are alive, those near first.
func (n *Node) alivePeers() []string {
	var near, far []string
	for _, m := range n.members.Members() {
		switch {
		case m.Self || m.State != membership.StateAlive:
		case m.Region == n.cfg.Region:
			near = append(near, m.Node)
		default:
			far = append(far, m.Node)
		}
	}
	return append(near, far...)
}

// listGames joins what the releases say with whether the shards take rounds.
func (n *Node) listGames() []gateway.Game {
	enabled := map[string]bool{}
	// A node without a replica cannot tell; the shard decides at every round.
	unknown := len(n.replicas) == 0
	for _, s := range n.cfg.Votes() {
		n.replicas[s.ID].group.View(func(sh *wallet.Shard) {
			for _, g := range sh.Games() {
				enabled[g.Game] = enabled[g.Game] || g.Enabled
			}
		})
	}
	state := n.registry.State()
	var list []gateway.Game
	known := map[string]bool{}
	for _, want := range state.AllDesired() {
		b := want.Live
		if b == nil {
			b = want.Canary
		}
		if b == nil {
			continue
		}
		known[want.Game] = true
		g := gateway.Game{ID: want.Game, Version: b.Version, Digest: b.Digest.String(), Enabled: enabled[want.Game] || unknown && want.Enabled}
		for _, mode := range b.Modes {
			g.Modes = append(g.Modes, gateway.Mode{Name: mode.Name, CostX100: uint32(mode.CostX100), RTP: mode.RTP, MaxWinX: uint64(mode.MaxWinX)})
		}
		list = append(list, g)
	}
	for _, m := range n.modules {
		man := m.Manifest()
		if known[man.ID] {
			continue
		}
		g := gateway.Game{ID: man.ID, Version: man.Release, Digest: wallet.Hash(m.Digest()).String(), Enabled: unknown || enabled[man.ID]}
		for _, mode := range man.Modes {
			g.Modes = append(g.Modes, gateway.Mode{Name: mode.Name, CostX100: uint32(mode.CostX100), RTP: mode.RTP, MaxWinX: uint64(mode.MaxWinX)})
		}
		list = append(list, g)
	}
	return list
}
