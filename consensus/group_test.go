package consensus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

func TestGroup_FirstLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		a := leader.must(deposit(id, "d1", 500))
		if a.BalanceMinor != 500 || a.Queued.IsZero() || a.Committed.Before(a.Queued) {
			t.Errorf("deposit answered %+v", a)
		}
		again := leader.must(deposit(id, "d1", 500))
		if !again.Repeat || again.Seq != a.Seq || again.Hash != a.Hash {
			t.Errorf("the same key again answered %+v", again.Result)
		}
		c.agree()
	})
}

// TestGroup_TellsLeader: every replica's observer hears who leads, and a leader
// that is cut off that it does not any more.
func TestGroup_TellsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		old := c.start()
		hear := func(n *simNode, leader string) {
			t.Helper()
			eventually(t, n.name+" hears that "+leader+" leads", 10*time.Second, func() bool { return n.heard() == leader })
		}
		for _, name := range c.names {
			hear(c.nodes[name], old.name)
		}
		c.net.Isolate(old.name)
		hear(old, "")
		next := c.leader(old.name)
		hear(c.other(old.name, next.name), next.name)
		c.net.Rejoin(old.name)
		hear(old, next.name)
	})
}
