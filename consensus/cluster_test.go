package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/transport/simnet"
	"github.com/edgereel/edgereel/wallet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testShard   = 7
	testCluster = "sim"
	simPort     = 7400
	testGame    = "dice"
	stakeMinor  = 10
)

var testDigest = wallet.Hash{9}

// cluster is a wallet shard on simulated nodes: real files, raft and QUIC, and
// a network and clocks that a test bends. mu guards the nodes' state.
type cluster struct {
	t       *testing.T
	seed    uint64
	dir     string
	net     *simnet.Network
	ca      *transport.Authority
	names   []string
	home    string
	timers  map[string]Timers
	segment uint32
	fault   func(node string) storage.CommitFunc
	// builds are the versions of the ledger that the nodes' builds say they
	// know; nil leaves the shard at version 1.
	builds map[string]uint8

	mu    sync.Mutex
	rand  *rand.Rand
	nodes map[string]*simNode
	// refuse makes Peers.Segment fail that often; segments counts the served.
	refuse, segments int
}

// simNode is one node; what a crash leaves is in dir.
type simNode struct {
	c    *cluster
	name string
	dir  string
	// skew is added to the node's wall clock, stall is what its disk takes.
	skew  time.Duration
	stall time.Duration

	up       bool
	since    time.Time
	group    *Group
	store    *storage.Store
	journal  *storage.Journal
	endpoint *transport.Endpoint
	mesh     *transport.Mesh
	served   chan error
	fatal    []error
	// told is the leader the observer heard of last.
	told    string
	entries int
}

func testTimers() Timers {
	t := LAN()
	t.SnapshotEntries, t.SnapshotEvery, t.TrailingEntries = 40, 3*time.Second, 20
	return t
}

func newCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	now := time.Now()
	ca, err := transport.NewAuthority(transport.AuthorityConfig{Cluster: testCluster, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{
		t: t, seed: seed, dir: t.TempDir(), ca: ca, names: []string{"a", "b", "c"}, timers: map[string]Timers{}, segment: 64,
		rand: rand.New(rand.NewPCG(seed, 1)), nodes: map[string]*simNode{},
		net: simnet.New(simnet.Config{
			Rand:    rand.New(rand.NewPCG(seed, 2)),
			Default: simnet.Path{Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond},
		}),
	}
	t.Cleanup(func() { c.net.Close() })
	for _, name := range c.names {
		c.net.AddHost(name)
		c.nodes[name] = &simNode{c: c, name: name, dir: filepath.Join(c.dir, name)}
	}
	return c
}

// start opens all nodes and waits for a leader that answers.
func (c *cluster) start() *simNode {
	c.t.Helper()
	for _, name := range c.names {
		c.open(name)
	}
	c.t.Cleanup(func() {
		for _, name := range c.names {
			c.close(name)
		}
	})
	return c.leader("")
}

func (c *cluster) open(name string) {
	c.t.Helper()
	if err := c.tryOpen(name); err != nil {
		c.t.Fatalf("open %s: %v", name, err)
	}
}

func (c *cluster) tryOpen(name string) error {
	n := c.nodes[name]
	issued, err := c.ca.Issue(transport.IssueConfig{
		Identity:  transport.Identity{Region: "r-" + name, Node: name, Role: transport.RoleNode},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	})
	if err != nil {
		return err
	}
	creds, err := issued.Credentials(nil)
	if err != nil {
		return err
	}
	var commit storage.CommitFunc
	if c.fault != nil {
		commit = c.fault(name)
	}
	n.store, err = storage.Open(storage.Config{Dir: n.dir, Cluster: testCluster, Node: name, OnFatal: n.onFatal, Commit: commit, Now: time.Now})
	if err != nil {
		return err
	}
	n.journal, err = storage.OpenJournal(storage.JournalConfig{
		Dir: n.store.JournalDir(testShard), Shard: testShard, SegmentRecords: c.segment, OnFatal: n.onFatal,
	})
	if err != nil {
		return errors.Join(err, n.store.Close())
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(n.store.SnapshotDir(testShard), 2, hclog.NewNullLogger())
	if err != nil {
		return err
	}
	conn, err := c.net.ListenPacket(name, simPort)
	if err != nil {
		return err
	}
	if n.endpoint, err = transport.NewEndpoint(transport.EndpointConfig{PacketConn: conn, Credentials: creds}); err != nil {
		return err
	}
	n.mesh, err = transport.NewMesh(transport.MeshConfig{Endpoint: n.endpoint, Resolve: func(node string) (string, error) {
		return fmt.Sprintf("%s:%d", c.net.AddHost(node), simPort), nil
	}})
	if err != nil {
		return err
	}
	n.served = make(chan error, 1)
	go func(e *transport.Endpoint, served chan error) { served <- e.Run(context.Background()) }(n.endpoint, n.served)
	cfg := c.config(n, snaps)
	group, err := Open(cfg)
	if err != nil {
		err = errors.Join(err, cfg.Transport.(raft.WithClose).Close())
		c.closeRest(n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n.up, n.since, n.group = err == nil, time.Now(), group
	return err
}

func (c *cluster) config(n *simNode, snaps raft.SnapshotStore) Config {
	timers, ok := c.timers[n.name]
	if !ok {
		timers = testTimers()
	}
	logs := n.store.Group(testShard)
	var ledger func(context.Context, string) (uint8, error)
	if c.builds != nil {
		ledger = c.ledgerVersion
	}
	return Config{
		LedgerVersion: ledger,
		Cluster:       testCluster, Shard: testShard, Node: n.name, Voters: c.names, Home: c.home, Timers: timers,
		Logs: logs, Stable: logs, Snapshots: snaps, Journal: n.journal, Peers: n,
		Transport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: n.mesh.RaftLayer(testShard), MaxPool: 3, Timeout: time.Second, Logger: hclog.NewNullLogger(),
		}),
		Bootstrap: bootstrap, Now: n.now, Rand: &seeded{rand: rand.New(rand.NewPCG(c.seed, 3))},
		Logger: testLogger(c.t, n.name), OnFatal: n.onFatal, Observer: n,
	}
}

// ledgerVersion asks a node that is up.
func (c *cluster) ledgerVersion(_ context.Context, node string) (uint8, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.nodes[node].up {
		return 0, errors.New("node is down")
	}
	return c.builds[node], nil
}

func testLogger(t *testing.T, node string) *slog.Logger {
	if os.Getenv("EDGEREEL_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil)).With("node", node)
}

// bootstrap gives a shard its operator and its game.
func bootstrap(s *wallet.Shard) []wallet.Op {
	var ops []wallet.Op
	if _, ok := s.OperatorProfile("acme"); !ok {
		ops = append(ops, &wallet.Operator{Operator: "acme", Jurisdiction: "test"})
	}
	if len(s.Games()) == 0 {
		ops = append(ops, &wallet.Catalogue{
			Game: testGame, Version: "1", Digest: testDigest, Enabled: true, MinStakeMinor: 1, MaxStakeMinor: 1000,
			Modes: []wallet.Mode{{Name: "base", CostX100: 100, MaxWinX: 50}},
		})
	}
	return ops
}

// seeded is a reader of pseudo-random bytes.
type seeded struct{ rand *rand.Rand }

func (s *seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.rand.Uint32())
	}
	return len(b), nil
}

func (n *simNode) now() time.Time {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return time.Now().Round(0).Add(n.skew)
}

func (n *simNode) onFatal(err error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.fatal = append(n.fatal, err)
}

func (n *simNode) Committed(uint32, int, time.Duration) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.entries++
}

func (n *simNode) LeaderChanged(_ uint32, leader string) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.told = leader
}

func (n *simNode) heard() string {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.told
}

func (n *simNode) fatals() []error {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return slices.Clone(n.fatal)
}

// Clocks reads this node's clock and those of the first nodes that are up.
func (n *simNode) Clocks(_ context.Context, voters []string) ([]int64, error) {
	readings := []int64{n.now().UnixMilli()}
	for _, v := range voters {
		if v != n.name && n.Healthy(v) > 0 {
			readings = append(readings, n.c.nodes[v].now().UnixMilli())
		}
		if 2*len(readings) > len(voters) {
			return readings, nil
		}
	}
	return nil, fmt.Errorf("%d readings of %d voters", len(readings), len(voters))
}

// Segment serves from the other nodes' journals.
func (n *simNode) Segment(_ context.Context, _ uint32, voters []string, ref storage.SegmentRef) (io.ReadCloser, error) {
	n.c.mu.Lock()
	refused := n.c.refuse > 0
	if refused {
		n.c.refuse--
	}
	n.c.mu.Unlock()
	if refused {
		return nil, errors.New("no voter answers")
	}
	err := errors.New("no voter is up")
	for _, v := range voters {
		if v == n.name || n.Healthy(v) == 0 {
			continue
		}
		var rc io.ReadCloser
		if rc, err = n.c.nodes[v].journal.OpenSegment(ref); err == nil {
			n.c.mu.Lock()
			n.c.segments++
			n.c.mu.Unlock()
			return rc, nil
		}
	}
	return nil, err
}

func (n *simNode) Healthy(node string) time.Duration {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	other := n.c.nodes[node]
	if !other.up || !n.up {
		return 0
	}
	return max(time.Since(other.since), time.Nanosecond)
}

// close stops a node in order, or does nothing where it is down.
func (c *cluster) close(name string) {
	c.t.Helper()
	n := c.nodes[name]
	c.mu.Lock()
	up := n.up
	n.up = false
	c.mu.Unlock()
	if !up {
		return
	}
	if err := n.group.Close(); err != nil {
		c.t.Errorf("close group of %s: %v", name, err)
	}
	c.closeRest(n)
}

func (c *cluster) closeRest(n *simNode) {
	c.t.Helper()
	if err := n.mesh.Close(); err != nil {
		c.t.Errorf("close mesh of %s: %v", n.name, err)
	}
	if err := errors.Join(n.endpoint.Close(), <-n.served); err != nil {
		c.t.Errorf("close endpoint of %s: %v", n.name, err)
	}
	if err := errors.Join(n.journal.Close(), n.store.Close()); err != nil && len(n.fatals()) == 0 {
		c.t.Errorf("close files of %s: %v", n.name, err)
	}
}

// crash takes a node off the network and drops what it had not synced.
func (c *cluster) crash(name string, keepUnsynced int64) {
	c.t.Helper()
	n := c.nodes[name]
	c.net.Down(name)
	c.mu.Lock()
	n.up = false
	c.mu.Unlock()
	// What was being handled is done with, so that raft meets the dead store
	// only where it can bear it.
	settle(time.Millisecond)
	n.store.Abandon()
	n.journal.Abandon(keepUnsynced)
	_ = n.group.Close()
	c.closeRest(n)
}

// restart brings a crashed node back from its files.
func (c *cluster) restart(name string) {
	c.t.Helper()
	c.net.Up(name)
	c.open(name)
}

// settle lets virtual time pass.
func settle(d time.Duration) { <-time.After(d) }

// eventually lets virtual time pass until cond holds.
func eventually(t *testing.T, what string, limit time.Duration, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); settle(10 * time.Millisecond) {
		if time.Since(start) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// leader waits for a leader other than the named that answers a read.
func (c *cluster) leader(except string) *simNode {
	c.t.Helper()
	var found *simNode
	eventually(c.t, "a leader that answers", time.Minute, func() bool {
		for _, name := range c.names {
			n := c.nodes[name]
			if name == except || !c.alive(n) || !n.group.Leads() {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			_, err := n.group.Submit(ctx, Propose(wallet.ID{}, &wallet.Read{}))
			cancel()
			var refusal *wallet.Refusal
			if err == nil || errors.As(err, &refusal) {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

func (c *cluster) alive(n *simNode) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return n.up
}

func (c *cluster) other(names ...string) *simNode {
	for _, name := range c.names {
		if !slices.Contains(names, name) {
			return c.nodes[name]
		}
	}
	return nil
}

// submit gives a task to one node with a deadline.
func (n *simNode) submit(task Task) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.group.Submit(ctx, task)
}

// must commits a task on the node.
func (n *simNode) must(task Task) Answer {
	n.c.t.Helper()
	a, err := n.submit(task)
	if err != nil {
		n.c.t.Fatal(err)
	}
	return a
}

func openWallet(id wallet.ID) Task {
	return Propose(id, &wallet.OpenWallet{Operator: "acme", Currency: "EUR", Wallet: id})
}

func cash(id wallet.ID, key string, amount int64) wallet.Cash {
	return wallet.Cash{Operator: "acme", Wallet: id, TransactionID: key, AmountMinor: amount, Currency: "EUR"}
}

func deposit(id wallet.ID, key string, amount int64) Task {
	return Propose(id, &wallet.Deposit{Cash: cash(id, key, amount)})
}

// agree waits until all replicas that are up hold the same, and checks it.
func (c *cluster) agree() wallet.Head {
	c.t.Helper()
	var heads []wallet.Head
	eventually(c.t, "replicas stand at one place", time.Minute, func() bool {
		heads = heads[:0]
		for _, name := range c.names {
			if n := c.nodes[name]; c.alive(n) {
				n.group.View(func(s *wallet.Shard) { heads = append(heads, s.Head()) })
			}
		}
		return !slices.ContainsFunc(heads, func(h wallet.Head) bool { return h.Seq != heads[0].Seq || h.TimeMS != heads[0].TimeMS })
	})
	var first []byte
	for _, name := range c.names {
		n := c.nodes[name]
		if !c.alive(n) {
			continue
		}
		var snap []byte
		var sums []wallet.Sum
		var err error
		n.group.View(func(s *wallet.Shard) { snap = s.Snapshot(); sums, err = s.Sums() })
		if first == nil {
			first = snap
		}
		if string(snap) != string(first) {
			c.t.Errorf("%s holds another state at sequence %d", name, heads[0].Seq)
		}
		for _, sum := range sums {
			if sum.SumMinor != 0 {
				c.t.Errorf("%s: accounts in %s sum to %d", name, sum.Currency, sum.SumMinor)
			}
		}
		if err != nil {
			c.t.Error(err)
		}
		if seq, hash := n.journal.Last(); seq != heads[0].Seq || wallet.Hash(hash) != heads[0].Hash {
			c.t.Errorf("%s: journal ends at %d, the state at %d", name, seq, heads[0].Seq)
		}
	}
	return heads[0]
}
