package membership

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

	"github.com/edgereel/edgereel/node/telemetry"
)

// Transport is what gossip travels over; *transport.Gossip is one. Close shuts
// it down.
type Transport interface {
	memberlist.NodeAwareTransport
	// Configure sets what the transport demands: itself, its address, its
	// packet size.
	Configure(cfg *memberlist.Config)
}

// Peer is a node to join by.
type Peer struct {
	Node string
	// Mesh is its mesh address, host:port.
	Mesh string
}

// Config describes this node and its way into the cluster.
type Config struct {
	Node, Region        string
	Roles               []string
	Mesh, Public, Admin string
	Build               string
	Transport           Transport
	// Join lists nodes of the address book; this node in it is skipped. One
	// that is missing is asked again, for as long as this node runs.
	Join []Peer
	// OnChange hears of every change in order, this node's own included, from
	// one goroutine. It may take its time, but must not call Close.
	OnChange func(Event)
	// ProbeInterval is the pause between probes; 0 is 500 ms, which makes a
	// death known on a LAN in about 3 s. Over long distances choose at least
	// four round trips.
	ProbeInterval time.Duration
	// KeepGone is how long dead and left members stay listed; 0 is an hour.
	KeepGone time.Duration
	// LookupHost resolves host names; nil is the system's resolver.
	LookupHost func(ctx context.Context, host string) (netip.Addr, error)
	// Now is the clock of Member.Since; nil is time.Now.
	Now func() time.Time
	// Logger; nil is silent.
	Logger *slog.Logger
}

// Membership takes part in the gossip from New to Close. Goroutines: announce
// owns the announcements, join the attempts to join, tell the calls of
// OnChange. The mutex guards own and left.
type Membership struct {
	cfg      Config
	table    *table
	gossip   *memberlist.Memberlist
	announce chan struct{}
	farewell chan farewell
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	closing  atomic.Bool
	closed   chan struct{}

	mu   sync.Mutex
	own  meta
	left bool
}

// farewell asks the announcer to say that this node stops.
type farewell struct {
	timeout time.Duration
	done    chan error
}

var errLeft = errors.New("this node has left the cluster")

const (
	firstRetry   = 200 * time.Millisecond
	longestRetry = 5 * time.Second
	// awareness is how far the library may stretch its probes when it finds
	// that this node itself is slow.
	awareness = 2
)

// New starts to gossip and to join in the background.
func New(cfg Config) (*Membership, error) {
	if cfg.Node == "" || cfg.Transport == nil {
		return nil, errors.New("open membership: Node and Transport are required")
	}
	if cfg.ProbeInterval == 0 {
		cfg.ProbeInterval = 500 * time.Millisecond
	}
	if cfg.KeepGone == 0 {
		cfg.KeepGone = time.Hour
	}
	if cfg.LookupHost == nil {
		cfg.LookupHost = lookupHost
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Membership{
		cfg: cfg,
		table: &table{
			now: cfg.Now, keep: cfg.KeepGone, probe: cfg.ProbeInterval, wake: make(chan struct{}, 1),
			self: cfg.Node, members: map[string]*record{},
		},
		announce: make(chan struct{}, 1),
		farewell: make(chan farewell),
		closed:   make(chan struct{}),
		own: meta{
			Region: cfg.Region, Roles: cfg.Roles, Build: cfg.Build,
			Mesh: cfg.Mesh, Public: cfg.Public, Admin: cfg.Admin,
		},
	}
	first, err := m.own.encode()
	if err != nil {
		return nil, fmt.Errorf("open membership: %w", err)
	}
	m.table.setOwn(first)
	if m.gossip, err = memberlist.Create(m.gossipConfig()); err != nil {
		return nil, fmt.Errorf("open membership: %w", err)
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.work.Go(m.runAnnounce)
	m.work.Go(m.runJoin)
	m.work.Go(m.runTell)
	return m, nil
}

// gossipConfig makes a silent node dead, in a cluster of three, one turn of
// probes (1 s) and one suspicion (2 s) later; larger clusters wait at most
// twice as long for others to confirm.
func (m *Membership) gossipConfig() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	m.cfg.Transport.Configure(c)
	c.Name = m.cfg.Node
	c.Logger = telemetry.StdLog(m.cfg.Logger, "gossip")
	c.LogOutput = nil
	c.ProbeInterval = m.cfg.ProbeInterval
	c.ProbeTimeout = m.cfg.ProbeInterval * 2 / 5
	c.SuspicionMult = 4
	c.SuspicionMaxTimeoutMult = 2
	c.AwarenessMaxMultiplier = awareness
	c.GossipInterval = m.cfg.ProbeInterval / 5
	c.PushPullInterval = 20 * m.cfg.ProbeInterval
	c.TCPTimeout = 4 * m.cfg.ProbeInterval
	// A node may come back under another address, once it is known to be gone.
	c.DeadNodeReclaimTime = time.Second
	c.Delegate, c.Events, c.Ping = m.table, m.table, m.table
	return c
}

func lookupHost(ctx context.Context, host string) (netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look up %s: %w", host, err)
	}
	return addrs[0].Unmap(), nil
}

// Members lists all known nodes by name, this one included.
func (m *Membership) Members() []Member { return m.table.list() }

// Member looks one node up.
func (m *Membership) Member(node string) (Member, bool) {
	for _, member := range m.table.list() {
		if member.Node == node {
			return member, true
		}
	}
	return Member{}, false
}

// Counts gives the number of members in each state.
func (m *Membership) Counts() map[string]int {
	counts := map[string]int{}
	for _, member := range m.table.list() {
		counts[string(member.State)]++
	}
	return counts
}

// UpdateMeta changes what this node tells about itself and returns at once; the
// others hear of it in the background. It errs when it would be too long to
// gossip, and then nothing changes. After Leave there is nothing more to tell,
// and it does nothing.
func (m *Membership) UpdateMeta(change func(*Status)) error {
	err := m.update(func(own *meta) {
		s := Status{Leads: append([]uint32(nil), own.Leads...), LoadPercent: own.Load, Draining: own.Draining}
		change(&s)
		own.Leads, own.Load, own.Draining = s.Leads, s.LoadPercent, s.Draining
	})
	if errors.Is(err, errLeft) {
		return nil
	}
	if err != nil {
		return err
	}
	select {
	case m.announce <- struct{}{}:
	default:
	}
	return nil
}

func (m *Membership) update(change func(*meta)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left {
		return errLeft
	}
	next := m.own
	change(&next)
	b, err := next.encode()
	if err != nil {
		return fmt.Errorf("update membership: %w", err)
	}
	m.own, m.left = next, next.Leaving
	m.table.setOwn(b)
	return nil
}

func (m *Membership) runAnnounce() {
	for {
		select {
		case <-m.announce:
			m.announceOwn()
		case f := <-m.farewell:
			// The last announcement: the library drops one that a newer one of
			// this node replaces, so nothing may come after it.
			f.done <- m.gossip.UpdateNode(f.timeout)
			return
		case <-m.ctx.Done():
			return
		}
	}
}

// announceOwn waits until the metadata was sent, or for long enough: the next
// full exchange carries it anyway.
func (m *Membership) announceOwn() {
	if err := m.gossip.UpdateNode(m.cfg.ProbeInterval); err != nil {
		m.cfg.Logger.Debug("metadata is not announced yet", "error", err)
	}
}

func (m *Membership) runTell() {
	for {
		select {
		case <-m.table.wake:
			for _, event := range m.table.takeEvents() {
				if m.cfg.OnChange != nil {
					m.cfg.OnChange(event)
				}
			}
		case <-m.ctx.Done():
			return
		}
	}
}

// runJoin asks every peer of the address book that is not alive, ever more
// rarely. It never ends: after a long partition the library has forgotten the
// other side and would not find it again by itself.
func (m *Membership) runJoin() {
	retry := firstRetry
	for {
		if reached := m.joinMissing(); reached > 0 {
			retry = firstRetry
		}
		select {
		case <-time.After(retry):
			retry = min(2*retry, longestRetry)
		case <-m.ctx.Done():
			return
		}
	}
}

func (m *Membership) joinMissing() (reached int) {
	var asks sync.WaitGroup
	answers := make([]bool, len(m.cfg.Join))
	for i, peer := range m.cfg.Join {
		if peer.Node == m.cfg.Node || m.table.isAlive(peer.Node) {
			continue
		}
		asks.Go(func() {
			err := m.joinBy(peer)
			answers[i] = err == nil
			if err != nil && m.ctx.Err() == nil {
				m.cfg.Logger.Debug("a peer cannot be joined", "peer", peer.Node, "error", err)
			}
		})
	}
	asks.Wait()
	for _, ok := range answers {
		if ok {
			reached++
		}
	}
	return reached
}

// joinBy resolves the address here: the library's own way asks name servers
// for all records over TCP.
func (m *Membership) joinBy(peer Peer) error {
	host, port, err := net.SplitHostPort(peer.Mesh)
	if err != nil {
		return fmt.Errorf("read mesh address: %w", err)
	}
	ip, err := m.cfg.LookupHost(m.ctx, host)
	if err != nil {
		return err
	}
	if _, err := m.gossip.Join([]string{peer.Node + "/" + net.JoinHostPort(ip.String(), port)}); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}

// Leave tells the others that this node stops as planned, and waits until it
// was said or timeout has passed. Call it once, before Close; a killed node
// leaves nothing but silence.
func (m *Membership) Leave(timeout time.Duration) error {
	if m.closing.Load() {
		return errLeft
	}
	err := m.update(func(own *meta) { own.Draining, own.Leaving, own.Leads = true, true, nil })
	if err != nil {
		return err
	}
	// The announcement comes first: the library does not carry why a node left.
	f := farewell{timeout: timeout / 2, done: make(chan error, 1)}
	select {
	case m.farewell <- f:
		err = <-f.done
	case <-m.ctx.Done():
		return errLeft
	}
	if err := errors.Join(err, m.gossip.Leave(timeout/2)); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// Close ends the gossip, shuts the transport down and waits, about a probe
// interval. Without Leave the others take it for a crash.
func (m *Membership) Close() error {
	if m.closing.Swap(true) {
		<-m.closed
		return nil
	}
	defer close(m.closed)
	m.cancel()
	slowest := time.Duration(m.gossip.GetHealthScore()+1) * m.cfg.ProbeInterval
	err := m.gossip.Shutdown()
	m.work.Wait()
	// The library does not wait for a probe under way.
	<-time.After(slowest)
	if err != nil {
		return fmt.Errorf("close membership: %w", err)
	}
	return nil
}
