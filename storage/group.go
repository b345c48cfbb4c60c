package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// sliceKeys bounds the keys one transaction deletes, so that an append
	// never waits long behind a compaction.
	sliceKeys = 1000
	// appendFill fills pages of a log to the brim: keys only grow.
	appendFill = 0.95
)

var (
	_ raft.LogStore          = (*Group)(nil)
	_ raft.StableStore       = (*Group)(nil)
	_ raft.MonotonicLogStore = (*Group)(nil)
)

// Group is the log and stable store of one Raft group.
//
// The writer of the Store owns disk and diskStable. mu guards view, stable and
// cache, which show the durable state, and is never held during I/O.
type Group struct {
	store *Store
	id    uint32

	mu     sync.Mutex
	view   logRange
	stable map[string][]byte // values are never changed in place
	cache  tailCache

	// writer
	disk       logRange
	diskStable map[string][]byte
}

func newGroup(s *Store, id uint32) *Group {
	return &Group{store: s, id: id, cache: tailCache{limit: s.cfg.CacheBytes}}
}

// Group returns the log and stable store of a group; the same handle for the
// same id. A group takes up room in the file after its first write.
func (s *Store) Group(id uint32) *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[id]
	if g == nil {
		g = newGroup(s, id)
		s.groups[id] = g
	}
	return g
}

// IsMonotonic is true: raft then removes the whole old log after it restores a
// snapshot. Left in place, entries of an old term below the gap could be sent
// to a follower by a later leader and make it truncate committed ones.
func (g *Group) IsMonotonic() bool { return true }

// FirstIndex returns the first index of the log, 0 when it is empty.
func (g *Group) FirstIndex() (uint64, error) {
	r, err := g.extent()
	return r.first, err
}

// LastIndex returns the last index of the log, 0 when it is empty.
func (g *Group) LastIndex() (uint64, error) {
	r, err := g.extent()
	return r.last, err
}

func (g *Group) extent() (logRange, error) {
	if err := g.store.readable(); err != nil {
		return logRange{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.view, nil
}

func (s *Store) readable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// GetLog fills in the entry at index, or returns raft.ErrLogNotFound. Data is
// shared between callers and must not be changed. A record whose checksum does
// not match is refused with a *DamageError.
func (g *Group) GetLog(index uint64, out *raft.Log) error {
	if err := g.store.readable(); err != nil {
		return err
	}
	g.mu.Lock()
	if !g.view.has(index) {
		g.mu.Unlock()
		return raft.ErrLogNotFound
	}
	l, ok := g.cache.get(index)
	g.mu.Unlock()
	if ok {
		*out = l
		return nil
	}
	return g.readLog(index, out)
}

func (g *Group) readLog(index uint64, out *raft.Log) error {
	found := false
	err := g.store.db.View(func(tx *bbolt.Tx) error {
		b := logBucket(tx, g.id)
		if b == nil {
			return nil
		}
		v := b.Get(indexKey(index))
		if v == nil {
			return nil
		}
		found = true
		// The bytes of v are gone with the transaction.
		l, err := decodeLog(slices.Clone(v), g.id, index)
		if err != nil {
			return damaged(g.id, index, err)
		}
		*out = l
		return nil
	})
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	if err != nil || found {
		return err
	}
	// It may have been deleted since the look at the range.
	g.mu.Lock()
	gone := !g.view.has(index)
	g.mu.Unlock()
	if gone {
		return raft.ErrLogNotFound
	}
	return damaged(g.id, index, errors.New("record has vanished"))
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
		return g.store.readable()
	}
	recs, total, err := g.encode(logs)
	if err != nil {
		return err
	}
	more, err := g.append(recs, total)
	if err == nil && more {
		err = g.clean()
	}
	if err != nil {
		return fmt.Errorf("store %d entries of group %d: %w", len(logs), g.id, err)
	}
	return nil
}

// encoded is an entry with its record; the entry's Data lies in the record.
type encoded struct {
	log raft.Log
	rec []byte
}

func (g *Group) encode(logs []*raft.Log) ([]encoded, int, error) {
	total := 0
	for i, l := range logs {
		if l.Index == 0 || l.Index != logs[0].Index+uint64(i) {
			return nil, 0, fmt.Errorf("store entries of group %d: index %d is not contiguous", g.id, l.Index)
		}
		if n := logSize(l); n > maxRecordBytes {
			return nil, 0, fmt.Errorf("store entries of group %d: entry %d of %d bytes exceeds %d", g.id, l.Index, n, maxRecordBytes)
		}
		total += logSize(l)
	}
	buf := make([]byte, 0, total)
	recs := make([]encoded, len(logs))
	for i, l := range logs {
		start := len(buf)
		buf = appendLog(buf, g.id, l)
		rec := buf[start:len(buf):len(buf)]
		recs[i] = encoded{log: *l, rec: rec}
		// The cache must not alias the caller's buffers.
		data := rec[logHeaderSize : len(rec)-crcSize]
		recs[i].log.Data, recs[i].log.Extensions = nil, nil
		if n := len(l.Data); n > 0 {
			recs[i].log.Data = data[:n:n]
		}
		if n := len(l.Data); len(l.Extensions) > 0 {
			recs[i].log.Extensions = data[n:]
		}
	}
	return recs, total, nil
}

// append writes the records and reports whether old keys are still to be
// removed.
func (g *Group) append(recs []encoded, total int) (more bool, err error) {
	first, last := recs[0].log.Index, recs[len(recs)-1].log.Index
	var next logRange
	err = g.store.submit(&request{
		records: len(recs),
		bytes:   total,
		apply: func(tx *bbolt.Tx) error {
			gb, err := g.bucket(tx)
			if err != nil {
				return err
			}
			old := g.disk
			next = logRange{old.first, last}
			if !old.has(first) && first != old.last+1 || old.first == 0 {
				next.first = first
			}
			lb := gb.Bucket([]byte(bucketLog))
			lb.FillPercent = appendFill
			for _, r := range recs {
				if err := lb.Put(indexKey(r.log.Index), r.rec); err != nil {
					return err
				}
			}
			if err := g.putRange(gb, next); err != nil {
				return err
			}
			if old.first != 0 && first != old.last+1 {
				more, err = g.sweep(lb)
			}
			return err
		},
		publish: func() {
			g.mu.Lock()
			g.view = next
			g.cache.store(recs)
			g.mu.Unlock()
		},
	})
	return more, err
}

// putRange is called by the writer only.
func (g *Group) putRange(gb *bbolt.Bucket, r logRange) error {
	g.disk = r
	return gb.Put([]byte(keyRange), seal(groupBucket(g.id)+"/"+keyRange, r.encode()))
}

// bucket returns the bucket of the group, created with empty content when this
// is the first write. It is called by the writer only.
func (g *Group) bucket(tx *bbolt.Tx) (*bbolt.Bucket, error) {
	name := []byte(groupBucket(g.id))
	if b := tx.Bucket(name); b != nil {
		return b, nil
	}
	b, err := tx.CreateBucket(name)
	if err != nil {
		return nil, err
	}
	if _, err := b.CreateBucket([]byte(bucketLog)); err != nil {
		return nil, err
	}
	if err := g.putStable(b, map[string][]byte{}); err != nil {
		return nil, err
	}
	if err := g.putRange(b, logRange{}); err != nil {
		return nil, err
	}
	id := g.store.identity
	id.groups = append(slices.Clone(id.groups), g.id)
	slices.Sort(id.groups)
	g.store.mu.Lock()
	g.store.identity = id
	g.store.mu.Unlock()
	return b, putIdentity(tx, id)
}

func logBucket(tx *bbolt.Tx, id uint32) *bbolt.Bucket {
	b := tx.Bucket([]byte(groupBucket(id)))
	if b == nil {
		return nil
	}
	return b.Bucket([]byte(bucketLog))
}

func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }
