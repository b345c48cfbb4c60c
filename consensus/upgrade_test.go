package consensus

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

func (n *simNode) version() (version uint8) {
	n.group.View(func(s *wallet.Shard) { version = s.Head().Version })
	return version
}

func release(seq uint64) Task {
	return Propose(wallet.ID{}, &wallet.Release{
		Game: testGame, RegistrySeq: seq, Enabled: true, MinStakeMinor: 1, MaxStakeMinor: 1000,
		Live: wallet.Build{Version: "2", Digest: wallet.Hash{8}, Modes: []wallet.Mode{{Name: "base", CostX100: 100, MaxWinX: 50}}},
	})
}

// TestGroup_ActivatesWhatAllVotersKnow is PROTOCOL 3: one voter with an older
// build, or one that does not answer, holds the new version up; until then its
// operations are kept out of the log and nobody stops.
func TestGroup_ActivatesWhatAllVotersKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 80)
		// Whoever leads meets an older build: its own it does not ask for.
		c.builds = map[string]uint8{"a": 2, "b": 1, "c": 1}
		leader := c.start()
		old := c.other(leader.name)
		_, err := leader.submit(release(1))
		var refusal *wallet.Refusal
		if !errors.As(err, &refusal) || refusal.Code != wallet.CodeUnsupportedVersion || refusal.Effect != wallet.NotAppliedRetryable {
			t.Errorf("a release before its version answered %v", err)
		}
		settle(time.Minute)
		if v := leader.version(); v != 1 {
			t.Fatalf("version %d although two builds know only 1", v)
		}
		c.mu.Lock()
		c.builds["b"], c.builds["c"] = 2, 2
		c.mu.Unlock()
		c.close(old.name)
		settle(time.Minute)
		if v := leader.version(); v != 1 {
			t.Fatalf("version %d although %s does not answer", v, old.name)
		}
		c.open(old.name)
		eventually(t, "the version is active", time.Minute, func() bool { return c.leader("").version() == 2 })
		leader = c.leader("")
		if a := leader.must(release(1)); a.Kind != wallet.KindRelease {
			t.Errorf("the release came to %+v", a.Result)
		}
		c.agree()
		for _, name := range c.names {
			if n := c.nodes[name]; n.version() != 2 || len(n.fatals()) != 0 {
				t.Errorf("%s follows version %d, stopped by %v", name, n.version(), n.fatals())
			}
		}
	})
}

// TestGroup_ActivatesAtTheStart: a new shard follows the newest version all
// voters know within a moment, and no version that nobody's build has.
func TestGroup_ActivatesAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 81)
		c.builds = map[string]uint8{"a": 9, "b": 9, "c": 9}
		leader := c.start()
		eventually(t, "the version is active", 5*time.Second, func() bool { return leader.version() == wallet.Version })
		leader.must(openWallet(wallet.ID{1, 1}))
		// Entries, snapshots and restarts of the new version are the same everywhere.
		for i := range uint64(60) {
			leader.must(release(i + 1))
		}
		c.close(c.other(leader.name).name)
		c.open(c.other(leader.name).name)
		c.agree()
	})
}

// TestGroup_GiveAway: another voter leads between two entries, nothing is lost,
// and the one that gave way takes part as before and may lead again.
func TestGroup_GiveAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 82)
		leader := c.start()
		id := wallet.ID{1, 1}
		leader.must(openWallet(id))
		settle(time.Second)
		if err := leader.group.GiveAway(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := c.leader(leader.name)
		next.must(deposit(id, "d1", 5))
		// It leads nothing: there is nothing to give.
		if err := leader.group.GiveAway(t.Context()); err != nil || !next.group.Leads() {
			t.Errorf("giving nothing away: %v, %s leads %v", err, next.name, next.group.Leads())
		}
		c.close(c.other(leader.name, next.name).name)
		settle(time.Second)
		if err := next.group.GiveAway(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := c.leader(next.name); a != leader {
			t.Errorf("%s leads, want %s back", a.name, leader.name)
		} else if got := a.must(deposit(id, "d2", 5)); got.BalanceMinor != 10 {
			t.Errorf("the balance is %d", got.BalanceMinor)
		}
	})
}
