package seglog

import "fmt"

const (
	// garbageFactor and spareSegments bound the size of the log: more segments
	// than this multiple of the live bytes and a few on top are cleaned.
	garbageFactor = 4
	spareSegments = 4
	// carryBytes bounds what one cleaning batch copies, so that appends never
	// wait long behind it.
	carryBytes = 256 << 10
)

// carry is the carrier goroutine. A group that rarely writes keeps its few
// entries in an old segment, and with it all that follow; so they are copied to
// the tail.
func (l *Log) carry() error {
	for {
		select {
		case <-l.carryWake:
		case <-l.stopped:
			return nil
		}
		for more := true; more; {
			var err error
			if more, err = l.carrySlice(); err != nil {
				return err
			}
		}
	}
}

// carrySlice copies some live entries of the target and reports whether there
// may be more.
func (l *Log) carrySlice() (more bool, err error) {
	l.mu.Lock()
	target := l.carrySegment
	groups := make([]*Group, 0, len(l.groups))
	for _, g := range l.groups {
		groups = append(groups, g)
	}
	l.mu.Unlock()
	if target == 0 {
		return false, nil
	}
	for _, g := range groups {
		r := g.liveIn(target)
		if r == nil {
			continue
		}
		ok, err := l.readRecords(r, target)
		if err != nil || !ok {
			return false, err
		}
		return l.submit(r) == nil, nil // a refusal means that the log ends
	}
	return false, nil
}

// liveIn returns a request to carry the group's first entries that lie in a
// segment, without their records, or nil.
func (g *Group) liveIn(segment uint32) *request {
	g.mu.Lock()
	defer g.mu.Unlock()
	var r *request
	size := 0
	for i, p := range g.index.locs {
		if p.segment != segment {
			continue
		}
		if r == nil {
			r = &request{kind: opCarry, group: g}
		}
		r.indexes = append(r.indexes, g.index.first+uint64(i))
		r.from = append(r.from, p)
		r.lengths = append(r.lengths, p.length)
		if size += int(p.length); size >= carryBytes {
			break
		}
	}
	return r
}

// readRecords fills in the records; ok is false when the segment is gone.
func (l *Log) readRecords(r *request, segment uint32) (ok bool, err error) {
	s := l.hold(segment)
	if s == nil {
		return false, nil
	}
	defer l.letGo(s)
	for i, p := range r.from {
		at := len(r.records)
		r.records = append(r.records, make([]byte, p.length)...)
		if _, err := s.read(r.records[at:], p, r.group.id, r.indexes[i]); err != nil {
			return false, fmt.Errorf("carry entries of group %d: %w", r.group.id, err)
		}
	}
	return true, nil
}

// keepLive drops the entries that were truncated, overwritten or moved since
// the request was made. It is called by the writer, which alone changes places.
func (r *request) keepLive() bool {
	now := r.group.index.extent()
	at, kept, n := 0, 0, 0
	for i, p := range r.from {
		size := int(p.length)
		if now.has(r.indexes[i]) && r.group.index.at(r.indexes[i]) == p {
			copy(r.records[kept:], r.records[at:at+size])
			r.indexes[n], r.lengths[n] = r.indexes[i], p.length
			kept += size
			n++
		}
		at += size
	}
	r.records, r.indexes, r.lengths = r.records[:kept], r.indexes[:n], r.lengths[:n]
	r.after = now
	return n > 0
}
