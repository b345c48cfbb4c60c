package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Kind is a sort of fault.
type Kind string

// Kinds of faults.
const (
	// Kill ends the node as the end of its process does, and starts it again on
	// the same files.
	Kill Kind = "kill"
	// Freeze is a black hole around the node, both ways, for players too; the
	// node goes on and does not know.
	Freeze Kind = "freeze"
	// Partition cuts the node off from the other nodes; players still reach it.
	Partition Kind = "partition"
	// Mute lets the node hear the others, but not be heard; Deaf is the reverse.
	Mute Kind = "mute"
	Deaf Kind = "deaf"
	// Slow makes the node's links ten times as long, and lossy.
	Slow Kind = "slow"
	// Stop ends the node as planned, and starts it again.
	Stop Kind = "stop"
	// Blackout kills every node at once and starts them again one by one.
	Blackout Kind = "blackout"
	// Skew sets the node's clock an hour ahead.
	Skew Kind = "skew"
	// Rewind kills every node and starts all of them on the files of an earlier
	// moment: what was acknowledged since is lost. No cluster survives it; it
	// is there to see whether the verdict does see it, and never drawn.
	Rewind Kind = "rewind"
)

// Fault is one thing that goes wrong.
type Fault struct {
	Kind Kind
	// Shard chooses the node: its leader at that moment, or with Follower the
	// member after the leader.
	Shard    uint32
	Follower bool
	// Pause lies between the recovery from the fault before and this one; Hold
	// is how long it lasts.
	Pause, Hold time.Duration
	// Rush lets the next fault come without waiting for the recovery from this
	// one.
	Rush bool
	// KeepUnsynced is how many bytes a kill leaves of what no journal had synced.
	KeepUnsynced int64
}

func (f Fault) String() string {
	target := "leader"
	if f.Follower {
		target = "follower"
	}
	text := fmt.Sprintf("after %s %s the %s of shard %d for %s", f.Pause, f.Kind, target, f.Shard, f.Hold)
	if f.Rush {
		text += " without recovery"
	}
	return text
}

// Plan draws faults that take about the given time in all, their pauses and
// holds together; recovery comes on top. Every kind comes once before any comes
// twice, except kills, which come twice as often and first.
func Plan(seed uint64, total time.Duration, shards int) []Fault {
	rng := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a plan, no secret
	var plan []Fault
	deck := []Kind{Kill}
	for spent := time.Duration(0); ; {
		if len(deck) == 0 {
			deck = []Kind{Kill, Kill, Freeze, Freeze, Partition, Mute, Deaf, Slow, Stop, Blackout, Skew}
			rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		f := Fault{
			Kind: deck[0], Shard: uint32(1 + rng.IntN(shards)), Follower: rng.IntN(5) == 0,
			Pause: between(rng, time.Second, 4*time.Second), Hold: between(rng, 2*time.Second, 10*time.Second),
			Rush: rng.IntN(6) == 0, KeepUnsynced: rng.Int64N(4096),
		}
		deck = deck[1:]
		if spent += f.Pause + f.Hold; spent > total {
			return plan
		}
		plan = append(plan, f)
	}
}

func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	return (least + time.Duration(rng.Int64N(int64(most-least)))).Round(time.Millisecond)
}
