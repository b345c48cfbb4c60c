package storage

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Get returns the record of a sequence, or ErrNotFound.
func (j *Journal) Get(seq uint64) (Record, error) {
	b, err := j.frameOf(seq)
	if err != nil {
		return Record{}, fmt.Errorf("get record %d of shard %d: %w", seq, j.cfg.Shard, err)
	}
	r, _, err := j.shape.record(b)
	if err == nil && r.Seq != seq {
		err = fmt.Errorf("%w: found sequence %d", errMisplaced, r.Seq)
	}
	if err != nil {
		return Record{}, j.damage(j.shape.firstOf(seq), seq, -1, err)
	}
	return r, nil
}

// place says where a stretch of records lies, found under the lock and used
// without it.
type place struct {
	file  *os.File // of the active segment; nil when sealed
	first uint64
	last  uint64
	size  int64   // of a sealed file; end of records of the active one
	offs  []int64 // of the active segment
}

// placeOf finds the segment of seq.
func (j *Journal) placeOf(seq uint64) (place, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return place{}, ErrClosed
	}
	if seq == 0 {
		return place{}, ErrNotFound
	}
	if i := (seq - 1) / uint64(j.cfg.SegmentRecords); i < uint64(len(j.sealed)) {
		ref := j.sealed[i].ref
		return place{first: ref.First, last: ref.Last, size: ref.Bytes}, nil
	}
	if a := j.active; a != nil && seq < a.next() {
		return place{file: a.file, first: a.first, last: a.next() - 1, size: a.end, offs: a.offsets}, nil
	}
	return place{}, ErrNotFound
}

// readTries bounds how often a read starts again because its segment was sealed
// or replaced meanwhile.
const readTries = 3

// frameOf returns the stored bytes of one record.
func (j *Journal) frameOf(seq uint64) ([]byte, error) {
	var last error
	for range readTries {
		p, err := j.placeOf(seq)
		if err != nil {
			return nil, err
		}
		b, err := j.readFrames(p, seq, seq)
		if !errors.Is(err, os.ErrClosed) && !errors.Is(err, os.ErrNotExist) {
			return b, err
		}
		last = err
	}
	return nil, last
}

// readFrames reads the stored bytes of the records from to to of one segment.
func (j *Journal) readFrames(p place, from, to uint64) ([]byte, error) {
	f := p.file
	if f == nil {
		var err error
		if f, err = os.Open(j.path(p.first)); err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // read, or synced before
	}
	start, end, err := j.bounds(f, p, from, to)
	if err != nil {
		return nil, err
	}
	b := make([]byte, end-start)
	if _, err := f.ReadAt(b, start); err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	return b, nil
}

// bounds returns the offsets of the first byte of from and of the byte after
// to. A sealed segment carries its own index.
func (j *Journal) bounds(f *os.File, p place, from, to uint64) (start, end int64, err error) {
	i, k := from-p.first, to-p.first
	if p.file != nil {
		end = p.size
		if k+1 < uint64(len(p.offs)) {
			end = p.offs[k+1]
		}
		return p.offs[i], end, nil
	}
	index := p.size - trailerSize - j.shape.indexSize()
	at := func(n uint64) (int64, error) {
		if n == uint64(j.cfg.SegmentRecords) {
			return index, nil
		}
		var b [8]byte
		_, err := f.ReadAt(b[:], index+frameHeader+8*int64(n))
		return int64(binary.BigEndian.Uint64(b[:])), err
	}
	if start, err = at(i); err == nil {
		end, err = at(k + 1)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read index: %w", err)
	}
	if start < segmentHeader || end <= start || end > index {
		return 0, 0, j.damage(p.first, from, index, errors.New("index points outside the records"))
	}
	return start, end, nil
}

// Scan calls fn with the records from to to (both included, cut to what is
// present) in order, and stops at its first error. The record's bytes are fn's
// to keep.
func (j *Journal) Scan(from, to uint64, fn func(Record) error) error {
	if last, _ := j.Last(); to > last {
		to = last
	}
	from = max(from, 1)
	for from <= to {
		p, err := j.placeOf(from)
		if err == nil {
			err = j.scanSegment(p, from, min(to, p.last), fn)
		}
		if err != nil {
			return fmt.Errorf("scan journal of shard %d: %w", j.cfg.Shard, err)
		}
		from = p.last + 1
	}
	return nil
}

// scanSegment reads through a handle of its own, which survives a seal.
func (j *Journal) scanSegment(p place, from, to uint64, fn func(Record) error) error {
	f, err := os.Open(j.path(p.first))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read, or synced before
	start, end, err := j.bounds(f, p, from, to)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, start, end-start), 1<<18)
	for seq := from; seq <= to; seq++ {
		rec, size, err := j.readRecord(r)
		if err == nil && rec.Seq != seq {
			err = fmt.Errorf("%w: found sequence %d", errMisplaced, rec.Seq)
		}
		if err != nil {
			return j.damage(p.first, seq, start, err)
		}
		start += int64(size)
		if err := fn(rec); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) readRecord(r *bufio.Reader) (Record, int, error) {
	head, err := r.Peek(frameHeader)
	if err != nil {
		return Record{}, 0, errShortRecord
	}
	n := int64(binary.BigEndian.Uint32(head[2:]))
	if n > maxFramePayload {
		return Record{}, 0, errShortRecord
	}
	b := make([]byte, frameHeader+n+crcSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return Record{}, 0, errShortRecord
	}
	return j.shape.record(b)
}

func (j *Journal) damage(first, seq uint64, offset int64, err error) error {
	if errors.Is(err, ErrNewerFormat) {
		return err
	}
	return &DamageError{File: segmentName(first), Group: j.cfg.Shard, Index: seq, Offset: offset, Reason: err.Error()}
}

// OpenSegment returns the bytes of a sealed segment, for a replica to install.
// A segment that is not present with that digest is ErrNotFound.
func (j *Journal) OpenSegment(ref SegmentRef) (io.ReadCloser, error) {
	j.mu.Lock()
	found := slices.ContainsFunc(j.sealed, func(s sealedSegment) bool { return s.ref == ref })
	closed := j.closed
	j.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if !found {
		return nil, fmt.Errorf("segment %d to %d of shard %d: %w", ref.First, ref.Last, j.cfg.Shard, ErrNotFound)
	}
	f, err := os.Open(j.path(ref.First))
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	return f, nil
}
