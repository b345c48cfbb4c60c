package seglog

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
)

var errDisk = errors.New("disk is broken")

// fault decides about one change or sync: fail it, and if so, whether it takes
// effect all the same.
type fault func(what, name string) (fail, persisted bool)

// memFS is a folder in memory that knows what a power loss may take away: of
// what was not synced, any sector and any tail of the name changes.
type memFS struct {
	mu     sync.Mutex
	names  map[string]*memData // as the process sees them
	stable map[string]*memData
	moves  []func(map[string]*memData) // since the last SyncDir
	fault  fault
	dead   bool // the process is gone: nothing reaches the disk any more
	syncs  int
}

type memData struct {
	now    []byte
	stable []byte
	dirty  []memWrite
}

type memWrite struct {
	at int64
	b  []byte
}

func newMemFS() *memFS {
	return &memFS{names: map[string]*memData{}, stable: map[string]*memData{}}
}

func patch(b []byte, at int64, p []byte) []byte {
	if n := at + int64(len(p)); n > int64(len(b)) {
		b = append(b, make([]byte, n-int64(len(b)))...)
	}
	copy(b[at:], p)
	return b
}

// step asks for a fault. It returns whether to go on and the error to give.
func (m *memFS) step(what, name string) (bool, error) {
	if m.dead {
		return false, errDisk
	}
	if m.fault != nil {
		if fail, persisted := m.fault(what, name); fail {
			return persisted, errDisk
		}
	}
	return true, nil
}

func (m *memFS) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.names)), nil
}

func (m *memFS) change(what, name string, f func(map[string]*memData)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	goOn, err := m.step(what, name)
	if goOn {
		f(m.names)
		m.moves = append(m.moves, f)
	}
	return err
}

func (m *memFS) Open(name string, create bool) (File, error) {
	m.mu.Lock()
	d := m.names[name]
	m.mu.Unlock()
	if create {
		if d != nil {
			return nil, os.ErrExist
		}
		d = &memData{}
		if err := m.change("create", name, func(n map[string]*memData) { n[name] = d }); err != nil {
			return nil, err
		}
	}
	if d == nil {
		return nil, os.ErrNotExist
	}
	return &memFile{fs: m, name: name, data: d}, nil
}

func (m *memFS) Rename(from, to string) error {
	return m.change("rename", to, func(n map[string]*memData) {
		if d := n[from]; d != nil {
			n[to] = d
			delete(n, from)
		}
	})
}

func (m *memFS) Remove(name string) error {
	return m.change("remove", name, func(n map[string]*memData) { delete(n, name) })
}

// SyncDir makes the name changes durable. Unlike a file's pages they are not
// forgotten when it fails: a file system whose journal fails goes read-only.
func (m *memFS) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	goOn, err := m.step("syncdir", "")
	if goOn {
		for _, f := range m.moves {
			f(m.stable)
		}
		m.moves = nil
	}
	return err
}

type memFile struct {
	fs     *memFS
	name   string
	data   *memData
	closed bool
}

func (f *memFile) ReadAt(p []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	n := 0
	if at < int64(len(f.data.now)) {
		n = copy(p, f.data.now[at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	goOn, err := f.fs.step("write", f.name)
	if goOn {
		f.data.now = patch(f.data.now, at, p)
		f.data.dirty = append(f.data.dirty, memWrite{at, slices.Clone(p)})
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Sync makes the bytes durable. One that failed leaves the pages clean, as
// Linux does: a later Sync does not write them.
func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	goOn, err := f.fs.step("sync", f.name)
	if f.fs.dead {
		return err
	}
	f.fs.syncs++
	if goOn {
		for _, w := range f.data.dirty {
			f.data.stable = patch(f.data.stable, w.at, w.b)
		}
	}
	f.data.dirty = nil
	return err
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.data.now)), nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return os.ErrClosed
	}
	f.closed = true
	return nil
}

// exit is the death of the process alone: everything written is still there.
func (m *memFS) exit() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	return &memFS{names: m.names, stable: m.stable, moves: m.moves}
}

// crash is a power loss: what is left is what was synced, any sectors of later
// writes and some first of the later name changes.
func (m *memFS) crash(r *rand.Rand) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	left := newMemFS()
	names := maps.Clone(m.stable)
	for _, f := range m.moves[:r.IntN(len(m.moves)+1)] {
		f(names)
	}
	keep := r.Float64()
	for name, d := range names {
		b := slices.Clone(d.stable)
		for _, w := range d.dirty {
			for at := 0; at < len(w.b); at += sectorBytes {
				if r.Float64() < keep {
					b = patch(b, w.at+int64(at), w.b[at:min(at+sectorBytes, len(w.b))])
				}
			}
		}
		left.names[name] = &memData{now: b, stable: slices.Clone(b)}
	}
	left.stable = maps.Clone(left.names)
	return left
}

// clone is a copy of what the process sees, all of it durable.
func (m *memFS) clone() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := newMemFS()
	for name, d := range m.names {
		c.names[name] = &memData{now: slices.Clone(d.now), stable: slices.Clone(d.now)}
	}
	c.stable = maps.Clone(c.names)
	return c
}

func (m *memFS) total() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.names {
		n += len(d.now)
	}
	return n
}
