package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/edgereel/edgereel/consensus/plain"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/membership"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/node/releases"
	"github.com/edgereel/edgereel/node/router"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/wallet"
)

// methodForward is the mesh call of a forwarded request.
const methodForward = router.Method

// Times of stopping.
const (
	drainTimeout    = 5 * time.Second
	leaveTimeout    = 2 * time.Second
	shutdownTimeout = 3 * time.Second
)

// Node is one running node. Its fields are set by New; mu guards led.
type Node struct {
	opts Options
	cfg  config.Config
	tel  *telemetry.Telemetry
	log  *slog.Logger
	now  func() time.Time

	mesh    *transport.Mesh
	rpc     *transport.RPC
	peers   *peers
	members *membership.Membership
	store   *storage.Store
	host    *gamelogic.Host
	modules modulesOf
	// times are those of this node's evaluations. fetchModule asks for a module
	// that this node lacks and returns at once; nil where nobody delivers any.
	times       *leader.Times
	fetchModule func(digest wallet.Hash)
	blobs       *blobs.Store
	bulk        *transport.Bulk
	registry    *registry.Service
	registryLog *plain.Group
	releases    *releases.Service
	ring        *seeds.Ring
	directory   *seeds.Directory
	tokens      *seeds.Tokens
	router      *router.Router
	replicas    map[uint32]*replica
	public      *transport.Public
	endpoints   endpoints

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	// cleanup lists what Close ends, in the order it was started.
	cleanup []cleanup

	mu  sync.Mutex
	led map[uint32]bool

	closing  sync.Once
	closeErr error
}

type cleanup struct {
	name  string
	close func() error
}

// New starts a node. It has replayed nothing and leads nothing when New
// returns; health says when it is ready. On an error everything that was
// started, the sockets included, is closed again.
func New(ctx context.Context, opts Options) (*Node, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	n := &Node{
		opts: opts, cfg: opts.Config, tel: opts.Telemetry, log: opts.Telemetry.Log, now: opts.Now,
		replicas: map[uint32]*replica{}, led: map[uint32]bool{}, times: leader.NewTimes(),
	}
	n.ctx, n.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	for _, start := range []func() error{
		n.startSecrets, n.startStore, n.startTransport, n.startMembership, n.startRegistry, n.startGames, n.startShards, n.startPublic, n.startAdmin,
	} {
		if err := start(); err != nil {
			// A socket that no component took over is closed here; closing one
			// twice is harmless.
			_ = errors.Join(n.Close(), opts.Sockets.close())
			return nil, err
		}
	}
	n.watchHealth()
	n.watch()
	n.log.Info("node started", "version", Version, "region", n.cfg.Region, "boot", n.store.Boot(), "public", n.cfg.Addresses.Public)
	return n, nil
}

// onClose registers what Close has to end.
func (n *Node) onClose(name string, fn func() error) {
	n.cleanup = append(n.cleanup, cleanup{name, fn})
}

// fatal ends the node: a replica or the disk may not go on (PROTOCOL 26).
func (n *Node) fatal(err error) {
	n.log.Error("the node must stop", "error", err)
	n.cancel(fmt.Errorf("the node must stop: %w", err))
}

// leads keeps the gossiped list of led shards up to date.
func (n *Node) leads(shard uint32, leads bool) {
	n.mu.Lock()
	n.led[shard] = leads
	var led []uint32
	for id, yes := range n.led {
		if yes {
			led = append(led, id)
		}
	}
	n.mu.Unlock()
	slices.Sort(led)
	if err := n.members.UpdateMeta(func(s *membership.Status) { s.Leads = led }); err != nil {
		n.log.Warn("led shards not gossiped", "error", err)
	}
}

// Failed is closed when the node must stop by itself; Err tells why.
func (n *Node) Failed() <-chan struct{} { return n.ctx.Done() }

// Err tells why a node stopped by itself, nil while it runs.
func (n *Node) Err() error { return context.Cause(n.ctx) }

// Drain prepares a planned stop: no new players, leadership given away, the
// others told. It returns when that is done or ctx ends.
func (n *Node) Drain(ctx context.Context) error {
	n.tel.Health.Draining()
	err := n.members.UpdateMeta(func(s *membership.Status) { s.Draining = true })
	// All shards at once: one that finds no heir must not hold up the others.
	drained := make(chan error, len(n.replicas)+1)
	n.wg.Go(func() { drained <- n.resignRegistry(ctx) })
	for _, r := range n.replicas {
		n.wg.Go(func() { drained <- r.group.Drain(ctx) })
	}
	for range len(n.replicas) + 1 {
		err = joinErr(err, <-drained)
	}
	return joinErr(err, n.members.Leave(leaveTimeout))
}

// Close ends everything and waits for it, newest first. It is idempotent.
func (n *Node) Close() error {
	n.closing.Do(func() {
		for _, c := range slices.Backward(n.cleanup) {
			if err := c.close(); err != nil {
				n.closeErr = errors.Join(n.closeErr, fmt.Errorf("close %s: %w", c.name, err))
			}
		}
		// Only now: the endpoints run under this context, and what ends before
		// them still has calls to answer.
		n.cancel(nil)
		n.wg.Wait()
	})
	return n.closeErr
}

// Run serves until ctx ends, then drains and closes. It returns an error when
// the node had to stop by itself.
func (n *Node) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := n.Drain(drain); err != nil {
			n.log.Warn("drained with errors", "error", err)
		}
		return n.Close()
	case <-n.ctx.Done():
		return errors.Join(n.Err(), n.Close())
	}
}

func joinErr(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}

// serveHTTP runs a server on a listener until it is closed.
func (n *Node) serveHTTP(name string, server *http.Server, serve func() error) {
	n.wg.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.fatal(fmt.Errorf("serve %s: %w", name, err))
		}
	})
	n.onClose(name, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return server.Close()
		}
		return err
	})
}
