package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestRaftLayer_Groups(t *testing.T) {
	ca, addrs := newTestCA(t, "test"), &book{}
	a := meshNode(t, ca, "a", loopback(t), addrs.resolve)
	b := meshNode(t, ca, "b", loopback(t), addrs.resolve)
	addrs.set("b", b.endpoint.Addr().String())
	b1, b2 := b.mesh.RaftLayer(1), b.mesh.RaftLayer(2)
	run(t, b.endpoint)

	for _, tc := range []struct {
		group  uint32
		server raft.StreamLayer
	}{{1, b1}, {2, b2}} {
		client, err := a.mesh.RaftLayer(tc.group).Dial("b", 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		server, err := tc.server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4)
		if _, err := io.ReadFull(server, buf); err != nil || string(buf) != "ping" {
			t.Fatalf("group %d read %q, %v", tc.group, buf, err)
		}
		if err := client.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read past the deadline: %v", err)
		}
	}
	if dialed := a.endpoint.Stats().Dialed; dialed != 1 {
		t.Errorf("%d connections for two groups, want one", dialed)
	}
	if addr := b1.Addr().String(); addr != "b" {
		t.Errorf("address is %q, want the node's name", addr)
	}

	unknown, err := a.mesh.RaftLayer(9).Dial("b", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unknown.Read(make([]byte, 1)); err == nil {
		t.Error("a stream for an unknown group was not refused")
	}
	if _, err := b.mesh.RaftLayer(1).Accept(); err == nil {
		t.Error("a second layer of an open group accepts")
	}
	b1.Close()
	if _, err := b1.Accept(); err == nil {
		t.Error("a closed layer accepts")
	}
	if _, err := a.mesh.Conn(testContext(t), "nobody", ALPNRaft); err == nil {
		t.Error("dialed an unknown node")
	}
	var _ net.Listener = b2
}
