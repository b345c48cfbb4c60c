package seglog

import (
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
)

var (
	_ raft.LogStore          = (*Group)(nil)
	_ raft.MonotonicLogStore = (*Group)(nil)
)

// Group is the log of one Raft group. Its stable values are kept elsewhere: see
// storage.Group.
//
// mu guards index and cache, which show the durable state, and is never held
// during I/O.
type Group struct {
	log *Log
	id  uint32

	mu    sync.Mutex
	index index
	cache tailCache

	// writer
	disk extent
}

// IsMonotonic is true: raft then removes the whole old log after it restores a
// snapshot. Left in place, entries of an old term below the gap could be sent
// to a follower by a later leader and make it truncate committed ones.
func (g *Group) IsMonotonic() bool { return true }

// FirstIndex returns the first index of the log, 0 when it is empty.
func (g *Group) FirstIndex() (uint64, error) {
	e, err := g.extent()
	return e.first, err
}

// LastIndex returns the last index of the log, 0 when it is empty.
func (g *Group) LastIndex() (uint64, error) {
	e, err := g.extent()
	return e.last, err
}

func (g *Group) extent() (extent, error) {
	if err := g.log.readable(); err != nil {
		return extent{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.index.extent(), nil
}

// GetLog fills in the entry at index, or returns raft.ErrLogNotFound. Data is
// shared between callers and must not be changed. A record whose checksum does
// not match is refused with a *storage.DamageError.
func (g *Group) GetLog(index uint64, out *raft.Log) error {
	for {
		if err := g.log.readable(); err != nil {
			return err
		}
		g.mu.Lock()
		if !g.index.extent().has(index) {
			g.mu.Unlock()
			return raft.ErrLogNotFound
		}
		l, cached := g.cache.get(index)
		p := g.index.at(index)
		g.mu.Unlock()
		if cached {
			*out = l
			return nil
		}
		s := g.log.hold(p.segment)
		if s == nil {
			continue // truncated or carried away since
		}
		l, err := s.read(make([]byte, p.length), p, g.id, index)
		g.log.letGo(s)
		if err == nil {
			*out = l
		}
		return err
	}
}

// read reads the record at p into b and decodes it.
func (s *segment) read(b []byte, p loc, group uint32, index uint64) (raft.Log, error) {
	if _, err := s.file.ReadAt(b, int64(p.offset)); err != nil {
		return raft.Log{}, fmt.Errorf("read entry %d of group %d from %s: %w", index, group, s.name(), err)
	}
	l, n, err := decodeRecord(b, group)
	if err == nil && (n != len(b) || l.Index != index) {
		err = errors.New("another record lies here")
	}
	if err != nil {
		return raft.Log{}, &storage.DamageError{
			File: s.name(), Group: group, Index: index, Offset: int64(p.offset), Reason: err.Error(),
		}
	}
	return l, nil
}

// StoreLog is StoreLogs with one entry.
func (g *Group) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends contiguous entries and returns when they are durable, all
// or none. They normally start right after the last index; entries that start
// at or before it replace the old ones from there on. Entries that start beyond
// it replace the whole log: raft writes such entries only when a snapshot
// covers the hole (a crash came between the snapshot and the removal of the old
// log).
func (g *Group) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return g.log.readable()
	}
	r, err := g.encode(logs)
	if err != nil {
		return err
	}
	if err := g.log.submit(r); err != nil {
		return fmt.Errorf("store %d entries of group %d: %w", len(logs), g.id, err)
	}
	return nil
}

func (g *Group) encode(logs []*raft.Log) (*request, error) {
	total := 0
	for i, l := range logs {
		if l.Index == 0 || l.Index != logs[0].Index+uint64(i) {
			return nil, fmt.Errorf("store entries of group %d: index %d is not contiguous", g.id, l.Index)
		}
		n := recordSize(l)
		if total += n; n > maxRecordBytes || total > maxCallBytes {
			return nil, fmt.Errorf("store entries of group %d: entry %d of %d bytes exceeds %d, or all together %d",
				g.id, l.Index, n, maxRecordBytes, maxCallBytes)
		}
	}
	r := &request{
		kind:    opAppend,
		group:   g,
		records: make([]byte, 0, total),
		lengths: make([]uint32, len(logs)),
		logs:    make([]raft.Log, len(logs)),
	}
	for i, l := range logs {
		start := len(r.records)
		r.records = appendRecord(r.records, g.id, l)
		r.lengths[i] = uint32(len(r.records) - start)
		r.logs[i] = aliased(*l, r.records[start:])
	}
	return r, nil
}

// aliased lets an entry's bytes lie in its record: the cache must not keep the
// caller's buffers.
func aliased(l raft.Log, rec []byte) raft.Log {
	n, m := len(l.Data), len(l.Extensions)
	rec = rec[recordHeader : recordHeader+n+m : recordHeader+n+m]
	l.Data, l.Extensions = nil, nil
	if n > 0 {
		l.Data = rec[:n:n]
	}
	if m > 0 {
		l.Extensions = rec[n:]
	}
	return l
}

// DeleteRange removes the entries lo to hi, which must be a prefix or a suffix
// of the log or all of it; a range outside the log is nothing to do. Readers
// and a crash see either all of the range or none of it. Only the new extent is
// written; room is won back later, by whole segments, beside the appends.
func (g *Group) DeleteRange(lo, hi uint64) error {
	e, err := g.extent()
	if err != nil || hi < lo || e.first == 0 || hi < e.first || lo > e.last {
		return err
	}
	if err := g.log.submit(&request{kind: opCut, group: g, lo: lo, hi: hi}); err != nil {
		return fmt.Errorf("delete %d to %d of group %d: %w", lo, hi, g.id, err)
	}
	return nil
}
