package transport

import (
	"context"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testCA issues certificates valid around now; in a bubble that is virtual.
type testCA struct {
	t  testing.TB
	ca *Authority
}

func newTestCA(t testing.TB, cluster string) *testCA {
	t.Helper()
	now := time.Now()
	ca, err := NewAuthority(AuthorityConfig{Cluster: cluster, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return &testCA{t: t, ca: ca}
}

func (c *testCA) issue(id Identity) *Issued {
	c.t.Helper()
	now := time.Now()
	issued, err := c.ca.Issue(IssueConfig{Identity: id, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)})
	if err != nil {
		c.t.Fatal(err)
	}
	return issued
}

func (c *testCA) credentials(node string, role Role) *Credentials {
	c.t.Helper()
	creds, err := c.issue(Identity{Region: "region-of-" + node, Node: node, Role: role}).Credentials(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return creds
}

func loopback(t testing.TB) net.PacketConn {
	t.Helper()
	conn, err := ListenUDP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// endpoint opens one on loopback, unless cfg brings a socket, and closes it
// with the test.
func endpoint(t testing.TB, cfg EndpointConfig) *Endpoint {
	t.Helper()
	if cfg.PacketConn == nil {
		cfg.PacketConn = loopback(t)
	}
	if _, real := cfg.PacketConn.(*net.UDPConn); real {
		// On real sockets a busy machine must not look like a dead peer.
		setDefault(&cfg.MeshIdleTimeout, 10*time.Second)
		setDefault(&cfg.HandshakeTimeout, 3*time.Second)
	}
	e, err := NewEndpoint(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func run(t testing.TB, e *Endpoint) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.Run(context.Background()) }()
	t.Cleanup(func() {
		e.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// testNode is a mesh member; book is the address book all members share.
type testNode struct {
	name     string
	endpoint *Endpoint
	mesh     *Mesh
}

func meshNode(t testing.TB, ca *testCA, name string, conn net.PacketConn, resolve func(string) (string, error)) *testNode {
	t.Helper()
	e := endpoint(t, EndpointConfig{PacketConn: conn, Credentials: ca.credentials(name, RoleNode)})
	mesh, err := NewMesh(MeshConfig{Endpoint: e, Resolve: resolve})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close() })
	return &testNode{name: name, endpoint: e, mesh: mesh}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (c *Credentials) peerChain() []*x509.Certificate { return []*x509.Certificate{c.leaf.Leaf} }
