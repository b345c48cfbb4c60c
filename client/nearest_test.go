package client

import (
	"slices"
	"testing"
	"time"
)

func TestRanking_Hysteresis(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		rounds [][]time.Duration
		want   int
	}{
		"nearest first":              {[][]time.Duration{{30 * ms, 5 * ms}}, 1},
		"not near enough: ratio":     {[][]time.Duration{{60 * ms, 99 * ms}, {60 * ms, 45 * ms}, {60 * ms, 45 * ms}}, 0},
		"not near enough: 10 ms":     {[][]time.Duration{{9 * ms, 20 * ms}, {9 * ms, ms}, {9 * ms, ms}}, 0},
		"once is not enough":         {[][]time.Duration{{60 * ms, 99 * ms}, {60 * ms, 5 * ms}}, 0},
		"twice in a row":             {[][]time.Duration{{60 * ms, 99 * ms}, {60 * ms, 5 * ms}, {60 * ms, 5 * ms}}, 1},
		"twice, not in a row":        {[][]time.Duration{{60 * ms, 99 * ms}, {60 * ms, 5 * ms}, {60 * ms, 50 * ms}, {60 * ms, 5 * ms}}, 0},
		"two challengers do not add": {[][]time.Duration{{60 * ms, 99 * ms, 99 * ms}, {60 * ms, 5 * ms, 9 * ms}, {60 * ms, 9 * ms, 5 * ms}}, 0},
		"silent node is left":        {[][]time.Duration{{5 * ms, 60 * ms}, {0, 60 * ms}}, 1},
		"nobody answers":             {[][]time.Duration{{5 * ms, 60 * ms}, {0, 0}}, 0},
		"nobody ever answered":       {[][]time.Duration{{0, 0}}, -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRanking(len(test.rounds[0]))
			for _, rtt := range test.rounds {
				r.measured(rtt)
			}
			if r.preferred != test.want {
				t.Errorf("preferred %d, want %d", r.preferred, test.want)
			}
		})
	}
}

func TestRanking_Order(t *testing.T) {
	const ms = time.Millisecond
	now := time.Unix(1000, 0)
	r := newRanking(5)
	r.measured([]time.Duration{60 * ms, 5 * ms, 0, 40 * ms, 7 * ms})
	r.suspectUntil[1] = now.Add(time.Second)
	if got := r.order(now); !slices.Equal(got, []int{4, 3, 0, 2, 1}) {
		t.Errorf("order %v: suspects come last, silent nodes before them", got)
	}
	if got := r.order(now.Add(time.Second)); got[0] != 1 {
		t.Errorf("order %v: a suspicion ends", got)
	}
}
