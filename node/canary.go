package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/node/canary"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/wallet"
)

// canaryPerson is who rolls back in a release's history.
const canaryPerson = "canary-watcher"

// startCanary begins to watch canaries, on whichever node leads the registry.
func (n *Node) startCanary() error {
	if n.registryLog == nil {
		return nil
	}
	watcher, err := canary.New(canary.Config{
		Releases: canaryReleases{n}, Cluster: canaryCluster{n}, Metrics: n.tel.Metrics, Now: n.now, Logger: n.log,
	})
	if err != nil {
		return err
	}
	n.onClose("canary watcher", watcher.Close)
	return nil
}

// canaryReleases is the registry as the watcher needs it.
type canaryReleases struct{ n *Node }

func (r canaryReleases) Leads() bool { return r.n.registry.Leads() }

func (r canaryReleases) Canaries() []canary.Canary {
	var list []canary.Canary
	for _, d := range r.n.registry.State().AllDesired() {
		if d.Canary == nil {
			continue
		}
		c := canary.Canary{Game: d.Game, Version: d.Canary.Version, Module: wallet.Hash(d.Canary.Digest)}
		if d.Live != nil {
			c.Live = wallet.Hash(d.Live.Digest)
		}
		list = append(list, c)
	}
	return list
}

func (r canaryReleases) Live() []canary.Canary {
	var list []canary.Canary
	state := r.n.registry.State()
	for _, d := range state.AllDesired() {
		if d.Live == nil || !d.Enabled {
			continue
		}
		// What came with the program has no report here.
		if release := state.Release(d.Game, d.Live.Version); release != nil && !release.Report.IsZero() {
			list = append(list, canary.Canary{Game: d.Game, Version: d.Live.Version, Module: wallet.Hash(d.Live.Digest)})
		}
	}
	return list
}

// Report reads the stored report of a canary's check. Every node that holds the
// registry's blobs has it, or soon will.
func (r canaryReleases) Report(_ context.Context, c canary.Canary) ([]byte, error) {
	release := r.n.registry.State().Release(c.Game, c.Version)
	if release == nil || release.Report.IsZero() {
		return nil, fmt.Errorf("the registry lists no report of %s", c)
	}
	report, err := r.n.blobs.Read(blobs.Digest(release.Report))
	if err != nil {
		return nil, fmt.Errorf("read the report of %s: %w", c, err)
	}
	return report, nil
}

func (r canaryReleases) Rollback(ctx context.Context, c canary.Canary, reason string) error {
	_, err := r.n.registry.Submit(ctx, registry.Op{
		Person: canaryPerson, Reason: shorten(reason, maxReasonBytes),
		Move: &registry.Move{Game: c.Game, Version: c.Version, To: registry.RolledBack, IfModule: registry.Digest(c.Module)},
	})
	var refusal *registry.Refusal
	if errors.As(err, &refusal) {
		if now := r.n.registry.State().Release(c.Game, c.Version); now == nil || now.Phase != registry.Canary {
			return nil // somebody else was quicker
		}
	}
	return err
}

// maxReasonBytes is what the registry keeps of a reason.
const maxReasonBytes = 512

func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most]
}

// canaryCluster asks the nodes that vote for shards.
type canaryCluster struct{ n *Node }

func (c canaryCluster) Tallies(ctx context.Context, game string) []*edgereelv1.TalliesReply {
	var nodes []string
	for _, s := range c.n.cfg.Shards {
		for _, v := range s.Voters {
			if !slices.Contains(nodes, v) {
				nodes = append(nodes, v)
			}
		}
	}
	var mu sync.Mutex
	var replies []*edgereelv1.TalliesReply
	var calls sync.WaitGroup
	for _, node := range nodes {
		calls.Go(func() {
			reply := &edgereelv1.TalliesReply{}
			if node == c.n.cfg.Node {
				reply = c.n.tallies(game, nil)
			} else if err := c.n.peers.call(ctx, node, methodTallies, &edgereelv1.TalliesRequest{Version: peerVersion, Game: game}, reply); err != nil {
				c.n.log.Debug("no tallies", "node", node, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			replies = append(replies, reply)
		})
	}
	calls.Wait()
	slices.SortFunc(replies, func(a, b *edgereelv1.TalliesReply) int { return strings.Compare(a.GetNode(), b.GetNode()) })
	return replies
}
