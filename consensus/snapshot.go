package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
)

// imageVersion numbers the layout of a group's snapshot.
const imageVersion = 1

// imageMagic begins every snapshot of a group.
const imageMagic = "ERGROUP"

// image is what a snapshot holds: the shard, the sealed journal segments by
// reference and the journal's unsealed tail by value.
//
// Layout: magic, version byte, number of segments (uint32), per segment first,
// last, bytes (uint64 each) and digest, then shard and tail each with a uint64
// length, then CRC-32C of all before it. Integers are big-endian.
type image struct {
	shard    []byte
	segments []storage.SegmentRef
	tail     []byte
}

var errImage = errors.New("group snapshot is damaged")

func (img *image) encode() []byte {
	b := make([]byte, 0, 64+64*len(img.segments)+len(img.shard)+len(img.tail))
	b = append(b, imageMagic...)
	b = append(b, imageVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(img.segments)))
	for _, ref := range img.segments {
		b = binary.BigEndian.AppendUint64(b, ref.First)
		b = binary.BigEndian.AppendUint64(b, ref.Last)
		b = binary.BigEndian.AppendUint64(b, uint64(ref.Bytes))
		b = append(b, ref.Digest[:]...)
	}
	for _, part := range [][]byte{img.shard, img.tail} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func readImage(r io.Reader) (image, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return image{}, fmt.Errorf("read group snapshot: %w", err)
	}
	return decodeImage(b)
}

func decodeImage(b []byte) (image, error) {
	head := len(imageMagic) + 1 + 4
	if len(b) < head+4 || !bytes.HasPrefix(b, []byte(imageMagic)) {
		return image{}, fmt.Errorf("no header: %w", errImage)
	}
	if v := b[len(imageMagic)]; v != imageVersion {
		return image{}, fmt.Errorf("group snapshot of version %d needs a newer build", v)
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return image{}, fmt.Errorf("checksum differs: %w", errImage)
	}
	var img image
	count := int(binary.BigEndian.Uint32(b[len(imageMagic)+1:]))
	body = body[head:]
	if count > len(body)/56 {
		return image{}, fmt.Errorf("%d segments do not fit: %w", count, errImage)
	}
	for range count {
		ref := storage.SegmentRef{
			First: binary.BigEndian.Uint64(body), Last: binary.BigEndian.Uint64(body[8:]),
			Bytes: int64(binary.BigEndian.Uint64(body[16:])),
		}
		copy(ref.Digest[:], body[24:56])
		img.segments = append(img.segments, ref)
		body = body[56:]
	}
	for _, part := range []*[]byte{&img.shard, &img.tail} {
		if len(body) < 8 || binary.BigEndian.Uint64(body) > uint64(len(body)-8) {
			return image{}, fmt.Errorf("truncated: %w", errImage)
		}
		n := binary.BigEndian.Uint64(body)
		*part, body = body[8:8+n], body[8+n:]
	}
	if len(body) > 0 {
		return image{}, fmt.Errorf("%d bytes behind the end: %w", len(body), errImage)
	}
	return img, nil
}

// snapshot is a frozen state. It runs beside new entries: the journal's records
// up to seq never change, so they are collected only when it is written.
type snapshot struct {
	journal *storage.Journal
	shard   []byte
	seq     uint64
}

// Persist makes the journal durable first: once the snapshot stands, raft cuts
// the log entries from which the journal could be written again.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	img := image{shard: s.shard}
	if s.seq > 0 {
		if err := s.journal.Sync(); err != nil {
			return errors.Join(fmt.Errorf("sync journal before the snapshot: %w", err), sink.Cancel())
		}
		var err error
		if img.segments, img.tail, err = s.journal.At(s.seq); err != nil {
			return errors.Join(fmt.Errorf("collect journal up to %d: %w", s.seq, err), sink.Cancel())
		}
	}
	if _, err := sink.Write(img.encode()); err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("finish snapshot: %w", err)
	}
	return nil
}

// Release has nothing to give back: a snapshot is a copy.
func (s *snapshot) Release() {}
