package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ResetTo makes the journal hold exactly the segments refs, which must be
// present or installed, and the records in tail; what lies beyond is dropped,
// to be appended again by the replay of the log. A crash leaves either the old
// journal or the new one. Records present on both sides must be the same:
// otherwise it is a *DivergenceError and nothing changes.
func (j *Journal) ResetTo(refs []SegmentRef, tail []byte) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.syncing <- struct{}{}
	defer func() { <-j.syncing }()
	if err := j.refused(); err != nil {
		return err
	}
	plan := resetPlan{refs: refs, tail: tail}
	if err := j.checkPlan(plan); err != nil {
		return fmt.Errorf("reset journal of shard %d: %w", j.cfg.Shard, err)
	}
	path := filepath.Join(j.cfg.Dir, resetName)
	err := writeFileAtomic(path, seal(resetName, plan.encode()), 0o600, j.fsync)
	if err == nil {
		j.mu.Lock()
		a := j.active
		j.mu.Unlock()
		err = j.apply(plan)
		if a != nil {
			_ = a.file.Close()
		}
	}
	if err == nil {
		err = j.loadFiles(-1)
	}
	if err != nil {
		return fmt.Errorf("reset journal of shard %d: %w", j.cfg.Shard, j.fail(err))
	}
	return nil
}

// resetPlan is what a reset was told to do, written down before it begins so
// that the next open can finish it.
type resetPlan struct {
	refs []SegmentRef
	tail []byte
}

func (p resetPlan) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(p.refs)))
	for _, r := range p.refs {
		b = binary.BigEndian.AppendUint64(b, r.First)
		b = binary.BigEndian.AppendUint64(b, r.Last)
		b = append(b, r.Digest[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(r.Bytes))
	}
	return appendBytes(b, p.tail)
}

func decodeResetPlan(b []byte) (resetPlan, error) {
	d := decoder{b: b}
	var p resetPlan
	for n := d.uint32(); n > 0 && !d.bad; n-- {
		p.refs = append(p.refs, SegmentRef{d.uint64(), d.uint64(), d.hash(), int64(d.uint64())})
	}
	p.tail = d.bytes()
	return p, d.finish()
}

func (j *Journal) checkPlan(p resetPlan) error {
	after, err := j.checkRefs(p.refs)
	if err != nil {
		return err
	}
	t, frames, err := j.shape.decodeTail(p.tail)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	if want := uint64(len(p.refs))*uint64(j.cfg.SegmentRecords) + 1; t.first != want {
		return fmt.Errorf("tail begins at %d, the segments end before %d", t.first, want)
	}
	if len(p.refs) > 0 && t.before != after {
		return &DivergenceError{j.cfg.Shard, t.first, "chain hash of the tail does not continue the segments"}
	}
	return j.checkOverlap(t, frames)
}

// checkRefs checks that the segments are here and join; it returns the chain
// hash after the last.
func (j *Journal) checkRefs(refs []SegmentRef) (after [32]byte, err error) {
	for i, ref := range refs {
		if want := uint64(i)*uint64(j.cfg.SegmentRecords) + 1; ref.First != want {
			return after, fmt.Errorf("segment list has %d where %d belongs", ref.First, want)
		}
		s, ok := j.neighbour(ref.First)
		switch {
		case !ok:
			return after, fmt.Errorf("segment at %d is not installed: %w", ref.First, ErrNotFound)
		case s.ref != ref:
			return after, &DivergenceError{j.cfg.Shard, ref.First, "a segment with another digest is present"}
		case i > 0 && s.before != after:
			return after, &DivergenceError{j.cfg.Shard, ref.First, "chain hash does not continue the segment before"}
		}
		after = s.after
		if err := j.checkActive(s); err != nil {
			return after, err
		}
	}
	return after, nil
}

// checkActive compares our unsealed records with an installed segment that is
// to take their place.
func (j *Journal) checkActive(s sealedSegment) error {
	j.mu.Lock()
	a := j.active
	j.mu.Unlock()
	if a == nil || a.first != s.ref.First || len(a.offsets) == 0 {
		return nil
	}
	b, err := os.ReadFile(j.stagedPath(a.first))
	if err != nil {
		return err
	}
	r, err := j.shape.parse(b, segmentHeader, a.first, nil)
	if err != nil {
		return err
	}
	return j.checkOverlap(r, b)
}

// checkOverlap compares records lying in b with the same sequences of ours.
func (j *Journal) checkOverlap(r run, b []byte) error {
	last, _ := j.Last()
	for i, start := range r.offsets {
		seq := r.first + uint64(i)
		if seq > last {
			break
		}
		end := r.end
		if i+1 < len(r.offsets) {
			end = r.offsets[i+1]
		}
		ours, err := j.frameOf(seq)
		if err != nil {
			return err
		}
		if !bytes.Equal(ours, b[start:end]) {
			return &DivergenceError{j.cfg.Shard, seq, "our record differs from the snapshot's"}
		}
	}
	return nil
}

// finishReset completes a reset that a crash interrupted.
func (j *Journal) finishReset() error {
	raw, err := os.ReadFile(filepath.Join(j.cfg.Dir, resetName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var p resetPlan
	b, err := unseal(resetName, raw)
	if err == nil {
		p, err = decodeResetPlan(b)
	}
	if err != nil {
		return &DamageError{File: resetName, Group: j.cfg.Shard, Offset: 0, Reason: err.Error()}
	}
	j.note(0, "finishing an interrupted reset of the journal", "shard", j.cfg.Shard)
	return j.apply(p)
}

// apply carries out a plan. Every step may already have been done.
func (j *Journal) apply(p resetPlan) error {
	t, frames, err := j.shape.decodeTail(p.tail)
	if err != nil {
		return err
	}
	// The mark goes first: until the tail is in place nothing may claim that a
	// longer one was synced.
	if err := j.writeMark(syncMark{}); err != nil {
		return err
	}
	entries, err := os.ReadDir(j.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".seg" && e.Name() >= segmentName(t.first) {
			if err := os.Remove(filepath.Join(j.cfg.Dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for _, ref := range p.refs {
		err := os.Rename(j.stagedPath(ref.First), j.path(ref.First))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	m := syncMark{first: t.first}
	if len(t.offsets) > 0 {
		file := append(j.shape.header(t.first), frames...)
		if err := writeFileAtomic(j.path(t.first), file, 0o600, j.fsync); err != nil {
			return err
		}
		m.offset = int64(len(file))
	}
	if err := syncDir(j.cfg.Dir, j.fsync); err != nil {
		return err
	}
	if err := j.writeMark(m); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(j.cfg.Dir, stagedName)); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(j.cfg.Dir, resetName)); err != nil {
		return err
	}
	return syncDir(j.cfg.Dir, j.fsync)
}
