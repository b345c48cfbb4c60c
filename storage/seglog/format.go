package seglog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/edgereel/edgereel/storage"
)

// A segment is a header sector and batches, each beginning on a sector of its
// own, so that no write touches a sector of an acknowledged batch. What follows
// the last batch is zero. FORMAT.md lists the offsets.
const (
	formatVersion = 1
	sectorBytes   = 512
	batchHeader   = 32
	segmentMagic  = "EGRL"
	batchMagic    = "EGRB"
	segmentSuffix = ".log"
	newSuffix     = ".new"
	ownerSize     = 16
)

// segmentHead is what a segment says about itself.
type segmentHead struct {
	number uint64
	salt   uint64 // random: bytes of another segment, or made up by a user, never look like a batch here
	size   uint64 // bytes of the file when it was made; it may have grown
	owner  [ownerSize]byte
}

// ownerOf names a node of a cluster in a header.
func ownerOf(cluster, node string) (o [ownerSize]byte) {
	h := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(cluster+"\x00"+node), uint32(len(cluster))))
	copy(o[:], h[:])
	return o
}

func segmentName(number uint64) string { return fmt.Sprintf("%020d%s", number, segmentSuffix) }

func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

func (h segmentHead) encode() []byte {
	b := make([]byte, 0, sectorBytes)
	b = append(b, segmentMagic...)
	b = append(b, formatVersion, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, h.number)
	b = binary.BigEndian.AppendUint64(b, h.salt)
	b = binary.BigEndian.AppendUint64(b, h.size)
	b = append(b, h.owner[:]...)
	b = b[:sectorBytes-crcSize]
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeSegmentHead(b []byte) (h segmentHead, err error) {
	if len(b) < sectorBytes {
		return h, errors.New("file is shorter than its header")
	}
	body := b[:sectorBytes-crcSize]
	if string(b[:4]) != segmentMagic || crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(body):]) {
		return h, errors.New("header is not one of a log segment or does not match its checksum")
	}
	if b[4] != formatVersion {
		return h, fmt.Errorf("segment has version %d, this build knows %d: %w", b[4], formatVersion, storage.ErrNewerFormat)
	}
	h.number = binary.BigEndian.Uint64(b[8:])
	h.salt = binary.BigEndian.Uint64(b[16:])
	h.size = binary.BigEndian.Uint64(b[24:])
	copy(h.owner[:], b[32:])
	return h, nil
}

// batchHead describes a batch; the payload follows it.
type batchHead struct {
	number uint64 // counts the batches of the log without a hole
	length uint32 // bytes of the payload
	sum    uint32 // of the payload
}

// span is the room of a batch in a segment.
func span(payload int) int64 {
	return (int64(batchHeader+payload) + sectorBytes - 1) / sectorBytes * sectorBytes
}

// place seeds a checksum with where the batch lies.
func (h segmentHead) place(offset int64) uint32 {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], h.salt)
	binary.BigEndian.PutUint64(b[8:], h.number)
	binary.BigEndian.PutUint64(b[16:], uint64(offset))
	return crc32.Checksum(b[:], castagnoli)
}

// sealBatch fills in the head of a batch whose payload begins at batchHeader.
func (h segmentHead) sealBatch(b []byte, number uint64, offset int64) {
	seed := h.place(offset)
	copy(b, batchMagic)
	b[4], b[5], b[6], b[7] = formatVersion, 0, 0, 0
	binary.BigEndian.PutUint64(b[8:], number)
	binary.BigEndian.PutUint32(b[16:], uint32(len(b)-batchHeader))
	binary.BigEndian.PutUint32(b[20:], crc32.Update(seed, castagnoli, b[batchHeader:]))
	clear(b[24:28])
	binary.BigEndian.PutUint32(b[28:], crc32.Update(seed, castagnoli, b[:28]))
}

var errNoBatch = errors.New("no batch header")

// decodeBatchHead reads the head of the batch at an offset of the segment.
func (h segmentHead) decodeBatchHead(b []byte, offset int64) (batchHead, error) {
	if len(b) < batchHeader || string(b[:4]) != batchMagic ||
		crc32.Update(h.place(offset), castagnoli, b[:28]) != binary.BigEndian.Uint32(b[28:]) {
		return batchHead{}, errNoBatch
	}
	if b[4] != formatVersion {
		return batchHead{}, fmt.Errorf("batch has version %d, this build knows %d: %w", b[4], formatVersion, storage.ErrNewerFormat)
	}
	return batchHead{
		number: binary.BigEndian.Uint64(b[8:]),
		length: binary.BigEndian.Uint32(b[16:]),
		sum:    binary.BigEndian.Uint32(b[20:]),
	}, nil
}

// payload returns the checked payload of a batch, or false.
func (h segmentHead) payload(b []byte, bh batchHead, offset int64) ([]byte, bool) {
	if uint64(len(b)) < batchHeader+uint64(bh.length) {
		return nil, false
	}
	p := b[batchHeader : batchHeader+int(bh.length)]
	return p, crc32.Update(h.place(offset), castagnoli, p) == bh.sum
}

// castagnoliPoly is the polynomial in the bit order of hash/crc32.
const castagnoliPoly = crc32.Castagnoli

func crcUpdate(seed uint32, b []byte) uint32 { return crc32.Update(seed, castagnoli, b) }
