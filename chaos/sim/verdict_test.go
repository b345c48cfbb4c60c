package sim_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/chaos/sim"
)

// TestVerdict_SeesLostTail plants a disk that forgets what it had synced: every
// node goes back to the files of an earlier moment. The replicas are equal then
// and the books balance; only the clients remember.
func TestVerdict_SeesLostTail(t *testing.T) {
	result := bubble(t, sim.Config{
		Seed: 1, Players: 4, Faults: []sim.Fault{{Kind: sim.Rewind, Shard: 1, Pause: 5 * time.Second, Hold: 8 * time.Second}},
	})
	if result.Verdict == nil {
		t.Fatalf("no verdict: %v", result.Violations)
	}
	if result.Verdict.OK || result.Verdict.Missing+result.Verdict.Mismatched == 0 || len(result.Violations) == 0 {
		t.Errorf("lost operations were not missed: %+v", result.Verdict)
	}
	for _, s := range result.Verdict.Shards {
		if !s.HashEqual || s.SumMinor != 0 {
			t.Errorf("shard %d: the plant is more than a lost tail: %+v", s.Shard, s)
		}
	}
}

// TestVerdict_SeesAlteredHistory changes what one client was told, after a run
// without faults: a cent, or a whole operation nobody has in a journal.
func TestVerdict_SeesAlteredHistory(t *testing.T) {
	tests := map[string]struct {
		alter func(*history.Record)
		want  string
	}{
		"balance": {func(r *history.Record) { r.BalanceMinor++ }, "mismatched"},
		"key":     {func(r *history.Record) { r.Key = "lost" }, "missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result := bubble(t, sim.Config{
				Seed: 3, Players: 3, Faults: []sim.Fault{{Kind: sim.Slow, Shard: 2, Pause: time.Second, Hold: time.Second}},
				Tamper: func(records []history.Record) {
					for i := len(records) / 2; i < len(records); i++ {
						if records[i].Kind == history.KindPlay && records[i].Effect == history.Applied {
							test.alter(&records[i])
							return
						}
					}
				},
			})
			if !strings.Contains(strings.Join(result.Violations, "\n"), test.want) {
				t.Errorf("violations %v, want one of %q", result.Violations, test.want)
			}
		})
	}
}

// TestRun_TooRough claims that half of all calls were refused: nothing wrong may
// be left in what was acknowledged, and still the run has shown too little.
func TestRun_TooRough(t *testing.T) {
	result := bubble(t, sim.Config{Seed: 5, Players: 3, Tamper: func(records []history.Record) {
		for i := range records {
			if i%2 == 0 && records[i].Mutating() {
				records[i].Effect = history.NotAppliedRetryable
			}
		}
	}, Faults: []sim.Fault{{Kind: sim.Slow, Shard: 2, Pause: time.Second, Hold: time.Second}}})
	if !strings.Contains(strings.Join(result.Violations, "\n"), "too rough") {
		t.Errorf("violations %v, want the run to be too rough", result.Violations)
	}
}

func TestPlan(t *testing.T) {
	plan := sim.Plan(7, 5*time.Minute, 3)
	if !reflect.DeepEqual(plan, sim.Plan(7, 5*time.Minute, 3)) {
		t.Error("the same seed drew another plan")
	}
	if reflect.DeepEqual(plan, sim.Plan(8, 5*time.Minute, 3)) {
		t.Error("two seeds drew the same plan")
	}
	drawn := map[sim.Kind]int{}
	for _, f := range plan {
		drawn[f.Kind]++
		if f.Shard < 1 || f.Shard > 3 || f.Hold <= 0 || f.Pause <= 0 {
			t.Errorf("fault %+v", f)
		}
	}
	for _, kind := range []sim.Kind{sim.Kill, sim.Freeze, sim.Partition, sim.Mute, sim.Deaf, sim.Slow, sim.Stop, sim.Blackout, sim.Skew} {
		if drawn[kind] == 0 {
			t.Errorf("no %s in five minutes: %v", kind, drawn)
		}
	}
	if drawn[sim.Rewind] > 0 {
		t.Error("a fault nobody survives was drawn")
	}
}

func TestWatchdog(t *testing.T) {
	stacks := make(chan string, 1)
	_, stop := sim.Watchdog(time.Millisecond, func(s []byte) { stacks <- string(s) })
	defer stop()
	if got := <-stacks; !strings.Contains(got, "TestWatchdog") {
		t.Errorf("the stacks do not name the test that waits:\n%s", got)
	}
}

func TestRun_NeedsFolder(t *testing.T) {
	if _, err := sim.Run(context.Background(), sim.Config{Seed: 1}); err == nil {
		t.Error("ran without a folder for its files")
	}
}
