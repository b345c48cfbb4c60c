package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// publicPair opens UDP and TCP on one port number.
func publicPair(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		udp := loopback(t)
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal("no port number is free on UDP and TCP")
	return nil, nil
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	fmt.Fprintf(w, "%s %s %s", r.Proto, r.URL.Path, body)
}

func servePublic(t *testing.T, ca *testCA, udp net.PacketConn, tcp net.Listener, handler http.HandlerFunc) (*Endpoint, *Public) {
	t.Helper()
	e := endpoint(t, EndpointConfig{PacketConn: udp, Credentials: ca.credentials("server", RoleNode)})
	p, err := ServePublic(PublicConfig{Endpoint: e, Listener: tcp, Handler: handler})
	if err != nil {
		t.Fatal(err)
	}
	run(t, e)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, p
}

func httpClient(t *testing.T, ca *testCA, cfg HTTPConfig) *HTTPClient {
	t.Helper()
	cfg.Roots = ca.credentials("reader", RoleOperator).Roots()
	setDefault(&cfg.IdleTimeout, 10*time.Second) // a busy machine is no dead server
	c, err := NewHTTPClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func post(t *testing.T, rt http.RoundTripper, url, body string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, string(got), err
}

func TestPublic_HTTP3AndHTTP2(t *testing.T) {
	ca := newTestCA(t, "test")
	udp, tcp := publicPair(t)
	addr := udp.LocalAddr().String()
	servePublic(t, ca, udp, tcp, echo)

	h3 := httpClient(t, ca, HTTPConfig{QUICWait: 5 * time.Second})
	resp, body, err := post(t, h3, "https://"+addr+"/spin", "1")
	if err != nil || body != "HTTP/3.0 /spin 1" {
		t.Fatalf("over QUIC: %q, %v", body, err)
	}
	if resp.Header.Get("Alt-Svc") != "" {
		t.Error("HTTP/3 is announced over HTTP/3")
	}
	// The same URL by host name: the certificate covers localhost too.
	if _, body, err := post(t, h3, "https://localhost:"+strings.Split(addr, ":")[1]+"/n", ""); err != nil && strings.Contains(err.Error(), "certificate") {
		t.Fatalf("by name: %q, %v", body, err)
	}
	resp, body, err = post(t, h3.tcp, "https://"+addr+"/spin", "2")
	if err != nil || body != "HTTP/2.0 /spin 2" {
		t.Fatalf("over TCP: %q, %v", body, err)
	}
	if got, want := resp.Header.Get("Alt-Svc"), fmt.Sprintf(`h3=":%s"; ma=86400`, strings.Split(addr, ":")[1]); got != want {
		t.Errorf("Alt-Svc %q, want %q", got, want)
	}
	for _, rt := range []http.RoundTripper{h3, h3.tcp} {
		resp, _, err := post(t, rt, "https://"+addr+"/", strings.Repeat("x", 1<<20+1))
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("body above the limit over %T: %v, %v", rt, resp, err)
		}
	}
	rtt, err := h3.Probe(testContext(t), addr)
	if err != nil || rtt <= 0 {
		t.Errorf("probe: %s, %v", rtt, err)
	}
}

func TestHTTPClient_FallsBackAndRemembers(t *testing.T) {
	ca := newTestCA(t, "test")
	// UDP of this port is nobody's: QUIC does not get through.
	silent, tcp := publicPair(t)
	defer silent.Close()
	other := loopback(t)
	servePublic(t, ca, other, tcp, echo)
	now := time.Now()
	c := httpClient(t, ca, HTTPConfig{QUICWait: 10 * time.Millisecond, Now: func() time.Time { return now }})
	url := "https://" + tcp.Addr().String() + "/"
	if _, body, err := post(t, c, url, ""); err != nil || !strings.HasPrefix(body, "HTTP/2.0") {
		t.Fatalf("fallback: %q, %v", body, err)
	}
	host := tcp.Addr().String()
	slotOf := func() *h3Slot {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.hosts[host].slot
	}
	first := slotOf()
	<-first.ready // the handshake has failed for good
	if _, _, err := post(t, c, url, ""); err != nil {
		t.Fatal(err)
	}
	if slotOf() != first {
		t.Error("QUIC was tried again at once")
	}
	now = now.Add(11 * time.Minute)
	if _, _, err := post(t, c, url, ""); err != nil {
		t.Fatal(err)
	}
	if slotOf() == first {
		t.Error("QUIC was not tried again after 11 minutes")
	}
}

func TestHTTPClient_Unsent(t *testing.T) {
	ca := newTestCA(t, "test")
	udp, tcp := publicPair(t)
	addr := udp.LocalAddr().String()
	udp.Close()
	tcp.Close()
	c := httpClient(t, ca, HTTPConfig{QUICWait: 50 * time.Millisecond})
	_, _, err := post(t, c, "https://"+addr+"/", "1")
	var failed *HTTPError
	if !errors.As(err, &failed) || failed.Sent {
		t.Fatalf("request to nobody: %v", err)
	}
	if _, err := c.Probe(testContext(t), addr); err == nil {
		t.Error("probed nobody")
	}
}

// A server that stops while it works on a request leaves the outcome unknown.
func TestHTTPClient_SentWhenServerDies(t *testing.T) {
	ca := newTestCA(t, "test")
	arrived, release := make(chan struct{}), make(chan struct{})
	udp := loopback(t)
	e, _ := servePublic(t, ca, udp, nil, func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	})
	t.Cleanup(func() { close(release) })
	c := httpClient(t, ca, HTTPConfig{QUICWait: 5 * time.Second})
	go func() {
		<-arrived
		e.mu.Lock()
		conns := slices.Collect(maps.Keys(e.conns))
		e.mu.Unlock()
		for _, conn := range conns {
			conn.Close(codeClosing, "dies")
		}
	}()
	_, _, err := post(t, c, "https://"+udp.LocalAddr().String()+"/", "1")
	var failed *HTTPError
	if !errors.As(err, &failed) || !failed.Sent {
		t.Fatalf("request to a dying server: %v", err)
	}
}

func TestHTTPClient_ForeignServer(t *testing.T) {
	udp, tcp := publicPair(t)
	servePublic(t, newTestCA(t, "test"), udp, tcp, echo)
	c := httpClient(t, newTestCA(t, "test"), HTTPConfig{QUICWait: 5 * time.Second})
	_, _, err := post(t, c, "https://"+udp.LocalAddr().String()+"/", "1")
	var failed *HTTPError
	if !errors.As(err, &failed) || failed.Sent {
		t.Fatalf("request to a server of another authority: %v", err)
	}
	if _, err := c.Probe(testContext(t), udp.LocalAddr().String()); err == nil {
		t.Error("probe trusts another authority")
	}
}

// Graceful shutdown answers what runs, and refuses what comes.
func TestPublic_Shutdown(t *testing.T) {
	ca := newTestCA(t, "test")
	udp, tcp := publicPair(t)
	url := "https://" + udp.LocalAddr().String() + "/"
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	_, p := servePublic(t, ca, udp, tcp, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		echo(w, r)
	})
	c := httpClient(t, ca, HTTPConfig{QUICWait: 5 * time.Second})
	results := make(chan error, 2)
	for _, rt := range []http.RoundTripper{c, c.tcp} {
		go func() {
			_, body, err := post(t, rt, url, "last")
			if err == nil && !strings.HasSuffix(body, "last") {
				err = fmt.Errorf("body %q", body)
			}
			results <- err
		}()
		<-arrived
	}
	done := make(chan error)
	go func() { done <- p.Shutdown(testContext(t)) }()
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Errorf("a running request was not answered: %v", err)
		}
	}
	c.CloseIdleConnections()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_, _, err := post(t, c, url, "more")
	var failed *HTTPError
	if !errors.As(err, &failed) || failed.Sent {
		t.Errorf("request after shutdown: %v", err)
	}
	if err := p.Shutdown(context.Background()); err != nil {
		t.Errorf("second shutdown: %v", err)
	}
}
