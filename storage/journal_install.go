package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// At returns the state of the journal as of seq, which must be present: the
// sealed segments that end at or before it and the records after them as one
// blob for ResetTo. Records never change, so a snapshot can note its sequence
// at once and ask for the rest later.
func (j *Journal) At(seq uint64) ([]SegmentRef, []byte, error) {
	if last, _ := j.Last(); seq > last {
		return nil, nil, fmt.Errorf("journal of shard %d ends at %d, not at %d: %w", j.cfg.Shard, last, seq, ErrNotFound)
	}
	refs := j.Sealed()
	n := min(seq/uint64(j.cfg.SegmentRecords), uint64(len(refs)))
	tail, err := j.tail(n*uint64(j.cfg.SegmentRecords)+1, seq)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal of shard %d as of %d: %w", j.cfg.Shard, seq, err)
	}
	return refs[:n], tail, nil
}

// Tail returns the unsealed records as one blob.
func (j *Journal) Tail() ([]byte, error) {
	j.mu.Lock()
	seq, _ := j.lastLocked()
	j.mu.Unlock()
	_, tail, err := j.At(seq)
	return tail, err
}

// tail encodes the records first to last of one segment; none when last < first.
func (j *Journal) tail(first, last uint64) ([]byte, error) {
	var frames []byte
	var before [32]byte
	if last < first {
		j.mu.Lock()
		if n := (first - 1) / uint64(j.cfg.SegmentRecords); n > 0 && n <= uint64(len(j.sealed)) {
			before = j.sealed[n-1].after
		}
		j.mu.Unlock()
		return j.shape.encodeTail(first, before, 0, nil), nil
	}
	for try := 1; ; try++ {
		p, err := j.placeOf(first)
		if err == nil {
			frames, err = j.readFrames(p, first, last)
		}
		if err == nil {
			break
		}
		if try == readTries || !errors.Is(err, os.ErrClosed) {
			return nil, err
		}
	}
	rec, _, err := j.shape.record(frames)
	if err != nil {
		return nil, j.damage(j.shape.firstOf(first), first, -1, err)
	}
	return j.shape.encodeTail(first, rec.Prev, uint32(last-first+1), frames), nil
}

func (s segmentShape) encodeTail(first uint64, before [32]byte, count uint32, frames []byte) []byte {
	b := append(make([]byte, 0, tailHeader+len(frames)+crcSize), tailVersion)
	b = binary.BigEndian.AppendUint32(b, s.shard)
	b = binary.BigEndian.AppendUint64(b, first)
	b = append(b, before[:]...)
	b = binary.BigEndian.AppendUint32(b, count)
	b = append(b, frames...)
	return binary.BigEndian.AppendUint32(b, groupCRC(s.shard, b))
}

// decodeTail checks a blob; frames alias b. An empty blob is an empty journal.
func (s segmentShape) decodeTail(b []byte) (r run, frames []byte, err error) {
	if len(b) == 0 {
		return run{first: 1}, nil, nil
	}
	if len(b) < tailHeader+crcSize {
		return run{}, nil, errShortRecord
	}
	body := b[:len(b)-crcSize]
	if groupCRC(s.shard, body) != binary.BigEndian.Uint32(b[len(body):]) {
		return run{}, nil, errBadCRC
	}
	if b[0] != tailVersion {
		return run{}, nil, fmt.Errorf("tail has version %d: %w", b[0], ErrNewerFormat)
	}
	d := decoder{b: body[1:]}
	shard, first, before, count := d.uint32(), d.uint64(), d.hash(), d.uint32()
	if shard != s.shard || first == 0 || s.firstOf(first) != first || count > s.records {
		return run{}, nil, fmt.Errorf("tail of shard %d from sequence %d with %d records does not fit shard %d", shard, first, count, s.shard)
	}
	r, err = s.parse(d.b, 0, first, &before)
	if err == nil && (len(r.offsets) != int(count) || r.end != int64(len(d.b))) {
		err = fmt.Errorf("tail holds %d records, not %d", len(r.offsets), count)
	}
	return r, d.b, err
}

// Missing returns those of refs that are neither sealed here nor installed and
// waiting for ResetTo, in other words what must be fetched from a peer.
func (j *Journal) Missing(refs []SegmentRef) ([]SegmentRef, error) {
	have := j.Sealed()
	var missing []SegmentRef
	for _, ref := range refs {
		if slices.Contains(have, ref) {
			continue
		}
		s, err := j.stagedSegment(ref.First)
		if err != nil {
			return nil, err
		}
		if s.ref != ref {
			missing = append(missing, ref)
		}
	}
	return missing, nil
}

func (j *Journal) stagedPath(first uint64) string {
	return filepath.Join(j.cfg.Dir, stagedName, segmentName(first))
}

// stagedSegment reads the trailer of an installed segment; zero when there is
// none or it is not whole.
func (j *Journal) stagedSegment(first uint64) (sealedSegment, error) {
	f, err := os.Open(j.stagedPath(first))
	if errors.Is(err, os.ErrNotExist) {
		return sealedSegment{}, nil
	}
	if err != nil {
		return sealedSegment{}, err
	}
	defer func() { _ = f.Close() }() // read, or synced before
	info, err := f.Stat()
	if err != nil {
		return sealedSegment{}, err
	}
	s, err := j.readSealed(f, info.Size(), first, false)
	if err != nil {
		return sealedSegment{}, nil
	}
	return s, nil
}

// InstallSegment reads a sealed segment from a peer, verifies its digest, every
// record and its chain, and stores it durably beside the journal. ResetTo makes
// it part of the journal. A segment already present with another digest is a
// *DivergenceError.
func (j *Journal) InstallSegment(ref SegmentRef, r io.Reader) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	if err := j.refused(); err != nil {
		return err
	}
	if err := j.installSegment(ref, r); err != nil {
		return fmt.Errorf("install segment %d to %d of shard %d: %w", ref.First, ref.Last, j.cfg.Shard, err)
	}
	return nil
}

func (j *Journal) installSegment(ref SegmentRef, r io.Reader) error {
	n := uint64(j.cfg.SegmentRecords)
	if ref.First == 0 || j.shape.firstOf(ref.First) != ref.First || ref.Last != ref.First+n-1 {
		return errors.New("not the bounds of a segment")
	}
	for _, have := range j.Sealed() {
		if have.First == ref.First {
			if have == ref {
				return nil
			}
			return &DivergenceError{j.cfg.Shard, ref.First, "a sealed segment with another digest is already present"}
		}
	}
	dir := filepath.Join(j.cfg.Dir, stagedName)
	if err := makeDirs(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "incoming-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already once it was renamed
	defer func() { _ = f.Close() }()           // read, or synced before
	if got, err := io.Copy(f, io.LimitReader(r, ref.Bytes+1)); err != nil {
		return fmt.Errorf("receive: %w", err)
	} else if got != ref.Bytes {
		return fmt.Errorf("received %d bytes, expected %d", got, ref.Bytes)
	}
	if err := j.verifySegment(f, ref); err != nil {
		return err
	}
	if err := f.Chmod(0o400); err != nil {
		return err
	}
	if err := j.fsync(f); err != nil {
		return j.fail(err)
	}
	return renameDurably(f.Name(), j.stagedPath(ref.First), j.fsync)
}

func (j *Journal) verifySegment(f io.ReaderAt, ref SegmentRef) error {
	s, err := j.readSealed(f, ref.Bytes, ref.First, true)
	if err != nil {
		return err
	}
	if s.ref != ref {
		return errors.New("digest is not the one asked for")
	}
	b := make([]byte, ref.Bytes)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	r, err := j.shape.parse(b, segmentHeader, ref.First, &s.before)
	if err != nil {
		return err
	}
	index := j.shape.appendIndex(nil, r.offsets)
	if r.next() != ref.Last+1 || r.after != s.after || !bytes.Equal(index, b[r.end:ref.Bytes-trailerSize]) {
		return errors.New("records do not agree with index and trailer")
	}
	for _, side := range []uint64{ref.First - uint64(j.cfg.SegmentRecords), ref.Last + 1} {
		n, ok := j.neighbour(side)
		if ok && side < ref.First && n.after != s.before || ok && side > ref.First && n.before != s.after {
			return &DivergenceError{j.cfg.Shard, ref.First, fmt.Sprintf("chain hash does not join the segment at %d", side)}
		}
	}
	return nil
}

func (j *Journal) neighbour(first uint64) (sealedSegment, bool) {
	j.mu.Lock()
	for _, s := range j.sealed {
		if s.ref.First == first {
			j.mu.Unlock()
			return s, true
		}
	}
	j.mu.Unlock()
	s, err := j.stagedSegment(first)
	return s, err == nil && s.ref.First != 0 && s.ref.First == first
}

// InstallTail is ResetTo with the segments that lie before the tail: those
// sealed here, then those installed.
func (j *Journal) InstallTail(tail []byte) error {
	r, _, err := j.shape.decodeTail(tail)
	if err != nil {
		return fmt.Errorf("install tail: %w", err)
	}
	var refs []SegmentRef
	for first := uint64(1); first < r.first; first += uint64(j.cfg.SegmentRecords) {
		s, ok := j.neighbour(first)
		if !ok {
			return fmt.Errorf("install tail: segment at %d: %w", first, ErrNotFound)
		}
		refs = append(refs, s.ref)
	}
	return j.ResetTo(refs, tail)
}
