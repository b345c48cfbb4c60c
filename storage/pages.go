package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// bbolt trusts the pages it maps: a flipped bit in one can panic, fault or loop
// in a goroutine of bbolt's own. So the file is walked here first, with every
// reference bounded, before bbolt may open it. bbolt writes its pages in the
// byte order of the machine; all the platforms we run on are little-endian.
const (
	pageHeaderSize  = 16
	pageElementSize = 16
	metaSize        = 64
	metaMagic       = 0xED0CDAED
	metaVersion     = 2
	flagBranch      = 0x01
	flagLeaf        = 0x02
	leafIsBucket    = 0x01
	minPageSize     = 1024
	maxPageSize     = 1 << 24
)

// pageMeta is one of bbolt's two meta pages.
type pageMeta struct {
	pageSize uint32
	root     uint64
	pages    uint64 // high water mark
	txid     uint64
}

func parsePageMeta(b []byte) (pageMeta, bool) {
	if len(b) < metaSize {
		return pageMeta{}, false
	}
	le := binary.LittleEndian
	h := fnv.New64a()
	_, _ = h.Write(b[:metaSize-8])
	m := pageMeta{pageSize: le.Uint32(b[8:]), root: le.Uint64(b[16:]), pages: le.Uint64(b[40:]), txid: le.Uint64(b[48:])}
	ok := le.Uint32(b) == metaMagic && le.Uint32(b[4:]) == metaVersion && le.Uint64(b[56:]) == h.Sum64()
	return m, ok
}

// flippedBit reports whether the meta is exactly one bit away from a valid
// one. A torn write is a mix of two metas and practically never is, so this
// tells rot of an acknowledged transaction from a torn unacknowledged one.
func flippedBit(b []byte) bool {
	c := slices.Clone(b[:metaSize])
	for i := range metaSize * 8 {
		c[i/8] ^= 1 << (i % 8)
		if _, ok := parsePageMeta(c); ok {
			return true
		}
		c[i/8] ^= 1 << (i % 8)
	}
	return false
}

// pageWalk visits every key reachable from the newest meta page.
type pageWalk struct {
	r     io.ReaderAt
	size  int64
	meta  pageMeta
	torn  bool // one meta page was torn: its transaction was never acknowledged
	seen  map[uint64]bool
	visit func(path []string, key, value []byte) error
}

// pageError is damage of a page.
type pageError struct {
	page   uint64
	reason string
}

func (e *pageError) Error() string { return fmt.Sprintf("page %d: %s", e.page, e.reason) }

func (w *pageWalk) run() error {
	if err := w.readMeta(); err != nil {
		return err
	}
	if int64(w.meta.pages) < 0 || int64(w.meta.pages) > w.size/int64(w.meta.pageSize) {
		return &pageError{0, fmt.Sprintf("file of %d bytes is shorter than its %d pages", w.size, w.meta.pages)}
	}
	w.seen = make(map[uint64]bool)
	return w.page(w.meta.root, nil, nil, nil)
}

func (w *pageWalk) readMeta() error {
	first := make([]byte, metaSize)
	if _, err := w.r.ReadAt(first, pageHeaderSize); err != nil {
		return &pageError{0, "file is too short to hold a meta page"}
	}
	m0, ok0 := parsePageMeta(first)
	m1, second, ok1 := w.secondMeta(m0, ok0)
	switch {
	case !ok0 && !ok1:
		return &pageError{0, "both meta pages are invalid"}
	case ok0 && ok1:
		w.meta = m0
		if m1.txid > m0.txid {
			w.meta = m1
		}
		return nil
	case ok0:
		w.meta, w.torn = m0, true
		if second == nil || flippedBit(second) {
			return &pageError{1, "meta page has lost a bit or is missing"}
		}
	default:
		w.meta, w.torn = m1, true
		if flippedBit(first) {
			return &pageError{0, "meta page has lost a bit"}
		}
	}
	return nil
}

// secondMeta finds meta page 1; its offset is the page size, which must be
// guessed when page 0 is not readable.
func (w *pageWalk) secondMeta(m0 pageMeta, ok0 bool) (pageMeta, []byte, bool) {
	sizes := []int64{int64(m0.pageSize)}
	if !ok0 {
		sizes = nil
		for s := int64(minPageSize); s <= maxPageSize; s <<= 1 {
			sizes = append(sizes, s)
		}
	}
	var last []byte
	for _, s := range sizes {
		b := make([]byte, metaSize)
		if _, err := w.r.ReadAt(b, s+pageHeaderSize); err != nil {
			continue
		}
		last = b
		if m, ok := parsePageMeta(b); ok && int64(m.pageSize) == s {
			return m, b, true
		}
	}
	return pageMeta{}, last, false
}

// page walks one page; lo and hi bound its keys (lo inclusive, hi exclusive).
func (w *pageWalk) page(id uint64, path []string, lo, hi []byte) error {
	if id < 2 || id >= w.meta.pages {
		return &pageError{id, "reference points outside the file"}
	}
	if w.seen[id] {
		return &pageError{id, "page is referenced twice"}
	}
	b := make([]byte, w.meta.pageSize)
	offset := int64(id) * int64(w.meta.pageSize)
	if _, err := w.r.ReadAt(b, offset); err != nil {
		return fmt.Errorf("read page %d: %w", id, err)
	}
	if got := binary.LittleEndian.Uint64(b); got != id {
		return &pageError{id, fmt.Sprintf("page says that it is page %d", got)}
	}
	overflow := uint64(binary.LittleEndian.Uint32(b[12:]))
	if id+overflow >= w.meta.pages {
		return &pageError{id, "page runs past the end of the file"}
	}
	if overflow > 0 {
		b = make([]byte, (overflow+1)*uint64(w.meta.pageSize))
		if _, err := w.r.ReadAt(b, offset); err != nil {
			return fmt.Errorf("read page %d: %w", id, err)
		}
	}
	for p := id; p <= id+overflow; p++ {
		if w.seen[p] {
			return &pageError{p, "page is referenced twice"}
		}
		w.seen[p] = true
	}
	return w.elements(id, b, path, lo, hi)
}

func (w *pageWalk) elements(id uint64, b []byte, path []string, lo, hi []byte) error {
	le := binary.LittleEndian
	flags, count := le.Uint16(b[8:]), int(le.Uint16(b[10:]))
	if flags != flagBranch && flags != flagLeaf {
		return &pageError{id, fmt.Sprintf("page has flags %#x", flags)}
	}
	if flags == flagBranch && count == 0 {
		return &pageError{id, "branch page is empty"}
	}
	if pageHeaderSize+count*pageElementSize > len(b) {
		return &pageError{id, "page holds more elements than fit"}
	}
	keys := make([][]byte, count)
	values := make([][]byte, count)
	for i := range count {
		at := pageHeaderSize + i*pageElementSize
		e := b[at:]
		var pos, ksize, vsize uint64
		if flags == flagBranch {
			pos, ksize = uint64(le.Uint32(e)), uint64(le.Uint32(e[4:]))
		} else {
			pos, ksize, vsize = uint64(le.Uint32(e[4:])), uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))
		}
		start := uint64(at) + pos
		if start+ksize+vsize > uint64(len(b)) {
			return &pageError{id, "element runs past its page"}
		}
		keys[i], values[i] = b[start:start+ksize], b[start+ksize:start+ksize+vsize]
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 {
			return &pageError{id, "keys are out of order"}
		}
		if (lo != nil && bytes.Compare(keys[i], lo) < 0) || (hi != nil && bytes.Compare(keys[i], hi) >= 0) {
			return &pageError{id, "key is outside the bounds of its parent"}
		}
	}
	for i := range count {
		e := b[pageHeaderSize+i*pageElementSize:]
		var err error
		switch {
		case flags == flagBranch:
			next := hi
			if i+1 < count {
				next = keys[i+1]
			}
			err = w.page(le.Uint64(e[8:]), path, keys[i], next)
		case le.Uint32(e) == leafIsBucket:
			err = w.bucket(id, append(slices.Clone(path), string(keys[i])), values[i])
		case le.Uint32(e) == 0:
			err = w.visit(path, keys[i], values[i])
		default:
			err = &pageError{id, "element has unknown flags"}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWalk) bucket(id uint64, path []string, value []byte) error {
	if len(value) < 16 {
		return &pageError{id, "bucket header is too short"}
	}
	if len(path) > 4 {
		return &pageError{id, "buckets are nested too deep"}
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return w.page(root, path, nil, nil)
	}
	if len(value) < 16+pageHeaderSize {
		return &pageError{id, "inline bucket is too short"}
	}
	if binary.LittleEndian.Uint16(value[24:]) != flagLeaf {
		return &pageError{id, "inline bucket is not a leaf"}
	}
	return w.elements(id, value[16:], path, nil, nil)
}

// asDamage turns a page error into the public error of the file.
func asDamage(file string, pageSize uint32, err error) error {
	var pe *pageError
	if errors.As(err, &pe) {
		return &DamageError{File: file, Offset: int64(pe.page) * int64(pageSize), Reason: err.Error()}
	}
	return err
}
