package seglog

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/edgereel/edgereel/storage"
)

// FS is the folder of a log. After a crash a name created, renamed or removed
// is certain only once SyncDir has returned; the bytes of a file only once its
// Sync has.
type FS interface {
	// List returns the names in the folder, in any order.
	List() ([]string, error)
	// Open opens a file for reading and writing; create makes a new, empty one
	// and fails when the name is taken.
	Open(name string, create bool) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	SyncDir() error
}

// File is an open segment. A write beyond its end extends it.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Sync makes the bytes and the size durable.
	Sync() error
}

// dirFS is a real folder.
type dirFS string

func (d dirFS) path(name string) string { return filepath.Join(string(d), name) }

func (d dirFS) List() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d dirFS) Open(name string, create bool) (File, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(d.path(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (d dirFS) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d dirFS) Remove(name string) error     { return os.Remove(d.path(name)) }
func (d dirFS) SyncDir() error               { return storage.SyncDir(string(d)) }

type diskFile struct{ *os.File }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f diskFile) Sync() error { return datasync(f.File) }

// makeDir creates the folder and makes the names of its new parents durable.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return storage.SyncDir(parent)
}
