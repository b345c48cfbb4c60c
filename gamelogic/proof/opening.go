package proof

import (
	"context"
	"errors"
	"math/big"

	"github.com/edgereel/edgereel/gamelogic"
)

// Opening is what the first step of a round pays and leads to, over all its
// draws.
type Opening struct {
	Leaves uint64
	// RTP is what this step alone returns of the cost.
	RTP *big.Rat
	// Closes is the probability that the round is over with it.
	Closes *big.Rat
	// Hits is the probability that this step pays.
	Hits *big.Rat
}

// opening walks the first step alone; nil when it is too large by itself.
func opening(ctx context.Context, m *gamelogic.Module, cfg ExactConfig, costMinor int64) (*Opening, error) {
	w := newWalk(m, cfg)
	workers := make([]*walker, cfg.Workers)
	for i := range workers {
		sim, err := m.NewSimulator(ctx)
		if err != nil {
			return nil, err
		}
		defer sim.Close()
		workers[i] = w.newWalker(sim)
	}
	a := w.positions[0].actions[0]
	if err := workers[0].probe(a); err != nil {
		return nil, err
	}
	if w.tooLarge(w.size()) != nil {
		return nil, nil
	}
	if err := w.action(ctx, workers, a); errors.Is(err, ErrTooLarge) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	o := &Opening{Leaves: a.leaves, RTP: new(big.Rat), Closes: new(big.Rat), Hits: new(big.Rat)}
	for _, e := range a.edges {
		o.RTP.Add(o.RTP, times(e.weight, e.win))
		if e.to == closed {
			o.Closes.Add(o.Closes, e.weight)
		}
		if e.win > 0 {
			o.Hits.Add(o.Hits, e.weight)
		}
	}
	o.RTP.Quo(o.RTP, new(big.Rat).SetInt64(costMinor))
	return o, nil
}
