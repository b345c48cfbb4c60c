package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/quic-go/quic-go"
)

// Dial connects to a node at host:port for one mesh protocol, and returns once
// that node has accepted this process: with TLS 1.3 a client's handshake ends
// before the server has looked at the client's certificate. A silent address
// fails after HandshakeTimeout. want says which node it must be.
func (e *Endpoint) Dial(ctx context.Context, addr, alpn string, want Want) (*Conn, error) {
	if !isMesh(alpn) {
		return nil, fmt.Errorf("dial %s: %s is no mesh protocol, use HTTPClient", addr, alpn)
	}
	udp, err := resolveUDP(ctx, e.cfg.LookupHost, addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	if !e.start() {
		return nil, fmt.Errorf("dial %s: %w", addr, ErrClosed)
	}
	defer e.work.Done()
	// Both steps together get twice the silence a handshake may have, so that
	// a peer that stalls between them is given up too.
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.HandshakeTimeout)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()

	qc, err := e.quic.Dial(ctx, udp, e.clientTLS(alpn, want), e.dialConfig())
	if err != nil {
		return nil, fmt.Errorf("dial %s for %s: %w", addr, alpn, explain(err))
	}
	if err := awaitAccepted(ctx, qc); err != nil {
		_ = qc.CloseWithError(codeDone, "")
		return nil, fmt.Errorf("dial %s for %s: peer did not accept the connection: %w", addr, alpn, explain(err))
	}
	conn, err := e.newConn(qc, x509.ExtKeyUsageServerAuth)
	if err != nil {
		_ = qc.CloseWithError(codeUntrusted, "identity refused")
		return nil, fmt.Errorf("dial %s for %s: %w", addr, alpn, err)
	}
	e.dialed.Add(1)
	return conn, nil
}

// resolveUDP accepts ip:port without a look-up and host:port with one.
func resolveUDP(ctx context.Context, lookup func(context.Context, string) (netip.Addr, error), addr string) (*net.UDPAddr, error) {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return net.UDPAddrFromAddrPort(ap), nil
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q is no number: %w", portText, err)
	}
	ip, err := lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port))), nil
}

// explain adds to quic-go's errors what they mean here.
func explain(err error) error {
	var idle *quic.IdleTimeoutError
	var handshake *quic.HandshakeTimeoutError
	var alert *quic.TransportError
	switch {
	case errors.As(err, &idle), errors.As(err, &handshake), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("nothing answers there: %w", err)
	case errors.As(err, &alert) && alert.ErrorCode.IsCryptoError():
		if alert.Remote {
			return fmt.Errorf("peer refused this process's certificate or protocol: %w", err)
		}
		return err
	default:
		return err
	}
}
