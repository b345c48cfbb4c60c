package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Versions and sizes of the records in node.db; FORMAT.md lists the offsets.
const (
	formatVersion   = 1
	logVersion      = 1
	logHeaderSize   = 34
	crcSize         = 4
	maxRecordBytes  = 64 << 20
	maxKeyValueSize = 1 << 20
)

var (
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)
	errBadCRC      = errors.New("checksum does not match")
	errShortRecord = errors.New("record is too short")
)

// groupCRC covers the group id too, so that a page of one group that turns up
// in another is refused.
func groupCRC(group uint32, b []byte) uint32 {
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], group)
	return crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, b)
}

func appendLog(dst []byte, group uint32, l *raft.Log) []byte {
	start := len(dst)
	dst = append(dst, logVersion, byte(l.Type))
	dst = binary.BigEndian.AppendUint64(dst, l.Term)
	dst = binary.BigEndian.AppendUint64(dst, l.Index)
	var at int64
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.Data)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.Extensions)))
	dst = append(dst, l.Data...)
	dst = append(dst, l.Extensions...)
	return binary.BigEndian.AppendUint32(dst, groupCRC(group, dst[start:]))
}

func logSize(l *raft.Log) int {
	return logHeaderSize + len(l.Data) + len(l.Extensions) + crcSize
}

// decodeLog checks a record and decodes it; Data and Extensions alias b.
func decodeLog(b []byte, group uint32, index uint64) (raft.Log, error) {
	if len(b) < logHeaderSize+crcSize {
		return raft.Log{}, errShortRecord
	}
	body, sum := b[:len(b)-crcSize], binary.BigEndian.Uint32(b[len(b)-crcSize:])
	if groupCRC(group, body) != sum {
		return raft.Log{}, errBadCRC
	}
	if b[0] != logVersion {
		return raft.Log{}, fmt.Errorf("log record has version %d: %w", b[0], ErrNewerFormat)
	}
	l := raft.Log{
		Type:  raft.LogType(b[1]),
		Term:  binary.BigEndian.Uint64(b[2:]),
		Index: binary.BigEndian.Uint64(b[10:]),
	}
	if at := int64(binary.BigEndian.Uint64(b[18:])); at != 0 {
		l.AppendedAt = time.Unix(0, at).UTC()
	}
	nData, nExt := uint64(binary.BigEndian.Uint32(b[26:])), uint64(binary.BigEndian.Uint32(b[30:]))
	if nData+nExt != uint64(len(body)-logHeaderSize) {
		return raft.Log{}, errors.New("record lengths do not match")
	}
	if l.Index != index {
		return raft.Log{}, fmt.Errorf("record of index %d stored under %d", l.Index, index)
	}
	payload := body[logHeaderSize:]
	if nData > 0 {
		l.Data = payload[:nData:nData]
	}
	if nExt > 0 {
		l.Extensions = payload[nData:]
	}
	return l, nil
}

// seal wraps a payload as version, payload, CRC32C over place, version and
// payload. The place keeps a value from being read under another key.
func seal(place string, payload []byte) []byte {
	b := make([]byte, 0, 1+len(payload)+crcSize)
	b = append(append(b, formatVersion), payload...)
	return append(b, sealSum(place, b)...)
}

func sealSum(place string, b []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.Update(crc32.Checksum([]byte(place), castagnoli), castagnoli, b))
}

func unseal(place string, b []byte) ([]byte, error) {
	if len(b) < 1+crcSize {
		return nil, errShortRecord
	}
	body := b[:len(b)-crcSize]
	if string(sealSum(place, body)) != string(b[len(body):]) {
		return nil, errBadCRC
	}
	if body[0] > formatVersion {
		return nil, fmt.Errorf("record has version %d, this build knows %d: %w", body[0], formatVersion, ErrNewerFormat)
	}
	return body[1:], nil
}

// identity is the record that says whose folder this is.
type identity struct {
	boot    uint64
	cluster string
	node    string
	groups  []uint32
}

func (id identity) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, id.boot)
	b = appendBytes(b, []byte(id.cluster))
	b = appendBytes(b, []byte(id.node))
	b = binary.BigEndian.AppendUint32(b, uint32(len(id.groups)))
	for _, g := range id.groups {
		b = binary.BigEndian.AppendUint32(b, g)
	}
	return b
}

func decodeIdentity(b []byte) (identity, error) {
	d := decoder{b: b}
	id := identity{boot: d.uint64(), cluster: string(d.bytes()), node: string(d.bytes())}
	for n := d.uint32(); n > 0 && !d.bad; n-- {
		id.groups = append(id.groups, d.uint32())
	}
	return id, d.finish()
}

// logRange is the logical extent of a log; both are 0 when it is empty. Keys
// outside it are leftovers of a truncation, to be removed.
type logRange struct{ first, last uint64 }

func (r logRange) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.first), r.last)
}

func decodeRange(b []byte) (logRange, error) {
	d := decoder{b: b}
	r := logRange{first: d.uint64(), last: d.uint64()}
	if err := d.finish(); err != nil {
		return logRange{}, err
	}
	if (r.first == 0) != (r.last == 0) || r.first > r.last {
		return logRange{}, fmt.Errorf("impossible log range %d to %d", r.first, r.last)
	}
	return r, nil
}

func (r logRange) has(index uint64) bool { return r.first != 0 && index >= r.first && index <= r.last }

func encodeTable(m map[string][]byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(m)))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b = appendBytes(appendBytes(b, []byte(k)), m[k])
	}
	return b
}

func decodeTable(b []byte) (map[string][]byte, error) {
	d := decoder{b: b}
	m := make(map[string][]byte)
	for n := d.uint32(); n > 0 && !d.bad; n-- {
		k := string(d.bytes())
		m[k] = slices.Clone(d.bytes())
	}
	return m, d.finish()
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(b))), b...)
}

// decoder reads big-endian fields; after the first short read everything is
// zero and finish reports it.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || len(d.b) < n {
		d.bad = true
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) uint32() uint32 {
	if p := d.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if p := d.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (d *decoder) bytes() []byte { return d.take(int(d.uint32())) }

func (d *decoder) hash() (h [32]byte) {
	copy(h[:], d.take(32))
	return h
}

func (d *decoder) finish() error {
	if d.bad {
		return errShortRecord
	}
	if len(d.b) != 0 {
		return fmt.Errorf("%d bytes too many in record", len(d.b))
	}
	return nil
}
