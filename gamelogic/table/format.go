package table

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/edgereel/edgereel/gamelogic"
)

// Layout of a table file, format 1. All numbers are little-endian.
//
//	0   16 bytes  magic
//	16  u64       offset of the index
//	24  u64       length of the index
//	32  blocks, then for each mode its rows, parts and block list, then the index
//
// The index is JSON (fileIndex). A row is weight u64, payout u64 in hundredths of
// the stake, id u64 of its book, first part u32, number of parts u32. A part is
// block u32, offset u32, length u32 of the unpacked block. A block is a zstd
// frame, listed as offset u64, length u32, unpacked length u32.
const (
	magic       = "edgereel-table\x00\x01"
	magicPrefix = "edgereel-table\x00"
	formatOne   = 1
	headerBytes = 32
	rowBytes    = 32
	partBytes   = 12
	blockBytes  = 16

	// MaxRows bounds the rows of a mode: they are kept in memory.
	MaxRows = 4 << 20
	// maxBlock bounds an unpacked block; blockTarget is what the writer aims at.
	maxBlock    = 4 << 20
	blockTarget = 16 << 10
	maxIndex    = 1 << 20
	// maxParts is a bound on the steps of one round.
	maxParts = 4096
)

var (
	// ErrFormat refuses bytes that are no table, or a damaged one.
	ErrFormat = errors.New("table: not a table file")
	// ErrNewerFormat refuses a table of a later format.
	ErrNewerFormat = errors.New("table: the file has a newer format")
)

// fileIndex is the JSON at the end of a file.
type fileIndex struct {
	Format   int             `json:"format"`
	Manifest json.RawMessage `json:"manifest"`
	// Source says what the table was imported from.
	Source string      `json:"source"`
	Modes  []modeIndex `json:"modes"`
}

type modeIndex struct {
	Mode     string `json:"mode"`
	Rows     uint32 `json:"rows"`
	RowsAt   uint64 `json:"rows_at"`
	Parts    uint32 `json:"parts"`
	PartsAt  uint64 `json:"parts_at"`
	Blocks   uint32 `json:"blocks"`
	BlocksAt uint64 `json:"blocks_at"`
}

type row struct {
	payoutX100 uint64
	id         uint64
	part       uint32
	parts      uint32
}

type part struct{ block, offset, length uint32 }

type block struct {
	offset        uint64
	packed, plain uint32
}

// Is reports whether a file begins like a table, of whatever format.
func Is(head []byte) bool { return bytes.HasPrefix(head, []byte(magicPrefix)) }

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// readIndex reads and checks what everything else in a file is found by.
func readIndex(r io.ReaderAt, size int64) (*fileIndex, error) {
	var head [headerBytes]byte
	if err := readFull(r, head[:], 0); err != nil {
		return nil, err
	}
	switch {
	case !Is(head[:]):
		return nil, damaged("it does not begin like one")
	case string(head[:len(magic)]) != magic:
		return nil, fmt.Errorf("%w: %d, this host knows 1", ErrNewerFormat, head[len(magic)-1])
	}
	at, n := binary.LittleEndian.Uint64(head[16:]), binary.LittleEndian.Uint64(head[24:])
	if n > maxIndex || at < headerBytes || at+n != uint64(size) {
		return nil, damaged("the index is said to be %d bytes from %d of %d", n, at, size)
	}
	raw := make([]byte, n)
	if err := readFull(r, raw, at); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var index fileIndex
	if err := dec.Decode(&index); err != nil {
		return nil, damaged("index: %v", err)
	}
	if index.Format != formatOne {
		return nil, fmt.Errorf("%w: %d, this host knows 1", ErrNewerFormat, index.Format)
	}
	return &index, nil
}

func readFull(r io.ReaderAt, b []byte, at uint64) error {
	if at > math.MaxInt64 {
		return damaged("an offset of %d", at)
	}
	// A short read is damage; ReadAt may return io.EOF with all bytes read.
	if n, err := r.ReadAt(b, int64(at)); n != len(b) {
		return damaged("%d bytes from %d: %v", len(b), at, err)
	}
	return nil
}

// section reads count records of a size each.
func section(r io.ReaderAt, fileBytes int64, at uint64, count, size uint32) ([]byte, error) {
	n := uint64(count) * uint64(size)
	// Before anything is allocated for it.
	if at > uint64(fileBytes) || n > uint64(fileBytes)-at {
		return nil, damaged("%d records of %d bytes from %d of %d", count, size, at, fileBytes)
	}
	b := make([]byte, n)
	return b, readFull(r, b, at)
}

// mode is a bet mode as it is played.
type mode struct {
	gamelogic.Mode
	// upto[i] is the sum of the weights of rows 0 to i.
	upto   []uint64
	rows   []row
	parts  []part
	blocks []block
}

func (m *mode) total() uint64 { return m.upto[len(m.upto)-1] }

// readMode reads a mode's rows into memory and checks that they hang together.
func readMode(r io.ReaderAt, size int64, manifest *gamelogic.Manifest, at int, x modeIndex) (*mode, error) {
	of, unit := manifest.Modes[at], uint64(manifest.StakeMultipleMinor)
	if x.Rows == 0 || x.Rows > MaxRows {
		return nil, damaged("mode %s has %d rows", x.Mode, x.Rows)
	}
	m := &mode{Mode: of}
	if err := m.readBlocks(r, size, x); err != nil {
		return nil, err
	}
	if err := m.readParts(r, size, x); err != nil {
		return nil, err
	}
	raw, err := section(r, size, x.RowsAt, x.Rows, rowBytes)
	if err != nil {
		return nil, err
	}
	m.upto, m.rows = make([]uint64, x.Rows), make([]row, x.Rows)
	var sum uint64
	for i := range m.rows {
		b := raw[i*rowBytes:]
		w := binary.LittleEndian.Uint64(b)
		m.rows[i] = row{
			payoutX100: binary.LittleEndian.Uint64(b[8:]), id: binary.LittleEndian.Uint64(b[16:]),
			part: binary.LittleEndian.Uint32(b[24:]), parts: binary.LittleEndian.Uint32(b[28:]),
		}
		sum += w
		m.upto[i] = sum
		if sum < w || sum > math.MaxInt64 {
			return nil, damaged("mode %s: the weights leave the 63-bit range at row %d", x.Mode, i)
		}
		if e := m.rows[i]; e.parts == 0 || e.parts > maxParts || uint64(e.part)+uint64(e.parts) > uint64(len(m.parts)) {
			return nil, damaged("mode %s: row %d has parts %d to %d of %d", x.Mode, i, e.part, uint64(e.part)+uint64(e.parts), len(m.parts))
		}
		if m.rows[i].payoutX100 > uint64(of.MaxWinX)*100 {
			return nil, damaged("mode %s: row %d pays more than the manifest's maximum", x.Mode, i)
		}
		// Both are at most 10⁹. A fraction would be lost at every win.
		if m.rows[i].payoutX100*unit%100 != 0 {
			return nil, damaged("mode %s: row %d pays no whole amount at the smallest stake, %d", x.Mode, i, unit)
		}
	}
	if sum == 0 {
		return nil, damaged("mode %s: all weights are zero", x.Mode)
	}
	return m, nil
}

func (m *mode) readBlocks(r io.ReaderAt, size int64, x modeIndex) error {
	raw, err := section(r, size, x.BlocksAt, x.Blocks, blockBytes)
	if err != nil {
		return err
	}
	m.blocks = make([]block, x.Blocks)
	for i := range m.blocks {
		b := raw[i*blockBytes:]
		e := block{
			offset: binary.LittleEndian.Uint64(b), packed: binary.LittleEndian.Uint32(b[8:]), plain: binary.LittleEndian.Uint32(b[12:]),
		}
		if e.plain > maxBlock || e.offset > uint64(size) || uint64(e.packed) > uint64(size)-e.offset {
			return damaged("mode %s: block %d lies outside of the file", x.Mode, i)
		}
		m.blocks[i] = e
	}
	return nil
}

func (m *mode) readParts(r io.ReaderAt, size int64, x modeIndex) error {
	raw, err := section(r, size, x.PartsAt, x.Parts, partBytes)
	if err != nil {
		return err
	}
	m.parts = make([]part, x.Parts)
	for i := range m.parts {
		b := raw[i*partBytes:]
		e := part{
			block: binary.LittleEndian.Uint32(b), offset: binary.LittleEndian.Uint32(b[4:]), length: binary.LittleEndian.Uint32(b[8:]),
		}
		if uint64(e.block) >= uint64(len(m.blocks)) || e.length > gamelogic.MaxPresentation ||
			uint64(e.offset)+uint64(e.length) > uint64(m.blocks[e.block].plain) {
			return damaged("mode %s: part %d lies outside of its block", x.Mode, i)
		}
		m.parts[i] = e
	}
	return nil
}
