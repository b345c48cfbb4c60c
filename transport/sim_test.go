package transport

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/transport/simnet"
)

var regions = []string{"eu-west-1", "us-east-1", "ap-south-1"}

// simCluster is three nodes on a simulated network with 20 ms between regions.
type simCluster struct {
	net   *simnet.Network
	nodes map[string]*testNode
}

const (
	simPort       = 7400
	probeInterval = 300 * time.Millisecond
)

func newSimCluster(t *testing.T) *simCluster {
	t.Helper()
	n := simnet.New(simnet.Config{
		Rand:    rand.New(rand.NewPCG(1, 2)),
		Default: simnet.Path{Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond, Loss: 0.005},
	})
	t.Cleanup(func() { n.Close() })
	ca := newTestCA(t, "sim")
	c := &simCluster{net: n, nodes: map[string]*testNode{}}
	for _, name := range regions {
		conn, err := n.ListenPacket(name, simPort)
		if err != nil {
			t.Fatal(err)
		}
		c.nodes[name] = meshNode(t, ca, name, conn, c.resolve)
	}
	return c
}

func (c *simCluster) resolve(node string) (string, error) {
	return fmt.Sprintf("%s:%d", c.net.AddHost(node), simPort), nil
}

func (c *simCluster) run(t *testing.T) {
	for _, node := range c.nodes {
		run(t, node.endpoint)
	}
}

// eventually lets virtual time pass until cond holds.
func eventually(t *testing.T, what string, limit time.Duration, cond func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Since(start) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		<-tick.C
	}
	return time.Since(start)
}

type nullFSM struct{}

func (nullFSM) Apply(*raft.Log) any                 { return nil }
func (nullFSM) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }
func (nullFSM) Restore(r io.ReadCloser) error       { return r.Close() }

func openGroup(t *testing.T, node *testNode, group uint32) *raft.Raft {
	t.Helper()
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: node.mesh.RaftLayer(group), MaxPool: 3, Timeout: time.Second, Logger: hclog.NewNullLogger(),
	})
	cfg := raft.DefaultConfig()
	cfg.LocalID = raft.ServerID(node.name)
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 300*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond
	cfg.Logger = hclog.NewNullLogger()
	store := raft.NewInmemStore()
	var servers raft.Configuration
	for _, name := range regions {
		servers.Servers = append(servers.Servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name)})
	}
	snaps := raft.NewInmemSnapshotStore()
	if err := raft.BootstrapCluster(cfg, store, store, snaps, trans, servers); err != nil {
		t.Fatal(err)
	}
	r, err := raft.NewRaft(cfg, nullFSM{}, store, store, snaps, trans)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown().Error(); err != nil {
			t.Error(err)
		}
		trans.Close()
	})
	return r
}

// The whole stack under real Raft, gone through a partition of each group's leader.
func TestSim_Raft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimCluster(t)
		groups := map[uint32]map[string]*raft.Raft{}
		for group := range uint32(3) {
			groups[group] = map[string]*raft.Raft{}
			for _, name := range regions {
				groups[group][name] = openGroup(t, c.nodes[name], group)
			}
		}
		c.run(t)
		leader := func(group uint32, except string) *raft.Raft {
			for name, r := range groups[group] {
				if name != except && r.State() == raft.Leader {
					return r
				}
			}
			return nil
		}
		for group := range uint32(3) {
			eventually(t, fmt.Sprintf("group %d has a leader", group), 5*time.Second, func() bool { return leader(group, "") != nil })
			if err := leader(group, "").Apply([]byte("x"), time.Second).Error(); err != nil {
				t.Fatal(err)
			}
		}
		_, victim := leader(0, "").LeaderWithID()
		c.net.Isolate(string(victim))
		for group := range uint32(3) {
			took := eventually(t, fmt.Sprintf("group %d has a leader again", group), 5*time.Second, func() bool { return leader(group, string(victim)) != nil })
			t.Logf("group %d has a leader %s after the cut", group, took)
			if err := leader(group, string(victim)).Apply([]byte("y"), time.Second).Error(); err != nil {
				t.Fatal(err)
			}
		}
		c.net.Rejoin(string(victim))
		for group := range uint32(3) {
			eventually(t, "the isolated node catches up", 20*time.Second, func() bool {
				l := leader(group, "")
				return l != nil && groups[group][string(victim)].AppliedIndex() >= l.LastIndex()
			})
		}
	})
}

func TestSim_Gossip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// memberlist's Shutdown does not wait for a probe under way (up to 8
		// probe intervals when its health is poor), and a bubble's time stops
		// with its test function: let it end first.
		t.Cleanup(func() { <-time.After(8*probeInterval + time.Second) })
		c := newSimCluster(t)
		members := map[string]*memberlist.Memberlist{}
		for i, name := range regions {
			addr, err := c.resolve(name)
			if err != nil {
				t.Fatal(err)
			}
			members[name] = join(t, c.nodes[name], addr, nil)
			run(t, c.nodes[name].endpoint)
			if i > 0 {
				seed, _ := c.resolve(regions[0])
				if _, err := members[name].Join([]string{seed}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, m := range members {
			eventually(t, name+" sees all", 5*time.Second, func() bool { return m.NumMembers() == 3 })
		}
		c.net.Down("ap-south-1")
		for _, name := range regions[:2] {
			took := eventually(t, name+" declares the cut host dead", 10*time.Second, func() bool { return members[name].NumMembers() == 2 })
			t.Logf("%s declared the host dead after %s", name, took)
		}
		c.net.Up("ap-south-1")
		if _, err := members["ap-south-1"].Join([]string{must(c.resolve("eu-west-1"))}); err != nil {
			t.Fatal(err)
		}
		for name, m := range members {
			eventually(t, name+" sees all again", 10*time.Second, func() bool { return m.NumMembers() == 3 })
		}
	})
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// join starts gossip on a node; its memberlist is shut down with the test.
func join(t *testing.T, node *testNode, advertise string, events memberlist.EventDelegate) *memberlist.Memberlist {
	t.Helper()
	g, err := NewGossip(GossipConfig{Endpoint: node.endpoint, Advertise: advertise})
	if err != nil {
		t.Fatal(err)
	}
	cfg := memberlist.DefaultLANConfig()
	cfg.Name = node.name
	cfg.LogOutput = io.Discard
	cfg.Events = events
	cfg.ProbeInterval, cfg.ProbeTimeout, cfg.SuspicionMult = probeInterval, 150*time.Millisecond, 2
	g.Configure(cfg)
	m, err := memberlist.Create(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	return m
}

var _ net.Conn = (*Stream)(nil)
