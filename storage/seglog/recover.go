package seglog

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/edgereel/edgereel/storage"
)

// scan is the state of a recovery.
type scan struct {
	log   *Log
	total uint64 // bytes of all segments: bounds what an extent may claim
	begun bool   // a batch was read
	end   int    // segment of the last batch
	last  []byte // the last batch as it lies in its segment
	at    int64  // its offset
	tail  int64  // end of the last batch
	stop  *bad   // what ended the last segment that holds batches
}

// bad is the place where the batches of a segment end.
type bad struct {
	offset int64
	reason string // empty: only zeros follow
}

// recover reads the segments, truncates a torn tail and makes durable what was
// seen.
func (l *Log) recover() error {
	if _, ok := l.cfg.FS.(dirFS); ok {
		if err := makeDir(l.cfg.Dir); err != nil {
			return fmt.Errorf("create folder: %w", err)
		}
	}
	numbers, err := l.list()
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		return l.begin()
	}
	s := scan{log: l, end: -1}
	for _, n := range numbers {
		if err := l.openSegment(n, &s); err != nil {
			return err
		}
	}
	for i := range l.order {
		if err := s.segment(i); err != nil {
			return err
		}
	}
	if err := s.complete(); err != nil {
		return err
	}
	return s.settle()
}

// list returns the numbers of the segments in order. Segments whose making was
// interrupted are removed.
func (l *Log) list() ([]uint64, error) {
	names, err := l.cfg.FS.List()
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var numbers []uint64
	for _, name := range names {
		if strings.HasSuffix(name, segmentSuffix+newSuffix) {
			if err := l.cfg.FS.Remove(name); err != nil {
				return nil, fmt.Errorf("remove unfinished segment: %w", err)
			}
			continue
		}
		if n, ok := segmentNumber(name); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			return nil, &storage.DamageError{File: segmentName(numbers[i-1] + 1), Offset: -1, Reason: "segment is missing"}
		}
	}
	return numbers, nil
}

// begin starts an empty log.
func (l *Log) begin() error {
	if l.cfg.Existing {
		return fmt.Errorf("%w: %s holds no log segment; restore the folder, or let the node rejoin as a new member",
			storage.ErrMissing, l.cfg.Dir)
	}
	s, err := l.makeSegment()
	if err != nil {
		return err
	}
	l.adopt(s)
	l.tail = sectorBytes
	return nil
}

func (l *Log) openSegment(n uint64, s *scan) error {
	name := segmentName(n)
	f, err := l.cfg.FS.Open(name, false)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	seg := &segment{head: segmentHead{number: n}, file: f}
	l.adopt(seg)
	l.next = n + 1
	if seg.size, err = f.Size(); err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	s.total += uint64(seg.size)
	b := make([]byte, min(seg.size, sectorBytes))
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", name, err)
	}
	head, err := decodeSegmentHead(b)
	switch {
	case errors.Is(err, storage.ErrNewerFormat):
		return fmt.Errorf("open %s: %w", name, err)
	case err != nil:
		return &storage.DamageError{File: name, Offset: 0, Reason: err.Error()}
	case head.owner != l.owner:
		return fmt.Errorf("%w: %s is not of node %q of cluster %q; point the node at its own data folder",
			storage.ErrForeignNode, name, l.cfg.Node, l.cfg.Cluster)
	case head.number != n:
		return &storage.DamageError{File: name, Offset: 0, Reason: fmt.Sprintf("it is segment %d under another name", head.number)}
	case uint64(seg.size) < head.size:
		return &storage.DamageError{File: name, Offset: seg.size, Reason: fmt.Sprintf("file of %d bytes was cut off", head.size)}
	}
	seg.head = head
	return nil
}

// segment reads the batches of a segment.
func (s *scan) segment(i int) error {
	seg := s.log.order[i]
	b := make([]byte, seg.size)
	if _, err := seg.file.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", seg.name(), err)
	}
	s.log.report.Segments++
	off := int64(sectorBytes)
	for off < seg.size {
		bh, err := seg.head.decodeBatchHead(b[off:], off)
		if errors.Is(err, storage.ErrNewerFormat) {
			return fmt.Errorf("open %s: offset %d: %w", seg.name(), off, err)
		}
		if err != nil {
			break
		}
		p, ok := seg.head.payload(b[off:], bh, off)
		if !ok {
			break
		}
		if err := s.batch(i, off, bh, p); err != nil {
			return err
		}
		s.last, s.at = b[off:off+batchHeader+int64(bh.length)], off
		off += span(int(bh.length))
		s.end, s.tail = i, off
	}
	stop, err := seg.ending(b, min(off, seg.size), s.log.number)
	if err != nil {
		return err
	}
	// A segment after the last batch must be empty: it was made ahead of time.
	if s.end == i || s.stop == nil {
		s.stop = stop
	} else if stop.reason != "" {
		if s.end < i-1 || s.stop.reason != "" {
			return seg.damage(stop.offset, "it should be empty")
		}
		s.end, s.tail, s.stop = i, sectorBytes, stop // the first batch of the next segment was torn
	}
	return nil
}

// batch applies a batch.
func (s *scan) batch(i int, off int64, bh batchHead, p []byte) error {
	l, seg := s.log, s.log.order[i]
	if i != s.end && i > 0 {
		// The writer goes on to a segment only when the one before is full.
		before := s.log.order[i-1]
		if s.end != i-1 {
			return before.damage(sectorBytes, "no batch here, but later ones follow")
		}
		if s.stop.reason != "" {
			return before.damage(s.stop.offset, s.stop.reason+", but later batches follow")
		}
	}
	if s.begun && bh.number != l.number {
		return seg.damage(off, fmt.Sprintf("batch %d follows batch %d", bh.number, l.number-1))
	}
	ops, err := decodeOps(p)
	if err == nil && off == sectorBytes && (len(ops) == 0 || ops[0].kind != opRanges) {
		err = errors.New("segment does not begin with the extents of its logs")
	}
	for k := 0; err == nil && k < len(ops); k++ {
		err = s.op(seg, off+batchHeader, ops[k])
	}
	if err != nil {
		return seg.damage(off, err.Error())
	}
	s.begun = true
	l.number = bh.number + 1
	return nil
}

// op applies an operation whose payload begins at base.
func (s *scan) op(seg *segment, base int64, o op) error {
	l := s.log
	if o.kind == opRanges {
		return s.ranges(o.ranges)
	}
	if o.kind == opClose {
		return nil
	}
	if o.after.len() > s.total/recordHeader {
		return fmt.Errorf("group %d claims %d to %d, more than the files can hold", o.group, o.after.first, o.after.last)
	}
	g := l.Group(o.group)
	places := make([]loc, len(o.records))
	for i, r := range o.records {
		places[i] = loc{segment: seg.id(), offset: uint32(base) + r.at, length: r.length}
	}
	l.report.Records += len(places)
	switch o.kind {
	case opAppend:
		l.place(g, o.after, o.records[0].index, places)
	case opCut:
		l.place(g, o.after, 0, nil)
	case opCarry:
		for i, r := range o.records {
			if !g.index.extent().has(r.index) {
				return fmt.Errorf("group %d has no entry %d to move", o.group, r.index)
			}
			l.move(g, r.index, places[i])
		}
	}
	g.disk = g.index.extent()
	return nil
}

// ranges sets the extents of all logs at the first batch, and compares them at
// the start of every later segment.
func (s *scan) ranges(want map[uint32]extent) error {
	l := s.log
	if s.begun {
		have := l.ranges()
		for id := range l.groups {
			if have[id] != want[id] {
				return fmt.Errorf("log of group %d is %d to %d, should be %d to %d",
					id, have[id].first, have[id].last, want[id].first, want[id].last)
			}
		}
	}
	for id, e := range want {
		g := l.Group(id)
		if g.disk == e {
			continue
		}
		if e.len() > s.total/recordHeader || s.begun {
			return fmt.Errorf("group %d claims %d to %d, which the files do not hold", id, e.first, e.last)
		}
		l.place(g, e, 0, nil)
		g.disk = e
	}
	return nil
}

// complete checks that every entry was found: a lost first segment shows here.
func (s *scan) complete() error {
	l := s.log
	for id, g := range l.groups {
		for i, p := range g.index.locs {
			if p.length == 0 {
				return &storage.DamageError{
					File: l.order[0].name(), Group: id, Index: g.index.first + uint64(i), Offset: -1,
					Reason: "entry is missing: an earlier segment was lost",
				}
			}
		}
	}
	return nil
}

// settle makes what was seen durable and truncates the torn tail, before anyone
// can act on it: an entry seen now must not vanish, one not seen must not come
// back. After a failed fsync the kernel may hold pages as clean though the disk
// never got them, whatever they show; so the last batch and the zeros behind it
// are written again, and segments made ahead of time are made anew. The mark of
// a clean close is no excuse: a batch after it may have been torn since.
func (s *scan) settle() error {
	l := s.log
	if s.end < 0 { // no batch at all
		s.end, s.tail = 0, sectorBytes
	}
	if err := s.dropSpares(); err != nil {
		return err
	}
	seg := l.order[s.end]
	l.tail = s.tail
	if s.stop.reason != "" {
		l.report.Torn++
		l.report.Notes = append(l.report.Notes, fmt.Sprintf("torn unacknowledged tail of %s truncated at offset %d: %s",
			seg.name(), s.stop.offset, s.stop.reason))
		l.cfg.Logger.Warn("torn unacknowledged tail truncated", "file", seg.name(), "offset", s.stop.offset)
	}
	if l.tail < seg.size {
		if err := l.fill(seg.file, l.tail, seg.size); err != nil {
			return fmt.Errorf("truncate torn tail of %s: %w", seg.name(), err)
		}
	}
	if s.last != nil {
		of := seg
		if s.tail == sectorBytes { // it ends the segment before
			of = l.order[s.end-1]
		}
		if _, err := of.file.WriteAt(s.last, s.at); err != nil {
			return fmt.Errorf("write last batch of %s again: %w", of.name(), err)
		}
		if err := of.file.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", of.name(), err)
		}
	}
	if err := seg.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", seg.name(), err)
	}
	return l.cfg.FS.SyncDir()
}

// dropSpares removes the segments after the last batch.
func (s *scan) dropSpares() error {
	l := s.log
	spares := l.order[s.end+1:]
	l.order = l.order[:s.end+1]
	for i, spare := range slices.Backward(spares) { // the newest first: no hole in the numbers
		delete(l.segments, spare.id())
		err := spare.file.Close()
		if rerr := l.cfg.FS.Remove(spare.name()); err == nil {
			err = rerr
		}
		if err == nil {
			err = l.cfg.FS.SyncDir()
		}
		if err != nil {
			l.spares = append(l.spares, spares[:i]...) // so that their files are closed
			for _, s := range spares[:i] {
				delete(l.segments, s.id())
			}
			return fmt.Errorf("remove %s: %w", spare.name(), err)
		}
		l.next = spare.head.number
	}
	return nil
}

func (s *segment) damage(off int64, reason string) error {
	return &storage.DamageError{File: s.name(), Offset: off, Reason: reason}
}

// ending judges what follows the last whole batch. Zeros are the clean end. A
// later batch anywhere, or a batch that is one bit away from whole, means that
// the batch here was acknowledged: damage. The rest is a torn batch.
func (s *segment) ending(b []byte, off int64, number uint64) (*bad, error) {
	if allZero(b[off:]) {
		return &bad{offset: off}, nil
	}
	for at := off + sectorBytes; at < int64(len(b)); at += sectorBytes {
		if bh, err := s.head.decodeBatchHead(b[at:], at); err == nil && bh.number > number {
			return nil, s.damage(off, fmt.Sprintf("no whole batch here, but batch %d follows at offset %d", bh.number, at))
		}
	}
	reason := "batch header is incomplete"
	if bh, err := s.head.decodeBatchHead(b[off:], off); err == nil {
		reason = "batch is incomplete"
		p := b[off+batchHeader:]
		if int64(bh.length) <= int64(len(p)) {
			p = p[:bh.length]
			if bit := flippedBit(p, s.head.place(off), bh.sum); bit >= 0 && !lostSector(b, off+batchHeader+int64(bit/8)) {
				return nil, s.damage(off+batchHeader+int64(bit/8), "one bit of a whole batch has flipped")
			}
		}
	} else if s.headFlipped(b[off:], off) {
		return nil, s.damage(off, "one bit of a whole batch header has flipped")
	}
	return &bad{offset: off, reason: reason}, nil
}

// headFlipped says whether the batch header is one bit away from a valid one.
func (s *segment) headFlipped(b []byte, off int64) bool {
	if len(b) < batchHeader {
		return false
	}
	h := slices.Clone(b[:batchHeader])
	for i := range batchHeader * 8 {
		h[i/8] ^= 1 << (i % 8)
		if _, err := s.head.decodeBatchHead(h, off); err == nil {
			return true
		}
		h[i/8] ^= 1 << (i % 8)
	}
	return false
}

// flippedBit finds the bit that makes b match its checksum, or -1. A CRC is
// linear: the difference of the sums is that of a single bit, moved one step of
// the polynomial for every bit behind it.
func flippedBit(b []byte, seed, sum uint32) int {
	diff := crcUpdate(seed, b) ^ sum
	one := uint32(1) // the top bit of the last byte, before its last step
	for i := len(b)*8 - 1; i >= 0; i-- {
		one = one>>1 ^ castagnoliPoly&-(one&1)
		if one == diff {
			return i
		}
	}
	return -1
}

// lostSector says whether the sector around at is empty but for one byte: then
// a write that did not reach the disk explains it better than a flipped bit.
func lostSector(b []byte, at int64) bool {
	from := at / sectorBytes * sectorBytes
	return allZero(b[from:at]) && allZero(b[at+1:min(from+sectorBytes, int64(len(b)))])
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7] != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
