package membership_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/edgereel/edgereel/node/membership"
	"github.com/edgereel/edgereel/transport"
)

var regions = map[string]string{"eu-west-1": "eu-west", "us-east-1": "us-east", "ap-south-1": "ap-south"}

// node is one member with its own socket, endpoint and gossip.
type node struct {
	name     string
	endpoint *transport.Endpoint
	members  *membership.Membership
	stop     func()

	mu     sync.Mutex
	events []string
}

func (n *node) heard(e membership.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, string(e.Kind)+" "+e.Member.Node)
}

func (n *node) heardOf(event string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e == event {
			return true
		}
	}
	return false
}

func (n *node) sees(name string) membership.State {
	m, _ := n.members.Member(name)
	return m.State
}

// cluster opens nodes; sockets and names come from the test's network.
type cluster struct {
	t      *testing.T
	ca     *transport.Authority
	listen func(name string) net.PacketConn
	book   []membership.Peer
	lookup func(ctx context.Context, host string) (netip.Addr, error)
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	now := time.Now()
	ca, err := transport.NewAuthority(transport.AuthorityConfig{Cluster: "dev", NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{t: t, ca: ca}
}

// open starts a node. advertise is its mesh address as ip:port.
func (c *cluster) open(name, advertise string) *node {
	c.t.Helper()
	now := time.Now()
	issued, err := c.ca.Issue(transport.IssueConfig{
		Identity:  transport.Identity{Region: regions[name], Node: name, Role: transport.RoleNode},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(200 * time.Hour),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	credentials, err := issued.Credentials(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	endpoint, err := transport.NewEndpoint(transport.EndpointConfig{PacketConn: c.listen(name), Credentials: credentials})
	if err != nil {
		c.t.Fatal(err)
	}
	gossip, err := transport.NewGossip(transport.GossipConfig{Endpoint: endpoint, Advertise: advertise})
	if err != nil {
		c.t.Fatal(err)
	}
	n := &node{name: name, endpoint: endpoint}
	n.members, err = membership.New(membership.Config{
		Node: name, Region: regions[name], Roles: []string{"edge", "voter"}, Build: "test",
		Mesh: advertise, Public: "public-of-" + name + ":1", Admin: "admin-of-" + name + ":1",
		Transport: gossip, Join: c.book, OnChange: n.heard, LookupHost: c.lookup,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- endpoint.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		if err := n.members.Close(); err != nil {
			c.t.Error(err)
		}
		cancel()
		if err := <-ran; err != nil {
			c.t.Error(err)
		}
		if err := endpoint.Close(); err != nil {
			c.t.Error(err)
		}
	})
	c.t.Cleanup(n.stop)
	return n
}

// eventually waits until cond holds.
func eventually(t *testing.T, limit time.Duration, cond func() bool, what string, args ...any) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, fmt.Sprintf(what, args...))
		}
		<-tick.C
	}
}

// allSee waits until every node sees every other one in a state.
func allSee(t *testing.T, limit time.Duration, nodes []*node, name string, state membership.State) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, limit, func() bool { return n.sees(name) == state }, "%s sees %s %s, not %s", n.name, name, state, n.sees(name))
	}
}
