package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// HTTPConfig describes a client of nodes' public addresses.
type HTTPConfig struct {
	// Roots verify the nodes; nil is the system's.
	Roots *x509.CertPool
	// PacketConn opens the one UDP socket; nil opens any port.
	PacketConn func() (net.PacketConn, error)
	// DialTCP for the fallback; nil is the net package's.
	DialTCP func(ctx context.Context, network, addr string) (net.Conn, error)
	// LookupHost resolves host names; nil is the system's resolver.
	LookupHost func(ctx context.Context, host string) (netip.Addr, error)
	// QUICWait is how long a request waits for a QUIC handshake before it goes
	// over TCP; 0 is 300 ms.
	QUICWait time.Duration
	// TCPFor is how long a host stays on TCP once that answered and QUIC did
	// not; 0 is 10 min.
	TCPFor time.Duration
	// IdleTimeout after which a silent server is given up, with its requests;
	// 0 is 1 s. KeepAlive asks it before; 0 is a quarter.
	IdleTimeout, KeepAlive time.Duration
	// UnusedTimeout closes connections without requests; 0 is 30 s.
	UnusedTimeout time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (cfg *HTTPConfig) setDefaults() {
	setDefault(&cfg.QUICWait, 300*time.Millisecond)
	setDefault(&cfg.TCPFor, 10*time.Minute)
	setDefault(&cfg.IdleTimeout, time.Second)
	setDefault(&cfg.KeepAlive, cfg.IdleTimeout/4)
	setDefault(&cfg.UnusedTimeout, 30*time.Second)
	if cfg.PacketConn == nil {
		cfg.PacketConn = func() (net.PacketConn, error) { return ListenUDP(":0") }
	}
	if cfg.DialTCP == nil {
		cfg.DialTCP = (&net.Dialer{Timeout: cfg.IdleTimeout}).DialContext
	}
	if cfg.LookupHost == nil {
		cfg.LookupHost = lookupHost
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}

// HTTPError is a request that got no response.
type HTTPError struct {
	// Sent is false when no part of the request left: the server surely did
	// not see it. True means that the outcome is unknown.
	Sent bool
	Err  error
}

func (e *HTTPError) Error() string {
	if e.Sent {
		return "sent, outcome unknown: " + e.Err.Error()
	}
	return "not sent: " + e.Err.Error()
}

func (e *HTTPError) Unwrap() error { return e.Err }

// HTTPClient is an http.RoundTripper for https URLs that speaks HTTP/3 and
// falls back to HTTPS/2 where UDP does not get through. Its errors are
// *HTTPError. The mutex guards hosts and closed.
type HTTPClient struct {
	cfg  HTTPConfig
	quic *quic.Transport
	h3   *http3.Transport // makes HTTP/3 connections; has no pool here
	tcp  *http.Transport

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // dials; Add only while not closed

	mu     sync.Mutex
	hosts  map[string]*publicHost
	closed bool
}

// publicHost is what the client knows of one host:port.
type publicHost struct {
	slot     *h3Slot // newest dial, nil before the first
	tcpUntil time.Time
}

// h3Slot is one dial and its connection. conn, client and err are set before
// ready is closed; the client's mutex guards running and unused.
type h3Slot struct {
	ready   chan struct{}
	conn    *quic.Conn
	client  *http3.ClientConn
	err     error
	running int
	unused  *time.Timer
}

// NewHTTPClient opens the client's socket.
func NewHTTPClient(cfg HTTPConfig) (*HTTPClient, error) {
	cfg.setDefaults()
	socket, err := cfg.PacketConn()
	if err != nil {
		return nil, fmt.Errorf("open HTTP client: %w", err)
	}
	c := &HTTPClient{
		cfg: cfg, hosts: map[string]*publicHost{},
		quic: &quic.Transport{Conn: tolerant(socket, new(atomic.Uint64)), ConnectionIDLength: 8},
		h3:   &http3.Transport{DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.tcp = &http.Transport{
		DialContext: cfg.DialTCP, ForceAttemptHTTP2: true, DisableCompression: true,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: cfg.Roots, Time: cfg.Now},
		TLSHandshakeTimeout: cfg.IdleTimeout, IdleConnTimeout: cfg.UnusedTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		// The pings find a dead server as QUIC's keep-alive does.
		HTTP2: &http.HTTP2Config{SendPingTimeout: cfg.IdleTimeout / 2, PingTimeout: cfg.IdleTimeout / 2},
	}
	return c, nil
}

// RoundTrip sends one request and returns the response's head. It retries only
// what surely was not sent.
func (c *HTTPClient) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" {
		closeBody(req)
		return nil, &HTTPError{Err: fmt.Errorf("scheme of %s is not https", req.URL)}
	}
	host := hostPort(req)
	var quicErr error
	// A connection can turn out dead, or be draining, just as it is used.
	for range 2 {
		slot, err := c.slot(host, false)
		if err != nil {
			closeBody(req)
			return nil, &HTTPError{Err: err}
		}
		if slot == nil { // the host is remembered as one for TCP
			break
		}
		if quicErr = c.await(req.Context(), slot); quicErr != nil {
			break
		}
		resp, started, err := c.overQUIC(req, slot)
		if err == nil {
			return resp, nil
		}
		if started || req.Context().Err() != nil {
			closeBody(req)
			return nil, &HTTPError{Sent: started && !rejected(err), Err: err}
		}
		c.discard(host, slot)
		quicErr = err
	}
	if err := req.Context().Err(); err != nil {
		closeBody(req)
		return nil, &HTTPError{Err: errors.Join(err, quicErr)}
	}
	return c.overTCP(req, host, quicErr)
}

// slot is the host's live or running QUIC connection; a new dial if there is
// none, or always when fresh. It is nil when the host is on TCP for now.
func (c *HTTPClient) slot(host string, fresh bool) (*h3Slot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	known := c.hosts[host]
	if known == nil {
		known = &publicHost{}
		c.hosts[host] = known
	}
	if known.slot.usable() && !fresh {
		return known.slot, nil
	}
	if !fresh && c.cfg.Now().Before(known.tcpUntil) {
		return nil, nil
	}
	slot := &h3Slot{ready: make(chan struct{})}
	if !known.slot.usable() {
		known.slot = slot
	}
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		c.dial(host, slot)
	}()
	return slot, nil
}

// usable is true while the dial runs and while its connection lives.
func (s *h3Slot) usable() bool {
	if s == nil {
		return false
	}
	select {
	case <-s.ready:
	default:
		return true
	}
	return s.err == nil && s.conn.Context().Err() == nil
}

func (c *HTTPClient) dial(host string, slot *h3Slot) {
	slot.conn, slot.err = c.dialQUIC(host)
	if slot.err == nil {
		slot.client = c.h3.NewClientConn(slot.conn)
		c.mu.Lock()
		c.hosts[host].tcpUntil = time.Time{}
		slot.unused = time.AfterFunc(c.cfg.UnusedTimeout, func() { c.closeUnused(slot) })
		c.mu.Unlock()
		context.AfterFunc(slot.conn.Context(), func() { slot.unused.Stop() })
	}
	close(slot.ready)
}

func (c *HTTPClient) dialQUIC(host string) (*quic.Conn, error) {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", host, err)
	}
	udp, err := resolveUDP(c.ctx, c.cfg.LookupHost, host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", host, err)
	}
	conn, err := c.quic.Dial(c.ctx, udp,
		&tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{ALPNH3}, ServerName: name, RootCAs: c.cfg.Roots, Time: c.cfg.Now},
		&quic.Config{
			HandshakeIdleTimeout: time.Second, MaxIdleTimeout: c.cfg.IdleTimeout,
			KeepAlivePeriod: c.cfg.KeepAlive, MaxIncomingStreams: -1,
		})
	if err != nil {
		return nil, fmt.Errorf("connect to %s over QUIC: %w", host, explain(err))
	}
	return conn, nil
}

func (c *HTTPClient) await(ctx context.Context, slot *h3Slot) error {
	timer := time.NewTimer(c.cfg.QUICWait)
	defer timer.Stop()
	select {
	case <-slot.ready:
		return slot.err
	case <-timer.C:
		return fmt.Errorf("no QUIC handshake within %s", c.cfg.QUICWait)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// overQUIC reports whether any of the request may have left. When none has, its
// body is untouched.
func (c *HTTPClient) overQUIC(req *http.Request, slot *h3Slot) (_ *http.Response, started bool, _ error) {
	c.use(slot, 1)
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaderField: func(string, []string) { wrote.Store(true) }}
	resp, err := slot.client.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		c.use(slot, -1)
		return nil, wrote.Load(), fmt.Errorf("HTTP/3 request to %s: %w", req.URL.Host, err)
	}
	resp.Body = &trackedBody{ReadCloser: resp.Body, done: func() { c.use(slot, -1) }}
	resp.Request = req
	return resp, true, nil
}

// rejected is the server's word that it did not begin with a request.
func rejected(err error) bool {
	var h3 *http3.Error
	return errors.As(err, &h3) && h3.Remote && h3.ErrorCode == http3.ErrCodeRequestRejected
}

func (c *HTTPClient) overTCP(req *http.Request, host string, quicErr error) (*http.Response, error) {
	var got atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got.Store(true) }}
	resp, err := c.tcp.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, &HTTPError{Sent: got.Load(), Err: errors.Join(fmt.Errorf("HTTPS request to %s: %w", req.URL.Host, err), quicErr)}
	}
	resp.Request = req
	if quicErr != nil {
		c.mu.Lock()
		known := c.hosts[host]
		known.tcpUntil = c.cfg.Now().Add(c.cfg.TCPFor)
		c.mu.Unlock()
	}
	return resp, nil
}

// use counts the requests of a connection and starts its time unused.
func (c *HTTPClient) use(slot *h3Slot, change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slot.running += change
	if slot.running == 0 {
		slot.unused.Reset(c.cfg.UnusedTimeout)
	} else {
		slot.unused.Stop()
	}
}

func (c *HTTPClient) closeUnused(slot *h3Slot) {
	c.mu.Lock()
	running := slot.running
	c.mu.Unlock()
	if running == 0 {
		_ = slot.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "unused")
	}
}

// discard forgets a connection that takes no more requests; those it has go on.
func (c *HTTPClient) discard(host string, slot *h3Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.hosts[host]; known.slot == slot {
		known.slot = nil
	}
}

// Probe measures the round trip to a node's public address (host:port) by a new
// QUIC handshake, verified like a request. The connection is kept for requests
// if there is none yet.
func (c *HTTPClient) Probe(ctx context.Context, addr string) (time.Duration, error) {
	slot, err := c.slot(addr, true)
	if err != nil {
		return 0, fmt.Errorf("probe %s: %w", addr, err)
	}
	start := time.Now()
	select {
	case <-slot.ready:
	case <-ctx.Done():
		return 0, fmt.Errorf("probe %s: %w", addr, ctx.Err())
	}
	if slot.err != nil {
		return 0, fmt.Errorf("probe %s: %w", addr, slot.err)
	}
	rtt := slot.conn.ConnectionStats().MinRTT
	if rtt <= 0 {
		rtt = time.Since(start)
	}
	c.mu.Lock()
	kept := c.hosts[addr].slot == slot
	c.mu.Unlock()
	if !kept {
		_ = slot.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "probe")
	}
	return rtt, nil
}

// CloseIdleConnections closes TCP connections without requests; QUIC's close
// by themselves. http.Client calls it.
func (c *HTTPClient) CloseIdleConnections() { c.tcp.CloseIdleConnections() }

// Close ends all connections, also those with requests running over QUIC.
func (c *HTTPClient) Close() error {
	c.mu.Lock()
	c.closed = true
	var slots []*h3Slot
	for _, known := range c.hosts {
		if known.slot != nil {
			slots = append(slots, known.slot)
		}
	}
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
	for _, slot := range slots {
		if slot.err == nil {
			_ = slot.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "client is closing")
		}
	}
	c.tcp.CloseIdleConnections()
	if err := errors.Join(c.quic.Close(), c.quic.Conn.Close()); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close HTTP client: %w", err)
	}
	return nil
}

// trackedBody tells once that a response's body is done with.
type trackedBody struct {
	io.ReadCloser
	once sync.Once
	done func()
}

func (b *trackedBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.done)
	return err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func hostPort(req *http.Request) string {
	port := req.URL.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(req.URL.Hostname(), port)
}
