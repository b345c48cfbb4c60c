package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// applied is what the state machine answers for one entry.
type applied struct {
	results    []wallet.Result
	start, end time.Time
	err        error
}

// machine adapts the wallet core to raft's FSM. Raft calls ApplyBatch, Snapshot
// and Restore from one goroutine of its own, which therefore owns the shard;
// mu only lets readers copy out of it between two entries.
type machine struct {
	cfg  *Config
	stop context.Context

	mu    sync.RWMutex
	shard *wallet.Shard
	index uint64

	// dead is set when this replica met what it may not apply; only raft's
	// goroutine touches it.
	dead error
}

var _ raft.BatchingFSM = (*machine)(nil)

// view lets fn read the shard; fn must not keep it, wait or do I/O.
func (m *machine) view(fn func(*wallet.Shard)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	fn(m.shard)
}

// Apply serves raft where it does not batch.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies committed entries in order, then journals what they did,
// and only then lets their proposers answer.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	answers := make([]any, len(logs))
	var records []storage.Record
	for i, l := range logs {
		if m.dead != nil {
			answers[i] = &applied{err: m.dead}
			continue
		}
		answers[i] = m.applyOne(l, &records)
	}
	if m.dead == nil && len(records) > 0 {
		if err := m.cfg.Journal.Append(records); err != nil {
			m.die(fmt.Errorf("journal shard %d: %w", m.cfg.Shard, err))
			for i := range answers {
				answers[i] = &applied{err: m.dead}
			}
		}
	}
	return answers
}

func (m *machine) applyOne(l *raft.Log, records *[]storage.Record) *applied {
	a := &applied{start: m.cfg.Now()}
	m.mu.Lock()
	if l.Type == raft.LogCommand {
		var out wallet.Outcome
		out, a.err = m.shard.Apply(l.Data)
		a.results = out.Results
		for _, r := range out.Records {
			*records = append(*records, journalRecord(r))
		}
	}
	m.index = l.Index
	m.mu.Unlock()
	if a.err != nil {
		m.die(fmt.Errorf("apply entry %d of shard %d: %w", l.Index, m.cfg.Shard, a.err))
		a.err = m.dead
	}
	a.end = m.cfg.Now()
	return a
}

// die stops this replica: going on could diverge.
func (m *machine) die(err error) {
	m.dead = err
	m.cfg.OnFatal(err)
}

func journalRecord(r wallet.Record) storage.Record {
	return storage.Record{
		Epoch: r.Epoch, Seq: r.Seq, Prev: r.Prev, Leaf: r.Leaf, Salt: r.Salt, Input: r.Input, Result: r.Result,
	}
}

// WalletRecord gives the ledger's form of a journal record.
func WalletRecord(r storage.Record) wallet.Record {
	return wallet.Record{
		Epoch: r.Epoch, Seq: r.Seq, Prev: r.Prev, Leaf: r.Leaf, Salt: r.Salt, Input: r.Input, Result: r.Result,
	}
}

// Snapshot freezes the state and names the journal that belongs to it.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.dead != nil {
		return nil, m.dead
	}
	snap := &snapshot{journal: m.cfg.Journal}
	m.view(func(s *wallet.Shard) { snap.seq, snap.shard = s.Head().Seq, s.Snapshot() })
	return snap, nil
}

// Restore replaces the state by a snapshot. It returns only when the journal
// the snapshot names is complete on this node, however often it has to ask.
func (m *machine) Restore(rc io.ReadCloser) error {
	defer rc.Close()
	img, err := readImage(rc)
	if err != nil {
		return fmt.Errorf("restore shard %d: %w", m.cfg.Shard, err)
	}
	shard, err := wallet.Restore(img.shard)
	if err != nil {
		return fmt.Errorf("restore shard %d: %w", m.cfg.Shard, err)
	}
	if err := m.completeJournal(img); err != nil {
		return fmt.Errorf("restore shard %d: %w", m.cfg.Shard, err)
	}
	m.mu.Lock()
	m.shard = shard
	m.mu.Unlock()
	return nil
}

// completeJournal installs the segments this node lacks, then the tail.
func (m *machine) completeJournal(img image) error {
	missing, err := m.cfg.Journal.Missing(img.segments)
	if err != nil {
		return fmt.Errorf("complete journal: %w", err)
	}
	for _, ref := range missing {
		if err := m.fetchSegment(ref); err != nil {
			return err
		}
	}
	if err := m.cfg.Journal.ResetTo(img.segments, img.tail); err != nil {
		return fmt.Errorf("complete journal: %w", err)
	}
	return nil
}

// fetchSegment asks until some voter delivers the segment or the node stops.
func (m *machine) fetchSegment(ref storage.SegmentRef) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := m.fetchOnce(ref)
		if err == nil {
			return nil
		}
		m.cfg.Logger.Warn("journal segment not fetched yet", "shard", m.cfg.Shard, "first_seq", ref.First, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-m.stop.Done():
			timer.Stop()
			return errors.Join(m.stop.Err(), err)
		case <-timer.C:
		}
	}
}

func (m *machine) fetchOnce(ref storage.SegmentRef) error {
	rc, err := m.cfg.Peers.Segment(m.stop, m.cfg.Shard, m.cfg.Voters, ref)
	if err != nil {
		return fmt.Errorf("fetch segment from %d: %w", ref.First, err)
	}
	defer rc.Close()
	if err := m.cfg.Journal.InstallSegment(ref, rc); err != nil {
		return fmt.Errorf("install segment from %d: %w", ref.First, err)
	}
	return nil
}
