package registry

import (
	"fmt"
	"sync"

	"github.com/edgereel/edgereel/consensus/plain"
)

// Machine holds the present state and tells who listens of every change. On a
// voter the group's goroutine changes it, on another node the learner does; mu
// guards all fields and is never held while a listener waits.
type Machine struct {
	mu    sync.Mutex
	state *State
	// changed is closed with the next change.
	changed chan struct{}
}

var _ plain.Machine = (*Machine)(nil)

// NewMachine holds the empty registry.
func NewMachine() *Machine { return &Machine{state: NewState(), changed: make(chan struct{})} }

// State is the present state.
func (m *Machine) State() *State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Changed gives the present state and a channel that is closed once there is
// another one.
func (m *Machine) Changed() (*State, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.changed
}

func (m *Machine) set(next *State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if next == m.state {
		return
	}
	m.state = next
	close(m.changed)
	m.changed = make(chan struct{})
}

// Apply applies a committed operation and gives its encoded [Result].
func (m *Machine) Apply(command []byte) ([]byte, error) {
	op, err := DecodeOp(command)
	if err != nil {
		return nil, err
	}
	next, res := m.State().Apply(op)
	m.set(next)
	return res.Encode()
}

// Snapshot encodes the state.
func (m *Machine) Snapshot() ([]byte, error) { return m.State().Snapshot() }

// Restore replaces the state.
func (m *Machine) Restore(snapshot []byte) error {
	next, err := Restore(snapshot)
	if err != nil {
		return err
	}
	m.set(next)
	return nil
}

// learn takes a state that another node sent, if it is newer.
func (m *Machine) learn(snapshot []byte) error {
	next, err := Restore(snapshot)
	if err != nil {
		return fmt.Errorf("learn the registry: %w", err)
	}
	if next.Seq() > m.State().Seq() {
		m.set(next)
	}
	return nil
}
