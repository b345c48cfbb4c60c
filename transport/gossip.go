package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// GossipConfig describes a node's gossip transport.
type GossipConfig struct {
	// Endpoint carries it. Its owner closes it, after the gossip.
	Endpoint *Endpoint
	// Advertise is this node's mesh address as peers reach it, ip:port.
	Advertise string
	// QueuePackets may wait for one peer while it is dialed; 0 is 64. Further
	// ones are dropped: gossip repeats itself.
	QueuePackets int
	// PeerIdle ends the sender of a peer that nothing was sent to; 0 is 60 s.
	PeerIdle time.Duration
	// Logger; nil is silent.
	Logger *slog.Logger
}

// Gossip is memberlist's transport over edgereel-gossip/1: packets are QUIC
// datagrams, push/pull and reliable pings are streams, both encrypted and from
// verified nodes only. WriteTo never blocks. The mutex guards senders and
// closed; each sender's goroutine owns its connection attempts.
type Gossip struct {
	cfg       GossipConfig
	advertise netip.AddrPort
	cache     *connCache // by mesh address: a seed has no name yet
	packets   chan *memberlist.Packet
	streams   chan net.Conn
	dropped   atomic.Uint64

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // senders; Add only while not closed

	mu      sync.Mutex
	senders map[string]*gossipSender
	closed  bool
}

var _ memberlist.NodeAwareTransport = (*Gossip)(nil)

type gossipSender struct {
	addr  string
	queue chan gossipPacket
}

type gossipPacket struct {
	node string // expected name, empty when memberlist does not know it
	data []byte
}

// NewGossip makes the endpoint serve gossip.
func NewGossip(cfg GossipConfig) (*Gossip, error) {
	if cfg.Endpoint == nil {
		return nil, errors.New("open gossip: Endpoint is required")
	}
	advertise, err := netip.ParseAddrPort(cfg.Advertise)
	if err != nil || advertise.Addr().IsUnspecified() || advertise.Port() == 0 {
		return nil, fmt.Errorf("open gossip: advertise address %q must be ip:port as peers reach it", cfg.Advertise)
	}
	setDefault(&cfg.QueuePackets, 64)
	setDefault(&cfg.PeerIdle, time.Minute)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gossip{
		cfg: cfg, advertise: advertise,
		packets: make(chan *memberlist.Packet, 256), streams: make(chan net.Conn),
		senders: map[string]*gossipSender{},
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.cache = newConnCache(func(ctx context.Context, key connKey) (*Conn, error) {
		return cfg.Endpoint.Dial(ctx, key.peer, key.alpn, AnyNode())
	}, nil)
	cfg.Endpoint.Handle(ALPNGossip, g.serve)
	return g, nil
}

// Configure sets what this transport demands of a memberlist configuration:
// itself, its address and its packet size.
func (g *Gossip) Configure(cfg *memberlist.Config) {
	cfg.Transport = g
	cfg.UDPBufferSize = MaxDatagramBytes
	cfg.AdvertiseAddr = g.advertise.Addr().String()
	cfg.AdvertisePort = int(g.advertise.Port())
	cfg.BindAddr = cfg.AdvertiseAddr
	cfg.BindPort = cfg.AdvertisePort
}

// Dropped counts packets given up before they were sent or read.
func (g *Gossip) Dropped() uint64 { return g.dropped.Load() }

// FinalAdvertiseAddr is the configured address unless memberlist was given another.
func (g *Gossip) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	if ip == "" {
		return g.advertise.Addr().AsSlice(), int(g.advertise.Port()), nil
	}
	parsed := net.ParseIP(ip)
	if parsed == nil {
		return nil, 0, fmt.Errorf("advertise address %q is no IP", ip)
	}
	return parsed, port, nil
}

// WriteTo queues a packet for a mesh address.
func (g *Gossip) WriteTo(b []byte, addr string) (time.Time, error) {
	return g.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress queues a packet for a node. It does not wait for a
// connection; a packet that finds the queue full is lost.
func (g *Gossip) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	now := time.Now()
	packet := gossipPacket{node: addr.Name, data: append([]byte(nil), b...)}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return now, fmt.Errorf("gossip to %s: %w", addr.Addr, ErrClosed)
	}
	sender := g.senders[addr.Addr]
	if sender == nil {
		sender = &gossipSender{addr: addr.Addr, queue: make(chan gossipPacket, g.cfg.QueuePackets)}
		g.senders[addr.Addr] = sender
		g.work.Add(1)
		go func() {
			defer g.work.Done()
			g.send(sender)
		}()
	}
	select {
	case sender.queue <- packet:
	default:
		g.dropped.Add(1)
	}
	return now, nil
}

// send works off one peer's queue until it has been idle for long.
func (g *Gossip) send(sender *gossipSender) {
	idle := time.NewTimer(g.cfg.PeerIdle)
	defer idle.Stop()
	for {
		select {
		case packet := <-sender.queue:
			g.sendOne(sender, packet)
			idle.Reset(g.cfg.PeerIdle)
		case <-idle.C:
			if g.retire(sender) {
				return
			}
			idle.Reset(g.cfg.PeerIdle)
		case <-g.ctx.Done():
			return
		}
	}
}

// retire forgets a sender unless a packet arrived meanwhile.
func (g *Gossip) retire(sender *gossipSender) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(sender.queue) > 0 {
		return false
	}
	delete(g.senders, sender.addr)
	return true
}

func (g *Gossip) sendOne(sender *gossipSender, packet gossipPacket) {
	conn, err := g.conn(g.ctx, sender.addr, packet.node)
	if err == nil {
		err = conn.SendDatagram(packet.data)
	}
	if err == nil {
		return
	}
	g.dropped.Add(1)
	g.cfg.Logger.Debug("dropped a gossip packet", "addr", sender.addr, "error", err)
	// What queued up while the dial failed is as old as the dial was long.
	for {
		select {
		case <-sender.queue:
			g.dropped.Add(1)
		default:
			return
		}
	}
}

// conn is the connection to an address, whose peer must be node if that is known.
func (g *Gossip) conn(ctx context.Context, addr, node string) (*Conn, error) {
	conn, err := g.cache.get(ctx, connKey{peer: addr, alpn: ALPNGossip})
	if err != nil {
		return nil, err
	}
	if node != "" {
		if err := WantNode(node)(conn.Peer()); err != nil {
			return nil, &IdentityError{Peer: conn.Peer(), ALPN: ALPNGossip, Reason: "not the member that gossip knows at " + addr, Err: err}
		}
	}
	return conn, nil
}

// PacketCh delivers peers' packets.
func (g *Gossip) PacketCh() <-chan *memberlist.Packet { return g.packets }

// StreamCh delivers peers' streams.
func (g *Gossip) StreamCh() <-chan net.Conn { return g.streams }

// DialTimeout opens a stream to a mesh address.
func (g *Gossip) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return g.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout opens a stream to a node.
func (g *Gossip) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(g.ctx, timeout)
	defer cancel()
	conn, err := g.conn(ctx, addr.Addr, addr.Name)
	if err != nil {
		return nil, err
	}
	return conn.OpenStream(ctx)
}

// serve passes a peer's packets and streams on to memberlist.
func (g *Gossip) serve(ctx context.Context, conn *Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { g.receive(ctx, conn) })
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		select {
		case g.streams <- stream:
		case <-ctx.Done():
			stream.Abort(codeClosing)
			return
		}
	}
}

func (g *Gossip) receive(ctx context.Context, conn *Conn) {
	from := conn.RemoteAddr()
	for {
		data, err := conn.ReceiveDatagram(ctx)
		if err != nil {
			return
		}
		select {
		case g.packets <- &memberlist.Packet{Buf: data, From: from, Timestamp: time.Now()}:
		default:
			g.dropped.Add(1)
		}
	}
}

// Shutdown ends the gossip's connections and waits for its senders.
func (g *Gossip) Shutdown() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.cache.close()
	g.work.Wait()
	return nil
}
