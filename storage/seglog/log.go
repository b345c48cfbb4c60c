package seglog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/edgereel/edgereel/storage"
)

const (
	defaultSegmentBytes = 16 << 20
	defaultCacheBytes   = 8 << 20
	// maxBatchBytes bounds what one fsync carries, so that no caller waits
	// behind an endless write.
	maxBatchBytes = 8 << 20
	// maxCallBytes bounds one StoreLogs, which is written as a whole.
	maxCallBytes = 1 << 30
)

// Config says where a node's log lies and whose it is.
type Config struct {
	Dir     string // folder of the log alone; created when missing
	Cluster string // cluster id; a log of another cluster is refused
	Node    string // node name; a log of another node is refused
	// Existing says that this node has used its log before: then a folder
	// without segments is refused, not taken for a new one.
	Existing bool

	SegmentBytes int64 // size of a segment, 16 MiB by default; rounded up to sectors
	CacheBytes   int   // bytes of recent entries kept in memory per group, 8 MiB by default

	Logger *slog.Logger
	// OnFatal is called once, without locks held, when a write, an fsync or
	// another change of the folder has failed, or a record to be moved is
	// damaged. The process should exit: the Log takes no more writes.
	OnFatal  func(error)
	Observer storage.Observer
	Now      func() time.Time   // for durations given to Observer
	Rand     io.Reader          // salts of segments
	Commit   storage.CommitFunc // fault injection around write and fsync of a batch
	FS       FS                 // nil is the real folder Dir
}

// Report says what Open found and did.
type Report struct {
	Torn     int      // dropped torn tails, which were never acknowledged
	Notes    []string // log lines about what was dropped
	Segments int      // segments read
	Records  int      // records whose checksum was verified
}

// Log is the Raft log of all groups of a node: segment files with one writer.
//
// The writer goroutine owns the fields under "writer", the live counts of the
// segments and each group's disk extent; nobody else changes an index. mu
// guards the fields after it and is never held during I/O. Where both are
// needed a Group's mu is taken before this one.
type Log struct {
	cfg       Config
	owner     [ownerSize]byte
	report    Report
	wake      chan struct{} // one slot: pending is not empty, or closing
	sweepWake chan struct{} // one slot: dead is not empty
	carryWake chan struct{} // one slot: carrySegment is set
	spare     chan *segment // from the preparer to the writer
	broken    chan struct{} // closed when the log has failed
	stopped   chan struct{} // closed when the writer has stopped
	abandoned chan struct{}
	workers   sync.WaitGroup

	mu           sync.Mutex
	pending      []*request
	closed       bool
	dropped      bool // abandoned: pending requests are not written any more
	failed       error
	groups       map[uint32]*Group
	segments     map[uint32]*segment // changed by the writer only
	dead         []*segment          // to be removed, oldest first
	carrySegment uint32              // the carrier's target; 0 = none

	closeOnce sync.Once
	closeErr  error

	// writer
	order  []*segment // oldest first; the last is written to
	tail   int64      // offset of the next batch in the last segment
	number uint64     // of the next batch
	live   int64      // bytes of live records in all segments
	buf    []byte     // the batch under construction

	// preparer
	spares []*segment // made ahead of time, oldest first
	next   uint64     // number of the next segment to make
}

// Open opens or creates the log in cfg.Dir, verifies every record and starts
// the goroutines. The Log must be closed.
func Open(cfg Config) (*Log, error) {
	if cfg.Dir == "" || cfg.Cluster == "" || cfg.Node == "" {
		return nil, errors.New("open log: Dir, Cluster and Node must be set")
	}
	if cfg.SegmentBytes < 0 || cfg.SegmentBytes > maxCallBytes {
		return nil, fmt.Errorf("open log: SegmentBytes %d is not between 0 and %d", cfg.SegmentBytes, maxCallBytes)
	}
	cfg.setDefaults()
	l := &Log{
		cfg:       cfg,
		owner:     ownerOf(cfg.Cluster, cfg.Node),
		wake:      make(chan struct{}, 1),
		sweepWake: make(chan struct{}, 1),
		carryWake: make(chan struct{}, 1),
		spare:     make(chan *segment),
		broken:    make(chan struct{}),
		stopped:   make(chan struct{}),
		abandoned: make(chan struct{}),
		groups:    make(map[uint32]*Group),
		segments:  make(map[uint32]*segment),
		number:    1,
		next:      1,
	}
	if err := l.recover(); err != nil {
		_ = l.closeFiles()
		return nil, fmt.Errorf("open log in %s: %w", cfg.Dir, err)
	}
	l.run(l.write)
	l.run(l.prepare)
	l.run(l.carry)
	return l, nil
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Commit == nil {
		c.Commit = func(_ <-chan struct{}, commit func() error) error { return commit() }
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = defaultCacheBytes
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = defaultSegmentBytes
	}
	c.SegmentBytes = max((c.SegmentBytes+sectorBytes-1)/sectorBytes, 4) * sectorBytes
	if c.FS == nil {
		c.FS = dirFS(c.Dir)
	}
}

// Group returns the log of a group; the same handle for the same id.
func (l *Log) Group(id uint32) *Group {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[id]
	if g == nil {
		g = &Group{log: l, id: id, cache: tailCache{limit: l.cfg.CacheBytes}}
		l.groups[id] = g
	}
	return g
}

// Report returns what Open found and did.
func (l *Log) Report() Report { return l.report }

func (l *Log) readable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return storage.ErrClosed
	}
	return nil
}

// fail refuses every write from now on and reports whether this is the first
// failure of a Log that still matters to its owner.
func (l *Log) fail(err error) (first bool) {
	l.mu.Lock()
	if l.failed != nil || l.dropped {
		answer(l.pending, storage.ErrClosed)
		l.pending = nil
		l.mu.Unlock()
		return false
	}
	l.failed = err
	batch := l.pending
	l.pending = nil
	l.mu.Unlock()
	close(l.broken)
	answer(batch, fmt.Errorf("%w: %w", storage.ErrFailed, err))
	return true
}

// run runs one of the Log's goroutines. Its error fails the Log; OnFatal comes
// after the goroutine is accounted for, so that it may call Close.
func (l *Log) run(f func() error) {
	l.workers.Add(1)
	go func() {
		err := f()
		first := err != nil && l.fail(err)
		l.workers.Done()
		if !first {
			return
		}
		l.cfg.Logger.Error("log has failed, no more writes are taken", "error", err)
		if l.cfg.OnFatal != nil {
			l.cfg.OnFatal(err)
		}
	}()
}

// Close writes what is pending and a mark that all of it was acknowledged,
// stops the goroutines and releases the files. It is idempotent; calls after it
// are refused with storage.ErrClosed.
func (l *Log) Close() error { return l.stop(false) }

// Abandon drops the Log as a crash of the process would: pending writes are
// refused, a batch that has begun either completes or does not, and afterwards
// no handle taken from this Log touches the files, so that the folder can be
// opened again at once. Bytes that were written without an fsync stay in the
// file; losing them, too, is the business of the FS.
func (l *Log) Abandon() { _ = l.stop(true) }

func (l *Log) stop(drop bool) error {
	l.closeOnce.Do(func() {
		l.mu.Lock()
		l.closed, l.dropped = true, drop
		l.mu.Unlock()
		if drop {
			close(l.abandoned)
		}
		kick(l.wake)
		l.workers.Wait()
		l.closeErr = l.closeFiles()
	})
	return l.closeErr
}

func (l *Log) closeFiles() error {
	l.mu.Lock()
	var files []File
	for n, s := range l.segments {
		delete(l.segments, n)
		if s.gone = true; s.readers == 0 { // else the last reader closes it
			files = append(files, s.file)
		}
	}
	for _, s := range append(l.spares, l.dead...) {
		if s.gone = true; s.readers == 0 {
			files = append(files, s.file)
		}
	}
	l.spares, l.dead = nil, nil
	l.mu.Unlock()
	var err error
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

func kick(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
