package transport

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
)

// ListenUDP opens a UDP socket at host:port (":0" for any port).
func ListenUDP(addr string) (net.PacketConn, error) {
	udp, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on UDP %s: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", udp)
	if err != nil {
		return nil, fmt.Errorf("listen on UDP %s: %w", addr, err)
	}
	return conn, nil
}

// tolerant wraps a socket so that a refused send is a lost packet. quic-go
// would end the connection on it, and a firewall rule or a full queue would
// look like a dead peer at once instead of after the idle timeout.
//
// A *net.UDPConn keeps its out-of-band methods, on which segmentation offload,
// ECN and batched reads depend.
func tolerant(conn net.PacketConn, lost *atomic.Uint64) net.PacketConn {
	if udp, ok := conn.(*net.UDPConn); ok {
		return &tolerantUDP{UDPConn: udp, lost: lost}
	}
	return &tolerantConn{PacketConn: conn, lost: lost}
}

type tolerantUDP struct {
	*net.UDPConn
	lost *atomic.Uint64
}

func (c *tolerantUDP) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = c.UDPConn.WriteMsgUDP(b, oob, addr)
	if err != nil && isLostPacket(err) {
		c.lost.Add(1)
		return len(b), len(oob), nil
	}
	return n, oobn, err
}

func (c *tolerantUDP) WriteTo(b []byte, addr net.Addr) (int, error) {
	n, err := c.UDPConn.WriteTo(b, addr)
	if err != nil && isLostPacket(err) {
		c.lost.Add(1)
		return len(b), nil
	}
	return n, err
}

type tolerantConn struct {
	net.PacketConn
	lost *atomic.Uint64
}

func (c *tolerantConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(b, addr)
	if err != nil && isLostPacket(err) {
		c.lost.Add(1)
		return len(b), nil
	}
	return n, err
}

// SetReadBuffer and SetWriteBuffer keep quic-go from warning about sockets
// that have no kernel buffer.
func (c *tolerantConn) SetReadBuffer(int) error  { return nil }
func (c *tolerantConn) SetWriteBuffer(int) error { return nil }

// isLostPacket says whether a send error concerns this packet alone.
// EMSGSIZE and EIO are not among them: quic-go needs both, for path MTU
// discovery and to switch segmentation offload off.
func isLostPacket(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.EPERM, syscall.ENOBUFS, syscall.ENETUNREACH,
		syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.ECONNREFUSED,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
