package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgereel/edgereel/transport/simnet"
)

// Times of recovery. A cluster that is not whole again by then is a violation.
const (
	recoveryLimit = 30 * time.Second
	look          = 50 * time.Millisecond
)

// Injected is a fault that was made.
type Injected struct {
	Fault Fault
	// Node is who it hit, and Led the shards that node led.
	Node string
	Led  []uint32
	// At is when it began and Healed when it ended. Recovery is how long after
	// that every replica had what the cluster had held at that moment, and
	// every shard had a leader all agree on.
	At, Healed time.Time
	Recovery   time.Duration
	// Gap is the longest a player waited for an acknowledgement meanwhile, from
	// the moment they wanted to play.
	Gap time.Duration
}

func (i Injected) String() string {
	return fmt.Sprintf("%s: %s, led %v; longest gap %s, recovered in %s",
		i.Fault, i.Node, i.Led, i.Gap.Round(time.Millisecond), i.Recovery.Round(time.Millisecond))
}

// Inject makes a fault, holds it, heals it and waits for the recovery. An error
// means that the cluster did not come back.
func (c *Cluster) Inject(ctx context.Context, f Fault) (Injected, error) {
	wait(ctx, f.Pause)
	target := c.target(ctx, f)
	done := Injected{Fault: f, Node: c.members[target].Name, Led: c.led(target), At: time.Now()}
	err := c.apply(ctx, f, target)
	done.Healed = time.Now()
	if err != nil {
		return done, fmt.Errorf("%s of %s: %w", f.Kind, done.Node, err)
	}
	if f.Rush {
		return done, nil
	}
	if err := c.Recovered(ctx, recoveryLimit); err != nil {
		return done, fmt.Errorf("after the %s of %s: %w", f.Kind, done.Node, err)
	}
	done.Recovery = time.Since(done.Healed)
	return done, nil
}

// wait lets time pass, as long as ctx does.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// target waits a little for a leader; without one it is the shard's home.
func (c *Cluster) target(ctx context.Context, f Fault) int {
	leader := -1
	for range 40 {
		if leader = c.Leader(f.Shard); leader >= 0 {
			break
		}
		wait(ctx, look)
	}
	if leader < 0 {
		leader = int(f.Shard-1) % len(c.members)
	}
	if f.Follower {
		return (leader + 1) % len(c.members)
	}
	return leader
}

func (c *Cluster) led(target int) []uint32 {
	var led []uint32
	for shard := range c.members {
		if id := uint32(shard + 1); c.Leader(id) == target {
			led = append(led, id)
		}
	}
	return led
}

// apply makes a fault, holds it and heals it.
func (c *Cluster) apply(ctx context.Context, f Fault, target int) error {
	name := c.members[target].Name
	switch f.Kind {
	case Kill:
		began := time.Now()
		c.Kill(f.KeepUnsynced, target)
		wait(ctx, f.Hold-time.Since(began))
		return c.Start(ctx, target)
	case Blackout:
		began := time.Now()
		c.Kill(f.KeepUnsynced, c.everyone()...)
		wait(ctx, f.Hold/2-time.Since(began))
		for _, i := range c.everyone() {
			if err := c.Start(ctx, i); err != nil {
				return err
			}
			wait(ctx, f.Hold/6)
		}
	case Stop:
		if err := c.Stop(ctx, target); err != nil {
			return err
		}
		wait(ctx, f.Hold)
		return c.Start(ctx, target)
	case Rewind:
		return c.rewind(ctx, f)
	case Freeze:
		c.network.Down(name)
		wait(ctx, f.Hold)
		c.network.Up(name)
	case Partition, Mute, Deaf:
		c.cut(f.Kind, name, c.network.Cut)
		wait(ctx, f.Hold)
		c.cut(f.Kind, name, c.network.Heal)
	case Skew:
		c.members[target].ahead.Store(int64(time.Hour))
		wait(ctx, f.Hold)
		c.members[target].ahead.Store(0)
	case Slow:
		slow := c.cfg.Between
		slow.Delay, slow.Jitter, slow.Loss = 10*slow.Delay, 20*slow.Jitter, slow.Loss+0.02
		c.links(name, slow)
		wait(ctx, f.Hold)
		c.links(name, c.cfg.Between)
	default:
		return fmt.Errorf("there is no fault %q", f.Kind)
	}
	return nil
}

func (c *Cluster) everyone() []int {
	var all []int
	for i := range c.members {
		all = append(all, i)
	}
	return all
}

// cut applies do to the ways between a node and the other nodes.
func (c *Cluster) cut(kind Kind, name string, do func(from, to string)) {
	for _, m := range c.members {
		if m.Name == name {
			continue
		}
		if kind != Deaf {
			do(name, m.Name)
		}
		if kind != Mute {
			do(m.Name, name)
		}
	}
}

func (c *Cluster) links(name string, path simnet.Path) {
	for _, m := range c.members {
		if m.Name != name {
			c.network.SetLink(name, m.Name, path)
		}
	}
}

// rewind copies all files while nobody writes them, lets Hold pass, and puts
// the copies back.
func (c *Cluster) rewind(ctx context.Context, f Fault) error {
	restart := func(swap func(data, kept string) error) error {
		c.Kill(0, c.everyone()...)
		for i := range c.members {
			data := c.members[i].config.Data
			if err := swap(data, filepath.Join(filepath.Dir(data), "earlier")); err != nil {
				return err
			}
		}
		for i := range c.members {
			if err := c.Start(ctx, i); err != nil {
				return err
			}
		}
		return c.Recovered(ctx, recoveryLimit)
	}
	if err := restart(func(data, kept string) error { return os.CopyFS(kept, os.DirFS(data)) }); err != nil {
		return fmt.Errorf("keep the files: %w", err)
	}
	wait(ctx, f.Hold)
	return restart(func(data, kept string) error {
		return errors.Join(os.RemoveAll(data), os.Rename(kept, data))
	})
}

// Recovered waits until every node runs, every shard has a leader that all
// nodes name, and every replica holds what any replica held at the call.
func (c *Cluster) Recovered(ctx context.Context, limit time.Duration) error {
	goal := map[uint32]uint64{}
	for _, status := range c.Statuses() {
		for _, s := range status.GetShards() {
			goal[s.GetShard()] = max(goal[s.GetShard()], s.GetShardSeq())
		}
	}
	return c.until(ctx, limit, func() error {
		for _, status := range c.Statuses() {
			for _, s := range status.GetShards() {
				switch {
				case s.GetLeader() == "" || c.Leader(s.GetShard()) < 0 || c.members[c.Leader(s.GetShard())].Name != s.GetLeader():
					return fmt.Errorf("%s names %q as the leader of shard %d", status.GetNode(), s.GetLeader(), s.GetShard())
				case s.GetShardSeq() < goal[s.GetShard()]:
					return fmt.Errorf("%s is at sequence %d of shard %d, others were at %d", status.GetNode(), s.GetShardSeq(), s.GetShard(), goal[s.GetShard()])
				}
			}
		}
		return nil
	})
}

// Level waits until all replicas of each shard stand at one sequence. Nobody
// may write meanwhile.
func (c *Cluster) Level(ctx context.Context, limit time.Duration) error {
	return c.until(ctx, limit, func() error {
		at := map[uint32]uint64{}
		for _, status := range c.Statuses() {
			for _, s := range status.GetShards() {
				if seq, ok := at[s.GetShard()]; ok && seq != s.GetShardSeq() {
					return fmt.Errorf("shard %d is at %d on %s, elsewhere at %d", s.GetShard(), s.GetShardSeq(), status.GetNode(), seq)
				}
				at[s.GetShard()] = s.GetShardSeq()
			}
		}
		return nil
	})
}

// until looks again and again whether a condition holds that needs every node.
func (c *Cluster) until(ctx context.Context, limit time.Duration, holds func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := c.Running()
		if err != nil {
			return err
		}
		if err = holds(); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("not within %s: %w", limit, err)
		}
		wait(ctx, look)
	}
}

// Running errs for a node that is down or has to stop by itself.
func (c *Cluster) Running() error {
	i := slices.IndexFunc(c.members, func(m *Member) bool { return m.Node == nil || m.Node.Err() != nil })
	switch {
	case i < 0:
		return nil
	case c.members[i].Node == nil:
		return fmt.Errorf("%s is down", c.members[i].Name)
	}
	return fmt.Errorf("%s stopped by itself: %w", c.members[i].Name, c.members[i].Node.Err())
}
