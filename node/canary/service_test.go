package canary_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/node/canary"
	"github.com/edgereel/edgereel/wallet"
)

var liveModule = wallet.Hash{9, 9}

var watched = canary.Canary{Game: "lines", Version: "2", Module: module, Live: liveModule}

// cluster is a registry and its shards, as far as a watcher sees them. mu
// guards all.
type cluster struct {
	mu       sync.Mutex
	leads    bool
	canaries []canary.Canary
	live     []canary.Canary
	alarms   int
	report   []byte
	// down is why the registry does not answer.
	down     error
	attempts int
	rolled   []string
	// shards are the tallies of each; hidden ones do not answer.
	shards  map[uint32]*edgereelv1.ShardTallies
	hidden  map[uint32]bool
	p99     time.Duration
	looked  uint64
	reverts int
}

func (c *cluster) Leads() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.leads }

func (c *cluster) Canaries() []canary.Canary { c.mu.Lock(); defer c.mu.Unlock(); return c.canaries }

func (c *cluster) Live() []canary.Canary { c.mu.Lock(); defer c.mu.Unlock(); return c.live }

func (c *cluster) LiveAlarm(string) { c.mu.Lock(); defer c.mu.Unlock(); c.alarms++ }

func (c *cluster) Report(context.Context, canary.Canary) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report == nil {
		return nil, errors.New("not here yet")
	}
	return c.report, nil
}

func (c *cluster) Rollback(_ context.Context, k canary.Canary, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k != watched {
		return errors.New("another canary")
	}
	c.attempts++
	if c.down != nil {
		return c.down
	}
	c.rolled, c.canaries = append(c.rolled, reason), nil
	return nil
}

func (c *cluster) Tallies(_ context.Context, game string) []*edgereelv1.TalliesReply {
	c.mu.Lock()
	defer c.mu.Unlock()
	reply := &edgereelv1.TalliesReply{Node: "n", Times: []*edgereelv1.EvaluationTimes{
		{ModuleDigest: module.String(), Steps: 2000, P99Ns: uint64(c.p99)}, {ModuleDigest: liveModule.String(), Steps: 2000, P99Ns: 100_000},
	}}
	for id, s := range c.shards {
		if !c.hidden[id] && s.GetGame() == game {
			reply.Shards = append(reply.Shards, s)
		}
	}
	return []*edgereelv1.TalliesReply{reply}
}

func (c *cluster) CanaryLooked(_, _, _ string, rounds uint64, _ float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = rounds
}

func (c *cluster) CanaryRolledBack(string) { c.mu.Lock(); defer c.mu.Unlock(); c.reverts++ }

// play sets what a shard counted.
func (c *cluster) play(shard uint32, seq uint64, t wallet.Tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	other := &edgereelv1.BucketTally{ModuleDigest: liveModule.String(), Mode: "base", Rounds: 1e9, Incidents: 3, Counts: make([]uint64, wallet.Classes)}
	c.shards[shard] = &edgereelv1.ShardTallies{
		Shard: shard, ShardSeq: seq, Game: "lines", Release: &edgereelv1.ShardRelease{CanaryVersion: "2", Quarantined: true},
		Buckets: []*edgereelv1.BucketTally{other, {
			ModuleDigest: t.Digest.String(), Mode: t.Mode, Rounds: t.Rounds, Incidents: t.Incidents, ReturnX1000000: t.ReturnX1000000, Counts: t.Counts[:],
		}},
	}
}

// state gives what happened so far.
func (c *cluster) state() (looked uint64, rolled []string, attempts, reverts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looked, c.rolled, c.attempts, c.reverts
}

func (c *cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// inBubble runs a watcher over a cluster with two shards of healthy play.
func inBubble(t *testing.T, test func(t *testing.T, c *cluster, log *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{
			leads: true, canaries: []canary.Canary{watched}, shards: map[uint32]*edgereelv1.ShardTallies{}, hidden: map[uint32]bool{}, p99: 100_000,
			report: report(func(_ *gate.Report, m *gate.Mode) { m.Distribution = lines(1).distribution() }),
		}
		var log bytes.Buffer
		s, err := canary.New(canary.Config{Releases: c, Cluster: c, Metrics: c, Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(s.Close(), s.Close()); err != nil {
				t.Error(err)
			}
		}()
		test(t, c, &log)
	})
}

// pass lets the watcher look a few times.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func tallyOf(g game, seed, n uint64) wallet.Tally {
	var t wallet.Tally
	g.play(rand.New(rand.NewPCG(seed, 1)), &t, n)
	return t
}

func TestService_MergesShardsAndKeepsHealthyCanaries(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster, _ *bytes.Buffer) {
		c.play(1, 10, tallyOf(lines(1), 1, 600))
		c.play(2, 20, tallyOf(lines(1), 2, 500))
		pass(10 * time.Second)
		if looked, rolled, _, _ := c.state(); looked != 1100 || rolled != nil {
			t.Fatalf("looked at %d rounds, rolled back %v", looked, rolled)
		}
		// A shard that does not answer for a while, or an old leader's answer,
		// takes nothing away.
		c.set(func() { c.hidden[1] = true })
		c.play(2, 30, tallyOf(lines(1), 3, 1000))
		pass(10 * time.Second)
		c.set(func() { c.hidden[1] = false })
		c.play(1, 5, tallyOf(lines(1), 1, 100))
		c.play(2, 40, tallyOf(lines(1), 3, 2000))
		pass(10 * time.Second)
		if looked, rolled, _, _ := c.state(); looked != 2600 || rolled != nil {
			t.Errorf("looked at %d rounds, rolled back %v", looked, rolled)
		}
	})
}

func TestService_RollsBack(t *testing.T) {
	bad := tallyOf(game{{150, 0.9}}, 1, 5000)
	incident := wallet.Tally{Digest: module, Mode: "bonus", Incidents: 1}
	for name, tc := range map[string]struct {
		harm func(c *cluster)
		why  string
	}{
		"frequencies":               {func(c *cluster) { c.play(1, 10, bad) }, "came in a number"},
		"incident":                  {func(c *cluster) { c.play(1, 10, incident) }, "failed at 1 steps"},
		"incident without a report": {func(c *cluster) { c.set(func() { c.report = nil }); c.play(1, 10, incident) }, "failed at 1 steps"},
		"quarantine": {func(c *cluster) {
			c.play(1, 10, wallet.Tally{Digest: module, Mode: "base"})
			c.set(func() { c.shards[1].CanaryQuarantined = true })
		}, "out of play"},
		"slow": {func(c *cluster) { c.set(func() { c.p99 = 2 * time.Millisecond }) }, "99th percentile"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cluster, log *bytes.Buffer) {
				tc.harm(c)
				pass(4 * time.Minute)
				_, rolled, attempts, reverts := c.state()
				if len(rolled) != 1 || !strings.Contains(rolled[0], tc.why) || attempts != 1 || reverts != 1 {
					t.Fatalf("rolled back %q in %d attempts, counted %d", rolled, attempts, reverts)
				}
				if !strings.Contains(log.String(), "canary rolled back") {
					t.Errorf("no word of it in the log:\n%s", log)
				}
			})
		})
	}
}

// A decision stands while the registry does not answer, even if the evidence
// then looks healthy again.
func TestService_DecisionStands(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster, _ *bytes.Buffer) {
		c.set(func() { c.down = errors.New("no leader") })
		c.play(1, 10, tallyOf(game{{150, 0.9}}, 1, 5000))
		pass(10 * time.Second)
		c.play(1, 20, tallyOf(lines(1), 1, 6000))
		pass(time.Minute)
		if _, rolled, attempts, reverts := c.state(); rolled != nil || attempts < 10 || reverts != 0 {
			t.Fatalf("rolled back %v in %d attempts, counted %d", rolled, attempts, reverts)
		}
		c.set(func() { c.down = nil })
		pass(10 * time.Second)
		if _, rolled, _, reverts := c.state(); len(rolled) != 1 || reverts != 1 {
			t.Errorf("rolled back %v, counted %d", rolled, reverts)
		}
	})
}

// The report may arrive later; only a node that leads the registry watches.
func TestService_LateReportAndLeadership(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster, _ *bytes.Buffer) {
		late := c.report
		c.set(func() { c.report, c.leads = nil, false })
		c.play(1, 10, tallyOf(game{{150, 0.9}}, 1, 5000))
		pass(30 * time.Second)
		c.set(func() { c.leads = true })
		pass(30 * time.Second)
		if looked, rolled, _, _ := c.state(); looked != 0 || rolled != nil {
			t.Fatalf("without a report: looked at %d, rolled back %v", looked, rolled)
		}
		c.set(func() { c.report = late; c.leads = false })
		pass(30 * time.Second)
		if _, rolled, _, _ := c.state(); rolled != nil {
			t.Fatalf("without leading: rolled back %v", rolled)
		}
		c.set(func() { c.leads = true })
		pass(10 * time.Second)
		if _, rolled, _, _ := c.state(); len(rolled) != 1 {
			t.Errorf("rolled back %v", rolled)
		}
	})
}

// A live version is held to its report too, but only people take it back.
func TestService_LiveAlarm(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster, log *bytes.Buffer) {
		c.set(func() {
			c.canaries = nil
			c.live = []canary.Canary{{Game: "lines", Version: "2", Module: module}}
		})
		c.play(1, 10, tallyOf(lines(1), 1, 2000))
		pass(30 * time.Second)
		if strings.Contains(log.String(), "does not play") {
			t.Fatal("a healthy version raised an alarm")
		}
		c.play(1, 20, tallyOf(game{{150, 0.9}}, 1, 5000))
		pass(time.Minute)
		_, rolled, attempts, _ := c.state()
		if rolled != nil || attempts != 0 || c.alarms != 1 || strings.Count(log.String(), "does not play as its report says") != 1 {
			t.Errorf("rolled back %v, %d attempts, %d alarms:\n%s", rolled, attempts, c.alarms, log)
		}
	})
}
