package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/transport"
)

// realNode serves a branch of the bank over HTTP/3 and HTTP/2 on loopback.
type realNode struct {
	address string
	stop    func()
}

func startNode(t *testing.T, authority *transport.Authority, b *bank, name, region string) *realNode {
	t.Helper()
	now := time.Now()
	issued, err := authority.Issue(transport.IssueConfig{
		Identity:  transport.Identity{Region: region, Node: name, Role: transport.RoleNode},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := issued.Credentials(nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := transport.ListenUDP(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := transport.NewEndpoint(transport.EndpointConfig{
		PacketConn: socket, Credentials: credentials, Accept: []string{transport.ALPNH3},
	})
	if err != nil {
		t.Fatal(err)
	}
	public, err := transport.ServePublic(transport.PublicConfig{
		Endpoint: endpoint, Listener: listener, Handler: (&branch{bank: b, node: name}).handler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- endpoint.Run(context.Background()) }()
	stop := sync.OnceFunc(func() {
		if err := errors.Join(public.Close(), endpoint.Close(), <-ran); err != nil {
			t.Errorf("stop %s: %v", name, err)
		}
	})
	t.Cleanup(stop)
	return &realNode{address: listener.Addr().String(), stop: stop}
}

// realCluster starts three nodes and a client of them.
func realCluster(t *testing.T, b *bank, configure func(*client.Config)) (*client.Client, map[string]*realNode) {
	t.Helper()
	now := time.Now()
	authority, err := transport.NewAuthority(transport.AuthorityConfig{
		Cluster: "test", NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := authority.Issue(transport.IssueConfig{
		Identity: transport.Identity{Region: "r", Node: "n", Role: transport.RoleNode}, NotBefore: now, NotAfter: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := issued.Credentials(nil)
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]*realNode{}
	cfg := client.Config{CA: credentials.Roots(), AttemptTimeout: 300 * time.Millisecond}
	for _, at := range regions {
		nodes[at.Name] = startNode(t, authority, b, at.Name, at.Region)
		at.Address = nodes[at.Name].address
		cfg.Nodes = append(cfg.Nodes, at)
	}
	if configure != nil {
		configure(&cfg)
	}
	c, err := client.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, nodes
}

func TestPlay_OverHTTP3(t *testing.T) {
	b := newBank(nil)
	c, _ := realCluster(t, b, nil)
	player := c.Player("token", "w")
	for number := range uint64(5) {
		if _, err := player.Play(t.Context(), step(number+1)); err != nil {
			t.Fatal(err)
		}
	}
	if balance, _ := b.money(); balance != 99_500 {
		t.Errorf("balance %d", balance)
	}
	if got := slices.Compact(nodesOf(b.attempts("play"))); len(got) != 1 || got[0] != c.Nearest() {
		t.Errorf("asked %v, nearest is %q", got, c.Nearest())
	}
}

// TestPlay_NodeDiesAfterApplying kills the node that applied the step before it
// could answer: the same key must give the first result at another node.
func TestPlay_NodeDiesAfterApplying(t *testing.T) {
	var victim string
	applied := make(chan struct{})
	script := func(s *seen) action {
		if s.key == "w-1/2" && victim == "" {
			victim = s.node
			close(applied)
			return action{applied: true, silent: true}
		}
		return action{applied: true}
	}
	b := newBank(script)
	c, nodes := realCluster(t, b, nil)
	player := c.Player("token", "w")
	if _, err := player.Play(t.Context(), step(1)); err != nil {
		t.Fatal(err)
	}
	died := make(chan struct{})
	go func() {
		defer close(died)
		<-applied
		nodes[c.Nearest()].stop()
	}()
	played, err := player.Play(t.Context(), step(2))
	<-died
	if err != nil {
		t.Fatal(err)
	}
	attempts := b.attempts("play")[1:]
	sameAttempts(t, attempts, len(attempts))
	if balance, seq := b.money(); balance != 99_800 || seq != 3 || played.GetBalanceMinor() != 99_800 {
		t.Errorf("balance %d at %d, answer %v", balance, seq, played)
	}
	if last := attempts[len(attempts)-1].node; last == victim || player.Stats().Failovers == 0 {
		t.Errorf("answered by %s with %d failovers, %s died", last, player.Stats().Failovers, victim)
	}
}

// TestPlay_OverHTTP2 has no UDP at all.
func TestPlay_OverHTTP2(t *testing.T) {
	b := newBank(nil)
	c, _ := realCluster(t, b, func(cfg *client.Config) {
		reach, err := transport.NewHTTPClient(transport.HTTPConfig{
			Roots: cfg.CA, QUICWait: time.Millisecond,
			PacketConn: func() (net.PacketConn, error) {
				socket, err := net.ListenPacket("udp", "127.0.0.1:0")
				return deafSocket{socket}, err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg.HTTP = reach
		cfg.ProbeWait = 50 * time.Millisecond
	})
	if c.Nearest() != "" {
		t.Errorf("nearest %q without UDP", c.Nearest())
	}
	if _, err := c.Player("token", "w").Play(t.Context(), step(1)); err != nil {
		t.Fatal(err)
	}
	if balance, _ := b.money(); balance != 99_900 {
		t.Errorf("balance %d", balance)
	}
}

// deafSocket loses every packet it should send.
type deafSocket struct{ net.PacketConn }

func (deafSocket) WriteTo(packet []byte, _ net.Addr) (int, error) { return len(packet), nil }

// TestPlay_NotSentIsNotUnknown asks for nodes that surely got nothing.
func TestPlay_NotSentIsNotUnknown(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	c, err := client.New(t.Context(), client.Config{
		Nodes: []client.Node{{Name: "n", Address: closed}}, ProbeWait: 10 * time.Millisecond,
		AttemptTimeout: time.Second, Budget: 1500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Player("token", "w").Play(t.Context(), step(1))
	if client.EffectOf(err) != client.NotAppliedRetryable {
		t.Errorf("nobody listens, so nothing was sent: %v", err)
	}
}

// trickster serves garbage: an answer nobody can read is no answer.
type trickster struct{ wire }

func (*trickster) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		_, _ = io.Copy(io.Discard, request.Body)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/proto"}},
		Body: io.NopCloser(&garbage{}), Request: request,
	}, nil
}

type garbage struct{ done bool }

func (g *garbage) Read(p []byte) (int, error) {
	if g.done {
		return 0, io.ErrUnexpectedEOF
	}
	g.done = true
	return copy(p, "\xff\xff\xff"), nil
}

func TestPlay_GarbageIsUnknown(t *testing.T) {
	c, err := client.New(t.Context(), client.Config{Nodes: regions, HTTP: &trickster{}, Budget: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Player("token", "w").Play(t.Context(), step(1))
	if client.EffectOf(err) != client.Unknown {
		t.Errorf("garbage must not be taken for an answer: %v", err)
	}
}
