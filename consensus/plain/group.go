package plain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/wallet"
)

// Machine is what the group replicates. Its methods are deterministic and are
// called one after the other.
type Machine interface {
	// Apply applies a committed command and gives its answer, which a refusal
	// is too. An error stops this replica.
	Apply(command []byte) (answer []byte, err error)
	// Snapshot encodes the state, Restore replaces it by an encoded one.
	Snapshot() ([]byte, error)
	Restore(snapshot []byte) error
}

// Config is everything a group is made of. All fields but RaftLogger and
// InFlight are required.
type Config struct {
	// Name of the machine, in errors, logs and snapshots.
	Name   string
	Node   string
	Voters []string
	Timers consensus.Timers

	Logs      raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	// Transport addresses voters by name. The group closes it.
	Transport raft.Transport
	Machine   Machine

	Logger     *slog.Logger
	RaftLogger hclog.Logger
	// OnFatal is told once when this replica must stop; the process should end.
	// It is called from a goroutine of the group and must not wait for Close.
	OnFatal func(error)
	// InFlight bounds the commands under way; the default is 64.
	InFlight int
}

func (cfg *Config) validate() error {
	switch {
	case cfg.Name == "" || len(cfg.Name) > 255 || cfg.Node == "" || cfg.Machine == nil:
		return errors.New("a group needs a name, a node and a machine")
	case cfg.Logs == nil || cfg.Stable == nil || cfg.Snapshots == nil || cfg.Transport == nil:
		return errors.New("a group needs its stores and its transport")
	case cfg.Logger == nil || cfg.OnFatal == nil:
		return errors.New("a group needs a logger and an OnFatal")
	case !slices.Contains(cfg.Voters, cfg.Node):
		return fmt.Errorf("node %q has to be one of the voters %v", cfg.Node, cfg.Voters)
	}
	if cfg.InFlight <= 0 {
		cfg.InFlight = 64
	}
	return nil
}

// enqueueTimeout is how long a command may wait for raft to take it.
const enqueueTimeout = 2 * time.Second

// Group is one replica. mu guards closed; everything else is raft's own or set
// by Open.
type Group struct {
	cfg        Config
	raft       *raft.Raft
	stopVoters func()
	machine    *machine
	slots      chan struct{}

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup // commands raft has to answer; Add only while not closed

	closing  sync.Once
	closeErr error
}

// Open starts a replica. The first start founds the group with exactly the
// configured voters. It waits for no other node. The group closes
// cfg.Transport with itself; where Open fails it stays the caller's.
func Open(cfg Config) (*Group, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Name, err)
	}
	g := &Group{cfg: cfg, slots: make(chan struct{}, cfg.InFlight)}
	g.machine = &machine{cfg: &g.cfg, blown: make(chan struct{})}
	var err error
	g.raft, g.stopVoters, err = consensus.StartRaft(consensus.RaftConfig{
		Node: cfg.Node, Voters: cfg.Voters, Timers: cfg.Timers, Logs: cfg.Logs, Stable: cfg.Stable,
		Snapshots: cfg.Snapshots, Transport: cfg.Transport, RaftLogger: cfg.RaftLogger,
	}, g.machine)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Name, err)
	}
	return g, nil
}

// Leader gives the leader this replica knows, "" for none.
func (g *Group) Leader() string {
	_, id := g.raft.LeaderWithID()
	return string(id)
}

// Leads reports whether this replica believes it leads and can answer.
func (g *Group) Leads() bool { return g.raft.State() == raft.Leader && g.machine.failure() == nil }

// Submit commits one command and gives the machine's answer. The error is a
// *consensus.Error; a deadline that ends while the command is under way leaves
// its effect unknown.
func (g *Group) Submit(ctx context.Context, command []byte) ([]byte, error) {
	if err := g.machine.failure(); err != nil {
		return nil, &consensus.Error{Effect: wallet.NotAppliedRetryable, Code: consensus.CodeUnavailable, Err: err}
	}
	if !g.Leads() {
		// Said before the command is handed over: nothing was proposed.
		return nil, &consensus.Error{Effect: wallet.NotAppliedRetryable, Code: consensus.CodeNotLeader, Leader: g.Leader()}
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, &consensus.Error{Effect: wallet.NotAppliedRetryable, Code: consensus.CodeDeadline, Err: ctx.Err()}
	}
	if !g.begin() {
		<-g.slots
		return nil, &consensus.Error{Effect: wallet.NotAppliedRetryable, Code: consensus.CodeDraining, Err: errors.New("the replica closes")}
	}
	answers := make(chan answer, 1)
	go func() {
		defer g.work.Done()
		defer func() { <-g.slots }()
		answers <- g.propose(command)
	}()
	select {
	case a := <-answers:
		return a.data, a.err
	case <-ctx.Done():
		return nil, &consensus.Error{Effect: wallet.Unknown, Code: consensus.CodeDeadline, Err: ctx.Err()}
	}
}

// answer is what became of one command.
type answer struct {
	data []byte
	err  error
}

func (g *Group) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.work.Add(1)
	return true
}

// propose waits for raft's answer, however long that takes: at the latest it
// comes when the lease ends.
func (g *Group) propose(command []byte) answer {
	future := g.raft.Apply(command, enqueueTimeout)
	if err := future.Error(); err != nil {
		return answer{err: consensus.ProposalError(err, g.Leader())}
	}
	a, ok := future.Response().(*answer)
	if !ok {
		return answer{err: &consensus.Error{Effect: wallet.Unknown, Code: consensus.CodeInternal, Err: fmt.Errorf("the machine answered %T", future.Response())}}
	}
	return *a
}

// Status is what operators see of a replica.
type Status struct {
	Leader       string
	Term         uint64
	CommitIndex  uint64
	AppliedIndex uint64
}

// Status tells where this replica stands.
func (g *Group) Status() Status {
	return Status{Leader: g.Leader(), Term: g.raft.CurrentTerm(), CommitIndex: g.raft.CommitIndex(), AppliedIndex: g.raft.AppliedIndex()}
}

// Snapshot takes a snapshot now, whatever the thresholds say.
func (g *Group) Snapshot() error {
	if err := g.raft.Snapshot().Error(); err != nil {
		return fmt.Errorf("snapshot %s: %w", g.cfg.Name, err)
	}
	return nil
}

// Resign gives leadership away before a planned stop; nothing happens where
// this replica does not lead or is the only voter.
func (g *Group) Resign() error {
	if g.raft.State() != raft.Leader || len(g.cfg.Voters) == 1 {
		return nil
	}
	if err := g.raft.LeadershipTransfer().Error(); err != nil {
		return fmt.Errorf("give leadership of %s away: %w", g.cfg.Name, err)
	}
	return nil
}

// Close stops the replica and waits for everything it started. Commands under
// way are still answered. cfg.OnFatal must not call it.
func (g *Group) Close() error {
	g.closing.Do(func() {
		g.mu.Lock()
		g.closed = true
		g.mu.Unlock()
		// Raft answers every command while it runs and may forget some when it
		// is shut down.
		g.work.Wait()
		g.stopVoters()
		if err := g.raft.Shutdown().Error(); err != nil {
			g.closeErr = fmt.Errorf("stop %s: %w", g.cfg.Name, err)
		}
	})
	return g.closeErr
}
