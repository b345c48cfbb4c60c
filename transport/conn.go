package transport

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Codes a connection or stream is closed with, seen by the peer.
const (
	codeDone      = 0 // nothing wrong
	codeClosing   = 1 // endpoint is shutting down
	codeNoHandler = 2 // protocol or raft group not served here
	codeUntrusted = 3 // certificate no longer trusted
	codeExpired   = 4 // certificate ran out
	codeOverload  = 5 // a queue is full
)

// meshVersion is the byte a server sends once it has accepted a peer.
const meshVersion = 1

// MaxDatagramBytes is what a datagram can carry on any path QUIC works on.
const MaxDatagramBytes = 1150

// Conn is one connection to a verified peer. Streams are opened by the side
// that dialed. Read-only after its creation, except for what QUIC keeps.
type Conn struct {
	endpoint  *Endpoint
	quic      *quic.Conn
	alpn      string
	peer      Identity
	peerCerts []*x509.Certificate
	usage     x509.ExtKeyUsage
	expiry    *time.Timer // closes the connection with the peer's certificate
	closeOnce sync.Once
}

// newConn registers a connection whose handshake is complete; it errs when the
// endpoint is closing or the peer's certificate is not readable.
func (e *Endpoint) newConn(qc *quic.Conn, usage x509.ExtKeyUsage) (*Conn, error) {
	state := qc.ConnectionState().TLS
	c := &Conn{
		endpoint: e, quic: qc, alpn: state.NegotiatedProtocol,
		peerCerts: state.PeerCertificates, usage: usage,
	}
	if isMesh(c.alpn) {
		id, err := e.credentials.Load().verify(c.peerCerts, usage, e.cfg.Now())
		if err != nil {
			return nil, err
		}
		c.peer = id
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	e.conns[c] = struct{}{}
	if len(c.peerCerts) > 0 {
		left := c.peerCerts[0].NotAfter.Sub(e.cfg.Now())
		c.expiry = time.AfterFunc(left, func() { c.Close(codeExpired, "certificate expired") })
	}
	// A connection that dies by itself leaves the books too.
	context.AfterFunc(qc.Context(), func() { c.forget() })
	return c, nil
}

func (c *Conn) forget() {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	delete(c.endpoint.conns, c)
	if c.expiry != nil {
		c.expiry.Stop()
	}
}

// sayAccepted tells the dialer that its certificate was verified.
func (c *Conn) sayAccepted() error {
	stream, err := c.quic.OpenUniStream()
	if err != nil {
		return fmt.Errorf("accept connection of %s: %w", c.peer, err)
	}
	if _, err := stream.Write([]byte{meshVersion}); err != nil {
		return fmt.Errorf("accept connection of %s: %w", c.peer, err)
	}
	// The dialer gives the stream up as soon as it has the byte, which can make
	// Close fail; only the byte matters.
	_ = stream.Close()
	return nil
}

func awaitAccepted(ctx context.Context, qc *quic.Conn) error {
	stream, err := qc.AcceptUniStream(ctx)
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = stream.SetReadDeadline(deadline)
	}
	var version [1]byte
	if _, err := io.ReadFull(stream, version[:]); err != nil {
		return fmt.Errorf("read mesh version: %w", err)
	}
	if version[0] != meshVersion {
		return fmt.Errorf("peer speaks mesh version %d, this process %d", version[0], meshVersion)
	}
	stream.CancelRead(codeDone)
	return nil
}

// OpenStream opens a stream to the peer, waiting while it has too many.
func (c *Conn) OpenStream(ctx context.Context) (*Stream, error) {
	stream, err := c.quic.OpenStreamSync(ctx)
	if err != nil {
		return nil, fmt.Errorf("open stream to %s: %w", c.peer, err)
	}
	return newStream(c, stream), nil
}

// AcceptStream waits for the next stream the peer opened.
func (c *Conn) AcceptStream(ctx context.Context) (*Stream, error) {
	stream, err := c.quic.AcceptStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("accept stream of %s: %w", c.peer, err)
	}
	return newStream(c, stream), nil
}

// SendDatagram sends at most MaxDatagramBytes, unreliably. It may wait for the
// congestion window.
func (c *Conn) SendDatagram(data []byte) error {
	if err := c.quic.SendDatagram(data); err != nil {
		return fmt.Errorf("send datagram to %s: %w", c.peer, err)
	}
	return nil
}

// ReceiveDatagram waits for the next datagram of the peer.
func (c *Conn) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	data, err := c.quic.ReceiveDatagram(ctx)
	if err != nil {
		return nil, fmt.Errorf("receive datagram of %s: %w", c.peer, err)
	}
	return data, nil
}

// Peer is the verified other side; zero for a player.
func (c *Conn) Peer() Identity { return c.peer }

// ALPN is the protocol of the connection.
func (c *Conn) ALPN() string { return c.alpn }

// RemoteAddr is where the peer's packets come from.
func (c *Conn) RemoteAddr() net.Addr { return c.quic.RemoteAddr() }

// RTT is the smoothed round-trip time.
func (c *Conn) RTT() time.Duration { return c.quic.ConnectionStats().SmoothedRTT }

// ConnStats are a connection's path figures since its start.
type ConnStats struct {
	MinRTT, SmoothedRTT      time.Duration
	PacketsSent, PacketsLost uint64
	BytesSent, BytesReceived uint64
}

// Stats reads the path figures.
func (c *Conn) Stats() ConnStats {
	s := c.quic.ConnectionStats()
	return ConnStats{
		MinRTT: s.MinRTT, SmoothedRTT: s.SmoothedRTT,
		PacketsSent: s.PacketsSent, PacketsLost: s.PacketsLost,
		BytesSent: s.BytesSent, BytesReceived: s.BytesReceived,
	}
}

// Done is closed when the connection is over, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.quic.Context().Done() }

// Err is why the connection is over, nil while it is not.
func (c *Conn) Err() error { return context.Cause(c.quic.Context()) }

// Close ends the connection and tells the peer code and reason.
func (c *Conn) Close(code uint64, reason string) {
	c.closeOnce.Do(func() {
		_ = c.quic.CloseWithError(quic.ApplicationErrorCode(code), reason)
	})
	c.forget()
}
