package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes and versions of journal segments; FORMAT.md lists the offsets.
const (
	segmentMagic    = "EGRJ"
	segmentVersion  = 1
	segmentHeader   = 32
	frameVersion    = 1
	frameHeader     = 6
	frameRecord     = 'R'
	frameIndex      = 'I'
	frameTrailer    = 'T'
	trailerPayload  = 8 + 8 + 32 + 32 + 32
	trailerSize     = frameHeader + trailerPayload + crcSize
	recordFixed     = 4 + 8 + 32 + 32 + 32 + 4 + 4
	maxFramePayload = 16 << 20
	tailVersion     = 1
	tailHeader      = 1 + 4 + 8 + 32 + 4
)

// Record is one operation in the journal. Input and Result are opaque here.
type Record struct {
	Epoch  uint32
	Seq    uint64   // 1-based, without gaps
	Prev   [32]byte // chain hash before this record
	Leaf   [32]byte
	Salt   [32]byte
	Input  []byte
	Result []byte
}

// ChainHash returns the chain hash after a record:
// SHA-256(0x01 || prev || leaf).
func ChainHash(prev, leaf [32]byte) [32]byte {
	var b [65]byte
	b[0] = 0x01
	copy(b[1:], prev[:])
	copy(b[33:], leaf[:])
	return sha256.Sum256(b[:])
}

// Hash returns the chain hash after the record.
func (r *Record) Hash() [32]byte { return ChainHash(r.Prev, r.Leaf) }

// SegmentRef names a sealed segment. Replicas with the same records have
// byte-equal segments, so a ref names the same bytes everywhere.
type SegmentRef struct {
	First, Last uint64
	Digest      [32]byte // SHA-256 of the file without its trailer
	Bytes       int64    // size of the whole file
}

// segmentShape is what is the same in every segment of a journal.
type segmentShape struct {
	shard   uint32
	records uint32 // records in a full segment
}

// firstOf returns the first sequence of the segment that holds seq.
func (s segmentShape) firstOf(seq uint64) uint64 {
	n := uint64(s.records)
	return (seq-1)/n*n + 1
}

func (s segmentShape) header(first uint64) []byte {
	b := append([]byte(segmentMagic), segmentVersion, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, s.shard)
	b = binary.BigEndian.AppendUint32(b, s.records)
	b = binary.BigEndian.AppendUint64(b, first)
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, groupCRC(s.shard, b))
}

func (s segmentShape) checkHeader(b []byte, first uint64) error {
	if len(b) < segmentHeader || string(b[:4]) != segmentMagic {
		return errors.New("not a journal segment")
	}
	got := segmentShape{binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
	if groupCRC(got.shard, b[:28]) != binary.BigEndian.Uint32(b[28:]) {
		return errBadCRC
	}
	if b[4] > segmentVersion {
		return fmt.Errorf("segment has version %d, this build knows %d: %w", b[4], segmentVersion, ErrNewerFormat)
	}
	if got != s || binary.BigEndian.Uint64(b[16:]) != first {
		return fmt.Errorf("segment is of shard %d with %d records a segment, first sequence %d; expected shard %d, %d, %d",
			got.shard, got.records, binary.BigEndian.Uint64(b[16:]), s.shard, s.records, first)
	}
	return nil
}

func (s segmentShape) appendFrame(dst []byte, kind byte, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, kind, frameVersion)
	dst = appendBytes(dst, payload)
	return binary.BigEndian.AppendUint32(dst, groupCRC(s.shard, dst[start:]))
}

func (s segmentShape) appendRecord(dst []byte, r *Record) ([]byte, error) {
	n := recordFixed + len(r.Input) + len(r.Result)
	if n > maxFramePayload {
		return dst, fmt.Errorf("record %d of %d bytes exceeds %d", r.Seq, n, maxFramePayload)
	}
	start := len(dst)
	dst = append(dst, frameRecord, frameVersion)
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	dst = binary.BigEndian.AppendUint32(dst, r.Epoch)
	dst = binary.BigEndian.AppendUint64(dst, r.Seq)
	dst = append(dst, r.Prev[:]...)
	dst = append(dst, r.Leaf[:]...)
	dst = append(dst, r.Salt[:]...)
	dst = appendBytes(dst, r.Input)
	dst = appendBytes(dst, r.Result)
	return binary.BigEndian.AppendUint32(dst, groupCRC(s.shard, dst[start:])), nil
}

// frame checks the frame at the start of b and returns its payload and size.
func (s segmentShape) frame(b []byte) (kind byte, payload []byte, size int, err error) {
	if len(b) < frameHeader+crcSize {
		return 0, nil, 0, errShortRecord
	}
	n := int64(binary.BigEndian.Uint32(b[2:]))
	if n > maxFramePayload || frameHeader+n+crcSize > int64(len(b)) {
		return 0, nil, 0, errShortRecord
	}
	size = frameHeader + int(n) + crcSize
	if groupCRC(s.shard, b[:size-crcSize]) != binary.BigEndian.Uint32(b[size-crcSize:]) {
		return 0, nil, 0, errBadCRC
	}
	if b[1] != frameVersion {
		return 0, nil, 0, fmt.Errorf("frame has version %d, this build knows %d: %w", b[1], frameVersion, ErrNewerFormat)
	}
	return b[0], b[frameHeader : size-crcSize : size-crcSize], size, nil
}

// record decodes the record frame at the start of b; Input and Result alias b.
func (s segmentShape) record(b []byte) (Record, int, error) {
	kind, payload, size, err := s.frame(b)
	if err != nil {
		return Record{}, 0, err
	}
	if kind != frameRecord {
		return Record{}, 0, errNotRecord
	}
	d := decoder{b: payload}
	r := Record{Epoch: d.uint32(), Seq: d.uint64(), Prev: d.hash(), Leaf: d.hash(), Salt: d.hash()}
	r.Input, r.Result = d.bytes(), d.bytes()
	return r, size, d.finish()
}

var errNotRecord = errors.New("frame is not a record")

// trailer ends a sealed segment.
type trailer struct {
	first, last uint64
	before      [32]byte // chain hash before the first record
	after       [32]byte // chain hash after the last record
	digest      [32]byte // of all bytes before the trailer
}

func (s segmentShape) appendTrailer(dst []byte, t trailer) []byte {
	p := binary.BigEndian.AppendUint64(nil, t.first)
	p = binary.BigEndian.AppendUint64(p, t.last)
	p = append(append(append(p, t.before[:]...), t.after[:]...), t.digest[:]...)
	return s.appendFrame(dst, frameTrailer, p)
}

func (s segmentShape) trailer(b []byte, first uint64) (trailer, error) {
	kind, payload, size, err := s.frame(b)
	if err != nil {
		return trailer{}, err
	}
	d := decoder{b: payload}
	t := trailer{first: d.uint64(), last: d.uint64(), before: d.hash(), after: d.hash(), digest: d.hash()}
	if err := d.finish(); err != nil {
		return trailer{}, err
	}
	if kind != frameTrailer || size != len(b) || t.first != first || t.last != first+uint64(s.records)-1 {
		return trailer{}, errors.New("trailer does not belong to this segment")
	}
	return t, nil
}

// indexSize is the size of the index frame of a sealed segment.
func (s segmentShape) indexSize() int64 { return frameHeader + 8*int64(s.records) + crcSize }

func (s segmentShape) appendIndex(dst []byte, offsets []int64) []byte {
	p := make([]byte, 0, 8*len(offsets))
	for _, o := range offsets {
		p = binary.BigEndian.AppendUint64(p, uint64(o))
	}
	return s.appendFrame(dst, frameIndex, p)
}

// run is a stretch of consecutive records as they lie in a file.
type run struct {
	first   uint64
	before  [32]byte // chain hash before the first record
	after   [32]byte
	offsets []int64 // of each record, from the start of the parsed bytes
	end     int64   // offset after the last good record
}

func (r *run) next() uint64 { return r.first + uint64(len(r.offsets)) }

// parse reads records from b[at:] until one is not whole, which err describes;
// a whole record with a wrong sequence or chain hash is errMisplaced. before is
// checked unless nil.
func (s segmentShape) parse(b []byte, at int64, first uint64, before *[32]byte) (run, error) {
	r := run{first: first, end: at}
	if before != nil {
		r.before, r.after = *before, *before
	}
	for r.end < int64(len(b)) && len(r.offsets) < int(s.records) {
		rec, size, err := s.record(b[r.end:])
		if err != nil {
			return r, err
		}
		if rec.Seq != r.next() {
			return r, fmt.Errorf("%w: found sequence %d, expected %d", errMisplaced, rec.Seq, r.next())
		}
		if len(r.offsets) == 0 && before == nil {
			r.before, r.after = rec.Prev, rec.Prev
		}
		if rec.Prev != r.after {
			return r, fmt.Errorf("%w: chain hash does not continue the record before", errMisplaced)
		}
		r.offsets = append(r.offsets, r.end)
		r.after = rec.Hash()
		r.end += int64(size)
	}
	return r, nil
}

var errMisplaced = errors.New("record is out of place")
