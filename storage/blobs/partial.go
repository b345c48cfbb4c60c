package blobs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// partial is an unfinished upload. Who set busy owns next and the file; the
// store's mu guards busy and touched.
type partial struct {
	size    int64
	next    int64
	busy    bool
	touched time.Time
}

// partialPath names the file of an upload by digest and announced size, so that
// a restart finds both.
func (s *Store) partialPath(d Digest, size int64) string {
	return filepath.Join(s.cfg.Dir, partialDir, d.String()+"."+strconv.FormatInt(size, 10))
}

// loadPartials takes up what an earlier run left. What a power loss did to the
// bytes is found out at the end, by their digest.
func (s *Store) loadPartials() error {
	dir := filepath.Join(s.cfg.Dir, partialDir)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		name, sizeText, _ := strings.Cut(f.Name(), ".")
		d, err := ParseDigest(name)
		size, serr := strconv.ParseInt(sizeText, 10, 64)
		info, ierr := f.Info()
		if errors.Join(err, serr, ierr) != nil || info.Size() > size || s.partials[d] != nil || s.Has(d) {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return err
			}
			continue
		}
		s.partials[d] = &partial{size: size, next: info.Size(), touched: s.cfg.Now()}
	}
	return nil
}

// Next tells where the upload of a blob goes on, and whether the blob is stored
// already; an upload nobody began goes on at 0.
func (s *Store) Next(d Digest) (offset int64, stored bool) {
	if size, err := s.Stat(d); err == nil {
		return size, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partials[d]; p != nil && !p.busy {
		return p.next, false
	}
	return 0, false
}

// Append adds one piece to the upload of a blob of size bytes and tells where
// the next one begins. A piece at another offset is answered with *OffsetError;
// a first piece with another size begins anew.
// With the last piece the whole is verified and stored: stored is true, or the
// upload is forgotten and the error is *DigestError.
func (s *Store) Append(d Digest, size, offset int64, data []byte) (next int64, stored bool, err error) {
	if have, err := s.Stat(d); err == nil {
		return have, true, nil
	}
	if offset == 0 && s.otherSize(d, size) {
		// Whoever announced another size must not stand in the way.
		if err := s.Abort(d); err != nil {
			return 0, false, err
		}
	}
	p, err := s.take(d, size, offset, int64(len(data)))
	if err != nil {
		return 0, false, fmt.Errorf("upload blob: %w", err)
	}
	next, err = s.write(d, p, data)
	if err == nil && next == size {
		err = s.complete(d, size)
		stored = err == nil
	}
	s.giveBack(d, p, next, stored || isDigest(err))
	if err != nil {
		return next, false, fmt.Errorf("upload blob: %w", err)
	}
	return next, stored, nil
}

func (s *Store) otherSize(d Digest, size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partials[d]
	return p != nil && p.size != size
}

func isDigest(err error) bool {
	var wrong *DigestError
	return errors.As(err, &wrong)
}

// take begins or goes on with an upload, for one caller at a time.
func (s *Store) take(d Digest, size, offset, length int64) (*partial, error) {
	if size < 0 || size > s.cfg.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, s.cfg.MaxBytes)
	}
	if err := s.expire(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	p := s.partials[d]
	switch {
	case p == nil && offset != 0:
		return nil, &OffsetError{Digest: d, Want: 0, Got: offset}
	case p == nil:
		if err := s.room(size); err != nil {
			return nil, err
		}
		p = &partial{size: size}
		s.partials[d] = p
	case p.busy:
		return nil, fmt.Errorf("%s: %w", d, ErrBusy)
	case p.size != size:
		return nil, &SizeError{Digest: d, Want: p.size, Got: size}
	case p.next != offset:
		return nil, &OffsetError{Digest: d, Want: p.next, Got: offset}
	}
	if offset+length > size {
		return nil, &SizeError{Digest: d, Want: size, Got: offset + length}
	}
	p.busy, p.touched = true, s.cfg.Now()
	return p, nil
}

// room says whether one more upload fits; mu is held.
func (s *Store) room(size int64) error {
	total := size
	for _, p := range s.partials {
		total += p.size
	}
	if len(s.partials) >= s.cfg.MaxPartials || total > s.cfg.MaxPartialBytes {
		return fmt.Errorf("%w: %d of at most %d, %d bytes of at most %d with this one; finish one or try again in %v",
			ErrTooMany, len(s.partials), s.cfg.MaxPartials, total, s.cfg.MaxPartialBytes, s.cfg.PartialTTL)
	}
	return nil
}

// write puts a piece at the end of an upload that this caller took.
func (s *Store) write(d Digest, p *partial, data []byte) (int64, error) {
	f, err := os.OpenFile(s.partialPath(d, p.size), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return p.next, err
	}
	_, err = f.WriteAt(data, p.next)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return p.next, err
	}
	return p.next + int64(len(data)), nil
}

// complete verifies an upload that has all its bytes and stores it. Wrong bytes
// are removed; another fault leaves them for the next attempt.
func (s *Store) complete(d Digest, size int64) error {
	name := s.partialPath(d, size)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if got := Digest(sum.Sum(nil)); err == nil && got != d {
		err = &DigestError{Want: d, Got: got, Size: size}
	}
	if err = s.finish(f, err); err != nil {
		if isDigest(err) {
			_ = os.Remove(name)
		}
		return err
	}
	return s.install(name, d)
}

// giveBack ends a caller's turn; gone forgets the upload.
func (s *Store) giveBack(d Digest, p *partial, next int64, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.busy, p.touched, p.next = false, s.cfg.Now(), next
	if gone {
		delete(s.partials, d)
	}
}

// expire forgets uploads that rested for too long.
func (s *Store) expire() error {
	limit := s.cfg.Now().Add(-s.cfg.PartialTTL)
	old := map[Digest]int64{}
	s.mu.Lock()
	for d, p := range s.partials {
		if !p.busy && p.touched.Before(limit) {
			old[d] = p.size
			p.busy = true // nobody takes it up while its file goes
		}
	}
	s.mu.Unlock()
	for d, size := range old {
		err := os.Remove(s.partialPath(d, size))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.mu.Lock()
			s.partials[d].busy = false
			s.mu.Unlock()
			return fmt.Errorf("forget an old upload: %w", err)
		}
		s.mu.Lock()
		delete(s.partials, d)
		s.mu.Unlock()
	}
	return nil
}

// Abort forgets an upload.
func (s *Store) Abort(d Digest) error {
	s.mu.Lock()
	p := s.partials[d]
	if p == nil || p.busy {
		s.mu.Unlock()
		if p != nil {
			return fmt.Errorf("abort upload: %s: %w", d, ErrBusy)
		}
		return nil
	}
	p.busy = true
	s.mu.Unlock()
	err := os.Remove(s.partialPath(d, p.size))
	s.mu.Lock()
	p.busy = false
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		delete(s.partials, d)
		err = nil
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("abort upload: %w", err)
	}
	return nil
}
