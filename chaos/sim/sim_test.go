package sim_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/chaos/sim"
)

// bubble runs a simulation in virtual time, and says how to run it again where
// it fails.
func bubble(t *testing.T, cfg sim.Config) sim.Result {
	t.Helper()
	var result sim.Result
	logs := &tail{}
	pulse, stop := sim.Watchdog(2*time.Minute, func(stacks []byte) {
		fmt.Fprintf(os.Stderr, "seed %d hangs: virtual time stands still\n%s\n", cfg.Seed, stacks)
		os.Exit(1)
	})
	defer stop()
	cfg.Pulse = pulse
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		defer func() { <-time.After(sim.Settle) }() // a bubble's clock stops with this function
		cfg.Cluster.Dir, cfg.Cluster.LogOutput = t.TempDir(), logs
		var err error
		if result, err = sim.Run(context.Background(), cfg); err != nil {
			t.Errorf("seed %d: %v", cfg.Seed, err)
		}
	})
	wall := time.Since(began)
	t.Logf("%s  %s of wall time, %.0f times as fast as the clock", &result, wall.Round(time.Millisecond), result.Virtual.Seconds()/wall.Seconds())
	if t.Failed() {
		t.Logf("the nodes' last words:\n%s", logs)
	}
	return result
}

// passes fails the test on any violation.
func passes(t *testing.T, cfg sim.Config) sim.Result {
	t.Helper()
	result := bubble(t, cfg)
	if len(result.Violations) > 0 {
		t.Errorf("seed %d: %d violations; again with: EDGEREEL_LONG=%s EDGEREEL_SIM_SEED=%d go test ./chaos/sim -run '%s' -v",
			cfg.Seed, len(result.Violations), os.Getenv("EDGEREEL_LONG"), cfg.Seed, t.Name())
	}
	return result
}

// seeds are those of the environment, or from first on.
func seeds(t *testing.T, first uint64, count int) []uint64 {
	t.Helper()
	if text := os.Getenv("EDGEREEL_SIM_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	var all []uint64
	for i := range count {
		all = append(all, first+uint64(i))
	}
	return all
}

// TestSim_LosesLeaderUnderLoad kills, freezes and cuts off leaders while people
// play, and holds everything they were told against the ledger.
func TestSim_LosesLeaderUnderLoad(t *testing.T) {
	count, duration, least := 2, 100*time.Second, 6
	if testing.Short() {
		count, duration, least = 1, 30*time.Second, 2
	}
	for _, seed := range seeds(t, 1, count) {
		result := passes(t, sim.Config{Seed: seed, Duration: duration, Players: 5, Think: 700 * time.Millisecond})
		if len(result.Faults) < least {
			t.Errorf("seed %d made %d faults, want %d at least", seed, len(result.Faults), least)
		}
	}
}

// TestSim_LongLosesLeaderUnderLoad is the same with more seeds, 20 virtual
// minutes each.
func TestSim_LongLosesLeaderUnderLoad(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("set EDGEREEL_LONG=1 for long simulations")
	}
	for _, seed := range seeds(t, 100, 3) {
		passes(t, sim.Config{Seed: seed, Duration: 20 * time.Minute})
	}
}

// tail keeps the end of what is written to it. The mutex guards buffer.
type tail struct {
	mu     sync.Mutex
	buffer []byte
}

const tailBytes = 64 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buffer = append(w.buffer, p...)
	if len(w.buffer) > 2*tailBytes {
		w.buffer = bytes.Clone(w.buffer[len(w.buffer)-tailBytes:])
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.buffer)
}
