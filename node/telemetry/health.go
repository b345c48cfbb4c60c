package telemetry

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// Health answers the three questions an orchestrator asks. Startup: has this
// node replayed its log? Ready: should players be sent here? Live: is the
// process beyond help and to be restarted? Live must never depend on a quorum:
// restarting nodes because a region is cut off makes the loss worse.
//
// A node that has not started is not ready.
type Health struct {
	Startup, Ready, Live *Probe
}

// NewHealth gives a node that is alive and has not started.
func NewHealth() *Health {
	h := &Health{Startup: newProbe(), Ready: newProbe(), Live: newProbe()}
	h.Startup.Set("started", errors.New("the node is starting"))
	h.Ready.Check("started", func() error {
		if len(h.Startup.Failing()) > 0 {
			return errors.New("the node is starting")
		}
		return nil
	})
	return h
}

// Started says that the log is replayed.
func (h *Health) Started() { h.Startup.Set("started", nil) }

// Draining says that the node is about to stop and takes no new players.
func (h *Health) Draining() { h.Ready.Set("draining", errors.New("the node is draining")) }

// Probe is one question: it passes while none of its conditions fails. The
// mutex guards checks; the functions in it are called without it.
type Probe struct {
	mu     sync.Mutex
	checks map[string]func() error
}

func newProbe() *Probe { return &Probe{checks: map[string]func() error{}} }

// Set replaces a condition by its present state; nil passes.
func (p *Probe) Set(name string, err error) {
	p.Check(name, func() error { return err })
}

// Check replaces a condition by a function that is asked every time. It must
// answer at once and from memory.
func (p *Probe) Check(name string, check func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checks[name] = check
}

// Reason is one failing condition.
type Reason struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Failing lists what does not pass, by name.
func (p *Probe) Failing() []Reason {
	p.mu.Lock()
	checks := maps.Clone(p.checks)
	p.mu.Unlock()
	reasons := []Reason{}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if err := checks[name](); err != nil {
			reasons = append(reasons, Reason{Name: name, Reason: err.Error()})
		}
	}
	return reasons
}

// ServeHTTP answers 200 or 503, with the reasons as JSON.
func (p *Probe) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	reasons := p.Failing()
	status, word := http.StatusOK, "ok"
	if len(reasons) > 0 {
		status, word = http.StatusServiceUnavailable, "failing"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The asker is gone if this cannot be written.
	_ = json.NewEncoder(w).Encode(struct {
		Schema  int      `json:"schema"`
		Status  string   `json:"status"`
		Reasons []Reason `json:"reasons"`
	}{1, word, reasons})
}
