package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"
)

// ErrClosed is returned by calls on what is closed.
var ErrClosed = errors.New("transport is closed")

// EndpointConfig describes one UDP socket and what it accepts.
type EndpointConfig struct {
	// PacketConn is the socket (see ListenUDP); the endpoint closes it.
	PacketConn net.PacketConn
	// Credentials prove this process to others.
	Credentials *Credentials
	// Accept lists the ALPNs served; nil is all, empty none (dials only). Mesh
	// and public addresses may thus be one endpoint or two.
	Accept []string
	// Roles says which roles may dial an ALPN, replacing the default's entry.
	Roles map[string][]Role
	// MeshIdleTimeout ends a mesh connection that heard nothing; 0 is 1 s. It
	// should be at least six round trips. MeshKeepAlive is 250 ms by default.
	MeshIdleTimeout, MeshKeepAlive time.Duration
	// HandshakeTimeout bounds dialing a silent address; 0 is 1 s.
	HandshakeTimeout time.Duration
	// PublicIdleTimeout ends a player's silent connection; 0 is 30 s.
	PublicIdleTimeout time.Duration
	// MaxStreams a peer may have open on one connection; 0 is 4096 where a
	// mesh protocol is accepted, 128 otherwise.
	MaxStreams int64
	// HandshakesPerSecond above which new peers must first prove their
	// address (Retry, one more round trip); 0 is 1000.
	HandshakesPerSecond int
	// LookupHost resolves host names; nil is the system's resolver.
	LookupHost func(ctx context.Context, host string) (netip.Addr, error)
	// Now is the clock certificates are judged by; nil is time.Now.
	Now func() time.Time
	// Logger; nil is silent.
	Logger *slog.Logger
}

func (cfg *EndpointConfig) setDefaults() {
	if cfg.Accept == nil {
		cfg.Accept = append(MeshALPNs(), ALPNH3)
	}
	roles := defaultRoles()
	for alpn, allowed := range cfg.Roles {
		roles[alpn] = allowed
	}
	cfg.Roles = roles
	setDefault(&cfg.MeshIdleTimeout, time.Second)
	setDefault(&cfg.MeshKeepAlive, 250*time.Millisecond)
	setDefault(&cfg.HandshakeTimeout, time.Second)
	setDefault(&cfg.PublicIdleTimeout, 30*time.Second)
	setDefault(&cfg.HandshakesPerSecond, 1000)
	setDefault(&cfg.MaxStreams, 128)
	if slices.ContainsFunc(cfg.Accept, isMesh) {
		cfg.MaxStreams = max(cfg.MaxStreams, 4096)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.LookupHost == nil {
		cfg.LookupHost = lookupHost
	}
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Endpoint is one UDP socket that accepts and dials connections. The mutex
// guards handlers, conns and closed; everything else is set at the start.
type Endpoint struct {
	cfg         EndpointConfig
	socket      net.PacketConn
	quic        *quic.Transport
	listener    *quic.Listener // nil when nothing is accepted
	credentials atomic.Pointer[Credentials]

	lostSends, accepted, dialed, refused atomic.Uint64

	mu       sync.Mutex
	handlers map[string]func(context.Context, *Conn)
	conns    map[*Conn]struct{}
	closed   bool

	work   sync.WaitGroup // accept loop and handlers; Add only while not closed
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when Close has finished
}

// EndpointStats are counters since the start, and the connections open now.
type EndpointStats struct {
	LostSends uint64 // packets the local socket refused to send
	Accepted  uint64 // connections accepted, handshake and identity verified
	Dialed    uint64 // connections dialed and accepted by the peer
	Refused   uint64 // mesh peers refused for their identity
	Open      int
}

// NewEndpoint takes over the socket. It answers handshakes at once; accepted
// connections are handled by Run.
func NewEndpoint(cfg EndpointConfig) (*Endpoint, error) {
	if cfg.PacketConn == nil || cfg.Credentials == nil {
		return nil, errors.New("open endpoint: PacketConn and Credentials are required")
	}
	cfg.setDefaults()
	e := &Endpoint{
		cfg: cfg, handlers: map[string]func(context.Context, *Conn){},
		conns: map[*Conn]struct{}{}, done: make(chan struct{}),
	}
	e.credentials.Store(cfg.Credentials)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.socket = tolerant(cfg.PacketConn, &e.lostSends)
	limiter := rate.NewLimiter(rate.Limit(cfg.HandshakesPerSecond), cfg.HandshakesPerSecond)
	resetKey := quic.StatelessResetKey(cfg.Credentials.resetKey)
	e.quic = &quic.Transport{
		Conn: e.socket, ConnectionIDLength: 8, StatelessResetKey: &resetKey,
		VerifySourceAddress: func(net.Addr) bool { return !limiter.Allow() },
	}
	if len(cfg.Accept) > 0 {
		listener, err := e.quic.Listen(e.serverTLS(), e.listenConfig())
		if err != nil {
			e.cancel()
			return nil, errors.Join(fmt.Errorf("open endpoint on %s: %w", cfg.PacketConn.LocalAddr(), err), e.quic.Close())
		}
		e.listener = listener
	}
	return e, nil
}

// listenConfig holds for every protocol: at this point of the handshake QUIC
// does not know the ALPN yet. A mesh dialer's shorter idle timeout wins,
// because both sides use the smaller one.
func (e *Endpoint) listenConfig() *quic.Config {
	idle := e.cfg.MeshIdleTimeout
	if slices.Contains(e.cfg.Accept, ALPNH3) {
		idle = max(idle, e.cfg.PublicIdleTimeout)
	}
	return &quic.Config{
		HandshakeIdleTimeout: 3 * time.Second,
		MaxIdleTimeout:       idle,
		MaxIncomingStreams:   e.cfg.MaxStreams,
		EnableDatagrams:      true,
	}
}

func (e *Endpoint) dialConfig() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout: e.cfg.HandshakeTimeout,
		MaxIdleTimeout:       e.cfg.MeshIdleTimeout,
		KeepAlivePeriod:      e.cfg.MeshKeepAlive,
		MaxIncomingStreams:   -1, // streams go from dialer to acceptor only
		EnableDatagrams:      true,
	}
}

// Addr is the local address of the socket.
func (e *Endpoint) Addr() net.Addr { return e.socket.LocalAddr() }

// Identity is this process's own.
func (e *Endpoint) Identity() Identity { return e.credentials.Load().Identity() }

// Stats reads the counters.
func (e *Endpoint) Stats() EndpointStats {
	e.mu.Lock()
	open := len(e.conns)
	e.mu.Unlock()
	return EndpointStats{
		LostSends: e.lostSends.Load(), Accepted: e.accepted.Load(),
		Dialed: e.dialed.Load(), Refused: e.refused.Load(), Open: open,
	}
}

// Handle sets what serves the accepted connections of a protocol. The
// connection is closed when handler returns; ctx ends when the connection does.
func (e *Endpoint) Handle(alpn string, handler func(ctx context.Context, conn *Conn)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handlers[alpn] = handler
}

// Run accepts connections until ctx ends, then closes the endpoint. It returns
// nil after ctx or Close, otherwise why accepting stopped.
func (e *Endpoint) Run(ctx context.Context) error {
	if !e.start() {
		return nil
	}
	err := e.accept(ctx)
	e.work.Done()
	return errors.Join(err, e.Close())
}

func (e *Endpoint) accept(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	if e.listener == nil {
		<-ctx.Done()
		return nil
	}
	for {
		// Accept yields a connection only after the whole handshake, so the
		// peer's certificate has been verified by then.
		qc, err := e.listener.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, quic.ErrServerClosed) {
				return nil
			}
			return fmt.Errorf("accept connections on %s: %w", e.Addr(), err)
		}
		if !e.start() {
			_ = qc.CloseWithError(codeClosing, "endpoint is closing")
			return nil
		}
		go func() {
			defer e.work.Done()
			e.serve(qc)
		}()
	}
}

// start counts one more piece of work, unless the endpoint is closing.
func (e *Endpoint) start() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.work.Add(1)
	return true
}

func (e *Endpoint) serve(qc *quic.Conn) {
	state := qc.ConnectionState().TLS
	e.mu.Lock()
	handler := e.handlers[state.NegotiatedProtocol]
	e.mu.Unlock()
	if handler == nil {
		_ = qc.CloseWithError(codeNoHandler, "protocol "+state.NegotiatedProtocol+" is not served here")
		return
	}
	conn, err := e.newConn(qc, x509.ExtKeyUsageClientAuth)
	if err != nil {
		_ = qc.CloseWithError(codeUntrusted, "identity refused")
		return
	}
	defer conn.Close(codeDone, "")
	if isMesh(conn.alpn) {
		if err := conn.sayAccepted(); err != nil {
			e.cfg.Logger.Debug("a peer left before it was accepted", "error", err)
			return
		}
	}
	e.accepted.Add(1)
	handler(qc.Context(), conn)
}

// SetCredentials replaces certificate and trust. Connections whose peer the
// new trust does not cover are closed. Roll a change of authority out in this
// order: new trust everywhere, then new certificates, then without the old trust.
func (e *Endpoint) SetCredentials(creds *Credentials) {
	e.credentials.Store(creds)
	e.mu.Lock()
	conns := make([]*Conn, 0, len(e.conns))
	for conn := range e.conns {
		conns = append(conns, conn)
	}
	e.mu.Unlock()
	for _, conn := range conns {
		if len(conn.peerCerts) == 0 {
			continue
		}
		if _, err := creds.verify(conn.peerCerts, conn.usage, e.cfg.Now()); err != nil {
			e.cfg.Logger.Warn("closed a connection that is no longer trusted", "peer", conn.peer.String(), "error", err)
			conn.Close(codeUntrusted, "no longer trusted")
		}
	}
}

// Close tells every peer (CONNECTION_CLOSE), waits for all handlers and closes
// the socket.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		<-e.done
		return nil
	}
	e.closed = true
	conns := make([]*Conn, 0, len(e.conns))
	for conn := range e.conns {
		conns = append(conns, conn)
	}
	e.mu.Unlock()

	e.cancel()
	for _, conn := range conns {
		conn.Close(codeClosing, "endpoint is closing")
	}
	e.work.Wait()
	var errs []error
	if e.listener != nil {
		errs = append(errs, e.listener.Close())
	}
	errs = append(errs, e.quic.Close(), e.socket.Close())
	close(e.done)
	if err := errors.Join(errs...); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close endpoint: %w", err)
	}
	return nil
}

func lookupHost(ctx context.Context, host string) (netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	return addrs[0].Unmap(), nil
}
