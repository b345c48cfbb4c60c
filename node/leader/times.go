package leader

import (
	"bytes"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

// Bounds of what Times keeps.
const (
	timesModules = 256
	timesWindow  = 5 * time.Minute
	// A class of time is an eighth of a power of two wide, so that a figure is
	// at most 12.5 % too high.
	timesPerOctave = 8
	timesClasses   = 64 * timesPerOctave
)

// Times keeps how long evaluations took, per module, over the last five to ten
// minutes. It holds about 4 KiB for each of at most 256 modules; beyond that
// the one that was evaluated longest ago is forgotten. The mutex guards all.
type Times struct {
	mu      sync.Mutex
	modules map[wallet.Hash]*moduleTimes
}

// moduleTimes has the window that is being filled and the one before it.
type moduleTimes struct {
	began  time.Time
	last   time.Time
	counts [2][timesClasses]uint32
}

// EvaluationTimes are those of one module.
type EvaluationTimes struct {
	Digest wallet.Hash
	// Steps were evaluated in the window; P50 and P99 are upper bounds of what
	// half and 99 % of them took.
	Steps    uint64
	P50, P99 time.Duration
}

// NewTimes keeps nothing yet.
func NewTimes() *Times { return &Times{modules: map[wallet.Hash]*moduleTimes{}} }

// Observe takes one evaluation that ended now.
func (t *Times) Observe(digest wallet.Hash, took time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.modules[digest]
	if m == nil {
		if len(t.modules) >= timesModules {
			t.forget()
		}
		m = &moduleTimes{began: now}
		t.modules[digest] = m
	}
	m.turn(now)
	m.last = now
	m.counts[0][timeClass(took)]++
}

// turn begins a new window where the present one is over.
func (m *moduleTimes) turn(now time.Time) {
	switch age := now.Sub(m.began); {
	case age < timesWindow:
		return
	case age < 2*timesWindow:
		m.counts[1] = m.counts[0]
	default:
		m.counts[1] = [timesClasses]uint32{}
	}
	m.counts[0], m.began = [timesClasses]uint32{}, now
}

func (t *Times) forget() {
	var oldest wallet.Hash
	var last time.Time
	for digest, m := range t.modules {
		if last.IsZero() || m.last.Before(last) {
			oldest, last = digest, m.last
		}
	}
	delete(t.modules, oldest)
}

// All gives what is kept, in order of digest.
func (t *Times) All(now time.Time) []EvaluationTimes {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]EvaluationTimes, 0, len(t.modules))
	for digest, m := range t.modules {
		m.turn(now)
		list = append(list, m.figures(digest))
	}
	slices.SortFunc(list, func(a, b EvaluationTimes) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	return list
}

func (m *moduleTimes) figures(digest wallet.Hash) EvaluationTimes {
	e := EvaluationTimes{Digest: digest}
	for class := range timesClasses {
		e.Steps += uint64(m.counts[0][class]) + uint64(m.counts[1][class])
	}
	var below uint64
	for class := range timesClasses {
		below += uint64(m.counts[0][class]) + uint64(m.counts[1][class])
		if e.P50 == 0 && 2*below >= e.Steps && e.Steps > 0 {
			e.P50 = classEnd(class)
		}
		if 100*below >= 99*e.Steps && e.Steps > 0 {
			e.P99 = classEnd(class)
			return e
		}
	}
	return e
}

// timeClass numbers the classes in order of time. Below 8 ns a class is 1 ns.
func timeClass(took time.Duration) int {
	ns := uint64(max(took, 0))
	if ns < timesPerOctave {
		return int(ns)
	}
	octave := bits.Len64(ns) - 4 // ns >> octave is 8 to 15
	return octave*timesPerOctave + int(ns>>octave)
}

// classEnd is the greatest time of a class.
func classEnd(class int) time.Duration {
	if class < 2*timesPerOctave {
		return time.Duration(class)
	}
	octave := class/timesPerOctave - 1
	return time.Duration((uint64(class%timesPerOctave+timesPerOctave+1) << octave) - 1)
}
