package wallet

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
)

// snapshotVersion numbers the newest encoding of a whole shard. A shard is
// written in that of its active version, so that builds which all know only
// version 1 can still install each other's snapshots while another learns more.
const snapshotVersion = 2

// snapshotMagic begins every snapshot.
const snapshotMagic = "ERSHARD"

// Sections of a snapshot, each a frame of kind, length, body and checksum.
const (
	sectionHead       = 1
	sectionOperator   = 2
	sectionGame       = 3
	sectionQuarantine = 4
	sectionAccount    = 5
	sectionDirectory  = 6
	sectionHouse      = 7
	sectionCash       = 8
	sectionExpired    = 9
	sectionEnd        = 10
	// sectionTally stands before the end, in format 2.
	sectionTally = 11
)

// ErrDamaged means that a snapshot's bytes are not what was written.
var ErrDamaged = errors.New("snapshot is damaged")

// Snapshot encodes the whole shard. Equal states give equal bytes.
//
// Sections stand in the order of their kinds, and within a kind in the order of
// their keys; the keys of cash stand in order of time. The end is the last.
//
// Layout: magic, version byte, then sections. A section is kind (1 byte),
// length (uvarint), body, CRC-32C of kind and body (4 bytes, big-endian).
func (s *Shard) Snapshot() []byte {
	format := s.snapshotFormat()
	out := append([]byte(snapshotMagic), format)
	out = section(out, sectionHead, s.encodeHead)
	for _, name := range slices.Sorted(maps.Keys(s.operators)) {
		out = section(out, sectionOperator, s.operators[name].encode)
	}
	for _, name := range slices.Sorted(maps.Keys(s.games)) {
		out = section(out, sectionGame, formatted(format, s.games[name].encode))
	}
	for _, h := range slices.SortedFunc(maps.Keys(s.quarantined), compareHash) {
		out = section(out, sectionQuarantine, func(w *writer) { w.hash(h) })
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.accounts), func(a, b ID) int { return bytes.Compare(a[:], b[:]) }) {
		out = section(out, sectionAccount, formatted(format, s.accounts[id].encode))
	}
	for _, key := range slices.SortedFunc(maps.Keys(s.directory), compareHash) {
		out = section(out, sectionDirectory, s.directory[key].encode)
	}
	for _, h := range slices.SortedFunc(maps.Keys(s.house), compareHouse) {
		out = section(out, sectionHouse, func(w *writer) {
			w.string(h.operator)
			w.string(h.currency)
			w.byte(byte(h.kind))
			w.int(s.house[h])
		})
	}
	for _, key := range s.cashOrder {
		out = section(out, sectionCash, func(w *writer) { s.cash[key].encode(w, key) })
	}
	for _, h := range slices.SortedFunc(maps.Keys(s.expired), compareHash) {
		out = section(out, sectionExpired, func(w *writer) { w.hash(h) })
	}
	for _, key := range slices.SortedFunc(maps.Keys(s.tallies), tallyKey.compare) {
		out = section(out, sectionTally, s.tallies[key].encode)
	}
	return section(out, sectionEnd, func(*writer) {})
}

// snapshotFormat is the encoding of the shard's active version.
func (s *Shard) snapshotFormat() uint8 { return min(s.version, snapshotVersion) }

func formatted(format uint8, encode func(*writer)) func(*writer) {
	return func(w *writer) {
		w.format = format
		encode(w)
	}
}

// Restore reads what Snapshot wrote.
func Restore(b []byte) (*Shard, error) {
	rest, ok := bytes.CutPrefix(b, []byte(snapshotMagic))
	if !ok || len(rest) == 0 {
		return nil, fmt.Errorf("restore shard: no snapshot header: %w", ErrDamaged)
	}
	format := rest[0]
	if format == 0 || format > snapshotVersion {
		return nil, fmt.Errorf("restore shard: snapshot of version %d: %w", format, ErrUnsupported)
	}
	s, rest := New(), rest[1:]
	lastKind, lastKey := byte(0), ""
	for number := 0; ; number++ {
		kind, body, after, err := cutSection(rest)
		if err != nil {
			return nil, fmt.Errorf("restore shard: section %d: %w", number, err)
		}
		rest = after
		if kind == sectionEnd {
			if number == 0 || len(body) != 0 {
				return nil, fmt.Errorf("restore shard: the end stands out of place: %w", ErrDamaged)
			}
			break
		}
		r := &reader{b: body, format: format}
		key := s.decodeSection(kind, r)
		if kind < lastKind || kind == lastKind && kind != sectionCash && key <= lastKey || number == 0 != (kind == sectionHead) {
			r.fail(fmt.Errorf("section out of order: %w", ErrDamaged))
		}
		lastKind, lastKey = kind, key
		if err := r.done(); err != nil {
			return nil, fmt.Errorf("restore shard: section %d of kind %d: %w", number, kind, err)
		}
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("restore shard: bytes after the end: %w", ErrDamaged)
	}
	return s, nil
}

func section(out []byte, kind byte, encode func(*writer)) []byte {
	w := &writer{}
	encode(w)
	out = append(out, kind)
	out = binary.AppendUvarint(out, uint64(len(w.b)))
	out = append(out, w.b...)
	return binary.BigEndian.AppendUint32(out, sectionSum(kind, w.b))
}

func sectionSum(kind byte, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum([]byte{kind}, table), table, body)
}

func cutSection(b []byte) (kind byte, body, rest []byte, err error) {
	r := &reader{b: b}
	kind = r.byte()
	body = r.take(r.uint())
	sum := r.take(4)
	if r.err != nil {
		return 0, nil, nil, fmt.Errorf("%w: %w", r.err, ErrDamaged)
	}
	if binary.BigEndian.Uint32(sum) != sectionSum(kind, body) {
		return 0, nil, nil, fmt.Errorf("checksum differs: %w", ErrDamaged)
	}
	return kind, body, r.b, nil
}

// decodeSection adds one section to the shard and gives the key it sorts by.
func (s *Shard) decodeSection(kind byte, r *reader) (key string) {
	switch kind {
	case sectionHead:
		s.decodeHead(r)
		if r.err == nil && s.snapshotFormat() != r.format {
			r.fail(fmt.Errorf("format %d of a shard of version %d: %w", r.format, s.version, ErrDamaged))
		}
	case sectionOperator:
		o := &Operator{}
		o.decode(r)
		s.operators[o.Operator], key = o, o.Operator
	case sectionGame:
		g := &game{}
		g.decode(r)
		s.games[g.release.Game], key = g, g.release.Game
	case sectionQuarantine:
		h := r.hash()
		s.quarantined[h], key = struct{}{}, string(h[:])
	case sectionAccount:
		a := &account{}
		a.decode(r)
		s.addAccount(a, r)
		key = string(a.id[:])
	case sectionDirectory:
		c := &Claim{}
		c.decode(r)
		s.directory[c.Lookup], key = c, string(c.Lookup[:])
	case sectionHouse:
		h := houseAccount{operator: r.string(), currency: r.string(), kind: houseKind(r.byte())}
		s.house[h], key = r.int(), h.sortKey()
	case sectionCash:
		rec := &cashRecord{}
		k := rec.decode(r)
		if s.cash[k] != nil {
			r.fail(fmt.Errorf("transaction twice: %w", ErrDamaged))
		}
		s.cash[k] = rec
		s.cashOrder = append(s.cashOrder, k)
	case sectionExpired:
		h := r.hash()
		s.expired[h], key = struct{}{}, string(h[:])
	case sectionTally:
		t := &tally{}
		t.decode(r)
		if r.format < versionReleases {
			r.fail(fmt.Errorf("tally in format %d: %w", r.format, ErrDamaged))
		}
		k := tallyKey{t.Digest, t.Mode}
		s.tallies[k], key = t, string(t.Digest[:])+t.Mode
	default:
		r.fail(fmt.Errorf("unknown section: %w", ErrUnsupported))
	}
	return key
}

// addAccount takes in a decoded wallet and what follows from it.
func (s *Shard) addAccount(a *account, r *reader) {
	s.accounts[a.id] = a
	for _, ses := range a.sessions {
		if ses.ended != nil || s.games[ses.game] == nil {
			r.fail(fmt.Errorf("open session %d does not stand: %w", ses.number, ErrDamaged))
		}
		if ses.round != nil {
			s.holdRound(ses.round)
		}
	}
	for _, ses := range a.closed {
		if ses.ended == nil || ses.round != nil {
			r.fail(fmt.Errorf("closed session %d does not stand: %w", ses.number, ErrDamaged))
		}
	}
}

func compareHash(a, b Hash) int { return bytes.Compare(a[:], b[:]) }

func compareHouse(a, b houseAccount) int { return cmp.Compare(a.sortKey(), b.sortKey()) }

func (h houseAccount) sortKey() string {
	return h.operator + "\x00" + h.currency + "\x00" + string([]byte{byte(h.kind)})
}
