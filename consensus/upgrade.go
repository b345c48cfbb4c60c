package consensus

import (
	"context"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

// A shard's behaviour changes only at a committed Activate (PROTOCOL 3). The
// leader proposes one when every configured voter has just said that its build
// knows the version: a voter that does not answer, or is an older build, holds
// the change up. Safety does not rest on that answer. A voter that goes back to
// an older build afterwards meets an entry or a snapshot of the newer version
// and stops.

// Times of the question for the voters' builds.
const (
	buildsEvery   = 10 * time.Second
	buildsTimeout = 2 * time.Second
)

// upgrade asks the voters beside the proposer for the versions they know, as
// long as this build knows a newer one than the shard follows.
func (p *proposer) upgrade(ctx context.Context) {
	if p.cfg.LedgerVersion == nil || p.version() >= wallet.Version || time.Since(p.term.buildsAskedAt) < buildsEvery {
		return
	}
	p.term.buildsAskedAt = time.Now()
	p.group.wg.Go(func() {
		select {
		case p.term.builds <- p.askBuilds(ctx):
		default:
		}
	})
}

// askBuilds gives the newest version that all voters know, 0 where one of them
// does not say.
func (p *proposer) askBuilds(ctx context.Context) uint8 {
	ctx, cancel := context.WithTimeout(ctx, buildsTimeout)
	defer cancel()
	answers := make(chan uint8, len(p.cfg.Voters))
	asked := 0
	for _, v := range p.cfg.Voters {
		if v == p.cfg.Node {
			continue
		}
		asked++
		p.group.wg.Go(func() {
			version, err := p.cfg.LedgerVersion(ctx, v)
			if err != nil {
				version = 0
			}
			answers <- version
		})
	}
	known := wallet.Version
	for range asked {
		known = min(known, <-answers)
	}
	return known
}

// activate raises the version the shard follows to one that all voters know.
func (p *proposer) activate(version uint8) {
	before := p.version()
	if version <= before || !p.group.Leads() || p.term.number == 0 || p.term.number != p.group.raft.CurrentTerm() {
		return
	}
	op := &wallet.Activate{Meta: wallet.Meta{Actor: p.cfg.Node, Reason: "all voters know it"}, Version: version}
	a, err := p.propose([]wallet.Op{op}, time.Since(p.term.anchoredAt))
	if err == nil {
		if refusal := a.results[0].Refusal(); refusal != nil {
			err = refusal
		}
	}
	if err != nil {
		p.cfg.Logger.Warn("ledger version not activated", "shard", p.cfg.Shard, "version", version, "error", err)
		return
	}
	p.cfg.Logger.Info("ledger version activated", "shard", p.cfg.Shard, "version", version, "before", before)
}

// version is the one the shard follows. Only this goroutine's entries raise it
// while this replica leads.
func (p *proposer) version() (version uint8) {
	p.group.View(func(s *wallet.Shard) { version = s.Head().Version })
	return version
}
