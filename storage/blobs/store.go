package blobs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgereel/edgereel/storage"
)

// Config says where the blobs lie and how much may lie there unfinished.
type Config struct {
	// Dir is made when it is missing.
	Dir string
	// MaxBytes bounds one blob; the default is 1 GiB.
	MaxBytes int64
	// MaxPartials and MaxPartialBytes bound the unfinished uploads, the latter
	// by their announced sizes; the defaults are 32 and 4 GiB.
	MaxPartials     int
	MaxPartialBytes int64
	// PartialTTL is how long an upload may rest before it is forgotten; the
	// default is an hour.
	PartialTTL time.Duration
	// Now is the clock of PartialTTL; nil is the system's.
	Now    func() time.Time
	Logger *slog.Logger
	// Sync makes a file or folder durable; nil is fsync. A test fails it.
	Sync func(*os.File) error
}

const (
	tempDir       = "tmp"
	partialDir    = "partial"
	damagedSuffix = ".damaged"
)

// Store is one node's blobs. mu guards partials and closed and is never held
// during I/O.
type Store struct {
	cfg Config

	mu       sync.Mutex
	partials map[Digest]*partial
	closed   bool
}

// Open opens or makes the folder, removes what a crash left behind and takes
// unfinished uploads up again.
func Open(cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, errors.New("open blobs: Dir must be set")
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 1 << 30
	}
	if cfg.MaxPartials <= 0 {
		cfg.MaxPartials = 32
	}
	if cfg.MaxPartialBytes <= 0 {
		cfg.MaxPartialBytes = 4 << 30
	}
	if cfg.PartialTTL <= 0 {
		cfg.PartialTTL = time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Sync == nil {
		cfg.Sync = (*os.File).Sync
	}
	s := &Store{cfg: cfg, partials: map[Digest]*partial{}}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open blobs in %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func (s *Store) open() error {
	temp := filepath.Join(s.cfg.Dir, tempDir)
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	for _, dir := range []string{temp, filepath.Join(s.cfg.Dir, partialDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, dir := range []string{filepath.Dir(s.cfg.Dir), s.cfg.Dir} {
		if err := storage.SyncDir(dir); err != nil {
			return err
		}
	}
	return s.loadPartials()
}

// Close refuses later calls. There is nothing to wait for.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *Store) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// Put stores a blob of size bytes read from r, and returns when it is durable.
// One that is here already is not read again. Bytes of another size or digest
// are stored nowhere.
func (s *Store) Put(d Digest, size int64, r io.Reader) error {
	if err := s.put(d, size, r); err != nil {
		return fmt.Errorf("store blob: %w", err)
	}
	return nil
}

func (s *Store) put(d Digest, size int64, r io.Reader) error {
	if err := s.usable(); err != nil {
		return err
	}
	if size < 0 || size > s.cfg.MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, s.cfg.MaxBytes)
	}
	if s.Has(d) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Join(s.cfg.Dir, tempDir), "put-*")
	if err != nil {
		return err
	}
	name := f.Name()
	sum := sha256.New()
	// One byte more than announced shows a stream that goes on.
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = &SizeError{Digest: d, Want: size, Got: n}
	}
	if got := Digest(sum.Sum(nil)); err == nil && got != d {
		err = &DigestError{Want: d, Got: got, Size: size}
	}
	if err = s.finish(f, err); err == nil {
		err = s.install(name, d)
	}
	if err != nil {
		_ = os.Remove(name)
	}
	return err
}

// finish syncs and closes a written file.
func (s *Store) finish(f *os.File, err error) error {
	if err == nil {
		err = s.cfg.Sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// install gives a complete, synced file its name.
func (s *Store) install(from string, d Digest) error {
	to := s.path(d)
	dir := filepath.Dir(to)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := s.syncDir(s.cfg.Dir); err != nil {
			return err
		}
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return s.syncDir(dir)
}

func (s *Store) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return s.finish(d, nil)
}

func (s *Store) path(d Digest) string {
	name := d.String()
	return filepath.Join(s.cfg.Dir, name[:2], name)
}

// Has reports whether the blob is here.
func (s *Store) Has(d Digest) bool {
	_, err := s.Stat(d)
	return err == nil
}

// Stat tells the size of a blob in bytes.
func (s *Store) Stat(d Digest) (int64, error) {
	info, err := os.Stat(s.path(d))
	if err != nil {
		return 0, missing(d, err)
	}
	return info.Size(), nil
}

func missing(d Digest, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", d, ErrNotFound)
	}
	return err
}

// Open opens a blob for reading in any order. Its bytes are not verified:
// whoever acts on them uses Read, or verifies them by itself.
func (s *Store) Open(d Digest) (*os.File, error) {
	if err := s.usable(); err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	f, err := os.Open(s.path(d))
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", missing(d, err))
	}
	return f, nil
}

// Read gives the verified bytes of a blob. A damaged file is moved aside and
// answered with *DamageError.
func (s *Store) Read(d Digest) ([]byte, error) {
	f, err := s.Open(d)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", d, err)
	}
	if got := Digest(sha256.Sum256(data)); got != d {
		return nil, s.moveAside(d, got)
	}
	return data, nil
}

// Verify reads a blob and compares it with its name, without keeping it in
// memory. A damaged file is moved aside and answered with *DamageError.
func (s *Store) Verify(d Digest) error {
	f, err := s.Open(d)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	_ = f.Close()
	if err != nil {
		return fmt.Errorf("read blob %s: %w", d, err)
	}
	if got := Digest(sum.Sum(nil)); got != d {
		return s.moveAside(d, got)
	}
	return nil
}

// moveAside keeps the bytes of a damaged blob for whoever looks into it; a
// later one of the same name replaces them.
func (s *Store) moveAside(d, got Digest) error {
	path := s.path(d)
	damage := &DamageError{Digest: d, Got: got, File: path + damagedSuffix}
	s.cfg.Logger.Error("a stored blob is damaged", "digest", d.String(), "found", got.String(), "moved_to", damage.File)
	err := os.Rename(path, damage.File)
	if err == nil {
		err = s.syncDir(filepath.Dir(path))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(damage, fmt.Errorf("move it aside: %w", err))
	}
	return damage
}

// List gives the digests of all blobs in order.
func (s *Store) List() ([]Digest, error) {
	var all []Digest
	folders, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	for _, folder := range folders {
		if !folder.IsDir() || len(folder.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.cfg.Dir, folder.Name()))
		if err != nil {
			return nil, fmt.Errorf("list blobs: %w", err)
		}
		for _, f := range files {
			if d, err := ParseDigest(f.Name()); err == nil && strings.HasPrefix(f.Name(), folder.Name()) {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b Digest) int { return slices.Compare(a[:], b[:]) })
	return all, nil
}

// Delete removes a blob; one that is not here is no error.
func (s *Store) Delete(d Digest) error {
	path := s.path(d)
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	if err := s.syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}
