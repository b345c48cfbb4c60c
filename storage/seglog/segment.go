package seglog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/edgereel/edgereel/storage"
)

// zeroBytes is how much of a new segment is written at a time.
const zeroBytes = 1 << 20

// segment is one file of the log.
type segment struct {
	head segmentHead
	file File
	size int64 // writer: bytes of the file
	live int64 // writer: bytes of records that a log still holds

	// guarded by Log.mu
	readers int
	gone    bool // the last reader closes the file
}

func (s *segment) id() uint32   { return uint32(s.head.number) }
func (s *segment) name() string { return segmentName(s.head.number) }

// prepare is the preparer goroutine: it keeps one segment ready, so that the
// writer never waits for one to be filled with zeros, and removes dead ones.
func (l *Log) prepare() error {
	for {
		if len(l.spares) == 0 {
			s, err := l.makeSegment()
			if err != nil {
				return err
			}
			l.spares = append(l.spares, s)
		}
		select {
		case l.spare <- l.spares[0]:
			l.spares = l.spares[1:]
		case <-l.sweepWake:
			if err := l.removeDead(); err != nil {
				return err
			}
		case <-l.stopped:
			return nil
		}
	}
}

// makeSegment writes a segment under another name and renames it when it is
// whole and durable, so that a bad header is always damage. Zeros are written,
// not reserved: the blocks are then initialised, and an fsync of a batch has no
// metadata to write.
func (l *Log) makeSegment() (*segment, error) {
	head := segmentHead{number: l.next, size: uint64(l.cfg.SegmentBytes), owner: l.owner}
	var salt [8]byte
	if _, err := io.ReadFull(l.cfg.Rand, salt[:]); err != nil {
		return nil, fmt.Errorf("draw salt: %w", err)
	}
	head.salt = binary.BigEndian.Uint64(salt[:])
	name := segmentName(l.next)
	f, err := l.cfg.FS.Open(name+newSuffix, true)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	err = l.fill(f, 0, l.cfg.SegmentBytes)
	if err == nil {
		_, err = f.WriteAt(head.encode(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.cfg.FS.Rename(name+newSuffix, name)
	}
	if err == nil {
		err = l.cfg.FS.SyncDir()
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	l.next++
	return &segment{head: head, file: f, size: l.cfg.SegmentBytes}, nil
}

// fill writes zeros, and stops when the log is abandoned.
func (l *Log) fill(f File, from, to int64) error {
	zeros := make([]byte, min(zeroBytes, to-from))
	for at := from; at < to; at += int64(len(zeros)) {
		select {
		case <-l.abandoned:
			return storage.ErrClosed
		default:
		}
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom sees to it that a batch of that span fits at the tail. A batch
// larger than a segment gets a segment that is grown for it.
func (l *Log) makeRoom(span int64) error {
	s := l.order[len(l.order)-1]
	if l.tail+span <= s.size {
		return nil
	}
	if l.tail > sectorBytes {
		select {
		case s = <-l.spare:
		case <-l.broken:
			return errors.New("there is no next segment")
		case <-l.abandoned:
			return storage.ErrClosed
		}
		l.adopt(s)
		l.tail = sectorBytes
	}
	if l.tail+span <= s.size {
		return nil
	}
	err := l.fill(s.file, s.size, l.tail+span)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("grow %s: %w", s.name(), err)
	}
	s.size = l.tail + span
	return nil
}

// adopt makes s the last segment.
func (l *Log) adopt(s *segment) {
	l.order = append(l.order, s)
	l.mu.Lock()
	l.segments[s.id()] = s
	l.mu.Unlock()
}

// reclaim hands dead segments at the old end to the preparer. The last segment
// then begins with the extents of all logs, so nothing is forgotten. When live
// records keep too many old segments, the oldest is named to the carrier.
func (l *Log) reclaim() {
	n := 0
	for n < len(l.order)-1 && l.order[n].live == 0 {
		n++
	}
	target := uint32(0)
	if rest := l.order[n:]; len(rest) > 1 && int64(len(rest)-spareSegments)*l.cfg.SegmentBytes > garbageFactor*l.live {
		target = rest[0].id()
	}
	l.mu.Lock()
	for _, s := range l.order[:n] {
		delete(l.segments, s.id())
	}
	l.dead = append(l.dead, l.order[:n]...)
	wake := target != 0 && l.carrySegment != target
	l.carrySegment = target
	l.mu.Unlock()
	l.order = append([]*segment(nil), l.order[n:]...)
	if n > 0 {
		kick(l.sweepWake)
	}
	if wake {
		kick(l.carryWake)
	}
}

// removeDead removes files, oldest first and each durably before the next: a
// hole in the numbers would be taken for a lost segment.
func (l *Log) removeDead() error {
	l.mu.Lock()
	dead := l.dead
	l.dead = nil
	l.mu.Unlock()
	for i, s := range dead {
		if err := l.remove(s); err != nil {
			l.mu.Lock()
			l.dead = append(dead[i+1:], l.dead...)
			l.mu.Unlock()
			return fmt.Errorf("remove %s: %w", s.name(), err)
		}
	}
	return nil
}

func (l *Log) remove(s *segment) error {
	l.mu.Lock()
	s.gone = true
	idle := s.readers == 0
	l.mu.Unlock()
	var err error
	if idle {
		err = s.file.Close()
	}
	select {
	case <-l.abandoned:
		return storage.ErrClosed
	default:
	}
	if rerr := l.cfg.FS.Remove(s.name()); rerr != nil {
		return rerr
	}
	if serr := l.cfg.FS.SyncDir(); serr != nil {
		return serr
	}
	return err
}

// hold keeps the file of a segment open; nil when it is gone.
func (l *Log) hold(id uint32) *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.segments[id]
	if s != nil {
		s.readers++
	}
	return s
}

func (l *Log) letGo(s *segment) {
	l.mu.Lock()
	s.readers--
	last := s.gone && s.readers == 0
	l.mu.Unlock()
	if last {
		_ = s.file.Close()
	}
}
