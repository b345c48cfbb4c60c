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

// snapshotVersion numbers the encoding of a whole shard.
const snapshotVersion = 1

// snapshotMagic begins every snapshot.
const snapshotMagic = "ERSHARD"

// Sections of a snapshot, each a frame of kind, length, body and checksum.
const (
	sectionHead      = 1
	sectionOperator  = 2
	sectionGame      = 3
	sectionAccount   = 4
	sectionDirectory = 5
	sectionHouse     = 6
	sectionCash      = 7
	sectionExpired   = 8
	sectionEnd       = 9
)

// ErrDamaged means that a snapshot's bytes are not what was written.
var ErrDamaged = errors.New("snapshot is damaged")

// Snapshot encodes the whole shard. Equal states give equal bytes.
//
// Layout: magic, version byte, then sections. A section is kind (1 byte),
// length (uvarint), body, CRC-32C of kind and body (4 bytes, big-endian).
func (s *Shard) Snapshot() []byte {
	out := append([]byte(snapshotMagic), snapshotVersion)
	out = section(out, sectionHead, s.encodeHead)
	for _, name := range slices.Sorted(maps.Keys(s.operators)) {
		out = section(out, sectionOperator, s.operators[name].encode)
	}
	for _, name := range slices.Sorted(maps.Keys(s.games)) {
		g := s.games[name]
		out = section(out, sectionGame, func(w *writer) { g.Catalogue.encode(w); w.hash(g.quarantined) })
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.accounts), func(a, b ID) int { return bytes.Compare(a[:], b[:]) }) {
		out = section(out, sectionAccount, s.accounts[id].encode)
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
	return section(out, sectionEnd, func(*writer) {})
}

// Restore reads what Snapshot wrote.
func Restore(b []byte) (*Shard, error) {
	rest, ok := bytes.CutPrefix(b, []byte(snapshotMagic))
	if !ok || len(rest) == 0 {
		return nil, fmt.Errorf("restore shard: no snapshot header: %w", ErrDamaged)
	}
	if rest[0] != snapshotVersion {
		return nil, fmt.Errorf("restore shard: snapshot of version %d: %w", rest[0], ErrUnsupported)
	}
	s, rest := New(), rest[1:]
	for number := 0; ; number++ {
		kind, body, after, err := cutSection(rest)
		if err != nil {
			return nil, fmt.Errorf("restore shard: section %d: %w", number, err)
		}
		rest = after
		if kind == sectionEnd {
			break
		}
		r := &reader{b: body}
		s.decodeSection(kind, r)
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

func (s *Shard) decodeSection(kind byte, r *reader) {
	switch kind {
	case sectionHead:
		s.decodeHead(r)
	case sectionOperator:
		o := &Operator{}
		o.decode(r)
		s.operators[o.Operator] = o
	case sectionGame:
		g := &game{}
		g.Catalogue.decode(r)
		g.quarantined = r.hash()
		s.games[g.Game] = g
	case sectionAccount:
		a := &account{}
		a.decode(r)
		s.accounts[a.id] = a
		for _, ses := range a.sessions {
			if ses.round != nil {
				s.openRounds++
				s.stateBytes += len(ses.round.state)
			}
		}
	case sectionDirectory:
		c := &Claim{}
		c.decode(r)
		s.directory[c.Lookup] = c
	case sectionHouse:
		h := houseAccount{operator: r.string(), currency: r.string(), kind: houseKind(r.byte())}
		s.house[h] = r.int()
	case sectionCash:
		rec := &cashRecord{}
		key := rec.decode(r)
		s.cash[key] = rec
		s.cashOrder = append(s.cashOrder, key)
	case sectionExpired:
		s.expired[r.hash()] = struct{}{}
	default:
		r.fail(fmt.Errorf("unknown section: %w", ErrUnsupported))
	}
}

func (s *Shard) encodeHead(w *writer) {
	w.string(s.cluster)
	w.uint(uint64(s.number))
	w.uint(uint64(s.epoch))
	w.byte(s.version)
	w.uint(s.seq)
	w.hash(s.chain)
	w.int(s.nowMS)
	w.int(s.anchorMS)
	w.uint(uint64(len(s.checkpoints)))
	for _, c := range s.checkpoints {
		w.uint(c.Seq)
		w.hash(c.Hash)
	}
}

func (s *Shard) decodeHead(r *reader) {
	s.cluster, s.number, s.epoch, s.version = r.string(), r.uint32(), r.uint32(), r.byte()
	s.seq, s.chain, s.nowMS, s.anchorMS = r.uint(), r.hash(), r.int(), r.int()
	for range r.count() {
		s.checkpoints = append(s.checkpoints, Checkpoint{Seq: r.uint(), Hash: r.hash()})
	}
	if r.err == nil && s.version > Version {
		r.fail(fmt.Errorf("behaviour of version %d: %w", s.version, ErrUnsupported))
	}
}

func (a *account) encode(w *writer) {
	w.id(a.id)
	w.string(a.operator)
	w.string(a.currency.Code)
	w.byte(a.currency.Exponent)
	w.int(a.balance)
	w.int(a.held)
	w.uint(a.seq)
	w.uint(a.lastSession)
	w.uint(a.lastRound)
	w.int(a.lastRoundMS)
	for _, list := range [][]*session{a.sessions, a.closed} {
		w.uint(uint64(len(list)))
		for _, ses := range list {
			ses.encode(w)
		}
	}
}

func (a *account) decode(r *reader) {
	a.id, a.operator = r.id(), r.string()
	a.currency = Currency{Code: r.string(), Exponent: r.byte()}
	a.balance, a.held, a.seq = r.int(), r.int(), r.uint()
	a.lastSession, a.lastRound, a.lastRoundMS = r.uint(), r.uint(), r.int()
	for _, list := range []*[]*session{&a.sessions, &a.closed} {
		for range r.count() {
			ses := &session{}
			ses.decode(r)
			*list = append(*list, ses)
		}
	}
}

func (s *session) encode(w *writer) {
	w.uint(s.number)
	w.string(s.key)
	w.string(s.game)
	w.string(s.clientSeed)
	w.hash(s.commitment)
	w.bytes(s.sealed)
	w.string(s.keyID)
	w.uint(uint64(s.algorithm))
	w.int(s.openedMS)
	w.uint(s.decided)
	w.uint(s.nonce)
	w.uint(s.rounds)
	w.bool(s.round != nil)
	if s.round != nil {
		s.round.encode(w)
	}
	w.uint(uint64(len(s.recent)))
	for _, d := range s.recent {
		w.hash(d.request)
		d.result.encodeSealed(w)
	}
	s.opened.encodeSealed(w)
	w.bool(s.ended != nil)
	if s.ended != nil {
		s.ended.encodeSealed(w)
	}
}

func (s *session) decode(r *reader) {
	s.number, s.key, s.game, s.clientSeed = r.uint(), r.string(), r.string(), r.string()
	s.commitment, s.sealed, s.keyID, s.algorithm = r.hash(), r.bytes(), r.string(), r.uint32()
	s.openedMS, s.decided, s.nonce, s.rounds = r.int(), r.uint(), r.uint(), r.uint()
	if r.bool() {
		s.round = &round{}
		s.round.decode(r)
	}
	for range r.count() {
		d := decidedStep{request: r.hash()}
		d.result.decodeSealed(r)
		s.recent = append(s.recent, d)
	}
	s.opened.decodeSealed(r)
	if r.bool() {
		s.ended = &Result{}
		s.ended.decodeSealed(r)
	}
}

func (o *round) encode(w *writer) {
	w.uint(o.number)
	w.hash(o.digest)
	w.uint(uint64(o.mode.ID))
	w.string(o.mode.Name)
	w.uint(uint64(o.mode.CostX100))
	w.uint(o.mode.MaxWinX)
	w.int(o.stakeMinor)
	w.int(o.costMinor)
	w.int(o.winMinor)
	w.uint(uint64(o.nextActions))
	w.bytes(o.state)
	w.bool(o.frozen)
	w.string(o.approver)
	w.byte(byte(o.resolution))
}

func (o *round) decode(r *reader) {
	o.number, o.digest = r.uint(), r.hash()
	o.mode = Mode{ID: r.uint32(), Name: r.string(), CostX100: r.uint32(), MaxWinX: r.uint()}
	o.stakeMinor, o.costMinor, o.winMinor = r.int(), r.int(), r.int()
	o.nextActions, o.state, o.frozen = r.uint32(), r.bytes(), r.bool()
	o.approver, o.resolution = r.string(), Resolution(r.byte())
}

func (c *cashRecord) encode(w *writer, key cashKey) {
	w.string(key.operator)
	w.string(key.id)
	w.hash(c.request)
	w.byte(byte(c.kind))
	w.id(c.wallet)
	w.int(c.amount)
	w.bool(c.tombstone)
	w.bool(c.reversed)
	w.int(c.timeMS)
	c.result.encodeSealed(w)
}

func (c *cashRecord) decode(r *reader) cashKey {
	key := cashKey{operator: r.string(), id: r.string()}
	c.request, c.kind, c.wallet, c.amount = r.hash(), Kind(r.byte()), r.id(), r.int()
	c.tombstone, c.reversed, c.timeMS = r.bool(), r.bool(), r.int()
	c.result.decodeSealed(r)
	return key
}

// encodeSealed adds to a result where it stands in the chain.
func (r *Result) encodeSealed(w *writer) { r.encode(w); w.hash(r.Hash); w.hash(r.Salt) }
func (r *Result) decodeSealed(rd *reader) {
	r.decode(rd)
	r.Hash, r.Salt = rd.hash(), rd.hash()
}

func compareHash(a, b Hash) int { return bytes.Compare(a[:], b[:]) }

func compareHouse(a, b houseAccount) int {
	return cmp.Or(cmp.Compare(a.operator, b.operator), cmp.Compare(a.currency, b.currency), cmp.Compare(a.kind, b.kind))
}
