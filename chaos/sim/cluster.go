package sim

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/node"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/transport/simnet"
)

// Settle is the virtual time a bubble needs after Cluster.Close: the gossip
// library does not wait for a probe under way.
const Settle = 10 * time.Second

// ClusterConfig describes a simulated cluster.
type ClusterConfig struct {
	// Dir is the folder of all files; required, and empty or absent.
	Dir string
	// Regions get one node and one shard each; nil is the three of the demo.
	Regions []string
	// Seed decides jitter and loss of the network.
	Seed uint64
	// Between is the way from one region to another; zero is 5 ms with 1 ms of
	// jitter and one packet in a thousand lost.
	Between simnet.Path
	// Raft tunes the shards; zero takes snapshots often enough that a node
	// that was away has to install one.
	Raft config.Raft
	// SegmentRecords of a journal segment; 0 is 256.
	SegmentRecords uint32
	// LogLevel of the nodes; empty is "warn". LogOutput takes their JSON lines;
	// nil drops them.
	LogLevel  string
	LogOutput io.Writer
}

func (cfg *ClusterConfig) setDefaults() {
	if cfg.Regions == nil {
		cfg.Regions = []string{"eu-west", "us-east", "ap-south"}
	}
	if cfg.Between == (simnet.Path{}) {
		cfg.Between = simnet.Path{Delay: 5 * time.Millisecond, Jitter: time.Millisecond, Loss: 0.001}
	}
	if cfg.Raft == (config.Raft{}) {
		cfg.Raft = config.Raft{SnapshotEntries: 300, SnapshotCheckMS: 5000, TrailingEntries: 100}
	}
	if cfg.SegmentRecords == 0 {
		cfg.SegmentRecords = 256
	}
	if cfg.LogLevel == "" {
		cfg.LogLevel = "warn"
	}
	if cfg.LogOutput == nil {
		cfg.LogOutput = io.Discard
	}
}

// Member is one place for a node: a host, its files, and the node while it runs.
type Member struct {
	Name, Region string
	// Node is nil while the member is down.
	Node *node.Node

	config   config.Config
	store    *storage.Store
	journals map[uint32]*storage.Journal
	// ahead is how far the node's clock is, in nanoseconds.
	ahead atomic.Int64
}

func (m *Member) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

// Cluster is a simulated cluster. It belongs to one goroutine.
type Cluster struct {
	cfg           ClusterConfig
	network       *simnet.Network
	members       []*Member
	roots         *x509.CertPool
	operatorToken string
}

// NewCluster lays out the files and starts every node.
func NewCluster(ctx context.Context, cfg ClusterConfig) (*Cluster, error) {
	cfg.setDefaults()
	if cfg.Dir == "" {
		return nil, errors.New("a simulated cluster needs a folder for its files")
	}
	c := &Cluster{cfg: cfg, network: simnet.New(simnet.Config{
		Rand: rand.New(rand.NewPCG(cfg.Seed, 1)), Default: cfg.Between, //nolint:gosec // a network, no secret
	})}
	for _, region := range cfg.Regions {
		c.members = append(c.members, &Member{Name: region + "-1", Region: region})
	}
	err := c.layout()
	for i := range c.members {
		if err == nil {
			err = c.Start(ctx, i)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Network is where faults of the network are made. Hosts have the members' names.
func (c *Cluster) Network() *simnet.Network { return c.network }

// Members are the places for nodes, in the order of the regions.
func (c *Cluster) Members() []*Member { return c.members }

// OperatorToken is good for every call of operators and of the audit.
func (c *Cluster) OperatorToken() string { return c.operatorToken }

// Start starts the node of a member that is down, on the files it left.
func (c *Cluster) Start(ctx context.Context, i int) error {
	m := c.members[i]
	if m.Node != nil {
		return fmt.Errorf("start %s: it runs already", m.Name)
	}
	tel, err := telemetry.New(telemetry.Config{
		Cluster: clusterName, Node: m.Name, Region: m.Region, Build: node.Version, LogLevel: c.cfg.LogLevel, LogOutput: c.cfg.LogOutput,
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	var sockets node.Sockets
	if sockets.Mesh, err = c.network.ListenPacket(m.Name, meshPort); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	if sockets.Public, err = c.network.ListenPacket(m.Name, publicPort); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, errors.Join(err, sockets.Mesh.Close()))
	}
	c.network.Up(m.Name)
	m.Node, err = node.New(ctx, node.Options{
		Config: m.config, Telemetry: tel, Sockets: sockets, SegmentRecords: c.cfg.SegmentRecords, Now: m.now,
		OnStore: func(store *storage.Store, journals map[uint32]*storage.Journal) {
			m.store, m.journals = store, journals
		},
	})
	if err != nil {
		m.Node = nil
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	return nil
}

// Kill ends nodes, all at the same instant, as the end of their processes would:
// nothing of them reaches the network or their files any more, and of what their
// journals had not synced the first keepUnsynced bytes survive. It takes the
// virtual time the goroutines of the dead nodes need to end.
func (c *Cluster) Kill(keepUnsynced int64, members ...int) {
	for _, i := range members {
		c.network.Down(c.members[i].Name)
	}
	for _, i := range members {
		m := c.members[i]
		if m.Node == nil {
			continue
		}
		m.store.Abandon()
		for _, journal := range m.journals {
			journal.Abandon(keepUnsynced)
		}
	}
	var ends sync.WaitGroup
	for _, i := range members {
		if m := c.members[i]; m.Node != nil {
			// A node whose files refuse it closes with errors: its process is gone.
			ends.Go(func() { _ = m.Node.Close() })
		}
	}
	ends.Wait()
	for _, i := range members {
		c.members[i].Node = nil
	}
}

// Stop ends a node as planned: it gives leadership away, leaves and closes.
func (c *Cluster) Stop(ctx context.Context, i int) error {
	m := c.members[i]
	if m.Node == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := errors.Join(m.Node.Drain(ctx), m.Node.Close())
	m.Node = nil
	if err != nil {
		return fmt.Errorf("stop %s: %w", m.Name, err)
	}
	return nil
}

// Leader is the member that the others take for the leader of a shard, -1
// while nobody is.
func (c *Cluster) Leader(shard uint32) int {
	votes := map[string]int{}
	for _, status := range c.Statuses() {
		for _, s := range status.GetShards() {
			if s.GetShard() == shard {
				votes[s.GetLeader()]++
			}
		}
	}
	for i, m := range c.members {
		if votes[m.Name] > len(c.members)/2 {
			return i
		}
	}
	return -1
}

// Statuses asks every running node what it knows, within the process.
func (c *Cluster) Statuses() []*edgereelv1.StatusResponse {
	var all []*edgereelv1.StatusResponse
	for _, m := range c.members {
		if m.Node == nil {
			continue
		}
		if status, err := m.Node.Status(context.Background(), &edgereelv1.StatusRequest{}); err == nil {
			all = append(all, status)
		}
	}
	return all
}

// Client makes a client on a host of the simulated network, as near to a region
// as two machines of one city. The caller closes it.
func (c *Cluster) Client(ctx context.Context, host, region string, cfg client.Config) (*client.Client, error) {
	c.network.AddHost(host)
	for _, m := range c.members {
		if m.Region == region {
			c.network.SetLink(host, m.Name, simnet.Path{Delay: time.Millisecond, Jitter: 200 * time.Microsecond})
		}
		cfg.Nodes = append(cfg.Nodes, client.Node{Name: m.Name, Region: m.Region, Address: m.config.Addresses.Public})
	}
	reach, err := transport.NewHTTPClient(transport.HTTPConfig{
		Roots: c.roots, LookupHost: c.network.LookupHost,
		PacketConn: func() (net.PacketConn, error) { return c.network.ListenPacket(host, 0) },
		DialTCP: func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("dial TCP: %w", syscall.ECONNREFUSED) // the simulated network has none
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open a client on %s: %w", host, err)
	}
	cfg.HTTP = reach
	return client.New(ctx, cfg)
}

// Close ends every node and the network.
func (c *Cluster) Close() error {
	var errs []error
	for i := range c.members {
		if m := c.members[i]; m.Node != nil {
			if err := m.Node.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close %s: %w", m.Name, err))
			}
			m.Node = nil
		}
	}
	return errors.Join(append(errs, c.network.Close())...)
}
