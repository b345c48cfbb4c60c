package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// segmentTimeout bounds one attempt to fetch a segment.
const segmentTimeout = 30 * time.Second

// Restore replaces the state by a snapshot. One that the leader sent counts as
// installed only when the journal it names is complete on this node, however
// often that has to be asked for. One found at the start is completed beside
// raft, before the first entry is applied.
func (m *machine) Restore(rc io.ReadCloser) error {
	img, shard, err := m.read(rc)
	m.mu.Lock()
	booting := m.booting
	if booting && err == nil {
		m.shard, m.boot = shard, &img
	}
	m.mu.Unlock()
	if booting {
		// An error makes raft try the snapshot before this one.
		return err
	}
	if err == nil {
		err = m.awaitBoot()
	}
	if err == nil {
		err = m.completeJournal(img, shard.Head().Seq)
	}
	switch {
	case err == nil:
	case m.stop.Err() != nil:
		return err
	default:
		// The leader would send the same again for ever.
		return m.die(err)
	}
	m.mu.Lock()
	m.shard = shard
	m.mu.Unlock()
	return nil
}

// read decodes a snapshot and checks that it is of this shard.
func (m *machine) read(rc io.ReadCloser) (image, *wallet.Shard, error) {
	defer rc.Close()
	img, err := readImage(rc)
	if err != nil {
		return image{}, nil, fmt.Errorf("restore shard %d: %w", m.cfg.Shard, err)
	}
	shard, err := wallet.Restore(img.shard)
	if err == nil {
		err = m.ours(shard.Head())
	}
	if err != nil {
		return image{}, nil, fmt.Errorf("restore shard %d: %w", m.cfg.Shard, err)
	}
	return img, shard, nil
}

// ours refuses the state of another cluster or shard.
func (m *machine) ours(h wallet.Head) error {
	if h.Epoch != 0 && (h.Cluster != m.cfg.Cluster || h.Shard != m.cfg.Shard) {
		return fmt.Errorf("the state belongs to shard %d of cluster %s", h.Shard, h.Cluster)
	}
	return nil
}

// completeBoot brings the journal of the snapshot that raft started from up to
// it. Until then entries wait.
func (m *machine) completeBoot() {
	m.mu.Lock()
	boot, seq := m.boot, m.shard.Head().Seq
	m.booting, m.boot = false, nil
	m.mu.Unlock()
	if boot != nil {
		if err := m.completeJournal(*boot, seq); err != nil {
			if m.stop.Err() == nil {
				_ = m.die(err)
			}
			return
		}
	}
	close(m.complete)
}

// completeJournal makes the journal hold what the snapshot names. A journal
// that reaches further already keeps its records: they are of committed
// entries, and the replay of the log compares them.
func (m *machine) completeJournal(img image, seq uint64) error {
	if m.covered(img, seq) {
		return nil
	}
	missing, err := m.cfg.Journal.Missing(img.segments)
	if err != nil {
		return fmt.Errorf("complete journal of shard %d: %w", m.cfg.Shard, err)
	}
	for _, ref := range missing {
		if err := m.fetchSegment(ref); err != nil {
			return err
		}
	}
	if err := m.cfg.Journal.ResetTo(img.segments, img.tail); err != nil {
		return fmt.Errorf("complete journal of shard %d: %w", m.cfg.Shard, err)
	}
	return nil
}

// covered says whether the journal holds exactly what the snapshot names, and
// possibly more.
func (m *machine) covered(img image, seq uint64) bool {
	if last, _ := m.cfg.Journal.Last(); last < seq {
		return false
	}
	if seq == 0 {
		return len(img.segments) == 0 && len(img.tail) == 0
	}
	segments, tail, err := m.cfg.Journal.At(seq)
	return err == nil && slices.Equal(segments, img.segments) && bytes.Equal(tail, img.tail)
}

// fetchSegment asks until some voter delivers the segment or the node stops.
func (m *machine) fetchSegment(ref storage.SegmentRef) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := m.fetchOnce(ref)
		var diverged *storage.DivergenceError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &diverged), errors.Is(err, storage.ErrFailed), errors.Is(err, storage.ErrClosed):
			return err
		}
		m.cfg.Logger.Warn("journal segment not fetched yet", "shard", m.cfg.Shard, "first_seq", ref.First, "error", err)
		if !pause(m.stop, wait) {
			return errors.Join(m.stop.Err(), err)
		}
	}
}

func (m *machine) fetchOnce(ref storage.SegmentRef) error {
	ctx, cancel := context.WithTimeout(m.stop, segmentTimeout)
	defer cancel()
	rc, err := m.cfg.Peers.Segment(ctx, m.cfg.Shard, m.cfg.Voters, ref)
	if err != nil {
		return fmt.Errorf("fetch segment from %d: %w", ref.First, err)
	}
	defer rc.Close()
	if err := m.cfg.Journal.InstallSegment(ref, rc); err != nil {
		return fmt.Errorf("install segment from %d: %w", ref.First, err)
	}
	return nil
}
