package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

func TestIdentity_URI(t *testing.T) {
	id := Identity{Cluster: "prod", Region: "eu-west", Node: "eu-west-1", Role: RoleNode}
	const want = "spiffe://prod.edgereel/region/eu-west/node/eu-west-1/role/node"
	if id.String() != want {
		t.Errorf("URI %s, want %s", id, want)
	}
	if back, err := ParseIdentity(want); err != nil || back != id {
		t.Errorf("parsed %+v, %v", back, err)
	}
	for _, bad := range []string{
		"", "https://prod.edgereel/region/r/node/n/role/node", "spiffe://prod/region/r/node/n/role/node",
		"spiffe://.edgereel/region/r/node/n/role/node", "spiffe://prod.edgereel/region/r/node/n",
		"spiffe://prod.edgereel/region/r/node/n/role/node/x", "spiffe://prod.edgereel/region//node/n/role/node",
	} {
		if id, err := ParseIdentity(bad); err == nil {
			t.Errorf("%q was parsed as %+v", bad, id)
		}
	}
	for _, bad := range []Identity{{}, {Cluster: "Ü", Region: "r", Node: "n", Role: "x"}, {Cluster: "c", Region: "a/b", Node: "n", Role: "x"}} {
		if uri, err := bad.URI(); err == nil {
			t.Errorf("%+v has URI %s", bad, uri)
		}
	}
}

func TestLoadCredentials(t *testing.T) {
	ca := newTestCA(t, "test")
	dir := t.TempDir()
	id := Identity{Region: "eu", Node: "eu-1", Role: RoleNode}
	if err := ca.issue(id).Save(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, KeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	creds, err := LoadCredentials(LoadConfig{Dir: dir, Cluster: "test", Role: RoleNode})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Identity{Cluster: "test", Region: "eu", Node: "eu-1", Role: RoleNode}); creds.Identity() != want {
		t.Errorf("loaded %+v", creds.Identity())
	}
	foreign := filepath.Join(t.TempDir(), CAFile)
	if err := os.WriteFile(foreign, newTestCA(t, "test").ca.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	otherDir := t.TempDir()
	if err := ca.issue(id).Save(otherDir); err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	for _, tc := range []struct {
		name, want string
		cfg        LoadConfig
	}{
		{"missing", "is missing: issue it", LoadConfig{Dir: t.TempDir()}},
		{"foreign authority", "is not signed by", LoadConfig{Dir: dir, CAFile: foreign}},
		{"expired", "expired at", LoadConfig{Dir: dir, Now: at(48 * time.Hour)}},
		{"not yet valid", "valid only from", LoadConfig{Dir: dir, Now: at(-48 * time.Hour)}},
		{"wrong role", `has role "node", this process needs "operator"`, LoadConfig{Dir: dir, Role: RoleOperator}},
		{"wrong cluster", `is of cluster "test", this process of "prod"`, LoadConfig{Dir: dir, Cluster: "prod"}},
		{"other key", "do not belong together", LoadConfig{Dir: dir, KeyFile: filepath.Join(otherDir, KeyFile)}},
		{"no certificate", "no PEM certificate", LoadConfig{Dir: dir, CAFile: filepath.Join(dir, KeyFile)}},
	} {
		if _, err := LoadCredentials(tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestAuthority_SaveLoad(t *testing.T) {
	ca, dir := newTestCA(t, "test"), filepath.Join(t.TempDir(), "ca")
	if err := ca.ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	if err := ca.ca.Save(dir); err == nil {
		t.Error("an authority was overwritten")
	}
	loaded, err := LoadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Cluster() != "test" {
		t.Errorf("cluster %q", loaded.Cluster())
	}
	again := &testCA{t: t, ca: loaded}
	if _, err := ca.credentials("a", RoleNode).verify(again.credentials("b", RoleNode).peerChain(), x509.ExtKeyUsageClientAuth, time.Now()); err != nil {
		t.Errorf("a loaded authority issues for another cluster: %v", err)
	}
	if _, err := loaded.Issue(IssueConfig{Identity: Identity{Cluster: "other", Region: "r", Node: "n", Role: RoleNode}}); err == nil {
		t.Error("issued for another cluster")
	}
}

// Who gets in, and who is refused, on a real socket.
func TestEndpoint_Identity(t *testing.T) {
	ca := newTestCA(t, "test")
	server := endpoint(t, EndpointConfig{Credentials: ca.credentials("server", RoleNode), Accept: []string{ALPNRaft, ALPNRPC, ALPNH3}})
	entered := make(chan Identity, 16)
	for _, alpn := range []string{ALPNRaft, ALPNRPC} {
		server.Handle(alpn, func(ctx context.Context, conn *Conn) {
			entered <- conn.Peer()
			<-ctx.Done()
		})
	}
	run(t, server)
	addr := server.Addr().String()
	otherDomain := *ca // the same authority key, a certificate of another cluster
	otherDomain.ca = &Authority{cluster: "other", cert: ca.ca.cert, key: ca.ca.key}
	expired := ca.credentials("late", RoleNode)

	for _, tc := range []struct {
		name  string
		creds *Credentials
		alpn  string
		now   func() time.Time
		want  Want
		err   string // empty: admitted
	}{
		{name: "node on raft", creds: ca.credentials("n", RoleNode), alpn: ALPNRaft},
		{name: "operator on rpc", creds: ca.credentials("n", RoleOperator), alpn: ALPNRPC},
		{name: "operator on raft", creds: ca.credentials("n", RoleOperator), alpn: ALPNRaft, err: "refused this process's certificate"},
		{name: "chaos on rpc", creds: ca.credentials("n", RoleChaos), alpn: ALPNRPC, err: "refused this process's certificate"},
		{name: "unknown role", creds: ca.credentials("n", "guest"), alpn: ALPNRPC, err: "refused this process's certificate"},
		{name: "not accepted ALPN", creds: ca.credentials("n", RoleNode), alpn: ALPNGossip, err: "no application protocol"},
		{name: "unknown ALPN", creds: ca.credentials("n", RoleNode), alpn: "edgereel-other/1", err: "no application protocol"},
		{name: "wrong node", creds: ca.credentials("n", RoleNode), alpn: ALPNRaft, want: WantNode("x"), err: `this is node "server", want "x"`},
		{name: "foreign authority", creds: trusting(newTestCA(t, "test").credentials("n", RoleNode), ca), alpn: ALPNRaft, err: "refused this process's certificate"},
		{name: "other trust domain", creds: trusting(otherDomain.credentials("n", RoleNode), ca), alpn: ALPNRaft, err: "cluster"},
		{name: "server of a foreign authority", creds: newTestCA(t, "test").credentials("n", RoleNode), alpn: ALPNRaft, err: "certificate is not trusted"},
		{name: "certificates expired here", creds: expired, alpn: ALPNRaft, now: func() time.Time { return time.Now().Add(48 * time.Hour) }, err: "expired"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := endpoint(t, EndpointConfig{Credentials: tc.creds, Accept: []string{}, Now: tc.now})
			if tc.want == nil {
				tc.want = AnyNode()
			}
			conn, err := client.Dial(testContext(t), addr, tc.alpn, tc.want)
			if tc.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if peer := conn.Peer(); peer.Node != "server" || peer.Role != RoleNode {
					t.Errorf("peer is %s", peer)
				}
				if peer := <-entered; peer != tc.creds.Identity() {
					t.Errorf("server saw %s", peer)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
		})
	}
	if len(entered) != 0 {
		t.Errorf("%s was let in", <-entered)
	}
}

// A peer whose certificate has run out by the server's clock is refused by the server.
func TestEndpoint_ServerRefusesExpired(t *testing.T) {
	ca := newTestCA(t, "test")
	late := func() time.Time { return time.Now().Add(48 * time.Hour) }
	issued, err := ca.ca.Issue(IssueConfig{Identity: Identity{Region: "r", Node: "server", Role: RoleNode}, NotBefore: time.Now(), NotAfter: time.Now().Add(200 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	creds, err := issued.Credentials(late)
	if err != nil {
		t.Fatal(err)
	}
	server := endpoint(t, EndpointConfig{Credentials: creds, Now: late})
	server.Handle(ALPNRPC, func(context.Context, *Conn) { t.Error("let in") })
	run(t, server)
	client := endpoint(t, EndpointConfig{Credentials: ca.credentials("n", RoleNode)})
	if _, err := client.Dial(testContext(t), server.Addr().String(), ALPNRPC, AnyNode()); err == nil || !strings.Contains(err.Error(), "refused this process's certificate") {
		t.Errorf("dial with an expired certificate: %v", err)
	}
	if refused := server.Stats().Refused; refused != 1 {
		t.Errorf("%d peers counted as refused, want 1", refused)
	}
}

// Raw TLS clients without a certificate: also when h3 is offered beside a mesh
// protocol, in either order.
func TestEndpoint_NoCertificate(t *testing.T) {
	ca := newTestCA(t, "test")
	server := endpoint(t, EndpointConfig{Credentials: ca.credentials("server", RoleNode)})
	h3 := make(chan struct{}, 1)
	for _, alpn := range MeshALPNs() {
		server.Handle(alpn, func(context.Context, *Conn) { t.Errorf("let in on %s", alpn) })
	}
	server.Handle(ALPNH3, func(context.Context, *Conn) { h3 <- struct{}{} })
	run(t, server)
	for _, offers := range [][]string{{ALPNRaft}, {ALPNH3, ALPNRaft}, {ALPNGossip, ALPNH3}} {
		conn, err := quic.DialAddr(testContext(t), server.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: offers}, nil)
		if err == nil {
			_, err = conn.AcceptUniStream(testContext(t))
		}
		var alert *quic.TransportError
		if !errors.As(err, &alert) || !alert.Remote || !alert.ErrorCode.IsCryptoError() {
			t.Errorf("offering %v without a certificate: %v", offers, err)
		}
	}
	conn, err := quic.DialAddr(testContext(t), server.Addr().String(), &tls.Config{RootCAs: ca.credentials("x", RoleNode).roots, NextProtos: []string{ALPNH3}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-h3
	conn.CloseWithError(0, "")
}

func TestEndpoint_SetCredentials(t *testing.T) {
	old, next := newTestCA(t, "test"), newTestCA(t, "test")
	server := endpoint(t, EndpointConfig{Credentials: old.credentials("server", RoleNode)})
	server.Handle(ALPNRPC, func(ctx context.Context, _ *Conn) { <-ctx.Done() })
	run(t, server)
	client := endpoint(t, EndpointConfig{Credentials: old.credentials("client", RoleNode)})
	conn, err := client.Dial(testContext(t), server.Addr().String(), ALPNRPC, AnyNode())
	if err != nil {
		t.Fatal(err)
	}
	both := trusting(old.credentials("server", RoleNode), next)
	both.roots.AddCert(old.ca.cert)
	server.SetCredentials(both)
	if conn.Err() != nil {
		t.Fatalf("connection ended while its authority is trusted: %v", conn.Err())
	}
	server.SetCredentials(next.credentials("server", RoleNode))
	select {
	case <-conn.Done():
	case <-testContext(t).Done():
		t.Fatal("connection outlived the trust in its peer")
	}
	if _, err := client.Dial(testContext(t), server.Addr().String(), ALPNRPC, AnyNode()); err == nil {
		t.Error("a peer without the new trust got in again")
	}
}

// A closed port is silent: the dial must end by its own clock, about a second.
func TestEndpoint_DialSilence(t *testing.T) {
	ca := newTestCA(t, "test")
	silent := loopback(t)
	defer silent.Close()
	client := endpoint(t, EndpointConfig{Credentials: ca.credentials("n", RoleNode), HandshakeTimeout: time.Second})
	ctx := testContext(t)
	_, err := client.Dial(ctx, silent.LocalAddr().String(), ALPNRPC, AnyNode())
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "nothing answers there") {
		t.Errorf("dial of a silent port: %v (%v)", err, ctx.Err())
	}
}

// trusting is creds that trust another authority than their own.
func trusting(creds *Credentials, ca *testCA) *Credentials {
	changed := *creds
	changed.roots = ca.credentials("x", RoleNode).Roots()
	return &changed
}
