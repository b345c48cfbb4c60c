package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	markName   = "synced"
	resetName  = "reset"
	stagedName = "staged"
)

// syncMark says how far the active segment is known to be durable: damage below
// it is refused, a torn end beyond it is truncated.
type syncMark struct {
	first  uint64 // first sequence of the segment
	offset int64
}

func (j *Journal) writeMark(m syncMark) error {
	b := binary.BigEndian.AppendUint32(nil, j.cfg.Shard)
	b = binary.BigEndian.AppendUint64(b, m.first)
	b = binary.BigEndian.AppendUint64(b, uint64(m.offset))
	return writeFileAtomic(filepath.Join(j.cfg.Dir, markName), seal(markName, b), 0o600, j.fsync)
}

func (j *Journal) readMark() (syncMark, error) {
	raw, err := os.ReadFile(filepath.Join(j.cfg.Dir, markName))
	if errors.Is(err, os.ErrNotExist) {
		return syncMark{}, nil
	}
	if err != nil {
		return syncMark{}, err
	}
	b, err := unseal(markName, raw)
	if err == nil {
		d := decoder{b: b}
		shard := d.uint32()
		m := syncMark{first: d.uint64(), offset: int64(d.uint64())}
		if err = d.finish(); err == nil && shard != j.cfg.Shard {
			err = fmt.Errorf("it is of shard %d", shard)
		}
		if err == nil {
			return m, nil
		}
	}
	if errors.Is(err, ErrNewerFormat) {
		return syncMark{}, err
	}
	return syncMark{}, &DamageError{File: markName, Group: j.cfg.Shard, Offset: 0, Reason: err.Error()}
}

func (j *Journal) open() error {
	if err := makeDirs(j.cfg.Dir); err != nil {
		return err
	}
	if err := j.finishReset(); err != nil {
		return err
	}
	return j.loadFiles(j.cfg.VerifySegments)
}

// loadFiles reads the segments of the folder. verify is the number of newest
// sealed segments whose digest is recomputed, 0 for all, negative for none.
func (j *Journal) loadFiles(verify int) error {
	firsts, err := j.listSegments()
	if err != nil {
		return err
	}
	mark, err := j.readMark()
	if err != nil {
		return err
	}
	var sealed []sealedSegment
	var active *activeSegment
	for i, first := range firsts {
		last := i == len(firsts)-1
		check := verify == 0 || verify > 0 && i >= len(firsts)-1-verify
		s, err := j.loadSealed(first, check)
		if err == nil {
			sealed = append(sealed, s)
		} else if errors.Is(err, errNotSealed) && last && mark.first <= first {
			active, err = j.loadActive(first, mark)
		}
		if err != nil {
			return err
		}
		if err := j.checkJoin(sealed, active); err != nil {
			return err
		}
	}
	if err := j.checkMark(mark, sealed, active); err != nil {
		return err
	}
	j.mu.Lock()
	j.sealed, j.active, j.marked = sealed, active, mark
	if active != nil {
		j.marked = syncMark{active.first, active.end}
	}
	j.mu.Unlock()
	if active != nil && len(active.offsets) == int(j.cfg.SegmentRecords) {
		return j.seal(active) // the crash came between the last record and the trailer
	}
	return nil
}

// listSegments returns the first sequences of the segment files; they must
// leave no gap.
func (j *Journal) listSegments() ([]uint64, error) {
	entries, err := os.ReadDir(j.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var firsts []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".seg")
		if strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), ".tmp-") {
			_ = os.Remove(filepath.Join(j.cfg.Dir, e.Name())) // an atomic write that never finished
			continue
		}
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(name, 10, 64)
		if err != nil || segmentName(first) != e.Name() {
			return nil, &DamageError{File: e.Name(), Group: j.cfg.Shard, Offset: -1, Reason: "not a name of a segment"}
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	for i, first := range firsts {
		if want := uint64(i)*uint64(j.cfg.SegmentRecords) + 1; first != want {
			return nil, &DamageError{File: segmentName(want), Group: j.cfg.Shard, Index: want, Offset: -1, Reason: "segment is missing"}
		}
	}
	return firsts, nil
}

var errNotSealed = errors.New("segment is not sealed")

// loadSealed reads the trailer of a segment and, when asked, recomputes its
// digest. A file without a whole trailer is errNotSealed wrapped in damage.
func (j *Journal) loadSealed(first uint64, check bool) (sealedSegment, error) {
	f, err := os.Open(j.path(first))
	if err != nil {
		return sealedSegment{}, err
	}
	defer func() { _ = f.Close() }() // read, or synced before
	info, err := f.Stat()
	if err != nil {
		return sealedSegment{}, err
	}
	return j.readSealed(f, info.Size(), first, check)
}

type notSealedError struct{ error }

func (notSealedError) Is(target error) bool { return target == errNotSealed }
func (e notSealedError) Unwrap() error      { return e.error }

func (j *Journal) readSealed(f io.ReaderAt, size int64, first uint64, check bool) (sealedSegment, error) {
	at := size - trailerSize
	if at < segmentHeader+j.shape.indexSize() {
		return sealedSegment{}, notSealedError{j.damage(first, first, size, errors.New("segment ends before its trailer"))}
	}
	b := make([]byte, trailerSize)
	if _, err := f.ReadAt(b, at); err != nil {
		return sealedSegment{}, err
	}
	t, err := j.shape.trailer(b, first)
	if err != nil {
		return sealedSegment{}, notSealedError{j.damage(first, first, at, fmt.Errorf("trailer: %w", err))}
	}
	head := make([]byte, segmentHeader)
	if _, err := f.ReadAt(head, 0); err != nil {
		return sealedSegment{}, err
	}
	if err := j.shape.checkHeader(head, first); err != nil {
		return sealedSegment{}, j.damage(first, first, 0, err)
	}
	if check {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, at)); err != nil {
			return sealedSegment{}, fmt.Errorf("read segment: %w", err)
		}
		if !bytes.Equal(h.Sum(nil), t.digest[:]) {
			return sealedSegment{}, j.locate(f, at, first)
		}
	}
	return sealedSegment{SegmentRef{t.first, t.last, t.digest, size}, t.before, t.after}, nil
}

// locate names the first damaged record of a segment whose digest is wrong.
func (j *Journal) locate(f io.ReaderAt, size int64, first uint64) error {
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	r, err := j.shape.parse(b, segmentHeader, first, nil)
	if err == nil {
		return j.damage(first, r.next()-1, r.end, errors.New("digest of the sealed segment does not match; its index is damaged"))
	}
	return j.damage(first, r.next(), r.end, fmt.Errorf("digest of the sealed segment does not match: %w", err))
}

// loadActive reads the last, unsealed segment, cuts off a torn end and leaves
// the file synced. It returns nil when not even the header had been written.
func (j *Journal) loadActive(first uint64, mark syncMark) (*activeSegment, error) {
	path := j.path(first)
	if err := os.Chmod(path, 0o600); err != nil { // a torn seal leaves it read-only
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	synced := int64(0)
	if mark.first == first {
		synced = mark.offset
	}
	if synced > int64(len(b)) {
		return nil, j.damage(first, 0, int64(len(b)), fmt.Errorf("%d synced bytes are missing from its end", synced-int64(len(b))))
	}
	if err := j.shape.checkHeader(b, first); err != nil {
		if synced > 0 || errors.Is(err, ErrNewerFormat) || len(b) >= segmentHeader && !errors.Is(err, errBadCRC) && string(b[:4]) == segmentMagic {
			return nil, j.damage(first, first, 0, err)
		}
		j.torn(first, 0, int64(len(b)))
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		return nil, syncDir(j.cfg.Dir, j.fsync)
	}
	r, err := j.shape.parse(b, segmentHeader, first, nil)
	if err != nil && (r.end < synced || errors.Is(err, errMisplaced) || errors.Is(err, ErrNewerFormat)) {
		return nil, j.damage(first, r.next(), r.end, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	a := &activeSegment{file: f, run: r, synced: r.end, digest: sha256.New()}
	_, _ = a.digest.Write(b[:r.end])
	if err := j.cutTorn(a, int64(len(b)), synced); err != nil {
		_ = f.Close()
		return nil, err
	}
	return a, nil
}

func (j *Journal) cutTorn(a *activeSegment, size, synced int64) error {
	if size > a.end {
		j.torn(a.next(), a.end, size)
		if err := a.file.Truncate(a.end); err != nil {
			return fmt.Errorf("truncate torn tail: %w", err)
		}
	}
	j.mu.Lock()
	j.report.Records += len(a.offsets)
	j.mu.Unlock()
	if size == a.end && synced == a.end {
		return nil
	}
	if err := j.fsync(a.file); err != nil {
		return err
	}
	return j.writeMark(syncMark{a.first, a.end})
}

func (j *Journal) torn(seq uint64, from, to int64) {
	j.note(1, "torn unsynced tail of the journal truncated",
		"shard", j.cfg.Shard, "file", segmentName(j.shape.firstOf(seq)), "sequence", seq, "offset", from, "bytes", to-from)
}

func (j *Journal) note(torn int, msg string, args ...any) {
	j.cfg.Logger.Warn(msg, args...) //nolint:sloglint // the callers' messages are constants
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report.add(torn, msg, args...)
}

// checkJoin checks that the newest segment continues the one before.
func (j *Journal) checkJoin(sealed []sealedSegment, active *activeSegment) error {
	n := len(sealed)
	switch {
	case active != nil && n > 0 && len(active.offsets) == 0:
		active.before, active.after = sealed[n-1].after, sealed[n-1].after
	case active != nil && n > 0 && active.before != sealed[n-1].after:
		return j.damage(active.first, active.first, segmentHeader, errors.New("chain hash does not continue the segment before"))
	case active == nil && n > 1 && sealed[n-1].before != sealed[n-2].after:
		return j.damage(sealed[n-1].ref.First, sealed[n-1].ref.First, segmentHeader, errors.New("chain hash does not continue the segment before"))
	}
	return nil
}

// checkMark refuses a folder that has lost a segment known to be synced.
func (j *Journal) checkMark(m syncMark, sealed []sealedSegment, active *activeSegment) error {
	if m.first == 0 || active != nil && m.first <= active.first {
		return nil
	}
	next := uint64(1)
	if n := len(sealed); n > 0 {
		next = sealed[n-1].ref.Last + 1
	}
	if m.first < next || m == (syncMark{next, 0}) {
		return nil
	}
	return j.damage(m.first, m.first, -1, errors.New("a synced segment is missing"))
}
