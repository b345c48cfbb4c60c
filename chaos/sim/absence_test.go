package sim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/chaos/sim"
)

// TestSim_LongAbsence takes a follower away for minutes. When it is back it must
// be of use at once: the library alone would send it nothing for 10 s, and a
// second failure meanwhile would stop the shard.
func TestSim_LongAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func() { <-time.After(sim.Settle) }() // a bubble's clock stops with this function
		c, err := sim.NewCluster(t.Context(), sim.ClusterConfig{Dir: t.TempDir(), Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := c.Recovered(t.Context(), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		away := (c.Leader(1) + 1) % 3
		c.Kill(0, away)
		<-time.After(3 * time.Minute)
		if err := c.Start(t.Context(), away); err != nil {
			t.Fatal(err)
		}
		if err := c.Recovered(t.Context(), 3*time.Second); err != nil {
			t.Errorf("after a long absence: %v", err)
		}
	})
}
