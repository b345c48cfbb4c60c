package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// batchTime is about how long one side of a comparison runs at a time.
const batchTime = 4 * time.Millisecond

// side is one thing to measure: run does it n times.
type side struct {
	name string
	run  func(n int) error
	// before and after surround a batch and are not measured; nil is nothing.
	before, after func() error
	// fixed batches need no calibration; 0 means as many as fill batchTime.
	fixed int

	batch int
	times []float64 // nanoseconds for one, of each turn
}

// clock tells how much time was spent.
type clock func() time.Duration

// spend runs n of a side and returns the time for one.
func (s *side) spend(now clock, n int) (nanoseconds float64, err error) {
	if s.before != nil {
		if err := s.before(); err != nil {
			return 0, fmt.Errorf("prepare %s: %w", s.name, err)
		}
	}
	runtime.GC() // nobody pays for what another side left
	began := now()
	err = s.run(n)
	spent := now() - began
	if s.after != nil {
		err = errors.Join(err, s.after())
	}
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", s.name, err)
	}
	return float64(spent) / float64(n), nil
}

// calibrate finds how many fill a batch.
func (s *side) calibrate(now clock) error {
	for s.batch = max(1, s.fixed); ; s.batch *= 2 {
		one, err := s.spend(now, s.batch)
		if err != nil {
			return err
		}
		if s.fixed > 0 || one*float64(s.batch) >= float64(batchTime) {
			return nil
		}
	}
}

// takeTurns runs every side once a turn until the time is over; at least three
// turns, so that there is a median.
func takeTurns(ctx context.Context, sides []*side, now clock, wall func() time.Time, until time.Time) (turns int, err error) {
	for _, s := range sides {
		if err := s.calibrate(now); err != nil {
			return 0, err
		}
	}
	for turns = 0; turns < 3 || wall().Before(until); turns++ {
		for i := range sides {
			s := sides[(i+turns)%len(sides)] // nobody is always behind the same one
			if err := ctx.Err(); err != nil {
				return turns, err
			}
			one, err := s.spend(now, s.batch)
			if err != nil {
				return turns, err
			}
			s.times = append(s.times, one)
		}
	}
	return turns, nil
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// over is the median of a side's times as multiples of another's in the same turns.
func (s *side) over(base *side) float64 {
	ratios := make([]float64, min(len(s.times), len(base.times)))
	for i := range ratios {
		ratios[i] = s.times[i] / base.times[i]
	}
	return median(ratios)
}
