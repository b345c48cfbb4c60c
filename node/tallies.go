package node

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/wallet"
)

// serveTallies tells what the shards that this node leads counted, and how long
// its evaluations take. A leader of the past may answer too: counts only grow,
// so the asker takes the answer with the greatest sequence.
func (n *Node) serveTallies(req *edgereelv1.TalliesRequest) ([]byte, error) {
	if v := req.GetVersion(); v != peerVersion {
		return nil, fmt.Errorf("tallies request of version %d", v)
	}
	reply, err := proto.Marshal(n.tallies(req.GetGame(), req.GetShards()))
	if err != nil {
		return nil, fmt.Errorf("encode tallies: %w", err)
	}
	return reply, nil
}

// tallies collects one game, or all of them, of the named shards or of all that
// this node leads.
func (n *Node) tallies(game string, shards []uint32) *edgereelv1.TalliesReply {
	reply := &edgereelv1.TalliesReply{Version: peerVersion, Node: n.cfg.Node}
	for _, s := range n.cfg.Votes() {
		r := n.replicas[s.ID]
		if r == nil || !r.group.Leads() || len(shards) > 0 && !slices.Contains(shards, s.ID) {
			continue
		}
		r.group.View(func(sh *wallet.Shard) {
			if b, ok := sh.BuildsOf(game); ok {
				reply.Shards = append(reply.Shards, shardTallies(sh.Head(), &b))
			}
			if game != "" {
				return
			}
			for _, b := range sh.Builds() {
				reply.Shards = append(reply.Shards, shardTallies(sh.Head(), &b))
			}
		})
	}
	for _, t := range n.times.All(n.now()) {
		reply.Times = append(reply.Times, &edgereelv1.EvaluationTimes{
			ModuleDigest: t.Digest.String(), Steps: t.Steps, P50Ns: uint64(t.P50), P99Ns: uint64(t.P99),
		})
	}
	return reply
}

func shardTallies(head wallet.Head, b *wallet.GameBuilds) *edgereelv1.ShardTallies {
	m := &edgereelv1.ShardTallies{Shard: head.Shard, ShardSeq: head.Seq, Game: b.Game, Release: shardRelease(head.Shard, b), CanaryQuarantined: b.CanaryQuarantined}
	for _, t := range b.Tallies {
		m.Buckets = append(m.Buckets, &edgereelv1.BucketTally{
			ModuleDigest: t.Digest.String(), Mode: t.Mode, Rounds: t.Rounds, Incidents: t.Incidents,
			ReturnX1000000: t.ReturnX1000000, Counts: t.Counts[:],
		})
	}
	return m
}

// shardRelease is what a shard runs under a game's name, for people.
func shardRelease(shard uint32, b *wallet.GameBuilds) *edgereelv1.ShardRelease {
	m := &edgereelv1.ShardRelease{
		Shard: shard, LiveVersion: b.Live.Version, CanaryShareX10000: b.CanaryShareX10000,
		Enabled: b.Enabled && !b.Halted, Quarantined: b.LiveQuarantined || b.CanaryQuarantined,
	}
	if b.Canary != nil {
		m.CanaryVersion = b.Canary.Version
	}
	for _, t := range b.Tallies {
		version := b.Live.Version
		if b.Canary != nil && t.Digest == b.Canary.Digest {
			version = b.Canary.Version
		}
		m.Tallies = append(m.Tallies, &edgereelv1.ModeTally{
			Version: version, Mode: t.Mode, Rounds: t.Rounds, Incidents: t.Incidents, ReturnX1000000: t.ReturnX1000000,
		})
	}
	return m
}
