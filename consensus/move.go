package consensus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Times of moves of leadership.
const (
	homeCheckEvery = 5 * time.Second
	homeHealthyFor = 15 * time.Second
	homeMoveEvery  = time.Minute
	moveRetry      = 100 * time.Millisecond
)

// A move happens between two entries on the proposer's goroutine, so that it
// leaves nothing unknown; requests wait in the queue meanwhile and are then
// pointed to the new leader. One attempt takes at most two election timeouts.

// goHome gives leadership to the home voter once it has been healthy for a
// while, at most once a minute. Raft refuses one that does not catch up within
// an election timeout.
func (p *proposer) goHome() {
	home := p.cfg.Home
	if home == "" || home == p.cfg.Node || !p.group.Leads() {
		return
	}
	if !p.moved.IsZero() && time.Since(p.moved) < homeMoveEvery || p.cfg.Peers.Healthy(home) < homeHealthyFor {
		return
	}
	p.moved = time.Now()
	err := p.transfer(home)
	p.cfg.Logger.Info("leadership goes home", "shard", p.cfg.Shard, "home", home, "error", err)
}

// giveAway makes another voter lead, trying until ctx ends. It is done where
// this node does not lead, or nobody else could.
func (p *proposer) giveAway(ctx context.Context) error {
	for {
		err := p.handOver()
		if err == nil || len(p.cfg.Voters) == 1 {
			return nil
		}
		if p.group.machine.stop.Err() != nil || !pause(ctx, moveRetry) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// handOver tries the other voters once each.
func (p *proposer) handOver() error {
	var errs error
	for _, target := range p.heirs() {
		if !p.group.rules() {
			return nil
		}
		if err := p.group.machine.stop.Err(); err != nil {
			return err
		}
		err := p.transfer(target)
		if err == nil {
			return nil
		}
		errs = errors.Join(errs, fmt.Errorf("to %s: %w", target, err))
	}
	if !p.group.rules() {
		return nil
	}
	return errors.Join(errors.New("no voter took over"), errs)
}

// heirs lists the other voters: the home first if it is alive, then those that
// have been alive longest.
func (p *proposer) heirs() []string {
	type heir struct {
		name string
		rank time.Duration
	}
	var heirs []heir
	for _, v := range p.cfg.Voters {
		if v == p.cfg.Node {
			continue
		}
		rank := p.cfg.Peers.Healthy(v)
		if v == p.cfg.Home && rank > 0 {
			rank = 1<<63 - 1
		}
		heirs = append(heirs, heir{v, rank})
	}
	slices.SortStableFunc(heirs, func(a, b heir) int { return cmp.Compare(b.rank, a.rank) })
	names := make([]string, len(heirs))
	for i, h := range heirs {
		names[i] = h.name
	}
	return names
}

func (p *proposer) transfer(target string) error {
	return p.group.raft.LeadershipTransferToServer(raft.ServerID(target), raft.ServerAddress(target)).Error()
}
