package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// socket implements net.PacketConn. The mutex guards deadline and changed.
type socket struct {
	network *Network
	addr    netip.AddrPort
	inbox   chan flight
	closed  chan struct{}

	closeOnce sync.Once
	mu        sync.Mutex
	deadline  time.Time
	changed   chan struct{} // closed when the deadline changes
}

func newSocket(n *Network, addr netip.AddrPort) *socket {
	return &socket{
		network: n, addr: addr, inbox: make(chan flight, inboxPackets),
		closed: make(chan struct{}), changed: make(chan struct{}),
	}
}

// offer never blocks: a full inbox loses the packet, as a kernel's does.
func (s *socket) offer(f flight) bool {
	select {
	case s.inbox <- f:
		return true
	default:
		return false
	}
}

func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		s.mu.Lock()
		deadline, changed := s.deadline, s.changed
		s.mu.Unlock()
		var expired <-chan time.Time
		if !deadline.IsZero() {
			wait := time.Until(deadline)
			if wait <= 0 {
				return 0, nil, fmt.Errorf("read from %s: %w", s.addr, os.ErrDeadlineExceeded)
			}
			timer := time.NewTimer(wait)
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case f := <-s.inbox:
			return copy(p, f.data), net.UDPAddrFromAddrPort(f.from), nil
		case <-s.closed:
			return 0, nil, fmt.Errorf("read from %s: %w", s.addr, net.ErrClosed)
		case <-expired:
		case <-changed:
		}
	}
}

func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	select {
	case <-s.closed:
		return 0, fmt.Errorf("write to %s: %w", to, net.ErrClosed)
	default:
	}
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("write to %s: address is %T, want *net.UDPAddr", to, to)
	}
	ap := udp.AddrPort()
	s.network.send(s.addr, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), p)
	return len(p), nil
}

func (s *socket) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.network.mu.Lock()
		defer s.network.mu.Unlock()
		delete(s.network.sockets, s.addr)
	})
	return nil
}

func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.addr) }

func (s *socket) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

func (s *socket) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// SetWriteDeadline does nothing: a write never waits.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
