//go:build unix

package e2e

import (
	"testing"
	"time"

	"github.com/edgereel/edgereel/chaos/history"
)

// A region dies while three players play. Nobody does anything; play ends with
// all of its rounds. Then the node is started again, catches up, and three
// replicas agree with everything the players were told.
func TestRegionKill(t *testing.T) {
	c := startCluster(t, t.TempDir())
	p := c.play(900, 3)
	p.awaitSteps(3, 30, time.Time{})

	victim, shards := c.busiestLeader(p)
	killed := time.Now()
	kill(t, c.node(victim).PID)
	p.awaitSteps(3, 20, killed)
	report := p.finish(0)
	if report.Rounds != 900 {
		t.Errorf("%d rounds", report.Rounds)
	}
	p.playedOn(shards, victim, killed)

	c.startNode(victim)
	c.awaitCaughtUp(victim)
	c.awaitNoLag()
	c.verify(p, report)
	c.stop()
}

// busiestLeader is the node that leads the most of the play's shards, with
// these shards.
func (c *cluster) busiestLeader(p *playing) (string, map[uint32]bool) {
	c.t.Helper()
	used, led := p.shardsOf(), map[string]map[uint32]bool{}
	best := ""
	for shard, l := range c.awaitLeads() {
		if !used[shard] {
			continue
		}
		if led[l.node] == nil {
			led[l.node] = map[uint32]bool{}
		}
		led[l.node][shard] = true
		if len(led[l.node]) > len(led[best]) {
			best = l.node
		}
	}
	c.t.Logf("%s leads shards %v", best, led[best])
	return best, led[best]
}

// playedOn checks that steps begun after a fault were acknowledged in each of
// the shards, by another node: that the test has tested something.
func (p *playing) playedOn(shards map[uint32]bool, victim string, fault time.Time) {
	p.t.Helper()
	elsewhere := map[uint32]int{}
	for _, r := range p.look() {
		if r.Kind == history.KindPlay && r.Effect == history.Applied && r.CallNS > fault.UnixNano() && r.Node != victim {
			elsewhere[r.Shard]++
		}
	}
	for shard := range shards {
		if elsewhere[shard] == 0 {
			p.t.Errorf("after the fault of %s nothing was played in shard %d elsewhere", victim, shard)
		}
	}
}
