package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// Group is one replica of a wallet shard.
//
// The proposer goroutine owns everything about leading: the queue's far end,
// the entry in flight, the clock anchor. Raft's own goroutines own the machine.
type Group struct {
	cfg     Config
	raft    *raft.Raft
	machine *machine
	tasks   chan *pending

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	closing   sync.Once
	closeErr  error
	draining  chan struct{}
	drainOnce sync.Once
}

// Open starts a replica. The first start of a shard founds its group with
// exactly the configured voters; later starts read it from the log.
func Open(cfg Config) (*Group, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open shard %d: %w", cfg.Shard, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Group{
		cfg: cfg, ctx: ctx, cancel: cancel,
		tasks: make(chan *pending, cfg.QueueSize), draining: make(chan struct{}),
	}
	g.machine = &machine{cfg: &g.cfg, stop: ctx, shard: wallet.New()}
	rc := cfg.raftConfig()
	if err := found(rc, &cfg); err != nil {
		cancel()
		return nil, fmt.Errorf("open shard %d: %w", cfg.Shard, err)
	}
	r, err := raft.NewRaft(rc, g.machine, cfg.Logs, cfg.Stable, cfg.Snapshots, cfg.Transport)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open shard %d: %w", cfg.Shard, err)
	}
	g.raft = r
	observations := make(chan raft.Observation, 64)
	observer := raft.NewObserver(observations, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	r.RegisterObserver(observer)
	g.wg.Go(func() {
		defer r.DeregisterObserver(observer)
		(&proposer{group: g, cfg: &g.cfg, observations: observations}).run(ctx)
	})
	return g, nil
}

// found writes the first configuration where there is no state at all.
func found(rc *raft.Config, cfg *Config) error {
	exists, err := raft.HasExistingState(cfg.Logs, cfg.Stable, cfg.Snapshots)
	if err != nil {
		return fmt.Errorf("look for existing state: %w", err)
	}
	if exists {
		return nil
	}
	var servers []raft.Server
	for _, v := range cfg.Voters {
		servers = append(servers, raft.Server{ID: raft.ServerID(v), Address: raft.ServerAddress(v)})
	}
	err = raft.BootstrapCluster(rc, cfg.Logs, cfg.Stable, cfg.Snapshots, cfg.Transport, raft.Configuration{Servers: servers})
	if err != nil {
		return fmt.Errorf("found the group: %w", err)
	}
	return nil
}

// Shard is the number of the group's shard.
func (g *Group) Shard() uint32 { return g.cfg.Shard }

// View lets fn read this replica's present state. fn must not keep what it is
// given, wait, or do I/O.
func (g *Group) View(fn func(*wallet.Shard)) { g.machine.view(fn) }

// Leader gives the leader this replica knows, "" for none.
func (g *Group) Leader() string {
	_, id := g.raft.LeaderWithID()
	return string(id)
}

// Leads reports whether this replica believes it leads. Belief is not proof:
// only a committed entry is.
func (g *Group) Leads() bool { return g.raft.State() == raft.Leader }

// Status is what operators see of a replica.
type Status struct {
	Shard        uint32
	Home         string
	Leader       string
	Term         uint64
	LastIndex    uint64
	CommitIndex  uint64
	AppliedIndex uint64
	Voters       []string
	Head         wallet.Head
}

// Status tells where this replica stands.
func (g *Group) Status() Status {
	st := Status{
		Shard: g.cfg.Shard, Home: g.cfg.Home, Leader: g.Leader(), Term: g.raft.CurrentTerm(),
		LastIndex: g.raft.LastIndex(), CommitIndex: g.raft.CommitIndex(), AppliedIndex: g.raft.AppliedIndex(),
		Voters: g.cfg.Voters,
	}
	g.View(func(s *wallet.Shard) { st.Head = s.Head() })
	return st
}

// Snapshot takes a snapshot now, whatever the thresholds say.
func (g *Group) Snapshot() error {
	if err := g.raft.Snapshot().Error(); err != nil {
		return fmt.Errorf("snapshot shard %d: %w", g.cfg.Shard, err)
	}
	return nil
}

// Drain refuses new requests from now on and gives leadership away, so that a
// planned stop costs one transfer instead of an election.
func (g *Group) Drain(ctx context.Context) error {
	g.drainOnce.Do(func() { close(g.draining) })
	if !g.Leads() {
		return nil
	}
	done := make(chan error, 1)
	g.wg.Go(func() { done <- g.raft.LeadershipTransfer().Error() })
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("give leadership of shard %d away: %w", g.cfg.Shard, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("give leadership of shard %d away: %w", g.cfg.Shard, ctx.Err())
	}
}

// Close stops the replica and waits for everything it started. Requests in
// flight are answered with effect unknown.
func (g *Group) Close() error {
	g.closing.Do(func() {
		g.drainOnce.Do(func() { close(g.draining) })
		g.cancel()
		if err := g.raft.Shutdown().Error(); err != nil {
			g.closeErr = fmt.Errorf("stop shard %d: %w", g.cfg.Shard, err)
		}
		g.wg.Wait()
		if c, ok := g.cfg.Transport.(raft.WithClose); ok {
			g.closeErr = errors.Join(g.closeErr, c.Close())
		}
	})
	return g.closeErr
}
