package blobs_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgereel/edgereel/storage/blobs"
)

func open(t *testing.T, dir string, change func(*blobs.Config)) *blobs.Store {
	t.Helper()
	cfg := blobs.Config{Dir: filepath.Join(dir, "blobs")}
	if change != nil {
		change(&cfg)
	}
	s, err := blobs.Open(cfg)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func blob(n int, seed byte) ([]byte, blobs.Digest) {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*i) + seed
	}
	return data, sha256.Sum256(data)
}

// files lists everything below the store but folders.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	return all
}

func TestStore_Put(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	data, d := blob(100_000, 1)
	must(t, s.Put(d, int64(len(data)), bytes.NewReader(data)))
	again := open(t, dir, nil)
	got, err := again.Read(d)
	must(t, err)
	if !bytes.Equal(got, data) {
		t.Fatal("other bytes came back")
	}
	// One that is here is not read again.
	must(t, again.Put(d, int64(len(data)), errReader{}))
	if list, err := again.List(); err != nil || !slices.Equal(list, []blobs.Digest{d}) {
		t.Fatalf("list: %v %v", list, err)
	}
	must(t, again.Verify(d))
	must(t, again.Delete(d))
	must(t, again.Delete(d))
	if _, err := again.Open(d); !errors.Is(err, blobs.ErrNotFound) || again.Has(d) {
		t.Fatalf("deleted blob: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("line broke") }

func TestStore_PutStoresNothingWrong(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, func(c *blobs.Config) { c.MaxBytes = 2000 })
	data, d := blob(1000, 1)
	other, _ := blob(1000, 2)
	var digest *blobs.DigestError
	var size *blobs.SizeError
	if err := s.Put(d, 1000, bytes.NewReader(other)); !errors.As(err, &digest) || digest.Got != sha256.Sum256(other) {
		t.Errorf("other bytes: %v", err)
	}
	if err := s.Put(d, 999, bytes.NewReader(data)); !errors.As(err, &size) {
		t.Errorf("too long: %v", err)
	}
	if err := s.Put(d, 1001, bytes.NewReader(data)); !errors.As(err, &size) {
		t.Errorf("too short: %v", err)
	}
	if err := s.Put(d, 2001, bytes.NewReader(data)); !errors.Is(err, blobs.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := s.Put(d, 1000, io.MultiReader(bytes.NewReader(data[:500]), errReader{})); err == nil {
		t.Error("a broken stream was taken")
	}
	if left := files(t, dir); len(left) > 0 || s.Has(d) {
		t.Errorf("left behind: %v", left)
	}
}

// TestStore_Crash fails every durable step in turn: the blob is there whole or
// not at all, and the next run needs no help.
func TestStore_Crash(t *testing.T) {
	data, d := blob(5000, 1)
	crashed := errors.New("power is gone")
	for step := 1; ; step++ {
		dir := t.TempDir()
		n := 0
		s := open(t, dir, func(c *blobs.Config) {
			c.Sync = func(f *os.File) error {
				if n++; n == step {
					return crashed
				}
				return f.Sync()
			}
		})
		err := s.Put(d, 5000, bytes.NewReader(data))
		if err == nil {
			if step < 4 {
				t.Fatalf("only %d durable steps: file, new folder, its name", step-1)
			}
			return
		}
		if !errors.Is(err, crashed) {
			t.Fatal(err)
		}
		again := open(t, dir, nil)
		if again.Has(d) {
			must(t, again.Verify(d))
		}
		must(t, again.Put(d, 5000, bytes.NewReader(data)))
		must(t, again.Verify(d))
	}
}

func TestStore_OpenRemovesTemporaries(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, nil)
	left := filepath.Join(dir, "blobs", "tmp", "put-123")
	must(t, os.WriteFile(left, []byte("half"), 0o600))
	open(t, dir, nil)
	if got := files(t, dir); len(got) > 0 {
		t.Fatalf("left behind: %v", got)
	}
}

func TestStore_Damage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	data, d := blob(3000, 1)
	for i, check := range []func() error{
		func() error { return s.Verify(d) },
		func() error { _, err := s.Read(d); return err },
	} {
		must(t, s.Put(d, 3000, bytes.NewReader(data)))
		path := files(t, filepath.Join(dir, "blobs", d.String()[:2]))[0]
		bad := slices.Clone(data)
		bad[1234] ^= 4
		must(t, os.WriteFile(path, bad, 0o600))
		var damage *blobs.DamageError
		if err := check(); !errors.As(err, &damage) || damage.Digest != d || damage.Got != sha256.Sum256(bad) {
			t.Fatalf("check %d: %v", i, err)
		}
		if kept, err := os.ReadFile(damage.File); err != nil || !bytes.Equal(kept, bad) {
			t.Fatalf("the damaged bytes are not kept: %v", err)
		}
		if _, err := s.Open(d); !errors.Is(err, blobs.ErrNotFound) {
			t.Fatalf("a damaged blob is served: %v", err)
		}
		if list, err := s.List(); err != nil || len(list) > 0 {
			t.Fatalf("a damaged blob is listed: %v %v", list, err)
		}
	}
}

func TestStore_Append(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	data, d := blob(10_000, 1)
	next, stored, err := s.Append(d, 10_000, 0, data[:4000])
	must(t, err)
	if next != 4000 || stored {
		t.Fatalf("first piece: %d %v", next, stored)
	}
	var offset *blobs.OffsetError
	if _, _, err := s.Append(d, 10_000, 3000, data[3000:]); !errors.As(err, &offset) || offset.Want != 4000 {
		t.Fatalf("wrong offset: %v", err)
	}
	var size *blobs.SizeError
	if _, _, err := s.Append(d, 9_000, 4000, data[4000:]); !errors.As(err, &size) {
		t.Fatalf("another size: %v", err)
	}
	if _, _, err := s.Append(d, 10_000, 4000, append(slices.Clone(data[4000:]), 1)); !errors.As(err, &size) {
		t.Fatalf("too long: %v", err)
	}
	// A restart goes on where it was.
	s = open(t, dir, nil)
	if next, stored := s.Next(d); next != 4000 || stored {
		t.Fatalf("after a restart: %d %v", next, stored)
	}
	next, stored, err = s.Append(d, 10_000, 4000, data[4000:])
	must(t, err)
	if next != 10_000 || !stored {
		t.Fatalf("last piece: %d %v", next, stored)
	}
	must(t, s.Verify(d))
	if left := files(t, filepath.Join(dir, "blobs", "partial")); len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
	if next, stored, err = s.Append(d, 10_000, 0, data); err != nil || !stored || next != 10_000 {
		t.Fatalf("again: %d %v %v", next, stored, err)
	}
}

func TestStore_AppendWrongBytes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	data, d := blob(100, 1)
	_, _, err := s.Append(d, 100, 0, make([]byte, 50))
	must(t, err)
	var digest *blobs.DigestError
	if _, _, err := s.Append(d, 100, 50, data[50:]); !errors.As(err, &digest) {
		t.Fatalf("wrong bytes: %v", err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
	_, stored, err := s.Append(d, 100, 0, data)
	must(t, err)
	if !stored {
		t.Fatal("the right bytes are not stored afterwards")
	}
}

// TestStore_AppendAnotherSize: somebody who announces a wrong size first keeps
// nobody from the right one.
func TestStore_AppendAnotherSize(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	data, d := blob(100, 1)
	_, _, err := s.Append(d, 99, 0, make([]byte, 50))
	must(t, err)
	_, _, err = s.Append(d, 100, 0, data[:60])
	must(t, err)
	if _, stored, err := s.Append(d, 100, 60, data[60:]); err != nil || !stored {
		t.Fatalf("%v %v", stored, err)
	}
	if left := files(t, filepath.Join(dir, "blobs", "partial")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStore_AppendCrash(t *testing.T) {
	dir := t.TempDir()
	data, d := blob(100, 1)
	fail := true
	s := open(t, dir, func(c *blobs.Config) {
		c.Sync = func(f *os.File) error {
			if fail {
				return errors.New("disk is gone")
			}
			return f.Sync()
		}
	})
	if _, stored, err := s.Append(d, 100, 0, data); err == nil || stored {
		t.Fatal("stored without a sync")
	}
	fail = false
	// All bytes are here: an empty piece at the end finishes.
	if next, stored := s.Next(d); next != 100 || stored {
		t.Fatalf("%d %v", next, stored)
	}
	if _, stored, err := s.Append(d, 100, 100, nil); err != nil || !stored {
		t.Fatalf("finish: %v %v", stored, err)
	}
}

func TestStore_PartialsAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	dir := t.TempDir()
	s := open(t, dir, func(c *blobs.Config) {
		c.MaxPartials, c.MaxPartialBytes, c.PartialTTL, c.Now = 2, 1000, time.Minute, func() time.Time { return now }
	})
	a, da := blob(600, 1)
	b, db := blob(600, 2)
	c, dc := blob(300, 3)
	e, de := blob(10, 4)
	_, _, err := s.Append(da, 600, 0, a[:10])
	must(t, err)
	if _, _, err := s.Append(db, 600, 0, b[:10]); !errors.Is(err, blobs.ErrTooMany) {
		t.Fatalf("bytes: %v", err)
	}
	now = now.Add(30 * time.Second)
	_, _, err = s.Append(dc, 300, 0, c[:10])
	must(t, err)
	if _, _, err := s.Append(de, 10, 0, e[:5]); !errors.Is(err, blobs.ErrTooMany) || !strings.Contains(err.Error(), "2 of at most 2") {
		t.Fatalf("count: %v", err)
	}
	now = now.Add(31 * time.Second)
	_, _, err = s.Append(de, 10, 0, e[:5])
	must(t, err)
	if next, _ := s.Next(da); next != 0 {
		t.Fatalf("an old upload is still at %d", next)
	}
	if next, _ := s.Next(dc); next != 10 {
		t.Fatalf("a young upload was forgotten: %d", next)
	}
	must(t, s.Abort(dc))
	if left := files(t, dir); len(left) != 1 {
		t.Fatalf("files: %v", left)
	}
}

// TestStore_OneWriter lets several callers append the same pieces: the blob
// comes out whole, whoever was refused.
func TestStore_OneWriter(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	data, d := blob(64_000, 1)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			next, stored := int64(0), false
			for !stored {
				var err error
				var offset *blobs.OffsetError
				end := min(next+1000, 64_000)
				at := next
				next, stored, err = s.Append(d, 64_000, at, data[at:end])
				switch {
				case errors.As(err, &offset):
					next = offset.Want
				case errors.Is(err, blobs.ErrBusy):
					next = at
				case err != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	must(t, s.Verify(d))
}

func TestParseDigest(t *testing.T) {
	_, d := blob(1, 1)
	if got, err := blobs.ParseDigest(d.String()); err != nil || got != d {
		t.Fatal(got, err)
	}
	for _, bad := range []string{"", "ab", strings.ToUpper(d.String()), strings.Repeat("x", 64)} {
		if _, err := blobs.ParseDigest(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
