package consensus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

func (n *simNode) bend(skew time.Duration) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.skew = skew
}

func (n *simNode) shardTime() (at time.Time) {
	n.group.View(func(s *wallet.Shard) { at = time.UnixMilli(s.Head().TimeMS) })
	return at
}

// TestGroup_ClockSteps is PROTOCOL 2: a leader whose wall clock jumps ahead
// cannot carry shard time along, and stops leading at the next comparison.
func TestGroup_ClockSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 60)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		leader.bend(8 * time.Hour)
		settle(10 * time.Second)
		leader.must(deposit(id, "d1", 1))
		if ahead := time.Until(leader.shardTime()); ahead.Abs() > time.Second {
			t.Errorf("shard time is %s ahead", ahead)
		}
		eventually(t, "another leads", 3*time.Minute, func() bool { return !leader.group.Leads() })
		next := c.leader(leader.name)
		next.must(deposit(id, "d2", 1))
		if ahead := time.Until(next.shardTime()); ahead.Abs() > time.Second {
			t.Errorf("shard time is %s ahead under the next leader", ahead)
		}
	})
}

// TestGroup_PeerClockOff: the first peer to answer has a wrong clock, the other
// a right one; the leader stays.
func TestGroup_PeerClockOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{8 * time.Hour, -8 * time.Hour} {
			c := newCluster(t, 65)
			leader := c.start()
			c.other(leader.name).bend(skew)
			id := wallet.ID{1, 1}
			leader.must(openWallet(id))
			settle(3 * time.Minute)
			if a := leader.must(deposit(id, "d1", 1)); time.Until(time.UnixMilli(a.TimeMS)).Abs() > time.Second {
				t.Errorf("a peer %s off carries shard time to %s", skew, time.UnixMilli(a.TimeMS).UTC())
			}
			for _, name := range c.names {
				c.close(name)
			}
		}
	})
}

// TestGroup_AnchorRenewed: time goes on over many anchors, and over a stretch
// in which no clocks can be compared.
func TestGroup_AnchorRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 61)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		settle(5 * time.Minute)
		a := leader.must(deposit(id, "d1", 1))
		if off := time.Until(time.UnixMilli(a.TimeMS)); off.Abs() > time.Second {
			t.Errorf("shard time is off by %s", off)
		}
		anchors := 0
		err := leader.journal.Scan(1, 1<<62, func(r storage.Record) error {
			op, err := wallet.DecodeOp(r.Input)
			if _, ok := op.(*wallet.Clock); ok {
				anchors++
			}
			return err
		})
		if err != nil || anchors < 4 {
			t.Errorf("%d anchors in five minutes, %v", anchors, err)
		}
		if c.leader("") != leader {
			t.Error("leadership moved")
		}
	})
}

// TestGroup_Home: leadership goes home by itself once the home is well, and not
// before.
func TestGroup_Home(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 62)
		leader := c.start()
		home := c.other(leader.name)
		c.home = home.name
		for _, name := range c.names {
			c.close(name)
		}
		for _, name := range c.names {
			if name != home.name {
				c.open(name)
			}
		}
		away := c.leader("")
		c.open(home.name)
		settle(5 * time.Second)
		if c.leader("") != away {
			t.Error("leadership went to a home that just started")
		}
		eventually(t, "the home leads", 2*time.Minute, home.group.Leads)
		home.must(openWallet(wallet.ID{1, 1}))
	})
}

// TestOpen_HalfFounded: a crash between raft's first term and the first
// configuration, on all voters at once, does not leave them without one.
func TestOpen_HalfFounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 63)
		for _, name := range c.names {
			s, err := storage.Open(storage.Config{Dir: c.nodes[name].dir, Cluster: testCluster, Node: name, Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Group(testShard).SetUint64([]byte("CurrentTerm"), 1); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		c.start().must(openWallet(wallet.ID{1, 1}))
		c.agree()
	})
}

// TestGroup_Restart: everything stands after all replicas were down, from logs
// and snapshots.
func TestGroup_Restart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 64)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		var last Answer
		for i := range 100 {
			last = leader.must(deposit(id, string(rune('A'+i)), 1))
		}
		for _, name := range c.names {
			c.crash(name, 0)
		}
		for _, name := range c.names {
			c.restart(name)
		}
		leader = c.leader("")
		if a := leader.must(deposit(id, string(rune('A'+99)), 1)); !a.Repeat || a.Hash != last.Hash || a.BalanceMinor != 100 {
			t.Errorf("the last deposit is %+v, was %+v", a.Result, last.Result)
		}
		c.agree()
		checkFatal(t, c)
	})
}
