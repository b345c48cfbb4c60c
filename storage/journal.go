package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// JournalConfig says where the journal of one shard lies.
type JournalConfig struct {
	Dir   string // folder of this shard alone, see Store.JournalDir
	Shard uint32
	// SegmentRecords is the number of records in a sealed segment, 4096 by
	// default. It must be the same on all replicas and for ever.
	SegmentRecords uint32
	// VerifySegments bounds how many of the newest sealed segments have their
	// digest recomputed at open; 0 is all of them. The others are checked for
	// size, trailer and chain, and record by record when they are read.
	VerifySegments int
	Logger         *slog.Logger
	OnFatal        func(error) // called once when a write or fsync has failed
	Fsync          CommitFunc  // fault injection around every fsync; nil syncs
}

// Journal is the append-only record of a shard's operations, in segments of a
// fixed number of records.
//
// One goroutine appends; others may read, sync and install at the same time.
// turn is the right to change files (Append, InstallSegment, ResetTo), syncing
// the right to write the mark of what is synced; both are held across I/O, so
// they are channels. mu guards the fields below it and never spans I/O.
type Journal struct {
	cfg       JournalConfig
	shape     segmentShape
	report    Report
	turn      chan struct{}
	syncing   chan struct{}
	abandoned chan struct{}

	mu     sync.Mutex
	sealed []sealedSegment
	active *activeSegment
	marked syncMark // as last written
	failed error
	closed bool
}

type sealedSegment struct {
	ref           SegmentRef
	before, after [32]byte
}

// activeSegment is the unsealed segment. offsets only grows and its elements
// never change, so a reader may use a copy of the slice without the lock.
type activeSegment struct {
	file *os.File
	run
	synced int64     // bytes known to be durable
	digest hash.Hash // of the bytes so far; used by the holder of turn only
}

// OpenJournal opens or creates a journal. A torn unsynced tail is truncated and
// reported; damage before it is refused with a *DamageError.
func OpenJournal(cfg JournalConfig) (*Journal, error) {
	if cfg.Dir == "" {
		return nil, errors.New("open journal: Dir must be set")
	}
	if cfg.SegmentRecords == 0 {
		cfg.SegmentRecords = 4096
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Fsync == nil {
		cfg.Fsync = func(_ <-chan struct{}, sync func() error) error { return sync() }
	}
	j := &Journal{
		cfg:       cfg,
		shape:     segmentShape{cfg.Shard, cfg.SegmentRecords},
		turn:      make(chan struct{}, 1),
		syncing:   make(chan struct{}, 1),
		abandoned: make(chan struct{}),
	}
	if err := j.open(); err != nil {
		return nil, fmt.Errorf("open journal of shard %d: %w", cfg.Shard, err)
	}
	return j, nil
}

// Report returns what OpenJournal found and did.
func (j *Journal) Report() Report {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.report
}

// Last returns the last sequence and the chain hash after it; zeros when the
// journal is empty.
func (j *Journal) Last() (seq uint64, hash [32]byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lastLocked()
}

func (j *Journal) lastLocked() (uint64, [32]byte) {
	if j.active != nil {
		return j.active.next() - 1, j.active.after
	}
	if n := len(j.sealed); n > 0 {
		return j.sealed[n-1].ref.Last, j.sealed[n-1].after
	}
	return 0, [32]byte{}
}

// Sealed returns the sealed segments in order.
func (j *Journal) Sealed() []SegmentRef {
	j.mu.Lock()
	defer j.mu.Unlock()
	refs := make([]SegmentRef, len(j.sealed))
	for i, s := range j.sealed {
		refs[i] = s.ref
	}
	return refs
}

// Append adds records. They are readable when it returns and durable after the
// next Sync; a segment that becomes full is synced and sealed here. A record
// whose sequence is already present must be the same, which makes replaying a
// log harmless; a different one is a *DivergenceError. A gap is an error. The
// first record of an empty journal may carry any Prev: it is the log's origin.
func (j *Journal) Append(recs []Record) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	if err := j.refused(); err != nil {
		return err
	}
	skip, err := j.skipPresent(recs)
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	for recs = recs[skip:]; len(recs) > 0; {
		n, err := j.appendSome(recs)
		if err != nil {
			return fmt.Errorf("append to journal of shard %d: %w", j.cfg.Shard, err)
		}
		recs = recs[n:]
	}
	return nil
}

func (j *Journal) refused() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	if j.failed != nil {
		return fmt.Errorf("%w: %w", ErrFailed, j.failed)
	}
	return nil
}

// skipPresent returns how many records are already present, byte for byte, and
// checks that the others continue the journal.
func (j *Journal) skipPresent(recs []Record) (int, error) {
	seq, after := j.Last()
	skip := 0
	for ; skip < len(recs) && recs[skip].Seq <= seq; skip++ {
		r := &recs[skip]
		want, err := j.shape.appendRecord(nil, r)
		if err != nil {
			return 0, err
		}
		if r.Seq == 0 {
			return 0, errors.New("sequence 0 does not exist")
		}
		got, err := j.frameOf(r.Seq)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(got, want) {
			return 0, &DivergenceError{j.cfg.Shard, r.Seq, "another record is already present"}
		}
	}
	for i := skip; i < len(recs); i++ {
		if recs[i].Seq != seq+1 {
			return 0, fmt.Errorf("shard %d: sequence %d does not follow %d", j.cfg.Shard, recs[i].Seq, seq)
		}
		if seq > 0 && recs[i].Prev != after {
			return 0, &DivergenceError{j.cfg.Shard, recs[i].Seq, "its previous hash is not the hash of the record before"}
		}
		seq, after = recs[i].Seq, recs[i].Hash()
	}
	return skip, nil
}

// appendSome appends what fits into the active segment.
func (j *Journal) appendSome(recs []Record) (int, error) {
	a, err := j.activeFor(&recs[0])
	if err != nil {
		return 0, j.fail(err)
	}
	n := min(len(recs), int(j.cfg.SegmentRecords)-len(a.offsets))
	var buf []byte
	offsets := a.offsets
	for i := range n {
		offsets = append(offsets, a.end+int64(len(buf)))
		if buf, err = j.shape.appendRecord(buf, &recs[i]); err != nil {
			return 0, err
		}
	}
	if _, err := a.file.WriteAt(buf, a.end); err != nil {
		return 0, j.fail(err)
	}
	_, _ = a.digest.Write(buf)
	j.mu.Lock()
	if len(a.offsets) == 0 {
		a.before = recs[0].Prev
	}
	a.offsets, a.end, a.after = offsets, a.end+int64(len(buf)), recs[n-1].Hash()
	j.mu.Unlock()
	if len(offsets) == int(j.cfg.SegmentRecords) {
		if err := j.seal(a); err != nil {
			return 0, j.fail(err)
		}
	}
	return n, nil
}

// activeFor returns the active segment, created for r when there is none.
func (j *Journal) activeFor(r *Record) (*activeSegment, error) {
	j.mu.Lock()
	a := j.active
	j.mu.Unlock()
	if a != nil {
		return a, nil
	}
	f, err := os.OpenFile(j.path(r.Seq), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	header := j.shape.header(r.Seq)
	if _, err = f.WriteAt(header, 0); err == nil {
		err = syncDir(j.cfg.Dir, j.fsync)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	a = &activeSegment{file: f, digest: sha256.New(), run: run{first: r.Seq, before: r.Prev, after: r.Prev, end: segmentHeader}}
	_, _ = a.digest.Write(header)
	j.mu.Lock()
	j.active = a
	j.mu.Unlock()
	return a, nil
}

// seal ends a full segment: index, trailer, fsync, read-only. Only then may the
// next segment be created, so that a torn file is always the last one.
func (j *Journal) seal(a *activeSegment) error {
	index := j.shape.appendIndex(nil, a.offsets)
	_, _ = a.digest.Write(index)
	t := trailer{first: a.first, last: a.next() - 1, before: a.before, after: a.after}
	a.digest.Sum(t.digest[:0])
	buf := j.shape.appendTrailer(index, t)
	if _, err := a.file.WriteAt(buf, a.end); err != nil {
		return err
	}
	if err := a.file.Chmod(0o400); err != nil {
		return err
	}
	if err := j.fsync(a.file); err != nil {
		return err
	}
	j.mu.Lock()
	j.sealed = append(j.sealed, sealedSegment{
		ref:    SegmentRef{t.first, t.last, t.digest, a.end + int64(len(buf))},
		before: t.before, after: t.after,
	})
	j.active = nil
	j.mu.Unlock()
	return a.file.Close()
}

func (j *Journal) path(first uint64) string {
	return filepath.Join(j.cfg.Dir, segmentName(first))
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d.seg", first) }

func (j *Journal) fsync(f *os.File) error {
	return j.cfg.Fsync(j.abandoned, func() error {
		select {
		case <-j.abandoned:
			return ErrClosed
		default:
			return f.Sync()
		}
	})
}

// fail refuses all later writes and returns err.
func (j *Journal) fail(err error) error {
	j.mu.Lock()
	first := j.failed == nil && !j.closed
	if first {
		j.failed = err
	}
	j.mu.Unlock()
	if first {
		j.cfg.Logger.Error("journal write failed, no more writes are taken", "shard", j.cfg.Shard, "error", err)
		if j.cfg.OnFatal != nil {
			j.cfg.OnFatal(err)
		}
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// Sync makes everything appended before the call durable. It may run at the
// same time as Append.
func (j *Journal) Sync() error {
	j.syncing <- struct{}{}
	defer func() { <-j.syncing }()
	if err := j.refused(); err != nil {
		return err
	}
	j.mu.Lock()
	a, target := j.active, syncMark{}
	if a != nil {
		target = syncMark{a.first, a.end}
	} else if n := len(j.sealed); n > 0 {
		target.first = j.sealed[n-1].ref.Last + 1 // a sealed segment is durable
	}
	done := target == j.marked
	j.mu.Unlock()
	if done {
		return nil
	}
	if err := j.syncTo(a, target); err != nil {
		return fmt.Errorf("sync journal of shard %d: %w", j.cfg.Shard, j.fail(err))
	}
	return nil
}

// syncTo makes the active segment, if any, durable and then says so in the mark.
func (j *Journal) syncTo(a *activeSegment, m syncMark) error {
	if a != nil {
		// A closed file has been sealed meanwhile, and synced with that.
		if err := j.fsync(a.file); err != nil && !errors.Is(err, os.ErrClosed) {
			return err
		}
	}
	if err := j.writeMark(m); err != nil {
		return err
	}
	j.mu.Lock()
	j.marked = m
	if a != nil {
		a.synced = max(a.synced, m.offset)
	}
	j.mu.Unlock()
	return nil
}

// Close syncs and releases the files. It is idempotent.
func (j *Journal) Close() error {
	err := j.Sync()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	if rerr := j.release(-1); err == nil {
		err = rerr
	}
	return err
}

// Abandon drops the journal as a crash would: nothing is synced, later calls on
// this handle are refused, and of the bytes that were never synced only the
// first keepUnsynced survive (all of them when it is negative). The folder can
// be opened again at once. It is meant for simulations.
func (j *Journal) Abandon(keepUnsynced int64) {
	j.mu.Lock()
	dead := j.closed
	j.closed = true
	j.mu.Unlock()
	if dead {
		return
	}
	close(j.abandoned)
	_ = j.release(keepUnsynced)
}

func (j *Journal) release(keepUnsynced int64) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.syncing <- struct{}{}
	defer func() { <-j.syncing }()
	j.mu.Lock()
	a := j.active
	j.closed, j.active = true, nil
	j.mu.Unlock()
	if a == nil {
		return nil
	}
	if info, err := a.file.Stat(); err == nil && keepUnsynced >= 0 && info.Size()-a.synced > keepUnsynced {
		_ = a.file.Truncate(a.synced + keepUnsynced)
	}
	return a.file.Close()
}
