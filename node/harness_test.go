package node_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/api/token"
	"github.com/edgereel/edgereel/node"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const cluster1 = "test"

// regions of the three nodes, in their order.
func regions() []string { return []string{"eu-west", "us-east", "ap-south"} }

// layout is the files and configurations of a cluster that is not started.
type layout struct {
	dir       string
	authority *transport.Authority
	tokens    *seeds.Tokens
	configs   []config.Config
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freeAddrs finds ports that are free for UDP and TCP and differ from each
// other. They lie below the range outgoing connections take theirs from, so
// that nothing takes one before the node does.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range 50 * n {
		if len(addrs) == n {
			break
		}
		addr := fmt.Sprintf("127.0.0.1:%d", 11_000+mathrand.IntN(8_000))
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		// Held to the end, so that no port is found twice.
		defer func() { must(t, tcp.Close()) }()
		udp, err := transport.ListenUDP(addr)
		if err != nil {
			continue
		}
		must(t, udp.Close())
		addrs = append(addrs, addr)
	}
	if len(addrs) < n {
		t.Fatalf("only %d of %d ports are free", len(addrs), n)
	}
	return addrs
}

func newAuthority(t *testing.T) *transport.Authority {
	t.Helper()
	ca, err := transport.NewAuthority(transport.AuthorityConfig{
		Cluster: cluster1, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	})
	must(t, err)
	return ca
}

// newLayout writes keys, certificates and configurations; change may alter a
// configuration before it is written and loaded.
func newLayout(t *testing.T, change func(i int, cfg *config.Config)) *layout {
	t.Helper()
	l := &layout{dir: t.TempDir(), authority: newAuthority(t)}
	ring, err := seeds.NewRing(rand.Reader, time.Now())
	must(t, err)
	must(t, ring.Save(filepath.Join(l.dir, "seeds.json")))
	directory, err := seeds.NewDirectory(rand.Reader)
	must(t, err)
	must(t, directory.Save(filepath.Join(l.dir, "directory.json")))
	l.tokens, err = seeds.NewTokens(rand.Reader, time.Now())
	must(t, err)
	must(t, l.tokens.Save(filepath.Join(l.dir, "tokens.json")))

	var peers []config.Peer
	var shards []config.Shard
	var voters []string
	addrs := freeAddrs(t, 3*len(regions()))
	for i, region := range regions() {
		name := region + "-1"
		voters = append(voters, name)
		peers = append(peers, config.Peer{Node: name, Region: region, Mesh: addrs[3*i], Public: addrs[3*i+1]})
		shards = append(shards, config.Shard{ID: uint32(i + 1), Home: region})
	}
	for i := range shards {
		shards[i].Voters = voters
	}
	for i, p := range peers {
		files := filepath.Join(l.dir, p.Node)
		l.issue(t, l.authority, files, transport.Identity{Cluster: cluster1, Region: p.Region, Node: p.Node, Role: transport.RoleNode}, time.Hour)
		cfg := config.Config{
			Version: 1, Cluster: cluster1, Node: p.Node, Region: p.Region, Roles: []config.Role{config.RoleEdge, config.RoleVoter},
			Data:      filepath.Join(files, "data"),
			Addresses: config.Addresses{Public: p.Public, Mesh: p.Mesh, Admin: addrs[3*i+2]},
			Identity: config.Identity{
				CA: filepath.Join(files, transport.CAFile), Cert: filepath.Join(files, transport.CertFile), Key: filepath.Join(files, transport.KeyFile),
			},
			Keys: config.Keys{
				Seeds: filepath.Join(l.dir, "seeds.json"), Tokens: filepath.Join(l.dir, "tokens.json"), Directory: filepath.Join(l.dir, "directory.json"),
			},
			Peers: peers, Shards: shards,
			Operators: []config.Operator{{ID: "acme", Jurisdiction: "test"}, {ID: "rival", Jurisdiction: "test"}},
		}
		if change != nil {
			change(i, &cfg)
		}
		path := filepath.Join(files, "node.yaml")
		must(t, cfg.Write(path))
		loaded, err := config.Load(path)
		must(t, err)
		l.configs = append(l.configs, loaded)
	}
	return l
}

// issue writes the identity files of a process.
func (l *layout) issue(t *testing.T, ca *transport.Authority, dir string, id transport.Identity, life time.Duration) {
	t.Helper()
	notBefore := time.Now().Add(-time.Minute)
	if life < 0 {
		notBefore = time.Now().Add(life - time.Minute)
	}
	issued, err := ca.Issue(transport.IssueConfig{Identity: id, NotBefore: notBefore, NotAfter: time.Now().Add(life)})
	must(t, err)
	must(t, os.RemoveAll(dir))
	must(t, issued.Save(dir))
}

// issuer signs tokens as this cluster does, at a clock of its own.
func (l *layout) issuer(t *testing.T, audience string, at time.Duration) token.Issuer {
	t.Helper()
	i, err := l.tokens.Issuer(audience, func() time.Time { return time.Now().Add(at) })
	must(t, err)
	return i
}

// cluster is three nodes of three regions in this process, on loopback.
type cluster struct {
	*layout
	t        *testing.T
	nodes    []*node.Node
	tels     []*telemetry.Telemetry
	spans    []*tracetest.InMemoryExporter
	http     *transport.HTTPClient
	tcp      *http.Client
	operator string
	audits   int
	// logs are what the nodes wrote since their last start.
	logs [3]logBuffer
	// stopped is the node of the planned stop, finn the player who saw it.
	stopped int
	finn    player
	via     int
}

// smallBurst is how many calls one owner has at node 1, for ever; other nodes
// do not bound them.
const smallBurst = 300

// newCluster lays out files and keys and starts all nodes.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	return newClusterWith(t, func(*config.Config) {})
}

// newClusterWith is newCluster with another configuration on every node.
func newClusterWith(t *testing.T, change func(cfg *config.Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, layout: newLayout(t, func(i int, cfg *config.Config) {
		change(cfg)
		// Short segments and logs: a node that was away needs a snapshot and
		// the journal's segments from its peers.
		cfg.Raft = config.Raft{SnapshotEntries: 40, SnapshotCheckMS: 200, TrailingEntries: 20}
		if i == 1 {
			cfg.Limits.RatePerSecond, cfg.Limits.Burst, cfg.Limits.MaxBodyBytes = 0.001, smallBurst, 2048
		}
	})}
	var err error
	c.operator, err = c.issuer(t, cluster1, 0).Operator("acme", gateway.AllRoles(), time.Hour)
	must(t, err)
	creds, err := transport.LoadCredentials(transport.LoadConfig{Dir: filepath.Join(c.dir, "eu-west-1")})
	must(t, err)
	c.http, err = transport.NewHTTPClient(transport.HTTPConfig{Roots: creds.Roots(), QUICWait: 5 * time.Second})
	must(t, err)
	t.Cleanup(func() { _ = c.http.Close() })
	overTCP := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: creds.Roots()}, ForceAttemptHTTP2: true}
	c.tcp = &http.Client{Transport: overTCP}
	t.Cleanup(overTCP.CloseIdleConnections)
	for i := range c.configs {
		c.nodes, c.tels, c.spans = append(c.nodes, nil), append(c.tels, nil), append(c.spans, nil)
		c.start(i)
	}
	return c
}

// start runs a node until the test ends.
func (c *cluster) start(i int) {
	c.t.Helper()
	cfg := c.configs[i]
	c.spans[i] = tracetest.NewInMemoryExporter()
	c.logs[i] = logBuffer{}
	tel, err := telemetry.New(telemetry.Config{
		Cluster: cfg.Cluster, Node: cfg.Node, Region: cfg.Region, Build: node.Version, LogOutput: io.MultiWriter(logTo(c.t), &c.logs[i]), Exporter: c.spans[i],
	})
	must(c.t, err)
	sockets, err := node.OpenSockets(cfg)
	must(c.t, err)
	n, err := node.New(c.t.Context(), node.Options{Config: cfg, Telemetry: tel, Sockets: sockets, SegmentRecords: 32})
	must(c.t, err)
	c.nodes[i], c.tels[i] = n, tel
	c.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			c.t.Errorf("close %s: %v", cfg.Node, err)
		}
		if err := tel.Close(context.Background()); err != nil {
			c.t.Errorf("close telemetry of %s: %v", cfg.Node, err)
		}
	})
}

// flush hands finished spans to the exporters and returns them all.
func (c *cluster) flush(t *testing.T) map[string]tracetest.SpanStubs {
	t.Helper()
	all := map[string]tracetest.SpanStubs{}
	for i, tel := range c.tels {
		provider, ok := tel.TracerProvider.(*sdktrace.TracerProvider)
		if !ok {
			t.Fatalf("provider is %T", tel.TracerProvider)
		}
		must(t, provider.ForceFlush(t.Context()))
		all[c.configs[i].Node] = c.spans[i].GetSpans()
	}
	return all
}

// logTo shows the nodes' logs of a failed test. It is to be called before what
// logs is started: the gossip library's timers log for a moment after they were
// stopped, which a test that has ended must not be given.
func logTo(t *testing.T) io.Writer {
	o := &output{to: t.Output()}
	t.Cleanup(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.to = io.Discard
	})
	return o
}

// output writes to a test until it ends; mu guards to.
type output struct {
	mu sync.Mutex
	to io.Writer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.to.Write(p)
}

// client calls a node's services with a token.
func (c *cluster) client(i int, token string) *connect.Client {
	httpClient := &http.Client{Transport: bearer{c.http, token}}
	return connect.NewClient(connecthttp.NewTransport(httpClient, "https://"+c.configs[i].Addresses.Public))
}

// audit gives the audit of a node, to an operator of its own so that its calls
// have a rate of their own.
func (c *cluster) audit(i int) edgereelv1connect.AuditServiceClient {
	c.audits++
	text, err := c.issuer(c.t, cluster1, 0).Operator(fmt.Sprintf("auditor-%d", c.audits), gateway.AllRoles(), time.Hour)
	must(c.t, err)
	return edgereelv1connect.NewAuditServiceClient(c.client(i, text))
}

type bearer struct {
	next  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// eventually repeats a call until it succeeds or the test's patience ends.
func eventually[T any](t *testing.T, what string, call func(context.Context) (T, error)) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := call(ctx)
		if err == nil {
			return res
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v (%v)", what, err, api.DetailOf(err))
		case <-tick.C:
		}
	}
}

// player is a funded wallet and its owner's token.
type player struct{ name, wallet, token string }

// newPlayer opens a wallet at home in a region, with money in it.
func (c *cluster) newPlayer(t *testing.T, name, home string, balanceMinor int64) player {
	t.Helper()
	return c.newPlayerAt(t, 0, name, home, balanceMinor)
}

func (c *cluster) newPlayerAt(t *testing.T, node int, name, home string, balanceMinor int64) player {
	t.Helper()
	ops := edgereelv1connect.NewOperatorServiceClient(c.client(node, c.operator))
	opened := eventually(t, "open wallet", func(ctx context.Context) (*edgereelv1.OpenWalletResponse, error) {
		return ops.OpenWallet(ctx, &edgereelv1.OpenWalletRequest{Player: name, Currency: "EUR", HomeRegion: home})
	})
	p := player{name: name, wallet: opened.GetWallet().GetWallet()}
	if balanceMinor > 0 {
		_, err := ops.Deposit(t.Context(), &edgereelv1.DepositRequest{
			Wallet: p.wallet, TransactionId: "fund-" + name, AmountMinor: balanceMinor, Currency: "EUR",
		})
		must(t, err)
	}
	issued, err := ops.IssuePlayerToken(t.Context(), &edgereelv1.IssuePlayerTokenRequest{Player: name, Wallet: p.wallet, TtlSeconds: 600})
	must(t, err)
	p.token = issued.GetToken()
	return p
}

// plays gives the player's services at a node.
func (c *cluster) plays(i int, p player) edgereelv1connect.PlayerServiceClient {
	return edgereelv1connect.NewPlayerServiceClient(c.client(i, p.token))
}

// openSession opens a session and returns its name.
func (c *cluster) openSession(t *testing.T, p player, game, key string) string {
	t.Helper()
	return c.openSessionAt(t, 0, p, game, key)
}

func (c *cluster) openSessionAt(t *testing.T, node int, p player, game, key string) string {
	t.Helper()
	res, err := c.plays(node, p).OpenSession(t.Context(), &edgereelv1.OpenSessionRequest{Wallet: p.wallet, Game: game, Key: key, ClientSeed: "luck"})
	must(t, err)
	return res.GetSession().GetSession()
}
