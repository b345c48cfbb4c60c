package membership_test

import (
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/node/membership"
	"github.com/edgereel/edgereel/transport/simnet"
)

const simPort = 7400

// In virtual time the promise can be tested to the millisecond: on a LAN a
// dead node is known everywhere within 5 s.
func TestSim_DeathWithinFiveSeconds(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			network := simnet.New(simnet.Config{
				Rand:    rand.New(rand.NewPCG(seed, 2)),
				Default: simnet.Path{Delay: 500 * time.Microsecond, Jitter: 200 * time.Microsecond, Loss: 0.001},
			})
			t.Cleanup(func() { _ = network.Close() })
			c := newCluster(t)
			c.lookup = network.LookupHost
			c.listen = func(name string) net.PacketConn {
				conn, err := network.ListenPacket(name, simPort)
				if err != nil {
					t.Fatal(err)
				}
				return conn
			}
			names := []string{"ap-south-1", "eu-west-1", "us-east-1"}
			for _, name := range names {
				c.book = append(c.book, membership.Peer{Node: name, Mesh: name + ":7400"})
			}
			var nodes []*node
			for _, name := range names {
				nodes = append(nodes, c.open(name, network.AddHost(name).String()+":7400"))
			}
			for _, name := range names {
				allSee(t, 5*time.Second, nodes, name, membership.StateAlive)
			}
			// Let the cluster settle, so that the death falls anywhere in a turn.
			<-time.After(5*time.Second + time.Duration(seed)*97*time.Millisecond)

			network.Down("us-east-1")
			died := time.Now()
			suspected := false
			eventually(t, 5*time.Second, func() bool {
				suspected = suspected || slices.Contains([]membership.State{nodes[0].sees("us-east-1"), nodes[1].sees("us-east-1")}, membership.StateSuspect)
				return nodes[0].sees("us-east-1") == membership.StateDead && nodes[1].sees("us-east-1") == membership.StateDead
			}, "both others see us-east-1 dead")
			t.Logf("seed %d: known everywhere after %s", seed, time.Since(died))
			if !suspected {
				t.Error("nobody suspected the node before it was dead")
			}

			// Longer than the library remembers the dead: the address book
			// brings both sides together again.
			<-time.After(2 * time.Minute)
			if state := nodes[0].sees("us-east-1"); state != membership.StateDead {
				t.Errorf("after two minutes the dead node is %q, want it still listed as dead", state)
			}
			network.Up("us-east-1")
			for _, name := range names {
				allSee(t, 15*time.Second, nodes, name, membership.StateAlive)
			}
		})
	}
}
