package storage

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// DeleteRange removes the entries lo to hi, which must be a prefix or a suffix
// of the log or all of it; a range outside the log is nothing to do. Readers
// and a crash see either all of the range or none of it: one small transaction
// moves the end of the log, then the keys outside are removed, at most 1000 in
// a transaction, so that appends of other groups never wait long. It returns
// when all is done; what a crash leaves behind is removed by the next Open.
func (g *Group) DeleteRange(lo, hi uint64) error {
	r, err := g.extent()
	if err != nil || hi < lo || r.first == 0 || hi < r.first || lo > r.last {
		return err
	}
	more, err := g.cut(lo, hi)
	if err == nil && more {
		err = g.clean()
	}
	if err != nil {
		return fmt.Errorf("delete %d to %d of group %d: %w", lo, hi, g.id, err)
	}
	return nil
}

// cut moves an end of the log and reports whether keys are still to be removed.
func (g *Group) cut(lo, hi uint64) (more bool, err error) {
	var next logRange
	err = g.store.submit(&request{
		records: 1,
		apply: func(tx *bbolt.Tx) error {
			var err error
			if next, err = g.disk.without(lo, hi); err != nil {
				return err
			}
			gb, err := g.bucket(tx)
			if err != nil {
				return err
			}
			if err := g.putRange(gb, next); err != nil {
				return err
			}
			more, err = g.sweep(gb.Bucket([]byte(bucketLog)))
			return err
		},
		publish: func() {
			g.mu.Lock()
			g.view = next
			g.cache.trim(next)
			g.mu.Unlock()
		},
	})
	return more, err
}

// without cuts lo to hi off an end of the range.
func (r logRange) without(lo, hi uint64) (logRange, error) {
	switch {
	case r.first == 0 || hi < r.first || lo > r.last:
		return r, nil
	case lo <= r.first && hi >= r.last:
		return logRange{}, nil
	case lo <= r.first:
		return logRange{hi + 1, r.last}, nil
	case hi >= r.last:
		return logRange{r.first, lo - 1}, nil
	default:
		return r, refusal{fmt.Errorf("%w %d to %d", ErrMiddle, r.first, r.last)}
	}
}

// clean removes the keys outside the log's range, a slice per transaction.
func (g *Group) clean() error {
	for more := true; more; {
		err := g.store.submit(&request{
			apply: func(tx *bbolt.Tx) (err error) {
				more, err = g.sweep(logBucket(tx, g.id))
				return err
			},
			publish: func() {},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep deletes up to sliceKeys keys outside the range, from the front forwards
// and from the end backwards, and reports whether more may be left.
func (g *Group) sweep(b *bbolt.Bucket) (more bool, err error) {
	var doomed [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && len(doomed) < sliceKeys; k, _ = c.Next() {
		if g.disk.first != 0 && binary.BigEndian.Uint64(k) >= g.disk.first {
			break
		}
		doomed = append(doomed, slices.Clone(k))
	}
	if g.disk.first != 0 {
		for k, _ := c.Last(); k != nil && len(doomed) < sliceKeys; k, _ = c.Prev() {
			if binary.BigEndian.Uint64(k) <= g.disk.last {
				break
			}
			doomed = append(doomed, slices.Clone(k))
		}
	}
	for _, k := range doomed {
		if err := b.Delete(k); err != nil {
			return false, err
		}
	}
	return len(doomed) == sliceKeys, nil
}

// cleanLeftovers removes what a crash in the middle of a truncation left.
func (s *Store) cleanLeftovers(groups []*Group) error {
	for _, g := range groups {
		s.note(0, "removing the rest of an interrupted log truncation", "group", g.id)
		if err := g.clean(); err != nil {
			return err
		}
	}
	return nil
}
