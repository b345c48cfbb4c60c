package seglog

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
)

// request is one durable change of a group, or the mark of a clean close.
type request struct {
	kind  byte
	group *Group
	// append, carry
	records []byte
	lengths []uint32
	logs    []raft.Log // append: aliasing records, for the cache
	from    []loc      // carry: where the entries lay
	indexes []uint64   // carry
	// cut
	lo, hi uint64

	// set by the writer
	after  extent
	places []loc

	result chan error // one slot
}

func (r *request) size() int { return len(r.records) + entriesHead + 16 }

// enqueue hands a request to the writer. When it returns nil the request has
// its place in the order of the log, but is not durable: that is what
// r.result says, nil once it is on disk and visible to readers. A leader that
// replicates in parallel with its own write would go on here and hold every
// acknowledgement until the result (PROTOCOL 24); for now submit waits.
func (l *Log) enqueue(r *request) error {
	r.result = make(chan error, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return storage.ErrClosed
	}
	if l.failed != nil {
		return fmt.Errorf("%w: %w", storage.ErrFailed, l.failed)
	}
	l.pending = append(l.pending, r)
	return nil
}

// submit waits until a request is durable or refused.
func (l *Log) submit(r *request) error {
	if err := l.enqueue(r); err != nil {
		return err
	}
	kick(l.wake)
	return <-r.result
}

func answer(batch []*request, err error) {
	for _, r := range batch {
		r.result <- err
	}
}

// write is the writer goroutine: everything that queued up while one batch was
// written goes into the next. There is no linger: an idle disk starts at once.
func (l *Log) write() error {
	defer close(l.stopped)
	for range l.wake {
		batch, more, stop := l.takePending()
		if err := l.commit(batch); err != nil {
			return err
		}
		switch {
		case more:
			kick(l.wake)
		case stop:
			return l.markClosed()
		}
	}
	return nil
}

// takePending takes as many requests as one batch may carry, at least one.
func (l *Log) takePending() (batch []*request, more, stop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped {
		answer(l.pending, storage.ErrClosed)
		l.pending = nil
	}
	n, size := 0, 0
	limit := int(min(maxBatchBytes, l.cfg.SegmentBytes/2))
	for n < len(l.pending) && (n == 0 || size+l.pending[n].size() <= limit) {
		// What is carried must be live when its batch is built, so it goes alone.
		if carry := l.pending[n].kind == opCarry; carry && n > 0 {
			break
		} else if carry {
			n = 1
			break
		}
		size += l.pending[n].size()
		n++
	}
	batch = l.pending[:n:n]
	l.pending = l.pending[n:]
	return batch, len(l.pending) > 0, l.closed
}

// markClosed tells the next Open that all batches were acknowledged, so that a
// bad last one is damage and no torn tail.
func (l *Log) markClosed() error {
	l.mu.Lock()
	skip := l.dropped || l.failed != nil
	l.mu.Unlock()
	if skip || l.tail == sectorBytes {
		return nil
	}
	return l.commit([]*request{{kind: opClose, result: make(chan error, 1)}})
}

// commit writes one batch, publishes it and answers the callers.
func (l *Log) commit(batch []*request) error {
	if len(batch) == 0 {
		return nil
	}
	start := l.cfg.Now()
	applied, err := l.build(batch)
	if err == nil && len(applied) > 0 {
		err = l.persist()
	}
	if err != nil {
		out := storage.ErrClosed
		if !errors.Is(err, storage.ErrClosed) {
			out = fmt.Errorf("%w: %w", storage.ErrFailed, err)
		}
		answer(applied, out)
		return err
	}
	if len(applied) == 0 {
		return nil
	}
	written := len(l.buf)
	base := uint32(l.tail)
	l.tail += span(written - batchHeader)
	l.number++
	records := 0
	for _, r := range applied {
		l.publish(r, base)
		records += max(len(r.places), 1)
	}
	l.reclaim()
	answer(applied, nil)
	if l.cfg.Observer != nil {
		l.cfg.Observer.FsyncDone(l.cfg.Now().Sub(start), records, written)
	}
	return nil
}

// build encodes the batch into buf. Requests that are refused get their answer
// here, the others are returned.
func (l *Log) build(batch []*request) (applied []*request, err error) {
	size := batchHeader + 5 + 20*l.groupCount()
	for _, r := range batch {
		size += r.size()
	}
	if err := l.makeRoom(span(size)); err != nil {
		return batch, err
	}
	l.buf = slices.Grow(l.buf[:0], size)[:batchHeader]
	if l.tail == sectorBytes {
		ranges := l.ranges()
		l.buf = appendRanges(l.buf, ranges, slices.Sorted(maps.Keys(ranges)))
	}
	for _, r := range batch {
		if done, err := l.encode(r); done {
			r.result <- err
			continue
		}
		applied = append(applied, r)
	}
	return applied, nil
}

// encode adds a request to buf, or says that it is done without a write.
func (l *Log) encode(r *request) (done bool, err error) {
	g := r.group
	switch r.kind {
	case opAppend:
		r.after = g.disk.with(r.logs[0].Index, r.logs[len(r.logs)-1].Index)
		g.disk = r.after
		l.encodeEntries(r)
	case opCarry:
		if !r.keepLive() {
			return true, nil
		}
		l.encodeEntries(r)
	case opCut:
		next, err := g.disk.without(r.lo, r.hi)
		if err != nil || next == g.disk {
			return true, err
		}
		r.after, g.disk = next, next
		l.buf = appendCut(l.buf, g.id, next)
	case opClose:
		l.buf = append(l.buf, opClose)
	}
	return false, nil
}

func (l *Log) encodeEntries(r *request) {
	at := uint32(len(l.buf)) + entriesHead
	l.buf = appendEntries(l.buf, r.kind, r.group.id, r.after.first, r.records)
	r.places = make([]loc, len(r.lengths))
	for i, n := range r.lengths {
		r.places[i] = loc{offset: at, length: n}
		at += n
	}
}

// with is the log after an append: entries that do not continue it replace
// what is there from their start on, or all of it across a hole.
func (e extent) with(first, last uint64) extent {
	if e.first == 0 || !e.has(first) && first != e.last+1 {
		return extent{first, last}
	}
	return extent{e.first, last}
}

// without cuts lo to hi off an end of the log.
func (e extent) without(lo, hi uint64) (extent, error) {
	switch {
	case e.first == 0 || hi < e.first || lo > e.last:
		return e, nil
	case lo <= e.first && hi >= e.last:
		return extent{}, nil
	case lo <= e.first:
		return extent{hi + 1, e.last}, nil
	case hi >= e.last:
		return extent{e.first, lo - 1}, nil
	default:
		return e, fmt.Errorf("%w %d to %d", storage.ErrMiddle, e.first, e.last)
	}
}

func (l *Log) groupCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.groups)
}

// ranges returns the extents of all logs that are not empty.
func (l *Log) ranges() map[uint32]extent {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[uint32]extent)
	for id, g := range l.groups {
		if g.disk.first != 0 {
			m[id] = g.disk
		}
	}
	return m
}

// persist writes buf at the tail through the configured CommitFunc. Once the
// log is abandoned nothing reaches the file any more, even if the CommitFunc
// was waiting at that moment.
func (l *Log) persist() error {
	s := l.order[len(l.order)-1]
	s.head.sealBatch(l.buf, l.number, l.tail)
	committed := false
	err := l.cfg.Commit(l.abandoned, func() error {
		select {
		case <-l.abandoned:
			return storage.ErrClosed
		default:
		}
		committed = true
		if _, err := s.file.WriteAt(l.buf, l.tail); err != nil {
			return fmt.Errorf("write batch to %s: %w", s.name(), err)
		}
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", s.name(), err)
		}
		return nil
	})
	if err == nil && !committed {
		err = errors.New("commit was skipped")
	}
	return err
}

// publish shows a durable request to readers; base is the offset of its batch.
func (l *Log) publish(r *request, base uint32) {
	if r.kind == opClose {
		return
	}
	segment := l.order[len(l.order)-1].id()
	for i := range r.places {
		r.places[i].segment = segment
		r.places[i].offset += base
	}
	g := r.group
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r.kind {
	case opAppend:
		l.place(g, r.after, r.logs[0].Index, r.places)
		g.cache.store(r.logs)
		g.cache.trim(r.after)
	case opCut:
		l.place(g, r.after, 0, nil)
		g.cache.trim(r.after)
	case opCarry:
		for i, p := range r.places {
			l.move(g, r.indexes[i], p)
		}
	}
}
