package membership_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/node/membership"
	"github.com/edgereel/edgereel/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silent is a socket that can be cut off as a dead machine is: what it sends
// is lost and what it gets is not read.
type silent struct {
	net.PacketConn
	dead atomic.Bool
}

func (s *silent) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.dead.Load() {
		return len(b), nil
	}
	return s.PacketConn.WriteTo(b, to)
}

func (s *silent) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.PacketConn.ReadFrom(b)
		if err != nil || !s.dead.Load() {
			return n, from, err
		}
	}
}

// loopback starts three nodes on real sockets.
func loopback(t *testing.T) ([]*node, map[string]*silent) {
	t.Helper()
	c := newCluster(t)
	sockets := map[string]*silent{}
	for name := range regions {
		conn, err := transport.ListenUDP("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sockets[name] = &silent{PacketConn: conn}
		c.book = append(c.book, membership.Peer{Node: name, Mesh: "localhost:" + port(conn)})
	}
	c.listen = func(name string) net.PacketConn { return sockets[name] }
	var nodes []*node
	for name, socket := range sockets {
		nodes = append(nodes, c.open(name, "127.0.0.1:"+port(socket)))
	}
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for name := range regions {
		allSee(t, 20*time.Second, nodes, name, membership.StateAlive)
	}
	return nodes, sockets
}

func port(conn net.PacketConn) string {
	return netip.MustParseAddrPort(conn.LocalAddr().String()).String()[len("127.0.0.1:"):]
}

func TestMembership_Loopback(t *testing.T) {
	nodes, sockets := loopback(t)
	ap, eu, us := nodes[0], nodes[1], nodes[2]

	if err := us.members.UpdateMeta(func(s *membership.Status) { s.Leads, s.LoadPercent = []uint32{2, 3}, 40 }); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() bool {
		m, _ := eu.members.Member("us-east-1")
		return slices.Equal(m.Leads, []uint32{2, 3}) && m.LoadPercent == 40 && m.Public == "public-of-us-east-1:1" && m.Region == "us-east"
	}, "eu-west-1 hears what us-east-1 leads")
	eventually(t, 10*time.Second, func() bool { return eu.heardOf("updated us-east-1") }, "the update is told")

	// An abrupt death is known everywhere.
	sockets["us-east-1"].dead.Store(true)
	allSee(t, 20*time.Second, []*node{ap, eu}, "us-east-1", membership.StateDead)
	eventually(t, 5*time.Second, func() bool { return eu.heardOf("lost us-east-1") }, "the death is told")
	if m, _ := eu.members.Member("us-east-1"); len(m.Leads) != 0 || m.Public == "" {
		t.Errorf("the dead member is %+v, want its address and no shard led", m)
	}
	eventually(t, 10*time.Second, func() bool {
		counts := eu.members.Counts()
		return counts["alive"] == 2 && counts["dead"] == 1
	}, "two members are alive and one is dead")

	// It comes back by itself.
	sockets["us-east-1"].dead.Store(false)
	for name := range regions {
		allSee(t, 30*time.Second, nodes, name, membership.StateAlive)
	}

	// A planned stop is not a death.
	// Not even when other news was on its way.
	if err := ap.members.UpdateMeta(func(s *membership.Status) { s.Draining = true }); err != nil {
		t.Fatal(err)
	}
	if err := ap.members.Leave(4 * time.Second); err != nil {
		t.Fatal(err)
	}
	allSee(t, 20*time.Second, []*node{eu, us}, "ap-south-1", membership.StateLeft)
	eventually(t, 5*time.Second, func() bool { return eu.heardOf("left ap-south-1") }, "the stop is told")
	if err := ap.members.UpdateMeta(func(*membership.Status) { t.Error("a node that left still changes") }); err != nil {
		t.Error(err)
	}
	ap.stop()
	if err := ap.members.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// The goroutine that tells events may be stuck without stopping the gossip.
func TestMembership_SlowListenerStopsNobody(t *testing.T) {
	c := newCluster(t)
	conns := map[string]net.PacketConn{}
	for _, name := range []string{"eu-west-1", "us-east-1"} {
		conn, err := transport.ListenUDP("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		conns[name] = conn
		c.book = append(c.book, membership.Peer{Node: name, Mesh: "127.0.0.1:" + port(conn)})
	}
	c.listen = func(name string) net.PacketConn { return conns[name] }
	slow := c.open("eu-west-1", "127.0.0.1:"+port(conns["eu-west-1"]))
	slow.mu.Lock() // the next event blocks in the listener
	other := c.open("us-east-1", "127.0.0.1:"+port(conns["us-east-1"]))
	eventually(t, 20*time.Second, func() bool { return slow.sees("us-east-1") == membership.StateAlive }, "the joined node is seen")
	for load := range uint32(5) {
		if err := other.members.UpdateMeta(func(s *membership.Status) { s.LoadPercent = load + 1 }); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, func() bool {
			m, _ := slow.members.Member("us-east-1")
			return m.LoadPercent == load+1
		}, "update %d is seen", load)
	}
	slow.mu.Unlock()
	eventually(t, 10*time.Second, func() bool { return slow.heardOf("updated us-east-1") }, "the events are told in the end")
}

func TestUpdateMeta_TooLong(t *testing.T) {
	nodes, _ := loopback(t)
	err := nodes[0].members.UpdateMeta(func(s *membership.Status) { s.Leads = make([]uint32, 400) })
	if err == nil || !strings.Contains(err.Error(), "at most 512") {
		t.Fatalf("%v, want the limit named", err)
	}
	if m, _ := nodes[0].members.Member(nodes[0].name); len(m.Leads) != 0 {
		t.Error("the refused change is told")
	}
}

func TestNew_Refuses(t *testing.T) {
	if _, err := membership.New(membership.Config{Node: "a"}); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("without a transport: %v", err)
	}
}
