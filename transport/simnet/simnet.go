// Package simnet is a packet network in memory: named hosts, and between each
// pair of them a one-way delay, jitter, loss and cuts that a test may change
// while packets fly. It promises that, in a testing/synctest bubble and with a
// seeded source of randomness, only virtual time passes.
//
// It does not model bandwidth, fragmentation or reordering by itself (jitter
// reorders), and packets above 1500 bytes are dropped.
//
// # Concurrency
//
// One goroutine delivers all packets in order of their due time. All methods
// are safe for concurrent use and none blocks, except a socket's ReadFrom.
package simnet

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	mtuBytes      = 1500
	inboxPackets  = 4096
	ephemeralPort = 40000
)

// Path is how packets travel from one host to another, one way.
type Path struct {
	Delay  time.Duration
	Jitter time.Duration // added to Delay, uniform in [0, Jitter)
	Loss   float64       // probability in [0, 1]
	Cut    bool          // nothing arrives, packets in flight included
}

// Config describes a network.
type Config struct {
	// Rand decides loss and jitter; required, so that a run can be repeated.
	Rand *rand.Rand
	// Default is the path between hosts that have none of their own.
	Default Path
}

// Network is the simulated network. The mutex guards all fields below it.
type Network struct {
	wake chan struct{} // one token: the delivery goroutine must look again
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	cfg     Config
	hosts   map[string]*host
	byIP    map[netip.Addr]*host
	sockets map[netip.AddrPort]*socket
	paths   map[[2]string]Path
	flights flights
	sent    uint64 // orders packets that are due at the same time
	lost    uint64
	closed  bool
}

type host struct {
	name string
	ip   netip.Addr
	down bool
	port uint16 // next ephemeral port
}

// New starts a network; Close ends it.
func New(cfg Config) *Network {
	n := &Network{
		cfg: cfg, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		hosts: map[string]*host{}, byIP: map[netip.Addr]*host{},
		sockets: map[netip.AddrPort]*socket{}, paths: map[[2]string]Path{},
	}
	go n.deliver()
	return n
}

// AddHost adds a named host and returns its IP. Adding it again returns the same.
func (n *Network) AddHost(name string) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.hosts[name]; h != nil {
		return h.ip
	}
	i := len(n.hosts) + 1
	h := &host{name: name, ip: netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}), port: ephemeralPort}
	n.hosts[name], n.byIP[h.ip] = h, h
	return h.ip
}

// LookupHost resolves a host's name, or an IP literal.
func (n *Network) LookupHost(_ context.Context, name string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.hosts[name]; h != nil {
		return h.ip, nil
	}
	return netip.Addr{}, fmt.Errorf("look up %s: no such host", name)
}

// ListenPacket opens a socket on a host, which it adds if it is new. Port 0 is
// any free one.
func (n *Network) ListenPacket(hostName string, port uint16) (net.PacketConn, error) {
	ip := n.AddHost(hostName)
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.byIP[ip]
	addr := netip.AddrPortFrom(ip, port)
	for port == 0 {
		h.port++
		if addr = netip.AddrPortFrom(ip, h.port); n.sockets[addr] == nil {
			break
		}
	}
	if n.closed {
		return nil, fmt.Errorf("listen on %s: %w", addr, net.ErrClosed)
	}
	if n.sockets[addr] != nil {
		return nil, fmt.Errorf("listen on %s: address in use", addr)
	}
	s := newSocket(n, addr)
	n.sockets[addr] = s
	return s, nil
}

// SetPath sets how packets travel from one host to another, one way.
func (n *Network) SetPath(from, to string, path Path) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paths[[2]string{from, to}] = path
}

// SetLink sets both directions.
func (n *Network) SetLink(a, b string, path Path) {
	n.SetPath(a, b, path)
	n.SetPath(b, a, path)
}

// Cut stops packets from one host to another, one way, without changing the
// path otherwise; Heal lets them through again.
func (n *Network) Cut(from, to string)  { n.setCut(from, to, true) }
func (n *Network) Heal(from, to string) { n.setCut(from, to, false) }

func (n *Network) setCut(from, to string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	path := n.path(from, to)
	path.Cut = cut
	n.paths[[2]string{from, to}] = path
}

// Isolate cuts a host off from all others, both ways; Rejoin undoes it. Unlike
// Down, the host's own sockets still reach each other.
func (n *Network) Isolate(name string) { n.setAround(name, true) }
func (n *Network) Rejoin(name string)  { n.setAround(name, false) }

func (n *Network) setAround(name string, cut bool) {
	n.mu.Lock()
	names := make([]string, 0, len(n.hosts))
	for other := range n.hosts {
		if other != name {
			names = append(names, other)
		}
	}
	n.mu.Unlock()
	slices.Sort(names)
	for _, other := range names {
		n.setCut(name, other, cut)
		n.setCut(other, name, cut)
	}
}

// Down stops everything a host sends or would receive; Up ends that.
func (n *Network) Down(name string) { n.setDown(name, true) }
func (n *Network) Up(name string)   { n.setDown(name, false) }

func (n *Network) setDown(name string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.hosts[name]; h != nil {
		h.down = down
	}
}

// Lost counts packets that did not arrive.
func (n *Network) Lost() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lost
}

// Close ends delivery and closes all sockets.
func (n *Network) Close() error {
	n.mu.Lock()
	first := !n.closed
	n.closed = true
	open := make([]*socket, 0, len(n.sockets))
	for _, s := range n.sockets {
		open = append(open, s)
	}
	n.mu.Unlock()
	if first {
		close(n.stop)
	}
	for _, s := range open {
		_ = s.Close()
	}
	<-n.done
	return nil
}

// path needs the mutex.
func (n *Network) path(from, to string) Path {
	if path, ok := n.paths[[2]string{from, to}]; ok {
		return path
	}
	return n.cfg.Default
}

// send puts a packet on its way.
func (n *Network) send(from, to netip.AddrPort, data []byte) {
	n.mu.Lock()
	src, dst := n.byIP[from.Addr()], n.byIP[to.Addr()]
	if dst == nil || src.down || len(data) > mtuBytes {
		n.lost++
		n.mu.Unlock()
		return
	}
	path := n.path(src.name, dst.name)
	if src == dst {
		path = Path{}
	}
	// Both draws are made whatever happens, so that a change of one path does
	// not shift the randomness of all others.
	lost, jitter := n.cfg.Rand.Float64() < path.Loss, n.cfg.Rand.Float64()
	if lost || path.Cut {
		n.lost++
		n.mu.Unlock()
		return
	}
	n.sent++
	heap.Push(&n.flights, flight{
		due: time.Now().Add(path.Delay + time.Duration(jitter*float64(path.Jitter))), order: n.sent,
		from: from, to: to, src: src, dst: dst, data: append([]byte(nil), data...),
	})
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// deliver is the one goroutine that ends flights.
func (n *Network) deliver() {
	defer close(n.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := n.land(time.Now())
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-n.wake:
		case <-n.stop:
			return
		}
	}
}

// land delivers all packets due and returns how long until the next one.
func (n *Network) land(now time.Time) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.flights) > 0 {
		next := n.flights[0]
		if wait := next.due.Sub(now); wait > 0 {
			return wait
		}
		heap.Pop(&n.flights)
		s := n.sockets[next.to]
		cut := next.src != next.dst && n.path(next.src.name, next.dst.name).Cut
		if s == nil || cut || next.src.down || next.dst.down || !s.offer(next) {
			n.lost++
		}
	}
	return time.Hour
}

type flight struct {
	due      time.Time
	order    uint64
	from, to netip.AddrPort
	src, dst *host
	data     []byte
}

// flights is a heap by due time, then by order of sending.
type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	if f[i].due.Equal(f[j].due) {
		return f[i].order < f[j].order
	}
	return f[i].due.Before(f[j].due)
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	old := *f
	last := old[len(old)-1]
	old[len(old)-1] = flight{}
	*f = old[:len(old)-1]
	return last
}
