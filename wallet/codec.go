package wallet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// The codec is canonical: one value has one encoding, because stored bytes are
// what the chain commits to. Integers are minimal varints (signed ones zigzag),
// digests are raw, byte strings carry their length.

// errTruncated and errNonCanonical are the two ways bytes can be wrong.
var (
	errTruncated    = errors.New("record is truncated")
	errNonCanonical = errors.New("record is not in canonical form")
)

// maxBytes bounds one byte string inside a record.
const maxBytes = 1 << 20

type writer struct {
	b []byte
	// format is that of the snapshot being written; records have none.
	format uint8
}

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)   { w.uint(uint64(v)<<1 ^ uint64(v>>63)) }
func (w *writer) byte(v byte)   { w.b = append(w.b, v) }

func (w *writer) bool(v bool) {
	if v {
		w.byte(1)
		return
	}
	w.byte(0)
}

func (w *writer) hash(h Hash) { w.b = append(w.b, h[:]...) }
func (w *writer) id(id ID)    { w.b = append(w.b, id[:]...) }

func (w *writer) bytes(p []byte) {
	w.uint(uint64(len(p)))
	w.b = append(w.b, p...)
}

func (w *writer) string(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// reader decodes with a sticky error; after one every value is zero.
type reader struct {
	b   []byte
	err error
	// format is that of the snapshot being read; records have none.
	format uint8
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	switch {
	case n == 0:
		r.fail(errTruncated)
		return 0
	case n < 0, n > 1 && r.b[n-1] == 0:
		r.fail(errNonCanonical)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	u := r.uint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) uint32() uint32 {
	v := r.uint()
	if v > 1<<32-1 {
		r.fail(errNonCanonical)
		return 0
	}
	return uint32(v)
}

func (r *reader) uint16() uint16 {
	v := r.uint()
	if v > 1<<16-1 {
		r.fail(errNonCanonical)
		return 0
	}
	return uint16(v)
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail(errTruncated)
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte {
	p := r.take(1)
	if p == nil {
		return 0
	}
	return p[0]
}

func (r *reader) bool() bool {
	switch r.byte() {
	case 0:
		return false
	case 1:
		return true
	}
	r.fail(errNonCanonical)
	return false
}

func (r *reader) hash() (h Hash) {
	copy(h[:], r.take(uint64(len(h))))
	return h
}

func (r *reader) id() (id ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

// bytes copies, so that a decoded value never aliases the log's buffer.
func (r *reader) bytes() []byte {
	n := r.uint()
	if n > maxBytes {
		r.fail(fmt.Errorf("byte string of %d bytes is over the limit of %d", n, maxBytes))
		return nil
	}
	p := r.take(n)
	if len(p) == 0 {
		return nil
	}
	return append([]byte(nil), p...)
}

func (r *reader) string() string { return string(r.bytes()) }

// count reads the length of a list whose items take at least one byte each.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail(errTruncated)
		return 0
	}
	return int(n)
}

// items counts through a list and stops at the first damage, so that a false
// length costs no memory.
func (r *reader) items() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range r.count() {
			if r.err != nil || !yield(i) {
				return
			}
		}
	}
}

// done reports the first error, or that bytes are left over.
func (r *reader) done() error {
	if r.err == nil && len(r.b) != 0 {
		r.err = errNonCanonical
	}
	return r.err
}
