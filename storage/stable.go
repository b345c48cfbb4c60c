package storage

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Set stores a value of raft's stable store and returns when it is durable. It
// goes through the same queue as the log, so it keeps its place among appends.
func (g *Group) Set(key, value []byte) error {
	name, value := string(key), slices.Clone(value)
	if value == nil {
		value = []byte{}
	}
	err := g.store.submit(&request{
		records: 1,
		bytes:   len(key) + len(value),
		apply: func(tx *bbolt.Tx) error {
			next, err := withEntry(g.diskStable, name, value)
			if err != nil {
				return err
			}
			gb, err := g.bucket(tx)
			if err != nil {
				return err
			}
			return g.putStable(gb, next)
		},
		publish: func() {
			g.mu.Lock()
			g.stable = g.diskStable
			g.mu.Unlock()
		},
	})
	if err != nil {
		return fmt.Errorf("set %q of group %d: %w", name, g.id, err)
	}
	return nil
}

// Get returns the value of key, or an empty slice when it has none. The caller
// must not change it.
func (g *Group) Get(key []byte) ([]byte, error) {
	if err := g.store.readable(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if v, ok := g.stable[string(key)]; ok {
		return v, nil
	}
	return []byte{}, nil
}

// SetUint64 stores an integer.
func (g *Group) SetUint64(key []byte, value uint64) error {
	return g.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 returns the integer of key, or 0 when it has none.
func (g *Group) GetUint64(key []byte) (uint64, error) {
	v, err := g.Get(key)
	if err != nil || len(v) == 0 {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("get %q of group %d: value of %d bytes is no integer", key, g.id, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

// putStable is called by the writer only.
func (g *Group) putStable(gb *bbolt.Bucket, next map[string][]byte) error {
	g.diskStable = next
	return gb.Put([]byte(keyStable), seal(groupBucket(g.id)+"/"+keyStable, encodeTable(next)))
}
