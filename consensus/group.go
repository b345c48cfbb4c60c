package consensus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// Group is one replica of a wallet shard.
//
// The proposer goroutine owns everything about leading: the queue's far end,
// the entry in flight, the clock anchor, moves of leadership. Raft's own
// goroutines own the machine.
type Group struct {
	cfg     Config
	raft    *raft.Raft
	voters  *patient // cfg.Transport, as raft uses it
	machine *machine
	tasks   chan *pending
	moves   chan move
	// stopped is closed when the proposer has answered all it ever took.
	stopped chan struct{}

	cancel context.CancelFunc
	wg     sync.WaitGroup

	closing   sync.Once
	closeErr  error
	draining  chan struct{}
	drainOnce sync.Once
}

// move asks the proposer to give leadership away.
type move struct {
	ctx  context.Context
	done chan error
}

// Open starts a replica. The first start of a shard founds its group with
// exactly the configured voters; later starts read it from the log. The group
// closes cfg.Transport with itself; where Open fails it stays the caller's.
//
// Open waits for no other node: a snapshot whose journal segments are not all
// here is completed from the peers while the replica already follows, but
// nothing newer is applied before that is done.
func Open(cfg Config) (*Group, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open shard %d: %w", cfg.Shard, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Group{
		cfg: cfg, cancel: cancel,
		tasks: make(chan *pending, cfg.QueueSize), moves: make(chan move),
		stopped: make(chan struct{}), draining: make(chan struct{}),
	}
	g.machine = newMachine(&g.cfg, ctx)
	rc := cfg.raftConfig()
	if err := found(rc, &cfg); err != nil {
		cancel()
		return nil, fmt.Errorf("open shard %d: %w", cfg.Shard, err)
	}
	voters, err := newPatient(cfg.Transport)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open shard %d: %w", cfg.Shard, err)
	}
	r, err := newRaft(rc, g.machine, &cfg, voters)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open shard %d: %w", cfg.Shard, err)
	}
	g.raft, g.voters = r, voters
	leads := func() bool { return r.State() == raft.Leader }
	voters.leads.Store(&leads)
	g.wg.Go(g.machine.completeBoot)
	observations := make(chan raft.Observation, 64)
	observer := raft.NewObserver(observations, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	r.RegisterObserver(observer)
	g.wg.Go(func() {
		defer close(g.stopped)
		defer r.DeregisterObserver(observer)
		newProposer(g, observations).run(ctx)
	})
	return g, nil
}

// newRaft is NewRaft, which panics where the log does not begin right after the
// snapshot it could use, before it starts anything.
func newRaft(rc *raft.Config, m raft.FSM, cfg *Config, voters *patient) (r *raft.Raft, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r, err = nil, fmt.Errorf("snapshot and log do not join, this replica has to rejoin as a new member: %v", cause)
		}
	}()
	return raft.NewRaft(rc, m, cfg.Logs, cfg.Stable, cfg.Snapshots, voters)
}

// found writes the first configuration where there is no log at all. It is the
// same entry on every voter, so a replica may write it again where a crash came
// between raft's first term and this entry.
func found(rc *raft.Config, cfg *Config) error {
	var servers raft.Configuration
	for _, v := range cfg.Voters {
		servers.Servers = append(servers.Servers, raft.Server{ID: raft.ServerID(v), Address: raft.ServerAddress(v)})
	}
	exists, err := raft.HasExistingState(cfg.Logs, cfg.Stable, cfg.Snapshots)
	if err != nil {
		return fmt.Errorf("look for existing state: %w", err)
	}
	if !exists {
		err = raft.BootstrapCluster(rc, cfg.Logs, cfg.Stable, cfg.Snapshots, cfg.Transport, servers)
		if err != nil {
			return fmt.Errorf("found the group: %w", err)
		}
		return nil
	}
	last, err := cfg.Logs.LastIndex()
	if err != nil {
		return fmt.Errorf("look for a log: %w", err)
	}
	snaps, err := cfg.Snapshots.List()
	if err != nil {
		return fmt.Errorf("look for snapshots: %w", err)
	}
	if last > 0 || len(snaps) > 0 {
		return nil
	}
	first := &raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(servers)}
	if err := cfg.Logs.StoreLog(first); err != nil {
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

// Leads reports whether this replica believes it leads and can answer. Belief
// is not proof: only a committed entry is.
func (g *Group) Leads() bool { return g.rules() && !g.machine.fuse.isBlown() }

// rules is Leads without regard to whether the machine still works.
func (g *Group) rules() bool { return g.raft.State() == raft.Leader }

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

// Waiting is how many requests wait for the proposer.
func (g *Group) Waiting() int { return len(g.tasks) }

// Snapshot takes a snapshot now, whatever the thresholds say.
func (g *Group) Snapshot() error {
	if err := g.raft.Snapshot().Error(); err != nil {
		return fmt.Errorf("snapshot shard %d: %w", g.cfg.Shard, err)
	}
	return nil
}

// Drain refuses new requests from now on and gives leadership away between two
// entries, so that a planned stop costs one transfer instead of an election and
// leaves no request unknown. It tries until ctx ends.
func (g *Group) Drain(ctx context.Context) error {
	g.drainOnce.Do(func() { close(g.draining) })
	return g.GiveAway(ctx)
}

// GiveAway makes another voter lead between two entries, trying until ctx ends.
// It is done at once where this replica does not lead, or nobody else could.
func (g *Group) GiveAway(ctx context.Context) error {
	m := move{ctx: ctx, done: make(chan error, 1)}
	select {
	case g.moves <- m:
	case <-g.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("give leadership of shard %d away: %w", g.cfg.Shard, ctx.Err())
	}
	if err := <-m.done; err != nil {
		return fmt.Errorf("give leadership of shard %d away: %w", g.cfg.Shard, err)
	}
	return nil
}

// Close stops the replica and waits for everything it started. The entry in
// flight is still answered, waiting requests are refused. cfg.OnFatal must not
// call it.
func (g *Group) Close() error {
	g.closing.Do(func() {
		g.drainOnce.Do(func() { close(g.draining) })
		g.cancel()
		// Raft must outlive what waits for its futures: a shutdown leaves those
		// it has queued unanswered for ever. While it runs it answers each of
		// them, at the latest when its lease ends. Its shutdown closes the
		// transport too.
		g.wg.Wait()
		g.voters.stop()
		if err := g.raft.Shutdown().Error(); err != nil {
			g.closeErr = fmt.Errorf("stop shard %d: %w", g.cfg.Shard, err)
		}
	})
	return g.closeErr
}

// pause waits for d or the end of ctx; false at its end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
