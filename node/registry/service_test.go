package registry_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/consensus/plain"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/transport/simnet"
	"github.com/edgereel/edgereel/wallet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	simPort  = 7400
	simGroup = 0xFFFF_FF00
)

// sim is three voters and an edge on a simulated network.
type sim struct {
	t     *testing.T
	net   *simnet.Network
	nodes map[string]*simNode
	dir   string
	ca    *transport.Authority
}

type simNode struct {
	service  *registry.Service
	group    *plain.Group
	store    *storage.Store
	mesh     *transport.Mesh
	endpoint *transport.Endpoint
	served   chan error
}

func newSim(t *testing.T) *sim {
	t.Helper()
	ca, err := transport.NewAuthority(transport.AuthorityConfig{Cluster: "sim", NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour)})
	check(t, err)
	s := &sim{t: t, ca: ca, dir: t.TempDir(), nodes: map[string]*simNode{}, net: simnet.New(simnet.Config{
		Rand: mathrand.New(mathrand.NewPCG(1, 2)), Default: simnet.Path{Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond},
	})}
	t.Cleanup(func() { s.net.Close() })
	names := []string{"a", "b", "c", "edge"}
	for _, name := range names {
		s.net.AddHost(name)
	}
	for _, name := range names {
		s.open(name)
	}
	t.Cleanup(func() {
		for _, name := range names {
			s.close(name)
		}
	})
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *sim) open(name string) {
	s.t.Helper()
	n := &simNode{served: make(chan error, 1)}
	issued, err := s.ca.Issue(transport.IssueConfig{
		Identity:  transport.Identity{Region: "r-" + name, Node: name, Role: transport.RoleNode},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	})
	check(s.t, err)
	creds, err := issued.Credentials(nil)
	check(s.t, err)
	conn, err := s.net.ListenPacket(name, simPort)
	check(s.t, err)
	n.endpoint, err = transport.NewEndpoint(transport.EndpointConfig{PacketConn: conn, Credentials: creds})
	check(s.t, err)
	n.mesh, err = transport.NewMesh(transport.MeshConfig{Endpoint: n.endpoint, Resolve: func(node string) (string, error) {
		return fmt.Sprintf("%s:%d", s.net.AddHost(node), simPort), nil
	}})
	check(s.t, err)
	machine := registry.NewMachine()
	cfg := registry.Config{
		Node: name, Voters: []string{"a", "b", "c"}, Machine: machine, Now: time.Now, Rand: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	}
	if name != "edge" {
		s.openGroup(name, n, machine, cfg.Voters)
		cfg.Group = n.group
	}
	rpc, err := transport.NewRPC(transport.RPCConfig{Mesh: n.mesh, Handler: func(ctx context.Context, _ transport.Identity, method string, body []byte) ([]byte, error) {
		if method == registry.MethodCommand {
			return n.service.ServeCommand(ctx, body)
		}
		return n.service.ServeState(body)
	}})
	check(s.t, err)
	cfg.Mesh = rpc
	n.service, err = registry.New(cfg)
	check(s.t, err)
	go func() { n.served <- n.endpoint.Run(context.Background()) }()
	s.nodes[name] = n
}

func (s *sim) openGroup(name string, n *simNode, machine *registry.Machine, voters []string) {
	s.t.Helper()
	var err error
	fatal := func(err error) { s.t.Error(err) }
	n.store, err = storage.Open(storage.Config{Dir: filepath.Join(s.dir, name), Cluster: "sim", Node: name, OnFatal: fatal})
	check(s.t, err)
	snaps, err := raft.NewFileSnapshotStoreWithLogger(n.store.SnapshotDir(simGroup), 2, hclog.NewNullLogger())
	check(s.t, err)
	logs := n.store.Group(simGroup)
	n.group, err = plain.Open(plain.Config{
		Name: "registry", Node: name, Voters: voters, Timers: consensus.LAN(), Logs: logs, Stable: logs, Snapshots: snaps,
		Transport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: n.mesh.RaftLayer(simGroup), MaxPool: 3, Timeout: time.Second, Logger: hclog.NewNullLogger(),
		}),
		Machine: machine, Logger: slog.New(slog.DiscardHandler), OnFatal: fatal,
	})
	check(s.t, err)
}

func (s *sim) close(name string) {
	s.t.Helper()
	n := s.nodes[name]
	if n == nil {
		return
	}
	delete(s.nodes, name)
	err := n.service.Close()
	if n.group != nil {
		err = errors.Join(err, n.group.Close())
	}
	err = errors.Join(err, n.mesh.Close(), n.endpoint.Close(), <-n.served)
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	check(s.t, err)
}

// leader waits until the voters agree on one.
func (s *sim) leader() string {
	s.t.Helper()
	for range 1000 {
		for name, n := range s.nodes {
			if n.service.Leads() {
				return name
			}
		}
		<-time.After(20 * time.Millisecond)
	}
	s.t.Fatal("nobody leads")
	return ""
}

// TestService_EveryNodeSubmits: voters and edges alike get operations decided,
// and see what they did at once.
func TestService_EveryNodeSubmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t)
		for i, name := range []string{"a", "b", "c", "edge"} {
			n := s.nodes[name]
			op := addKey("acme", byte(i+1))
			op.Person = "root"
			res, err := n.service.Submit(t.Context(), op)
			if err != nil || res.Seq != uint64(i+1) {
				t.Fatalf("%s: %+v %v", name, res, err)
			}
			if st := n.service.State().Studio("acme"); n.service.State().Seq() < res.Seq || st == nil || len(st.Keys) != i+1 {
				t.Errorf("%s does not see its own operation: %+v", name, st)
			}
			var refusal *registry.Refusal
			if _, err := n.service.Submit(t.Context(), op); !errors.As(err, &refusal) || refusal.Code != registry.CodeKeyExists {
				t.Errorf("%s: the same key again: %v", name, err)
			}
		}
		if at := s.nodes["a"].service.State().AtMS(); time.Since(time.UnixMilli(at)) > time.Minute {
			t.Errorf("operations are stamped %v", time.UnixMilli(at))
		}
	})
}

// TestService_LosesItsLeader: an operation under way while the leader goes is
// decided once, by the next one; the edge learns it.
func TestService_LosesItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t)
		_, changed := s.nodes["edge"].service.Changed()
		old := s.leader()
		done := make(chan error, 1)
		edge := s.nodes["edge"].service
		s.net.Isolate(old)
		op := addKey("acme", 1)
		op.Person, op.ID = "root", "once"
		go func() {
			_, err := edge.Submit(t.Context(), op)
			done <- err
		}()
		check(t, <-done)
		<-changed
		s.net.Rejoin(old)
		res, err := s.nodes[old].service.Submit(t.Context(), op)
		if err != nil || !res.Repeated || res.Seq != 1 {
			t.Errorf("the same id again: %+v %v", res, err)
		}
		for name, n := range s.nodes {
			if seq := n.service.State().Seq(); seq != 1 {
				<-time.After(3 * time.Second)
				if seq = n.service.State().Seq(); seq != 1 {
					t.Errorf("%s stands at %d", name, seq)
				}
			}
		}
	})
}

// TestService_WithoutMajority: nothing is decided, and the error says whether
// it still may be.
func TestService_WithoutMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t)
		leader := s.leader()
		for _, name := range []string{"a", "b", "c"} {
			if name != leader {
				s.net.Isolate(name)
			}
		}
		op := addKey("acme", 1)
		op.Person = "root"
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := s.nodes[leader].service.Submit(ctx, op)
		var own *registry.Error
		if !errors.As(err, &own) || own.Effect != wallet.Unknown {
			t.Errorf("an entry that no majority has: %v", err)
		}
		s.net.Isolate("edge")
		// What is sent over a connection that does not know yet is unknown too.
		<-time.After(5 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		op.ID = ""
		if _, err = s.nodes["edge"].service.Submit(ctx, op); !errors.As(err, &own) || own.Effect != wallet.NotAppliedRetryable {
			t.Errorf("an edge that reaches nobody: %v", err)
		}
	})
}
