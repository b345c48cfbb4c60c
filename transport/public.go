package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// PublicConfig describes what players and operators reach.
type PublicConfig struct {
	// Endpoint serves HTTP/3; it must accept ALPNH3. Its owner closes it.
	Endpoint *Endpoint
	// Listener serves HTTPS/2 and HTTPS/1.1 over TCP, on the same port number
	// where possible; nil serves HTTP/3 alone. Shutdown closes it.
	Listener net.Listener
	Handler  http.Handler
	// MaxBodyBytes of a request; 0 is 1 MiB. Reading past it fails with
	// *http.MaxBytesError.
	MaxBodyBytes int64
	// MaxHeaderBytes of a request; 0 is 32 KiB.
	MaxHeaderBytes int
	// HeaderTimeout for a request's head on TCP; 0 is 5 s.
	HeaderTimeout time.Duration
	// BodyTimeout for reading a request's body; 0 is 30 s, negative none.
	BodyTimeout time.Duration
	// IdleTimeout of a connection without requests; 0 is 2 min.
	IdleTimeout time.Duration
	// AltSvcPort announced on TCP for HTTP/3; 0 is the endpoint's own.
	AltSvcPort int
	// Logger; nil is silent.
	Logger *slog.Logger
}

func (cfg *PublicConfig) setDefaults() {
	setDefault(&cfg.MaxBodyBytes, 1<<20)
	setDefault(&cfg.MaxHeaderBytes, 32<<10)
	setDefault(&cfg.HeaderTimeout, 5*time.Second)
	setDefault(&cfg.BodyTimeout, 30*time.Second)
	setDefault(&cfg.IdleTimeout, 2*time.Minute)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if addr, ok := cfg.Endpoint.Addr().(*net.UDPAddr); ok {
		setDefault(&cfg.AltSvcPort, addr.Port)
	}
}

// Public serves one handler over HTTP/3 and HTTP/2. The mutex guards conns.
type Public struct {
	cfg  PublicConfig
	h3   *http3.Server
	tcp  *http.Server // nil without a listener
	done chan struct{}
	err  error // why TCP serving stopped; set before done is closed

	mu    sync.Mutex
	conns map[*Conn]struct{}
}

// ServePublic starts serving. Client certificates are not asked for: the
// handler authenticates by token. HTTP/3 connections arrive while the
// endpoint runs.
func ServePublic(cfg PublicConfig) (*Public, error) {
	if cfg.Endpoint == nil || cfg.Handler == nil {
		return nil, errors.New("serve public address: Endpoint and Handler are required")
	}
	cfg.setDefaults()
	p := &Public{cfg: cfg, done: make(chan struct{}), conns: map[*Conn]struct{}{}}
	handler := p.limit(cfg.Handler)
	p.h3 = &http3.Server{
		Handler: handler, MaxHeaderBytes: cfg.MaxHeaderBytes, IdleTimeout: cfg.IdleTimeout,
	}
	cfg.Endpoint.Handle(ALPNH3, p.serveH3)
	if cfg.Listener == nil {
		close(p.done)
		return p, nil
	}
	p.tcp = &http.Server{
		Handler: p.announce(handler), MaxHeaderBytes: cfg.MaxHeaderBytes,
		ReadHeaderTimeout: cfg.HeaderTimeout, IdleTimeout: cfg.IdleTimeout,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, Time: cfg.Endpoint.cfg.Now,
			GetCertificate: cfg.Endpoint.certificate,
		},
	}
	go func() {
		defer close(p.done)
		if err := p.tcp.ServeTLS(cfg.Listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			p.err = fmt.Errorf("serve HTTPS on %s: %w", cfg.Listener.Addr(), err)
			cfg.Logger.Error("serving HTTPS stopped", "error", p.err)
		}
	}()
	return p, nil
}

func (p *Public) serveH3(_ context.Context, conn *Conn) {
	p.mu.Lock()
	p.conns[conn] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, conn)
	}()
	err := p.h3.ServeQUICConn(conn.quic)
	if errors.Is(err, http.ErrServerClosed) {
		// Nothing on this connection was read: say so, or a client that sent
		// at once could not know.
		conn.Close(uint64(http3.ErrCodeRequestRejected), "server is closing")
		return
	}
	if err != nil {
		p.cfg.Logger.Debug("HTTP/3 connection ended", "remote", conn.RemoteAddr().String(), "error", err)
	}
}

// limit bounds size and time of a request's body.
func (p *Public) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && p.cfg.BodyTimeout > 0 {
			// A server that cannot set it keeps its other timeouts.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(p.cfg.BodyTimeout))
		}
		http.MaxBytesHandler(next, p.cfg.MaxBodyBytes).ServeHTTP(w, r)
	})
}

// announce tells TCP clients that the same is served over HTTP/3.
func (p *Public) announce(next http.Handler) http.Handler {
	value := fmt.Sprintf(`h3=":%d"; ma=86400`, p.cfg.AltSvcPort)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", value)
		next.ServeHTTP(w, r)
	})
}

// Shutdown takes no new requests, lets those running end until ctx does, then
// ends them. HTTP/3 clients are told by GOAWAY.
func (p *Public) Shutdown(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.closeConns() })
	defer stop()
	var work sync.WaitGroup
	var errs [2]error
	work.Go(func() { errs[0] = p.h3.Shutdown(ctx) })
	if p.tcp != nil {
		work.Go(func() {
			if errs[1] = p.tcp.Shutdown(ctx); errs[1] != nil {
				_ = p.tcp.Close()
			}
		})
	}
	work.Wait()
	<-p.done
	p.closeConns()
	if err := errors.Join(append(errs[:], p.err)...); err != nil {
		return fmt.Errorf("shut down public address: %w", err)
	}
	return nil
}

// Close ends everything at once.
func (p *Public) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (p *Public) closeConns() {
	p.mu.Lock()
	conns := make([]*Conn, 0, len(p.conns))
	for conn := range p.conns {
		conns = append(conns, conn)
	}
	p.mu.Unlock()
	for _, conn := range conns {
		conn.Close(uint64(http3.ErrCodeNoError), "server is closing")
	}
}
