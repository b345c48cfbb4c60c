package canary

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

// DefaultAlpha is the probability that a healthy canary is ever taken back for
// its return or its frequencies.
const DefaultAlpha = 1e-4

// Looks come at this many rounds of a mode, and then at half as many again.
const (
	firstLook = 1000
	// maxLooks is beyond 10^17 rounds.
	maxLooks = 80
)

// Bounds of evaluation times.
const (
	// leastSteps make a percentile worth comparing.
	leastSteps = 1000
	// slowRatio of the live version's 99th percentile is too slow, once it is
	// also over slowFloor; calmRatio ends the suspicion.
	slowRatio = 3.0
	calmRatio = 2.0
	slowFloor = 500 * time.Microsecond
	// slowAlone is too slow where there is no live version to compare with.
	slowAlone = 10 * time.Millisecond
	// strikes looks have to agree, strikeEvery apart.
	strikes     = 3
	strikeEvery = time.Minute
)

// Evidence is what is known of a canary: all of it so far, over all shards.
type Evidence struct {
	// Tallies are those of the canary's module.
	Tallies []wallet.Tally
	// Quarantined: a shard has taken the module out of play.
	Quarantined bool
	Times       []Timing
}

// Timing is how long evaluations of both versions took on one node lately.
type Timing struct {
	Node        string
	CanarySteps uint64
	CanaryP99   time.Duration
	LiveSteps   uint64
	LiveP99     time.Duration
}

// Look is one test of a mode.
type Look struct {
	Mode string
	// Number counts the looks of the mode, from 1.
	Number int
	Rounds uint64
	// Spends is what this look adds to the probability of a false alarm.
	Spends float64
	// Return is the mean win per cost, ReturnTail how probable one so far out is.
	Return     float64
	ReturnTail float64
	// Class is the one furthest out, ClassTail how probable that is.
	Class     int
	ClassTail float64
}

// Decision is what a watch makes of the evidence.
type Decision struct {
	Rollback bool
	// Reason is a sentence for people where Rollback is set.
	Reason string
	// Looks are those that fell due.
	Looks []Look
}

// Watch follows one canary. It belongs to one goroutine.
type Watch struct {
	laws   map[string]*Law
	alpha  float64
	digest wallet.Hash
	looked map[string]int
	slow   map[string]*suspicion
}

// suspicion counts the looks at which a node was too slow.
type suspicion struct {
	strikes int
	at      time.Time
}

// NewWatch begins to watch a canary by the laws of its modes; without any, only
// incidents and times count. alpha 0 is DefaultAlpha.
func NewWatch(digest wallet.Hash, laws map[string]*Law, alpha float64) *Watch {
	if alpha <= 0 {
		alpha = DefaultAlpha
	}
	return &Watch{laws: laws, alpha: alpha, digest: digest, looked: map[string]int{}, slow: map[string]*suspicion{}}
}

// Decide looks at the evidence. now is only compared with that of earlier looks.
func (w *Watch) Decide(e *Evidence, now time.Time) Decision {
	var d Decision
	if reason := failed(e); reason != "" {
		return Decision{Rollback: true, Reason: reason}
	}
	tallies := slices.Clone(e.Tallies)
	slices.SortFunc(tallies, func(a, b wallet.Tally) int { return strings.Compare(a.Mode, b.Mode) })
	for i := range tallies {
		t := &tallies[i]
		law, number := w.laws[t.Mode], LookNumber(t.Rounds)
		if law == nil || t.Digest != w.digest || number <= w.looked[t.Mode] {
			continue
		}
		w.looked[t.Mode] = number
		look := law.look(t, number, w.spend(number))
		d.Looks = append(d.Looks, look)
		if reason := look.alarm(law); reason != "" && !d.Rollback {
			d.Rollback, d.Reason = true, reason
		}
	}
	if reason := w.tooSlow(e, now); reason != "" && !d.Rollback {
		d.Rollback, d.Reason = true, reason
	}
	return d
}

func failed(e *Evidence) string {
	var incidents uint64
	var mode string
	for i := range e.Tallies {
		if n := e.Tallies[i].Incidents; n > 0 {
			incidents += n
			mode = e.Tallies[i].Mode
		}
	}
	switch {
	case incidents > 0:
		return fmt.Sprintf("the module failed at %d steps, the last seen in mode %q", incidents, mode)
	case e.Quarantined:
		return "a shard has taken the module out of play"
	}
	return ""
}

// LookNumber is how many looks are due at a number of rounds.
func LookNumber(rounds uint64) int {
	number := 0
	for due := uint64(firstLook); due <= rounds && number < maxLooks; due += due / 2 {
		number++
	}
	return number
}

// lookRounds is how many rounds make a look due.
func lookRounds(number int) uint64 {
	due := uint64(firstLook)
	for range min(number, maxLooks) - 1 {
		due += due / 2
	}
	return due
}

// spend is what the look of a mode may add to the probability of a false alarm:
// over all looks of all modes that is alpha.
func (w *Watch) spend(number int) float64 {
	return w.alpha / float64(len(w.laws)) / float64(number*(number+1))
}

// Shares of a look's spending: half for the return, half for the classes, each
// on two sides.
func returnLevel(spends float64) float64 { return spends / 4 }
func classLevel(spends float64) float64  { return spends / 4 / wallet.Classes }

func (l *Law) look(t *wallet.Tally, number int, spends float64) Look {
	look := Look{
		Mode: t.Mode, Number: number, Rounds: t.Rounds, Spends: spends,
		Return: float64(t.ReturnX1000000) / 1e6 / float64(t.Rounds), ClassTail: 1,
	}
	seed := [2]uint64{binary.BigEndian.Uint64(t.Digest[:8]), binary.BigEndian.Uint64(t.Digest[8:16]) + uint64(number)}
	look.ReturnTail = l.returnTail(t.Rounds, look.Return, seed)
	if l.Choice {
		return look
	}
	for class, count := range t.Counts {
		if tail := l.classTail(class, count, t.Rounds); tail < look.ClassTail {
			look.Class, look.ClassTail = class, tail
		}
	}
	return look
}

// alarm says why a look takes the canary back, "" where it does not.
func (k *Look) alarm(l *Law) string {
	switch {
	case k.ClassTail < classLevel(k.Spends):
		return fmt.Sprintf("mode %q: rounds that win %s came in a number that a healthy game shows once in %.3g looks (look %d, %d rounds)",
			k.Mode, className(k.Class), 1/max(k.ClassTail, 1e-300), k.Number, k.Rounds)
	case k.ReturnTail < returnLevel(k.Spends):
		return fmt.Sprintf("mode %q: the return is %.4f after %d rounds, its report says %.4f; a healthy game is as far off once in %.3g looks (look %d)",
			k.Mode, k.Return, k.Rounds, l.Mean, 1/max(k.ReturnTail, 1e-300), k.Number)
	}
	return ""
}

func className(class int) string {
	x := func(class int) string { return fmt.Sprintf("%gx", float64(wallet.ClassFrom(class))/1e6) }
	switch class {
	case 0:
		return "nothing"
	case 1:
		return "less than " + x(2)
	case wallet.Classes - 1:
		return x(class) + " or more"
	}
	return x(class) + " to " + x(class+1)
}

// tooSlow follows each node's times. Three looks in a row have to agree, and a
// node between the two ratios neither gains nor loses a strike.
func (w *Watch) tooSlow(e *Evidence, now time.Time) string {
	for _, t := range e.Times {
		if t.CanarySteps < leastSteps {
			continue
		}
		s := w.slow[t.Node]
		if s == nil {
			s = &suspicion{}
			w.slow[t.Node] = s
		}
		limit, calm := slowAlone, slowAlone/2
		if t.LiveSteps >= leastSteps {
			limit = max(slowFloor, time.Duration(slowRatio*float64(t.LiveP99)))
			calm = max(slowFloor, time.Duration(calmRatio*float64(t.LiveP99)))
		}
		switch {
		case t.CanaryP99 <= calm:
			s.strikes = 0
		case t.CanaryP99 > limit && (s.strikes == 0 || now.Sub(s.at) >= strikeEvery):
			s.strikes++
			s.at = now
		}
		if s.strikes >= strikes {
			return fmt.Sprintf("on node %s the 99th percentile of evaluation times is %s, over %s for %d looks", t.Node, t.CanaryP99, limit, s.strikes)
		}
	}
	return ""
}

// RoundsToSee gives after how many rounds of the mode a look takes a faulty
// version back with the given probability, where a watch spends alpha on it. It
// reckons with normal distributions, and only with the best of the tests, so it
// is a plan and no promise; 0 where ten thousand million rounds do not suffice.
func (l *Law) RoundsToSee(faulty *Law, alpha, power float64) uint64 {
	w := &Watch{laws: map[string]*Law{l.Mode: l}, alpha: alpha}
	for number := 1; ; number++ {
		n := lookRounds(number)
		if n > 1e10 {
			return 0
		}
		spends, root := w.spend(number), math.Sqrt(float64(n))
		best := normal((math.Abs(faulty.Mean-l.Mean)*root - quantile(returnLevel(spends))*l.SD) / faulty.SD)
		for class := range l.low {
			p, q := l.high[class], faulty.high[class]
			if q > 0 && float64(n)*max(p, q) >= 25 {
				seen := math.Abs(q-p)*root - quantile(classLevel(spends))*math.Sqrt(p*(1-p))
				best = max(best, normal(seen/math.Sqrt(q*(1-q))))
			}
		}
		if best >= power {
			return n
		}
	}
}

// normal is the distribution function of the standard normal distribution,
// quantile how many deviations have alpha beyond them.
func normal(z float64) float64       { return math.Erfc(-z/math.Sqrt2) / 2 }
func quantile(alpha float64) float64 { return math.Sqrt2 * math.Erfcinv(2*alpha) }
