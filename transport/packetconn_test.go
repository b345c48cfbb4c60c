package transport

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"
)

// refusing is a socket whose sends fail while errno is set.
type refusing struct {
	net.PacketConn
	errno atomic.Pointer[syscall.Errno]
}

func (c *refusing) WriteTo(b []byte, addr net.Addr) (int, error) {
	if errno := c.errno.Load(); errno != nil {
		return 0, &net.OpError{Op: "write", Net: "udp", Err: os.NewSyscallError("sendmsg", *errno)}
	}
	return c.PacketConn.WriteTo(b, addr)
}

// A firewall that refuses sends for a moment must not end a connection.
func TestEndpoint_RefusedSendsAreLoss(t *testing.T) {
	ca := newTestCA(t, "test")
	server := endpoint(t, EndpointConfig{Credentials: ca.credentials("server", RoleNode)})
	serveUntilClosed(server, ALPNGossip)
	run(t, server)
	socket := &refusing{PacketConn: loopback(t)}
	client := endpoint(t, EndpointConfig{PacketConn: socket, Credentials: ca.credentials("client", RoleNode)})
	conn, err := client.Dial(testContext(t), server.Addr().String(), ALPNGossip, AnyNode())
	if err != nil {
		t.Fatal(err)
	}
	errno := syscall.EPERM
	socket.errno.Store(&errno)
	for client.Stats().LostSends == 0 {
		if err := conn.SendDatagram([]byte("x")); err != nil {
			t.Fatalf("a refused send ended the connection: %v", err)
		}
	}
	socket.errno.Store(nil)
	if _, err := conn.OpenStream(context.Background()); err != nil {
		t.Errorf("after the refused sends: %v", err)
	}
}

func TestTolerant_KeepsUDPFast(t *testing.T) {
	socket := loopback(t)
	defer socket.Close()
	if _, ok := tolerant(socket, new(atomic.Uint64)).(quic.OOBCapablePacketConn); !ok {
		t.Error("the wrapped UDP socket lost segmentation offload and batched reads")
	}
	for _, errno := range []syscall.Errno{syscall.EMSGSIZE, syscall.EIO, syscall.EBADF} {
		if isLostPacket(os.NewSyscallError("sendmsg", errno)) {
			t.Errorf("%v is counted as a lost packet", errno)
		}
	}
}
