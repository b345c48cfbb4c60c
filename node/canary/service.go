package canary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/wallet"
)

// Canary is a version that a share of the wallets plays.
type Canary struct {
	Game    string
	Version string
	Module  wallet.Hash
	// Live is the module of the other wallets, zero where there is none.
	Live wallet.Hash
}

// Releases is the registry as a watcher needs it.
type Releases interface {
	// Leads: only the node that leads the registry watches.
	Leads() bool
	// Canaries lists those that should run now, Live the versions of everybody
	// else that have a report.
	Canaries() []Canary
	Live() []Canary
	// Report gives the JSON of a canary's check.
	Report(ctx context.Context, c Canary) ([]byte, error)
	// Rollback takes a canary back in every shard. A repeat is harmless.
	Rollback(ctx context.Context, c Canary, reason string) error
}

// Cluster asks the nodes.
type Cluster interface {
	// Tallies gives the answers of the nodes that answer in time. A shard that
	// is missing in some is asked for again at the next look.
	Tallies(ctx context.Context, game string) []*edgereelv1.TalliesReply
}

// Metrics shows what the watcher does.
type Metrics interface {
	// CanaryLooked is told of each test: how often the mode was played and what
	// it returned, per unit of cost.
	CanaryLooked(game, version, mode string, rounds uint64, returned float64)
	// CanaryRolledBack counts the canaries taken back, LiveAlarm the live
	// versions that do not play as their report says.
	CanaryRolledBack(game string)
	LiveAlarm(game string)
}

// Config is what a watcher is made of; all but Every and Alpha is required.
type Config struct {
	Releases Releases
	Cluster  Cluster
	Metrics  Metrics
	Now      func() time.Time
	Logger   *slog.Logger
	// Every is the time between two rounds of questions, 0 for 3 s.
	Every time.Duration
	// Alpha bounds the probability of a false alarm for each canary; 0 is
	// DefaultAlpha.
	Alpha float64
}

// Times of the service.
const (
	askEvery   = 3 * time.Second
	askTimeout = 2 * time.Second
	actTimeout = 10 * time.Second
)

// Service watches while this node leads the registry. One goroutine owns the
// watches.
type Service struct {
	cfg     Config
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	watches map[subject]*watched
}

// subject is what is watched: a canary, which can be taken back, or a live
// version, of which people are told.
type subject struct {
	Canary
	live bool
}

// watched is a version and all that is known of it.
type watched struct {
	watch *Watch
	// judged is set once the laws of the report are in the watch, missed once
	// the log told that they are not.
	judged, missed bool
	// shards has the newest answer for each shard: one that is missing for a
	// moment does not take its rounds away.
	shards map[uint32]*edgereelv1.ShardTallies
	// reason is set once it has to go back.
	reason string
	told   string
}

// New starts a watcher.
func New(cfg Config) (*Service, error) {
	if cfg.Releases == nil || cfg.Cluster == nil || cfg.Metrics == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("watch canaries: Releases, Cluster, Metrics, Now and Logger must be set")
	}
	if cfg.Every <= 0 {
		cfg.Every = askEvery
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{cfg: cfg, cancel: cancel, watches: map[subject]*watched{}}
	s.wg.Go(func() { s.run(ctx) })
	return s, nil
}

// Close ends the watcher and waits for it.
func (s *Service) Close() error {
	s.cancel()
	s.wg.Wait()
	return nil
}

func (s *Service) run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.round(ctx)
		}
	}
}

// round looks at every canary once.
func (s *Service) round(ctx context.Context) {
	if !s.cfg.Releases.Leads() {
		clear(s.watches)
		return
	}
	var subjects []subject
	for _, c := range s.cfg.Releases.Canaries() {
		subjects = append(subjects, subject{Canary: c})
	}
	for _, c := range s.cfg.Releases.Live() {
		subjects = append(subjects, subject{c, true})
	}
	for c := range maps.Keys(s.watches) {
		if !slices.Contains(subjects, c) {
			delete(s.watches, c)
		}
	}
	for _, c := range subjects {
		if ctx.Err() != nil {
			return
		}
		w := s.watches[c]
		if w == nil {
			w = &watched{watch: NewWatch(c.Module, nil, s.cfg.Alpha), shards: map[uint32]*edgereelv1.ShardTallies{}}
			s.watches[c] = w
			s.cfg.Logger.Info("watching a release", "game", c.Game, "version", c.Version, "live", c.live, "module", c.Module.String())
		}
		s.look(ctx, c, w)
	}
}

func (s *Service) look(ctx context.Context, c subject, w *watched) {
	if !w.judged {
		s.judge(ctx, c, w)
	}
	if w.reason == "" {
		d := w.watch.Decide(s.ask(ctx, c, w), s.cfg.Now())
		s.tell(c, &d)
		if !d.Rollback {
			return
		}
		w.reason = d.Reason
	}
	if c.live {
		s.alarm(c, w)
		return
	}
	// What was decided stands, however often the registry has to be asked.
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	if err := s.cfg.Releases.Rollback(ctx, c.Canary, w.reason); err != nil {
		s.cfg.Logger.Error("canary not rolled back yet", "game", c.Game, "version", c.Version, "reason", w.reason, "error", err)
		return
	}
	if w.told != w.reason {
		w.told = w.reason
		s.cfg.Metrics.CanaryRolledBack(c.Game)
		s.cfg.Logger.Warn("canary rolled back", "game", c.Game, "version", c.Version, "module", c.Module.String(), "reason", w.reason)
	}
}

// alarm tells of a live version, once for each leader of the registry: whether
// it goes is for people to decide, since every player is on it.
func (s *Service) alarm(c subject, w *watched) {
	if w.told == w.reason {
		return
	}
	w.told = w.reason
	s.cfg.Metrics.LiveAlarm(c.Game)
	s.cfg.Logger.Error("a live version does not play as its report says", "game", c.Game, "version", c.Version, "module", c.Module.String(), "reason", w.reason)
}

// judge gets the report. Until it is there, incidents and times are watched.
func (s *Service) judge(ctx context.Context, c subject, w *watched) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	report, err := s.cfg.Releases.Report(ctx, c.Canary)
	if err != nil {
		if !w.missed {
			w.missed = true
			s.cfg.Logger.Warn("the report is not at hand: only incidents and times are watched", "game", c.Game, "version", c.Version, "error", err)
		}
		return
	}
	w.judged = true
	laws, err := Laws(report)
	if err != nil {
		// No later attempt reads it either.
		s.cfg.Logger.Error("the report is of no use: only incidents and times are watched", "game", c.Game, "version", c.Version, "error", err)
		return
	}
	modes := slices.Sorted(maps.Keys(laws))
	s.cfg.Logger.Info("a release is held to its report", "game", c.Game, "version", c.Version, "modes", modes)
	w.watch = NewWatch(c.Module, laws, s.cfg.Alpha)
}

func (s *Service) tell(c subject, d *Decision) {
	for _, k := range d.Looks {
		if !c.live {
			s.cfg.Metrics.CanaryLooked(c.Game, c.Version, k.Mode, k.Rounds, k.Return)
		}
		s.cfg.Logger.Info("a release was looked at", "game", c.Game, "version", c.Version, "live", c.live, "mode", k.Mode, "look", k.Number, "rounds", k.Rounds,
			"return", k.Return, "return_tail", k.ReturnTail, "class", className(k.Class), "class_tail", k.ClassTail, "spends", k.Spends)
	}
}

// ask brings the evidence up to date.
func (s *Service) ask(ctx context.Context, c subject, w *watched) *Evidence {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	e := &Evidence{}
	for _, reply := range s.cfg.Cluster.Tallies(ctx, c.Game) {
		for _, sh := range reply.GetShards() {
			if sh.GetGame() != c.Game {
				continue
			}
			if old := w.shards[sh.GetShard()]; old.GetShardSeq() <= sh.GetShardSeq() {
				w.shards[sh.GetShard()] = sh
			}
		}
		if !c.live {
			e.Times = append(e.Times, timing(c.Canary, reply))
		}
	}
	e.Tallies = merge(w.shards, c.Module)
	for _, sh := range w.shards {
		e.Quarantined = e.Quarantined || !c.live && sh.GetCanaryQuarantined() && sh.GetRelease().GetCanaryVersion() == c.Version
	}
	return e
}

func timing(c Canary, reply *edgereelv1.TalliesReply) Timing {
	t := Timing{Node: reply.GetNode()}
	for _, x := range reply.GetTimes() {
		switch x.GetModuleDigest() {
		case c.Module.String():
			t.CanarySteps, t.CanaryP99 = x.GetSteps(), time.Duration(min(x.GetP99Ns(), 1<<62))
		case c.Live.String():
			t.LiveSteps, t.LiveP99 = x.GetSteps(), time.Duration(min(x.GetP99Ns(), 1<<62))
		}
	}
	return t
}

// merge adds up a module's tallies of all shards, by mode. Numbers of classes
// that differ from this build's belong to another version of the ledger: such a
// tally only counts its incidents.
func merge(shards map[uint32]*edgereelv1.ShardTallies, module wallet.Hash) []wallet.Tally {
	sums := map[string]*wallet.Tally{}
	for _, sh := range shards {
		for _, b := range sh.GetBuckets() {
			if b.GetModuleDigest() != module.String() {
				continue
			}
			t := sums[b.GetMode()]
			if t == nil {
				t = &wallet.Tally{Digest: module, Mode: b.GetMode()}
				sums[b.GetMode()] = t
			}
			t.Incidents += b.GetIncidents()
			if len(b.GetCounts()) != wallet.Classes {
				continue
			}
			t.Rounds += b.GetRounds()
			t.ReturnX1000000 += b.GetReturnX1000000()
			for i, n := range b.GetCounts() {
				t.Counts[i] += n
			}
		}
	}
	list := make([]wallet.Tally, 0, len(sums))
	for _, mode := range slices.Sorted(maps.Keys(sums)) {
		list = append(list, *sums[mode])
	}
	return list
}

// String names a canary for people.
func (c Canary) String() string { return fmt.Sprintf("%s %s", c.Game, c.Version) }
