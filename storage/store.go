package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// growBytes is how much the node file grows at a time.
const growBytes = 1 << 20

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

// Observer is told of every commit. Its methods are called by the writer
// goroutine and must not block.
type Observer interface {
	// FsyncDone reports a durable commit: how long it took, how many records
	// it carried and how many payload bytes.
	FsyncDone(d time.Duration, records int, bytes int)
}

// CommitFunc runs one commit. It must call commit at most once and return its
// error; a test or a fault injector may delay, fail or fail after it. abandoned
// is closed by Abandon: a CommitFunc that waits must stop waiting then.
type CommitFunc func(abandoned <-chan struct{}, commit func() error) error

// Config says where a node's durable state lies and whose it is.
type Config struct {
	Dir     string // data folder of the node; created when missing
	Cluster string // cluster id; a folder of another cluster is refused
	Node    string // node name; a folder of another node is refused
	Logger  *slog.Logger
	// OnFatal is called once, without locks held, when a commit or fsync has
	// failed. The process should exit: the Store takes no more writes.
	OnFatal    func(error)
	Observer   Observer
	Now        func() time.Time // for durations given to Observer
	Commit     CommitFunc       // fault injection; nil commits
	CacheBytes int              // bytes of recent log records kept per group, 8 MiB by default
}

// Report says what Open found and did.
type Report struct {
	// Torn counts dropped torn tails: transactions or bytes that were never
	// acknowledged.
	Torn int
	// Notes are log lines about what was dropped or removed.
	Notes []string
	// Records is the number of records whose checksum was verified.
	Records int
}

func (r *Report) add(torn int, msg string, args ...any) {
	r.Torn += torn
	r.Notes = append(r.Notes, msg+" "+fmt.Sprint(args...))
}

func (s *Store) note(torn int, msg string, args ...any) {
	s.cfg.Logger.Warn(msg, args...) //nolint:sloglint // the callers' messages are constants
	s.report.add(torn, msg, args...)
}

// Store is the durable state of one node: the logs and stable values of all its
// groups and its marks, in one bbolt file with one writer.
//
// The writer goroutine owns the bbolt write transaction, the fields under
// "writer" and each group's disk state. mu guards the rest and is never held
// during I/O.
type Store struct {
	cfg       Config
	db        *bbolt.DB
	report    Report
	wake      chan struct{} // one slot: pending is not empty, or stopping
	done      chan struct{} // closed when the writer has stopped
	abandoned chan struct{}

	mu      sync.Mutex
	pending []*request
	closed  bool
	dropped bool // abandoned: pending requests are not written any more
	failed  error
	groups  map[uint32]*Group
	marks   map[string][]byte // published; values are never changed in place

	closeOnce sync.Once
	closeErr  error

	// writer
	identity  identity
	diskMarks map[string][]byte
}

// Open opens or creates the node file in cfg.Dir, verifies it, counts the boot
// and starts the writer. The Store must be closed.
func Open(cfg Config) (*Store, error) {
	if cfg.Dir == "" || cfg.Cluster == "" || cfg.Node == "" {
		return nil, errors.New("open storage: Dir, Cluster and Node must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Commit == nil {
		cfg.Commit = func(_ <-chan struct{}, commit func() error) error { return commit() }
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 8 << 20
	}
	s := &Store{
		cfg:       cfg,
		wake:      make(chan struct{}, 1),
		done:      make(chan struct{}),
		abandoned: make(chan struct{}),
		groups:    make(map[uint32]*Group),
	}
	dirty, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("open storage in %s: %w", cfg.Dir, err)
	}
	go s.write()
	if err := s.cleanLeftovers(dirty); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open storage in %s: %w", cfg.Dir, err)
	}
	return s, nil
}

// open returns the groups that need cleaning.
func (s *Store) open() ([]*Group, error) {
	if err := makeDirs(s.cfg.Dir); err != nil {
		return nil, err
	}
	path := filepath.Join(s.cfg.Dir, nodeFileName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := create(s.cfg, path); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	db, l, err := openVerified(path, s.cfg.check)
	if err != nil {
		return nil, err
	}
	db.AllocSize = growBytes
	s.db = db
	dirty := s.adopt(l)
	if err := s.countBoot(); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("count boot: %w", err)
	}
	return dirty, nil
}

// check refuses a folder that is not ours.
func (c Config) check(l *loaded) error {
	if l.identity.cluster != c.Cluster {
		return fmt.Errorf("%w: it is of cluster %q, this node is configured for %q; point it at its own data folder",
			ErrForeignCluster, l.identity.cluster, c.Cluster)
	}
	if l.identity.node != c.Node {
		return fmt.Errorf("%w: it is of node %q, this node is %q; point it at its own data folder",
			ErrForeignNode, l.identity.node, c.Node)
	}
	return nil
}

func (s *Store) adopt(l *loaded) (dirty []*Group) {
	s.identity, s.marks, s.diskMarks = l.identity, l.marks, l.marks
	s.report.Records = l.records
	if l.torn {
		s.note(1, "torn unacknowledged transaction dropped", "file", nodeFileName)
	}
	for id, lg := range l.groups {
		g := newGroup(s, id)
		g.disk, g.view = lg.logRange, lg.logRange
		g.diskStable, g.stable = lg.stable, lg.stable
		s.groups[id] = g
		if lg.leftover {
			dirty = append(dirty, g)
		}
	}
	return dirty
}

func (s *Store) countBoot() error {
	s.identity.boot++
	return s.db.Update(func(tx *bbolt.Tx) error { return putIdentity(tx, s.identity) })
}

func putIdentity(tx *bbolt.Tx, id identity) error {
	return tx.Bucket([]byte(bucketNode)).Put([]byte(keyIdentity), seal(keyIdentity, id.encode()))
}

// create makes the node file under another name and renames it when it is
// whole, so that a node file always says whose it is.
func create(cfg Config, path string) error {
	for _, name := range []string{"journal", "snapshots"} {
		if entries, err := os.ReadDir(filepath.Join(cfg.Dir, name)); err == nil && len(entries) > 0 {
			return fmt.Errorf("%w: %s has a %s folder but no %s; restore the file, or remove the whole folder and let the node rejoin as a new member",
				ErrMissing, cfg.Dir, name, nodeFileName)
		}
	}
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(tmp, 0o600, boltOptions())
	if err != nil {
		return fmt.Errorf("create node file: %w", err)
	}
	db.AllocSize = growBytes
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(bucketNode))
		if err != nil {
			return err
		}
		if err := b.Put([]byte(keyMarks), seal(keyMarks, encodeTable(nil))); err != nil {
			return err
		}
		// Boot 1 is written here and never used: the first Open counts to 2,
		// and 0 is left to mean "no identity".
		return putIdentity(tx, identity{boot: 1, cluster: cfg.Cluster, node: cfg.Node})
	})
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = renameDurably(tmp, path, (*os.File).Sync)
	}
	if err != nil {
		return fmt.Errorf("create node file: %w", err)
	}
	return nil
}

// boltOptions: the freelist is not written with every commit, since after a
// compaction it is long; the price, a scan at open, is one we pay anyway to
// verify checksums. The map is large enough that remapping (which waits for
// readers) is rare.
func boltOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout:         lockWait,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 64 << 20,
		NoStatistics:    true,
	}
}

// openVerified locks the file, walks it, and only then lets bbolt map it.
func openVerified(path string, check func(*loaded) error) (db *bbolt.DB, l *loaded, err error) {
	var file *os.File
	defer func() {
		if r := recover(); r != nil { // bbolt panics on pages it cannot read
			err = &DamageError{File: nodeFileName, Offset: -1, Reason: fmt.Sprint(r)}
		}
		if err != nil && file != nil {
			_ = file.Close()
		}
	}()
	opts := boltOptions()
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		if err != nil {
			return nil, err
		}
		file = f
		if l, err = lockAndLoad(f); err == nil {
			err = check(l)
		}
		return f, err
	}
	db, err = bbolt.Open(path, 0o600, opts)
	return db, l, err
}

func lockAndLoad(f *os.File) (*loaded, error) {
	const pause = 50 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		ok, err := tryLock(f)
		if err != nil {
			return nil, fmt.Errorf("lock node file: %w", err)
		}
		if ok {
			break
		}
		if waited >= lockWait {
			return nil, fmt.Errorf("%w: %s; stop the other process or use another data folder", ErrLocked, f.Name())
		}
		time.Sleep(pause) //nolint:forbidigo // another process holds the lock: there is nothing to wait on
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return load(nodeFileName, f, info.Size())
}

// Boot returns how often this folder has been opened. It never repeats.
func (s *Store) Boot() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identity.boot
}

// Cluster returns the cluster id of the folder.
func (s *Store) Cluster() string { return s.cfg.Cluster }

// Node returns the node name of the folder.
func (s *Store) Node() string { return s.cfg.Node }

// Report returns what Open found and did.
func (s *Store) Report() Report { return s.report }

// SnapshotDir returns the folder for raft's file snapshots of a group. It is
// not created here.
func (s *Store) SnapshotDir(group uint32) string {
	return filepath.Join(s.cfg.Dir, "snapshots", fmt.Sprintf("%08x", group))
}

// JournalDir returns the folder for the journal of a shard. It is not created
// here.
func (s *Store) JournalDir(shard uint32) string {
	return filepath.Join(s.cfg.Dir, "journal", fmt.Sprintf("%08x", shard))
}

// Mark returns the value last set durably under key. The caller must not
// change it.
func (s *Store) Mark(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.marks[key]
	return v, ok
}

// Marks returns the keys that have a value, in order.
func (s *Store) Marks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.marks))
	for k := range s.marks {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// SetMark remembers value under key and returns when it is durable. The table
// is written as a whole and is meant for few small values (1 MiB in all).
func (s *Store) SetMark(key string, value []byte) error {
	value = slices.Clone(value)
	return s.submit(&request{
		records: 1,
		bytes:   len(key) + len(value),
		apply: func(tx *bbolt.Tx) error {
			next, err := withEntry(s.diskMarks, key, value)
			if err != nil {
				return err
			}
			s.diskMarks = next
			return tx.Bucket([]byte(bucketNode)).Put([]byte(keyMarks), seal(keyMarks, encodeTable(next)))
		},
		publish: func() {
			s.mu.Lock()
			s.marks = s.diskMarks
			s.mu.Unlock()
		},
	})
}
