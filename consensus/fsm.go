package consensus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// applied is what the state machine answers for one entry.
type applied struct {
	results    []wallet.Result
	term       uint64
	start, end time.Time
	err        error
}

// fuse remembers the first reason why this replica may not go on. err is set
// before blown is closed.
type fuse struct {
	once  sync.Once
	blown chan struct{}
	err   error
}

func (f *fuse) isBlown() bool {
	select {
	case <-f.blown:
		return true
	default:
		return false
	}
}

// machine adapts the wallet core to raft's FSM. Raft calls ApplyBatch, Snapshot
// and Restore from one goroutine of its own, which therefore owns the shard;
// mu lets readers copy out of it between two entries and guards the fields of
// the start.
type machine struct {
	cfg  *Config
	stop context.Context
	fuse fuse

	mu    sync.RWMutex
	shard *wallet.Shard

	// booting is true until Open has raft; boot is the snapshot that restored.
	booting bool
	boot    *image
	// complete is closed once the journal of that snapshot is here.
	complete chan struct{}
}

var _ raft.BatchingFSM = (*machine)(nil)

func newMachine(cfg *Config, stop context.Context) *machine {
	return &machine{
		cfg: cfg, stop: stop, shard: wallet.New(), fuse: fuse{blown: make(chan struct{})},
		booting: true, complete: make(chan struct{}),
	}
}

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
	err := m.awaitBoot()
	var records []storage.Record
	for i, l := range logs {
		a := &applied{err: err}
		if err == nil {
			a = m.applyOne(l, &records)
			err = a.err
		}
		answers[i] = a
	}
	if len(records) == 0 {
		return answers
	}
	// What was applied before an entry that must not be is journaled too.
	if jerr := m.cfg.Journal.Append(records); jerr != nil {
		jerr = m.die(fmt.Errorf("journal shard %d: %w", m.cfg.Shard, jerr))
		for i := range answers {
			answers[i] = &applied{err: jerr}
		}
	}
	return answers
}

// awaitBoot returns nil once entries may be applied.
func (m *machine) awaitBoot() error {
	select {
	case <-m.complete:
	case <-m.fuse.blown:
	case <-m.stop.Done():
		return fmt.Errorf("shard %d stops: %w", m.cfg.Shard, m.stop.Err())
	}
	if m.fuse.isBlown() {
		return m.fuse.err
	}
	return nil
}

func (m *machine) applyOne(l *raft.Log, records *[]storage.Record) *applied {
	a := &applied{term: l.Term, start: m.cfg.Now()}
	if l.Type != raft.LogCommand {
		return a
	}
	m.mu.Lock()
	out, err := m.shard.Apply(l.Data)
	m.mu.Unlock()
	if err != nil {
		a.err = m.die(fmt.Errorf("apply entry %d of shard %d: %w", l.Index, m.cfg.Shard, err))
		return a
	}
	a.results = out.Results
	for _, r := range out.Records {
		*records = append(*records, journalRecord(r))
	}
	a.end = m.cfg.Now()
	return a
}

// die stops this replica, because going on could diverge, and returns why: the
// first reason counts.
func (m *machine) die(err error) error {
	m.fuse.once.Do(func() {
		m.fuse.err = err
		close(m.fuse.blown)
		m.cfg.Logger.Error("replica stops", "shard", m.cfg.Shard, "error", err)
		m.cfg.OnFatal(err)
	})
	return m.fuse.err
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
	if err := m.awaitBoot(); err != nil {
		return nil, err
	}
	snap := &snapshot{journal: m.cfg.Journal}
	m.view(func(s *wallet.Shard) { snap.seq, snap.shard = s.Head().Seq, s.Snapshot() })
	return snap, nil
}
