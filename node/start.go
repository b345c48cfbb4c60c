package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/edgereel/edgereel/node/audit"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/membership"
	"github.com/edgereel/edgereel/node/router"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
)

func (n *Node) startSecrets() error {
	var err error
	// A node that votes in no shard may hold neither; its config was checked.
	if path := n.cfg.Keys.Seeds; path != "" {
		if n.ring, err = seeds.LoadRing(path, n.opts.Rand); err != nil {
			return fmt.Errorf("load seed keys: %w", err)
		}
	}
	if path := n.cfg.Keys.Directory; path != "" {
		if n.directory, err = seeds.LoadDirectory(path, n.opts.Rand); err != nil {
			return fmt.Errorf("load directory key: %w", err)
		}
	}
	if n.tokens, err = seeds.LoadTokens(n.cfg.Keys.Tokens); err != nil {
		return fmt.Errorf("load token keys: %w", err)
	}
	return nil
}

func (n *Node) startStore() error {
	var err error
	n.store, err = storage.Open(storage.Config{
		Dir: n.cfg.Data, Cluster: n.cfg.Cluster, Node: n.cfg.Node, Logger: n.log, OnFatal: n.fatal, Observer: fsyncs{n}, Now: n.now,
	})
	if err != nil {
		return fmt.Errorf("open data folder: %w", err)
	}
	n.onClose("store", n.store.Close)
	return nil
}

// fsyncs turns the store's commits into metrics.
type fsyncs struct{ n *Node }

func (f fsyncs) FsyncDone(d time.Duration, _, _ int) { f.n.tel.Metrics.Fsynced(d) }

// startTransport opens the endpoints: one for everything, or one for the mesh
// and one for players.
func (n *Node) startTransport() error {
	creds, err := transport.LoadCredentials(transport.LoadConfig{
		CAFile: n.cfg.Identity.CA, CertFile: n.cfg.Identity.Cert, KeyFile: n.cfg.Identity.Key,
		Cluster: n.cfg.Cluster, Role: transport.RoleNode, Now: n.now,
	})
	if err != nil {
		return err
	}
	if id := creds.Identity(); id.Node != n.cfg.Node || id.Region != n.cfg.Region {
		return fmt.Errorf("the certificate %s is for node %s in %s: issue one for %s in %s, or correct identity.cert",
			n.cfg.Identity.Cert, id.Node, id.Region, n.cfg.Node, n.cfg.Region)
	}
	n.tel.Metrics.CertificateExpires(creds.NotAfter())
	mesh := transport.EndpointConfig{
		PacketConn: n.opts.Sockets.Mesh, Credentials: creds, MeshIdleTimeout: meshIdle, MeshKeepAlive: meshIdle / 4, Now: n.now, Logger: n.log,
	}
	if n.opts.Sockets.Public != nil {
		mesh.Accept = transport.MeshALPNs()
	}
	endpoint, err := n.startEndpoint("mesh", mesh)
	if err != nil {
		return err
	}
	public := endpoint
	if n.opts.Sockets.Public != nil {
		public, err = n.startEndpoint("public", transport.EndpointConfig{
			PacketConn: n.opts.Sockets.Public, Credentials: creds, Accept: []string{transport.ALPNH3}, Now: n.now, Logger: n.log,
		})
		if err != nil {
			return err
		}
	}
	n.endpoints = endpoints{mesh: endpoint, public: public}
	if n.mesh, err = transport.NewMesh(transport.MeshConfig{Endpoint: endpoint, Resolve: n.resolve}); err != nil {
		return err
	}
	n.onClose("mesh", n.mesh.Close)
	n.rpc, err = transport.NewRPC(transport.RPCConfig{Mesh: n.mesh, Handler: n.servePeer, Logger: n.log})
	return err
}

type endpoints struct{ mesh, public *transport.Endpoint }

func (n *Node) startEndpoint(name string, cfg transport.EndpointConfig) (*transport.Endpoint, error) {
	e, err := transport.NewEndpoint(cfg)
	if err != nil {
		return nil, fmt.Errorf("open %s endpoint: %w", name, err)
	}
	n.onClose(name+" endpoint", e.Close)
	return e, nil
}

// runEndpoints begins to accept connections, once all handlers are in place.
func (n *Node) runEndpoints() {
	for _, e := range []*transport.Endpoint{n.endpoints.mesh, n.endpoints.public} {
		n.wg.Go(func() {
			if err := e.Run(n.ctx); err != nil && n.ctx.Err() == nil {
				n.fatal(fmt.Errorf("accept connections: %w", err))
			}
		})
		if n.endpoints.mesh == n.endpoints.public {
			return
		}
	}
}

func (n *Node) resolve(node string) (string, error) {
	p, ok := n.cfg.Peer(node)
	if !ok {
		return "", fmt.Errorf("node %q is not in the address book (peers)", node)
	}
	return p.Mesh, nil
}

func (n *Node) startMembership() error {
	self := n.cfg.Self()
	gossip, err := transport.NewGossip(transport.GossipConfig{Endpoint: n.endpoints.mesh, Advertise: self.Mesh, Logger: n.log})
	if err != nil {
		return err
	}
	var join []membership.Peer
	for _, p := range n.cfg.Peers {
		join = append(join, membership.Peer{Node: p.Node, Mesh: p.Mesh})
	}
	var roles []string
	for _, r := range n.cfg.Roles {
		roles = append(roles, string(r))
	}
	members, err := membership.New(membership.Config{
		Node: n.cfg.Node, Region: n.cfg.Region, Roles: roles, Mesh: self.Mesh, Public: self.Public, Admin: n.cfg.Addresses.Admin,
		Build: Version, Transport: gossip, Join: join, OnChange: n.memberChanged, Now: n.now, Logger: n.log,
	})
	if err != nil {
		return fmt.Errorf("start membership: %w", err)
	}
	n.onClose("membership", members.Close)
	n.members = members
	n.peers = &peers{node: n.cfg.Node, rpc: n.rpc, now: n.now, members: n.members}
	return nil
}

func (n *Node) memberChanged(e membership.Event) {
	n.log.Info("member changed", "change", e.Kind, "member", e.Member.Node, "member_region", e.Member.Region, "state", e.Member.State)
}

func (n *Node) startShards() error {
	var all []router.Shard
	for _, s := range n.cfg.Shards {
		all = append(all, router.Shard{ID: s.ID, Home: s.Home, Voters: s.Voters})
	}
	slots, err := router.NewSlotMap(all)
	if err != nil {
		return err
	}
	n.router = router.New(router.Config{Node: n.cfg.Node, Slots: slots, Mesh: n.rpc, Logger: n.log, Tracer: n.tel.Tracer, Hint: n.gossipedLeader})
	journals := map[uint32]*storage.Journal{}
	for _, s := range n.cfg.Votes() {
		r, err := n.openReplica(s)
		if r != nil {
			n.onClose(fmt.Sprintf("shard %d", s.ID), r.close)
		}
		if err != nil {
			return err
		}
		n.replicas[s.ID] = r
		journals[s.ID] = r.journal
	}
	if n.opts.OnStore != nil {
		n.opts.OnStore(n.store, journals)
	}
	n.runEndpoints()
	n.startReleases()
	return n.startCanary()
}

// gossipedLeader is a hint where this node has no replica.
func (n *Node) gossipedLeader(shard uint32) string {
	for _, m := range n.members.Members() {
		for _, id := range m.Leads {
			if id == shard && m.State == membership.StateAlive {
				return m.Node
			}
		}
	}
	return ""
}

func (n *Node) startPublic() error {
	auditor := &audit.Service{Node: n.cfg.Node, Modules: n.releases, Seeds: n.ring}
	for _, s := range n.cfg.Votes() {
		r := n.replicas[s.ID]
		auditor.Replicas = append(auditor.Replicas, audit.Replica{Shard: s.ID, State: r.group, Journal: r.journal})
	}
	studio, err := n.newStudioService()
	if err != nil {
		return fmt.Errorf("serve studios: %w", err)
	}
	cfg := gateway.Config{
		Studio: studio,
		Node:   n.cfg.Node, Router: n.router, Tokens: n.tokens.Verifier(n.cfg.Cluster, n.now),
		Games: n.listGames, Replica: n.replicaOf, Audit: auditor, Cluster: n,
		RatePerSecond: n.cfg.Limits.RatePerSecond, Burst: n.cfg.Limits.Burst, Now: n.now, Rand: n.opts.Rand,
		Metrics: n.tel.Metrics, Logger: n.log,
	}
	if n.directory != nil {
		cfg.Directory = n.directory
	}
	if issuer, err := n.tokens.Issuer(n.cfg.Cluster, n.now); err == nil {
		cfg.Issuer = &issuer
	} else {
		n.log.Info("this node verifies tokens and issues none", "reason", err)
	}
	g := gateway.New(cfg)
	handler := otelhttp.NewHandler(g.Handler(), "gateway", otelhttp.WithTracerProvider(n.tel.TracerProvider),
		otelhttp.WithPropagators(n.tel.Propagator), otelhttp.WithSpanNameFormatter(func(operation string, _ *http.Request) string { return operation }),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()))
	n.public, err = transport.ServePublic(transport.PublicConfig{
		Endpoint: n.endpoints.public, Listener: n.opts.Sockets.PublicTCP, Handler: handler, MaxBodyBytes: n.cfg.Limits.MaxBodyBytes, Logger: n.log,
	})
	if err != nil {
		return err
	}
	n.onClose("public address", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := n.public.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			return n.public.Close()
		} else if err != nil {
			return err
		}
		return nil
	})
	return nil
}

func (n *Node) replicaOf(shard uint32) gateway.Replica {
	if r := n.replicas[shard]; r != nil {
		return r.group
	}
	return nil
}

func (n *Node) startAdmin() error {
	if n.opts.Sockets.Admin == nil {
		return nil
	}
	mux := n.tel.AdminMux()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			n.look()
		}
		mux.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	n.serveHTTP("admin address", server, func() error { return server.Serve(n.opts.Sockets.Admin) })
	return nil
}

// meshIdle is how long a silent peer keeps its connections: longer than a busy
// machine's scheduler may pause a node, because nothing waits for it (elections
// and calls have times of their own).
const meshIdle = 2 * time.Second
