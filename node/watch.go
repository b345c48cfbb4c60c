package node

import (
	"time"

	"github.com/edgereel/edgereel/node/membership"
)

// watchEvery is how often a node looks at itself for metrics and gossip.
const watchEvery = 2 * time.Second

// watch keeps what others see of this node up to date: where its replicas
// stand, how much waits in them, who is a member, how loaded the node is.
func (n *Node) watch() {
	n.wg.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			n.look()
			select {
			case <-n.ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

func (n *Node) look() {
	load := 0
	for id, r := range n.replicas {
		st := r.group.Status()
		n.tel.Metrics.Shard(id, st.Head.Seq, st.CommitIndex-min(st.CommitIndex, st.AppliedIndex))
		waiting := r.group.Waiting()
		n.tel.Metrics.Queue(id, waiting)
		// The fullest queue is what a client would feel.
		load = max(load, 100*waiting/max(n.cfg.Limits.Queue, 1))
	}
	n.tel.Metrics.Members(n.members.Counts())
	err := n.members.UpdateMeta(func(s *membership.Status) { s.LoadPercent = uint32(min(load, 100)) }) //nolint:gosec // a percentage
	if err != nil {
		n.log.Warn("load not gossiped", "error", err)
	}
}
