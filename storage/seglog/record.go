package seglog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
)

// Sizes of an entry's record; FORMAT.md lists the offsets.
const (
	recordVersion  = 1
	recordHeader   = 34
	crcSize        = 4
	maxRecordBytes = 64 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errBadCRC  = errors.New("checksum does not match")
	errShort   = errors.New("record is too short")
)

func recordSize(l *raft.Log) int { return recordHeader + len(l.Data) + len(l.Extensions) + crcSize }

// groupSum covers the group too, so that a record found under another group is
// refused.
func groupSum(group uint32, b []byte) uint32 {
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], group)
	return crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, b)
}

func appendRecord(dst []byte, group uint32, l *raft.Log) []byte {
	start := len(dst)
	var at int64
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	dst = append(dst, recordVersion, byte(l.Type))
	dst = binary.BigEndian.AppendUint64(dst, l.Term)
	dst = binary.BigEndian.AppendUint64(dst, l.Index)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.Data)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.Extensions)))
	dst = append(dst, l.Data...)
	dst = append(dst, l.Extensions...)
	return binary.BigEndian.AppendUint32(dst, groupSum(group, dst[start:]))
}

// decodeRecord checks the record at the start of b and decodes it; n is its
// size. Data and Extensions alias b.
func decodeRecord(b []byte, group uint32) (l raft.Log, n int, err error) {
	if len(b) < recordHeader+crcSize {
		return l, 0, errShort
	}
	if b[0] != recordVersion {
		return l, 0, fmt.Errorf("log record has version %d: %w", b[0], storage.ErrNewerFormat)
	}
	nData, nExt := uint64(binary.BigEndian.Uint32(b[26:])), uint64(binary.BigEndian.Uint32(b[30:]))
	size := recordHeader + nData + nExt + crcSize
	if size > uint64(len(b)) {
		return l, 0, errShort
	}
	body := b[:size-crcSize]
	if groupSum(group, body) != binary.BigEndian.Uint32(b[size-crcSize:]) {
		return l, 0, errBadCRC
	}
	l = raft.Log{
		Type:  raft.LogType(b[1]),
		Term:  binary.BigEndian.Uint64(b[2:]),
		Index: binary.BigEndian.Uint64(b[10:]),
	}
	if at := int64(binary.BigEndian.Uint64(b[18:])); at != 0 {
		l.AppendedAt = time.Unix(0, at).UTC()
	}
	payload := body[recordHeader:]
	if nData > 0 {
		l.Data = payload[:nData:nData]
	}
	if nExt > 0 {
		l.Extensions = payload[nData:]
	}
	return l, int(size), nil
}
