package table

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/edgereel/edgereel/gamelogic"
)

// entry is one row on its way into a file.
type entry struct {
	weight, payoutX100, id uint64
	part, parts            uint32
}

// writer lays out a file front to back, so that presentations of any amount
// stream through it; only rows, parts and block lists are kept.
type writer struct {
	out   *bufio.Writer
	at    uint64
	zip   *zstd.Encoder
	index fileIndex

	parts  []part
	blocks []block
	open   []byte
}

// newWriter begins a file. Its header is written by finish: out must be able to
// go back to the start.
func newWriter(out io.Writer) (*writer, error) {
	// One goroutine and a fixed level, so that the same content is the same file.
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return nil, fmt.Errorf("start compression: %w", err)
	}
	w := &writer{out: bufio.NewWriterSize(out, 1<<20), zip: zip, index: fileIndex{Format: formatOne}}
	return w, w.write(make([]byte, headerBytes))
}

func (w *writer) write(b []byte) error {
	n, err := w.out.Write(b)
	w.at += uint64(n)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// add takes the presentations of a row's steps and says where they will be.
func (w *writer) add(presentations [][]byte) (first, count uint32, err error) {
	first = uint32(len(w.parts))
	for _, p := range presentations {
		if len(w.open) > 0 && len(w.open)+len(p) > blockTarget {
			if err := w.flush(); err != nil {
				return 0, 0, err
			}
		}
		w.parts = append(w.parts, part{block: uint32(len(w.blocks)), offset: uint32(len(w.open)), length: uint32(len(p))})
		w.open = append(w.open, p...)
	}
	return first, uint32(len(presentations)), nil
}

// flush writes the open block.
func (w *writer) flush() error {
	if len(w.open) == 0 {
		return nil
	}
	packed := w.zip.EncodeAll(w.open, nil)
	w.blocks = append(w.blocks, block{offset: w.at, packed: uint32(len(packed)), plain: uint32(len(w.open))})
	w.open = w.open[:0]
	return w.write(packed)
}

// mode ends a mode: its rows, in the order they are drawn in, and what add
// collected since the last one.
func (w *writer) mode(name string, rows []entry) error {
	if err := w.flush(); err != nil {
		return err
	}
	x := modeIndex{Mode: name, Rows: uint32(len(rows)), Parts: uint32(len(w.parts)), Blocks: uint32(len(w.blocks)), RowsAt: w.at}
	var b []byte
	for _, r := range rows {
		b = binary.LittleEndian.AppendUint64(b[:0], r.weight)
		b = binary.LittleEndian.AppendUint64(b, r.payoutX100)
		b = binary.LittleEndian.AppendUint64(b, r.id)
		b = binary.LittleEndian.AppendUint32(b, r.part)
		if err := w.write(binary.LittleEndian.AppendUint32(b, r.parts)); err != nil {
			return err
		}
	}
	x.PartsAt = w.at
	for _, p := range w.parts {
		b = binary.LittleEndian.AppendUint32(b[:0], p.block)
		b = binary.LittleEndian.AppendUint32(b, p.offset)
		if err := w.write(binary.LittleEndian.AppendUint32(b, p.length)); err != nil {
			return err
		}
	}
	x.BlocksAt = w.at
	for _, k := range w.blocks {
		b = binary.LittleEndian.AppendUint64(b[:0], k.offset)
		b = binary.LittleEndian.AppendUint32(b, k.packed)
		if err := w.write(binary.LittleEndian.AppendUint32(b, k.plain)); err != nil {
			return err
		}
	}
	w.index.Modes = append(w.index.Modes, x)
	w.parts, w.blocks = nil, nil
	return nil
}

// finish writes the index and returns the header to put at the start.
func (w *writer) finish(manifest *gamelogic.Manifest, source string) (header []byte, err error) {
	if w.index.Manifest, err = json.Marshal(manifest); err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	w.index.Source = source
	index, err := json.Marshal(w.index)
	if err != nil {
		return nil, fmt.Errorf("write index: %w", err)
	}
	header = append(header, magic...)
	header = binary.LittleEndian.AppendUint64(header, w.at)
	header = binary.LittleEndian.AppendUint64(header, uint64(len(index)))
	if err := w.write(index); err != nil {
		return nil, err
	}
	if err := w.out.Flush(); err != nil {
		return nil, fmt.Errorf("write table: %w", err)
	}
	return header, w.zip.Close()
}
