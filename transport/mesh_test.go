package transport

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/hashicorp/memberlist"
)

// serveUntilClosed accepts connections of alpn and keeps them.
func serveUntilClosed(e *Endpoint, alpn string) {
	e.Handle(alpn, func(ctx context.Context, _ *Conn) { <-ctx.Done() })
}

func TestMesh_SharesOneDial(t *testing.T) {
	ca, addrs := newTestCA(t, "test"), &book{}
	a := meshNode(t, ca, "a", loopback(t), addrs.resolve)
	b := meshNode(t, ca, "b", loopback(t), addrs.resolve)
	addrs.set("b", b.endpoint.Addr().String())
	serveUntilClosed(b.endpoint, ALPNRPC)
	run(t, b.endpoint)
	var work sync.WaitGroup
	conns := make([]*Conn, 16)
	for i := range conns {
		work.Go(func() {
			conn, err := a.mesh.Conn(testContext(t), "b", ALPNRPC)
			if err != nil {
				t.Error(err)
			}
			conns[i] = conn
		})
	}
	work.Wait()
	for _, conn := range conns {
		if conn != conns[0] {
			t.Fatal("callers got different connections")
		}
	}
	if dialed := a.endpoint.Stats().Dialed; dialed != 1 {
		t.Errorf("%d dials, want 1", dialed)
	}
	if rtt, ok := a.mesh.RTT("b"); !ok || rtt <= 0 {
		t.Errorf("round trip %s, %v", rtt, ok)
	}
}

// A node that comes back on its address is reached again, and its end is told.
func TestMesh_Reconnects(t *testing.T) {
	ca, addrs := newTestCA(t, "test"), &book{}
	down := make(chan string, 4)
	client := endpoint(t, EndpointConfig{Credentials: ca.credentials("a", RoleNode)})
	mesh, err := NewMesh(MeshConfig{Endpoint: client, Resolve: addrs.resolve, OnDown: func(node, alpn string, cause error) {
		if cause == nil {
			t.Error("no cause")
		}
		down <- node + " " + alpn
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close() })
	first := meshNode(t, ca, "b", loopback(t), addrs.resolve)
	addr := first.endpoint.Addr().String()
	addrs.set("b", addr)
	serveUntilClosed(first.endpoint, ALPNRPC)
	run(t, first.endpoint)
	ctx := testContext(t)
	before, err := mesh.Conn(ctx, "b", ALPNRPC)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.endpoint.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-down; got != "b "+ALPNRPC {
		t.Errorf("told that %q is down", got)
	}
	socket, err := ListenUDP(addr)
	if err != nil {
		t.Fatal(err)
	}
	second := meshNode(t, ca, "b", socket, addrs.resolve)
	serveUntilClosed(second.endpoint, ALPNRPC)
	run(t, second.endpoint)
	after, err := mesh.Conn(ctx, "b", ALPNRPC)
	if err != nil {
		t.Fatal(err)
	}
	if after == before || after.Err() != nil {
		t.Error("the old connection was handed out again")
	}
}

// Somebody else's certificate at a node's address is refused.
func TestMesh_WrongNode(t *testing.T) {
	ca, addrs := newTestCA(t, "test"), &book{}
	a := meshNode(t, ca, "a", loopback(t), addrs.resolve)
	c := meshNode(t, ca, "c", loopback(t), addrs.resolve)
	addrs.set("b", c.endpoint.Addr().String())
	serveUntilClosed(c.endpoint, ALPNRPC)
	run(t, c.endpoint)
	if _, err := a.mesh.Conn(testContext(t), "b", ALPNRPC); err == nil {
		t.Error("node c was taken for node b")
	}
}

// events passes memberlist's news on to a test.
type events chan string

func (e events) NotifyJoin(n *memberlist.Node)   { e <- "join " + n.Name }
func (e events) NotifyLeave(n *memberlist.Node)  { e <- "leave " + n.Name }
func (e events) NotifyUpdate(n *memberlist.Node) {}

func (e events) await(t *testing.T, want string) {
	t.Helper()
	for {
		select {
		case got := <-e:
			if got == want {
				return
			}
		case <-testContext(t).Done():
			t.Fatalf("no %q", want)
		}
	}
}

func TestGossip_JoinAndLoss(t *testing.T) {
	ca, addrs := newTestCA(t, "test"), &book{}
	news := events(make(chan string, 64))
	nodes := map[string]*testNode{}
	members := map[string]*memberlist.Memberlist{}
	var seed string
	for i, name := range regions {
		node := meshNode(t, ca, name, loopback(t), addrs.resolve)
		nodes[name] = node
		addr := node.endpoint.Addr().String()
		var listener memberlist.EventDelegate
		if i == 0 {
			seed, listener = addr, news
		}
		members[name] = join(t, node, addr, listener)
		run(t, node.endpoint)
		if i > 0 {
			if _, err := members[name].Join([]string{seed}); err != nil {
				t.Fatal(err)
			}
			news.await(t, "join "+name)
		}
	}
	nodes["us-east-1"].endpoint.Close()
	news.await(t, "leave us-east-1")
}

// Writing to nobody must neither wait nor fail, and must not hoard.
func TestGossip_WriteNeverBlocks(t *testing.T) {
	ca := newTestCA(t, "test")
	silent := loopback(t)
	defer silent.Close()
	e := endpoint(t, EndpointConfig{Credentials: ca.credentials("a", RoleNode)})
	g, err := NewGossip(GossipConfig{Endpoint: e, Advertise: e.Addr().String(), QueuePackets: 4})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := g.WriteTo([]byte("x"), silent.LocalAddr().String()); err != nil {
			t.Fatal(err)
		}
	}
	if dropped := g.Dropped(); dropped < 95 {
		t.Errorf("%d of 100 packets dropped, want all but the queue", dropped)
	}
	if err := g.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.WriteTo([]byte("x"), silent.LocalAddr().String()); err == nil {
		t.Error("wrote after shutdown")
	}
	ip, port, err := g.FinalAdvertiseAddr("", 0)
	if want := e.Addr().(*net.UDPAddr); err != nil || !ip.Equal(want.IP) || port != want.Port {
		t.Errorf("advertises %s:%d, %v", ip, port, err)
	}
	for _, bad := range []string{"", "localhost:1", "0.0.0.0:1", "127.0.0.1:0"} {
		if _, err := NewGossip(GossipConfig{Endpoint: e, Advertise: bad}); err == nil {
			t.Errorf("advertise address %q was taken", bad)
		}
	}
}
