package client

import (
	"cmp"
	"slices"
	"time"
)

// minGain is how much nearer a node must be, besides two thirds of the present
// round trip, before a player is moved to it.
const minGain = 10 * time.Millisecond

// confirmations is how often in a row a nearer node must be seen.
const confirmations = 2

// ranking orders nodes by their round trip and remembers which one players
// should use. It is a value without a lock: its owner guards it.
type ranking struct {
	// rtt of each node; 0 is a node that did not answer last time.
	rtt []time.Duration
	// suspectUntil is when a node that was silent may be tried first again.
	suspectUntil []time.Time
	// preferred is the node to use, -1 before the first one answered.
	preferred int
	// challenger was nearer by enough in its last streak rankings.
	challenger, streak int
}

func newRanking(nodes int) *ranking {
	return &ranking{
		rtt: make([]time.Duration, nodes), suspectUntil: make([]time.Time, nodes),
		preferred: -1, challenger: -1,
	}
}

// measured takes in one probe of every node.
func (r *ranking) measured(rtt []time.Duration) {
	copy(r.rtt, rtt)
	best := r.best()
	switch {
	case best < 0:
		return
	case r.preferred < 0 || r.rtt[r.preferred] == 0:
		r.prefer(best)
	case !nearerByEnough(r.rtt[r.preferred], r.rtt[best]):
		r.challenger, r.streak = -1, 0
	case r.challenger != best:
		r.challenger, r.streak = best, 1
	default:
		r.streak++
	}
	if r.streak >= confirmations {
		r.prefer(best)
	}
}

func (r *ranking) prefer(node int) {
	r.preferred, r.challenger, r.streak = node, -1, 0
}

// best is the nearest node that answered, -1 if none did.
func (r *ranking) best() int {
	best := -1
	for i, rtt := range r.rtt {
		if rtt > 0 && (best < 0 || rtt < r.rtt[best]) {
			best = i
		}
	}
	return best
}

// nearerByEnough keeps players from swinging between nodes about as near.
func nearerByEnough(present, candidate time.Duration) bool {
	return 3*candidate < 2*present && present-candidate >= minGain
}

// order lists all nodes in the order they should be tried: those not suspect
// first, the preferred one before the others, then by round trip.
func (r *ranking) order(now time.Time) []int {
	nodes := make([]int, len(r.rtt))
	for i := range nodes {
		nodes[i] = i
	}
	class := func(i int) int {
		switch {
		case now.Before(r.suspectUntil[i]):
			return 3
		case i == r.preferred:
			return 0
		case r.rtt[i] > 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(nodes, func(a, b int) int {
		return cmp.Or(cmp.Compare(class(a), class(b)), cmp.Compare(r.rtt[a], r.rtt[b]))
	})
	return nodes
}
