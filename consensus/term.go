package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

// Times of clock anchors.
const (
	anchorEvery   = time.Minute
	clockSlackMS  = 2_000
	clocksTimeout = 400 * time.Millisecond
)

// term is what a leader knows about its term.
type term struct {
	// number is the term whose opening work is done, 0 for none.
	number uint64
	// anchoredAt is when the readings of this node's last anchor arrived, on
	// the monotonic clock; askedAt when the next ones were asked for.
	anchoredAt time.Time
	askedAt    time.Time
	readings   chan readings
	// buildsAskedAt is when the voters' builds were asked for, builds what they
	// all know.
	buildsAskedAt time.Time
	builds        chan uint8
}

// readings are the voters' clocks and when they were known here.
type readings struct {
	ms  []int64
	at  time.Time
	err error
}

// tell passes a change of leader on. Raft's observations come at once but can
// be lost, and there is none for a leader that steps down.
func (p *proposer) tell() {
	leader := p.group.Leader()
	if leader == p.told {
		return
	}
	p.told = leader
	if p.cfg.Observer != nil {
		p.cfg.Observer.LeaderChanged(p.cfg.Shard, leader)
	}
	p.cfg.Logger.Info("leader changed", "shard", p.cfg.Shard, "leader", leader, "term", p.group.raft.CurrentTerm())
}

// tend tells who leads and does what leading demands beside requests: give
// leadership away where this replica must not have it, open a new term without
// waiting for a request, renew an anchor that grew old.
func (p *proposer) tend(ctx context.Context) {
	p.tell()
	if ctx.Err() != nil || !p.group.rules() {
		return
	}
	select {
	case <-p.group.draining:
		_ = p.handOver()
		return
	case <-p.group.machine.fuse.blown:
		_ = p.handOver()
		return
	default:
	}
	if p.open(ctx) == nil {
		p.renew(ctx)
		p.upgrade(ctx)
	}
}

// open does what a leader owes its shard before requests: everything before it
// applied, shard time anchored in the voters' clocks, bootstrap in place.
//
// It is safe against losing leadership at any point: what it proposes is
// decided again when it is applied, and the term counts as open only when the
// term that committed its entry is the one it was begun in.
func (p *proposer) open(ctx context.Context) error {
	number := p.group.raft.CurrentTerm()
	if p.term.number == number {
		return nil
	}
	p.term.number = 0
	asked := make(chan readings, 1)
	p.group.wg.Go(func() { asked <- p.askClocks(ctx) })
	if err := p.group.raft.Barrier(proposeTimeout).Error(); err != nil {
		return fmt.Errorf("apply what came before term %d: %w", number, err)
	}
	r := <-asked
	if err := p.checkClocks(r); err != nil {
		p.cfg.Logger.Warn("leader not ready", "shard", p.cfg.Shard, "term", number, "error", err)
		return err
	}
	ops, owed, err := p.opening(r.ms)
	if err != nil {
		return err
	}
	a, err := p.propose(ops, 0)
	if err != nil {
		return fmt.Errorf("open term %d: %w", number, err)
	}
	if a.term != number {
		return fmt.Errorf("open term %d: leadership changed on the way", number)
	}
	if err := p.checkOpening(a.results, owed); err != nil {
		return fmt.Errorf("open term %d: %w", number, err)
	}
	p.term.number, p.term.anchoredAt, p.term.buildsAskedAt = number, r.at, time.Time{}
	p.cfg.Logger.Info("leader ready", "shard", p.cfg.Shard, "term", number)
	return nil
}

// opening collects the operations of a term's first entry; the first owed of
// them have to be applied.
func (p *proposer) opening(clocksMS []int64) (ops []wallet.Op, owed int, err error) {
	meta := wallet.Meta{Actor: p.cfg.Node}
	var extra []wallet.Op
	active := p.version()
	p.group.View(func(s *wallet.Shard) {
		head := s.Head()
		if err = p.group.machine.ours(head); err != nil {
			return
		}
		if head.Epoch == 0 {
			ops = append(ops, &wallet.Genesis{Meta: meta, Cluster: p.cfg.Cluster, Shard: p.cfg.Shard, Epoch: 1})
		}
		if p.cfg.Bootstrap != nil {
			extra = p.cfg.Bootstrap(s)
		}
	})
	if err != nil {
		return nil, 0, err
	}
	ops = append(ops, &wallet.Clock{Meta: meta, ReadingsMS: clocksMS})
	owed = len(ops)
	for _, op := range extra {
		if err := check(op, active); err != nil {
			p.cfg.Logger.Error("bootstrap operation left out", "shard", p.cfg.Shard, "error", err)
			continue
		}
		ops = append(ops, op)
	}
	return ops, owed, nil
}

// checkOpening lets a refused bootstrap operation pass with an alarm: one wrong
// catalogue entry must not keep a shard closed.
func (p *proposer) checkOpening(results []wallet.Result, owed int) error {
	for i, res := range results {
		r := res.Refusal()
		switch {
		case r == nil:
		case i < owed:
			return r
		default:
			p.cfg.Logger.Error("bootstrap operation refused", "shard", p.cfg.Shard, "kind", res.Kind.String(), "error", r)
		}
	}
	return nil
}

// renew asks for the voters' clocks beside the proposer, so that requests do
// not wait for the answer.
func (p *proposer) renew(ctx context.Context) {
	if time.Since(p.term.anchoredAt) < anchorEvery || time.Since(p.term.askedAt) < anchorEvery/4 {
		return
	}
	p.term.askedAt = time.Now()
	p.group.wg.Go(func() {
		r := p.askClocks(ctx)
		select {
		case p.term.readings <- r:
		default:
		}
	})
}

// anchor commits new readings. A leader that cannot get them goes on with the
// last ones: they bound its stamps as before.
func (p *proposer) anchor(r readings) {
	if !p.group.Leads() || p.term.number == 0 || p.term.number != p.group.raft.CurrentTerm() {
		return
	}
	if r.err != nil {
		p.cfg.Logger.Warn("clock anchor not renewed", "shard", p.cfg.Shard, "error", r.err)
		return
	}
	if p.checkClocks(r) != nil {
		p.term.number = 0
		return
	}
	op := &wallet.Clock{Meta: wallet.Meta{Actor: p.cfg.Node}, ReadingsMS: r.ms}
	a, err := p.propose([]wallet.Op{op}, time.Since(p.term.anchoredAt))
	if err != nil || a.term != p.term.number || a.results[0].Refusal() != nil {
		// Which anchor counts is not known here: begin again.
		p.term.number = 0
		return
	}
	p.term.anchoredAt = r.at
}

// askClocks compares clocks with the first majority that answers. Where that
// does not agree, the others decide: a quick peer with a wrong clock must not
// unseat a leader with a right one.
func (p *proposer) askClocks(ctx context.Context) readings {
	asked, cancel := context.WithTimeout(ctx, clocksTimeout)
	defer cancel()
	ms, err := p.cfg.Peers.Clocks(asked, p.cfg.Voters)
	if err != nil {
		return readings{err: fmt.Errorf("compare clocks: %w", err)}
	}
	if !p.agree(ms) && len(ms) < len(p.cfg.Voters) {
		ms = p.askEach(asked)
	}
	return readings{ms: ms, at: time.Now()}
}

// askEach reads this node's clock and those of all peers that answer.
func (p *proposer) askEach(ctx context.Context) []int64 {
	pairs := make(chan []int64, len(p.cfg.Voters))
	asked := 0
	for _, v := range p.cfg.Voters {
		if v == p.cfg.Node {
			continue
		}
		asked++
		p.group.wg.Go(func() {
			ms, err := p.cfg.Peers.Clocks(ctx, []string{p.cfg.Node, v})
			if err != nil {
				ms = nil
			}
			pairs <- ms
		})
	}
	all := []int64{p.cfg.Now().UnixMilli()}
	for range asked {
		if ms := <-pairs; len(ms) == 2 {
			all = append(all, ms[1])
		}
	}
	return all
}

// agree says whether a majority of the voters' clocks, its own among them, is
// near this node's.
func (p *proposer) agree(clocksMS []int64) bool {
	own := p.cfg.Now().UnixMilli()
	near := 0
	for _, ms := range clocksMS {
		if ms-own <= clockSlackMS && own-ms <= clockSlackMS {
			near++
		}
	}
	return 2*near > len(p.cfg.Voters)
}

// checkClocks gives leadership away where this node's clock is off.
func (p *proposer) checkClocks(r readings) error {
	switch {
	case r.err != nil:
		return r.err
	case len(r.ms) > len(p.cfg.Voters):
		return fmt.Errorf("compare clocks: %d readings of %d voters", len(r.ms), len(p.cfg.Voters))
	case p.agree(r.ms):
		return nil
	}
	p.cfg.Logger.Error("this node's clock is off: it does not lead", "shard", p.cfg.Shard,
		"own_ms", p.cfg.Now().UnixMilli(), "readings_ms", r.ms)
	return errors.Join(errors.New("the leader's clock is off"), p.handOver())
}
