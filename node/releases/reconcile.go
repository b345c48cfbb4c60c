package releases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/wallet"
)

// reconciler keeps one shard at the registry's word while this node leads it.
// Its goroutine owns all fields.
type reconciler struct {
	*Service
	shard Shard
	// waits says since when a game's release waits for a module.
	waits map[string]waiting
}

type waiting struct {
	seq   uint64
	since time.Time
}

func newReconciler(s *Service, shard Shard) *reconciler {
	return &reconciler{Service: s, shard: shard, waits: map[string]waiting{}}
}

func (r *reconciler) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		state, changed := r.cfg.Registry.Changed()
		if r.shard.Leads() {
			r.compare(ctx, state)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// compare orders every release the shard does not follow yet.
func (r *reconciler) compare(ctx context.Context, state *registry.State) {
	held := map[string]wallet.GameBuilds{}
	ready := false
	r.shard.View(func(sh *wallet.Shard) {
		ready = sh.Head().Version >= releaseVersion
		for _, b := range sh.Builds() {
			held[b.Game] = b
		}
	})
	if !ready {
		return
	}
	for _, want := range state.AllDesired() {
		have, known := held[want.Game]
		if known && follows(&have, &want) {
			delete(r.waits, want.Game)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if r.waitsForModule(&want) {
			continue
		}
		r.order(ctx, &want)
	}
}

// releaseVersion is the ledger's version that knows releases.
const releaseVersion = 2

// follows says whether a shard runs what is desired. A shard that was founded
// with the right build needs no order.
func follows(have *wallet.GameBuilds, want *registry.Desired) bool {
	if have.RegistrySeq != 0 || want.Live == nil || want.Canary != nil || !want.Enabled {
		return have.RegistrySeq >= want.Seq
	}
	return have.Live.Digest == wallet.Hash(want.Live.Digest)
}

// waitsForModule asks for the modules of a release that are not here, and says
// whether to keep the shard's present release meanwhile. After a while it does
// not: players are then told to come again, and the leader gives way.
func (r *reconciler) waitsForModule(want *registry.Desired) bool {
	missing := false
	for _, b := range []*registry.Build{want.Live, want.Canary} {
		if b != nil && want.Enabled && r.Game(b.Digest) == nil {
			r.Want(wallet.Hash(b.Digest))
			missing = true
		}
	}
	if !missing {
		return false
	}
	w := r.waits[want.Game]
	if w.seq != want.Seq {
		w = waiting{seq: want.Seq, since: time.Now()}
		r.waits[want.Game] = w
	}
	return time.Since(w.since) < r.cfg.ModuleWait
}

// order has the shard run what is desired.
func (r *reconciler) order(ctx context.Context, want *registry.Desired) {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	op := r.release(want)
	_, err := r.shard.Submit(ctx, consensus.Propose(wallet.ID{}, op))
	var refusal *wallet.Refusal
	switch {
	case err == nil:
		r.cfg.Logger.Info("shard follows the registry", "shard", r.shard.Shard(), "game", want.Game, "registry_seq", want.Seq, "live", op.Live.Version)
	case errors.As(err, &refusal) && refusal.Code == wallet.CodeStaleRelease:
		// Another node's order was newer than this node's registry.
		r.cfg.Logger.Debug("shard knows a newer release", "shard", r.shard.Shard(), "game", want.Game, "registry_seq", want.Seq)
	default:
		r.cfg.Logger.Warn("release not ordered yet", "shard", r.shard.Shard(), "game", want.Game, "registry_seq", want.Seq, "error", err)
	}
}

// release is the order that makes a shard follow.
func (r *reconciler) release(want *registry.Desired) *wallet.Release {
	op := &wallet.Release{
		Meta: wallet.Meta{Actor: r.cfg.Node, Reason: fmt.Sprintf("registry sequence %d", want.Seq)},
		Game: want.Game, RegistrySeq: want.Seq, Enabled: want.Enabled, MinStakeMinor: 1, CanaryShareX10000: want.CanaryShareX10000,
	}
	if want.Live != nil {
		op.Live = *buildOf(want.Live)
		op.MinStakeMinor = max(op.MinStakeMinor, want.Live.StakeMultipleMinor)
	}
	if want.Canary != nil {
		op.Canary = buildOf(want.Canary)
		op.MinStakeMinor = max(op.MinStakeMinor, want.Canary.StakeMultipleMinor)
	}
	op.MaxStakeMinor = max(r.cfg.MaxStakeMinor, op.MinStakeMinor)
	return op
}

func buildOf(b *registry.Build) *wallet.Build {
	out := &wallet.Build{Version: b.Version, Digest: wallet.Hash(b.Digest), MeterVersion: b.MeterVersion, FuelPerStep: b.FuelPerStep}
	for _, m := range b.Modes {
		out.Modes = append(out.Modes, wallet.Mode{ID: m.ID, Name: m.Name, CostX100: uint32(m.CostX100), MaxWinX: uint64(m.MaxWinX)})
	}
	return out
}

// found records the games that came with the program while this node leads the
// registry.
func (s *Service) found(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		state, changed := s.cfg.Registry.Changed()
		if s.cfg.Registry.Leads() {
			s.foundMissing(ctx, state)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

func (s *Service) foundMissing(ctx context.Context, state *registry.State) {
	var missing []registry.Release
	for _, r := range s.founded {
		if state.Game(r.Game) == nil {
			missing = append(missing, r)
		}
	}
	if len(missing) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	op := registry.Op{Person: "node " + s.cfg.Node, Reason: "came with the program", Found: &registry.Found{Releases: missing}}
	if _, err := s.cfg.Registry.Submit(ctx, op); err != nil {
		s.cfg.Logger.Warn("games of the program not recorded yet", "error", err)
	}
}
