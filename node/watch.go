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
		told := uint32(0)
		for {
			load := n.look()
			// Gossip only news: every announcement travels to all members.
			if load != told && n.tellLoad(load) {
				told = load
			}
			select {
			case <-n.ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// look updates the metrics and returns the node's load in percent: how full
// the fullest queue is, which is what a client would feel.
func (n *Node) look() uint32 {
	load := 0
	for id, r := range n.replicas {
		st := r.group.Status()
		n.tel.Metrics.Shard(id, st.Head.Seq, st.CommitIndex-min(st.CommitIndex, st.AppliedIndex))
		waiting := r.group.Waiting()
		n.tel.Metrics.Queue(id, waiting)
		load = max(load, 100*waiting/max(n.cfg.Limits.Queue, 1))
	}
	n.tel.Metrics.Members(n.members.Counts())
	return uint32(min(load, 100))
}

func (n *Node) tellLoad(load uint32) bool {
	err := n.members.UpdateMeta(func(s *membership.Status) { s.LoadPercent = load })
	if err != nil {
		n.log.Warn("load not gossiped", "error", err)
	}
	return err == nil
}
