package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Names inside node.db.
const (
	bucketNode   = "node"
	keyIdentity  = "identity"
	keyMarks     = "marks"
	bucketLog    = "log"
	keyRange     = "range"
	keyStable    = "stable"
	groupPrefix  = "group-"
	nodeFileName = "node.db"
)

func groupBucket(id uint32) string { return fmt.Sprintf("%s%08x", groupPrefix, id) }

// loaded is everything a Store keeps in memory, read and verified at Open.
type loaded struct {
	identity identity
	marks    map[string][]byte
	groups   map[uint32]*loadedGroup
	records  int
	torn     bool
}

type loadedGroup struct {
	logRange
	stable   map[string][]byte
	hasRange bool
	runs     []logRange // contiguous runs of keys, ascending
	leftover bool
}

// load walks the whole file: it verifies every page that is in use and every
// record's checksum, and reads in what the Store keeps in memory. The log is
// kept short by compaction, which bounds the time; DESIGN.md has figures.
func load(file string, r io.ReaderAt, size int64) (*loaded, error) {
	l := &loaded{groups: make(map[uint32]*loadedGroup)}
	w := &pageWalk{r: r, size: size, visit: l.visit}
	err := w.run()
	l.torn = w.torn
	if err == nil {
		err = l.check()
	}
	var de *DamageError
	if errors.As(err, &de) {
		de.File = file
	}
	return l, asDamage(file, w.meta.pageSize, err)
}

func damaged(group uint32, index uint64, err error) error {
	if errors.Is(err, ErrNewerFormat) {
		return err
	}
	return &DamageError{File: nodeFileName, Group: group, Index: index, Offset: -1, Reason: err.Error()}
}

func (l *loaded) visit(path []string, key, value []byte) error {
	if len(path) == 1 && path[0] == bucketNode {
		return l.visitNode(string(key), value)
	}
	if len(path) == 0 || len(path) > 2 {
		return damaged(0, 0, fmt.Errorf("unknown key %q", key))
	}
	id, ok := parseGroupBucket(path[0])
	if !ok {
		return damaged(0, 0, fmt.Errorf("unknown bucket %q", path[0]))
	}
	g := l.group(id)
	if len(path) == 2 {
		if path[1] != bucketLog {
			return damaged(id, 0, fmt.Errorf("unknown bucket %q", path[1]))
		}
		return l.visitLog(id, g, key, value)
	}
	payload, err := unseal(path[0]+"/"+string(key), value)
	if err == nil {
		switch string(key) {
		case keyRange:
			g.hasRange = true
			g.logRange, err = decodeRange(payload)
		case keyStable:
			g.stable, err = decodeTable(payload)
		default:
			err = errors.New("unknown key")
		}
	}
	if err != nil {
		return damaged(id, 0, fmt.Errorf("key %q: %w", key, err))
	}
	return nil
}

func parseGroupBucket(name string) (uint32, bool) {
	if len(name) != len(groupPrefix)+8 || name[:len(groupPrefix)] != groupPrefix {
		return 0, false
	}
	id, err := strconv.ParseUint(name[len(groupPrefix):], 16, 32)
	return uint32(id), err == nil && groupBucket(uint32(id)) == name
}

func (l *loaded) group(id uint32) *loadedGroup {
	g := l.groups[id]
	if g == nil {
		g = &loadedGroup{}
		l.groups[id] = g
	}
	return g
}

func (l *loaded) visitNode(key string, value []byte) error {
	payload, err := unseal(key, value)
	if err == nil {
		switch key {
		case keyIdentity:
			l.identity, err = decodeIdentity(payload)
		case keyMarks:
			l.marks, err = decodeTable(payload)
		default:
			err = errors.New("unknown key")
		}
	}
	if err != nil {
		return damaged(0, 0, fmt.Errorf("key %q: %w", key, err))
	}
	return nil
}

func (l *loaded) visitLog(id uint32, g *loadedGroup, key, value []byte) error {
	if len(key) != 8 {
		return damaged(id, 0, fmt.Errorf("log key of %d bytes", len(key)))
	}
	index := binary.BigEndian.Uint64(key)
	if _, err := decodeLog(value, id, index); err != nil {
		return damaged(id, index, err)
	}
	l.records++
	if n := len(g.runs); n > 0 && g.runs[n-1].last+1 == index {
		g.runs[n-1].last = index
	} else {
		g.runs = append(g.runs, logRange{index, index})
	}
	return nil
}

// check compares what was found with what the records say must be there: a
// flipped count in a page header makes keys vanish without any bad checksum.
func (l *loaded) check() error {
	if l.identity.boot == 0 || l.marks == nil {
		return damaged(0, 0, errors.New("identity or marks are missing"))
	}
	for id := range l.groups {
		if !slices.Contains(l.identity.groups, id) {
			return damaged(id, 0, errors.New("group is not listed in the identity"))
		}
	}
	for _, id := range l.identity.groups {
		g := l.groups[id]
		if g == nil || !g.hasRange || g.stable == nil {
			return damaged(id, 0, errors.New("group has lost its range or stable values"))
		}
		if err := g.checkRuns(); err != nil {
			return damaged(id, g.last, err)
		}
	}
	return nil
}

func (g *loadedGroup) checkRuns() error {
	covered := g.last == 0
	for _, r := range g.runs {
		if g.first != 0 && r.first <= g.first && r.last >= g.last {
			covered = true
		}
		g.leftover = g.leftover || r.first < g.first || r.last > g.last
	}
	if !covered {
		return fmt.Errorf("log should hold %d to %d, found %v", g.first, g.last, g.runs)
	}
	return nil
}
