package seglog

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of operations in a batch.
const (
	opRanges = 1 // the extents of all groups; the first operation of a segment
	opAppend = 2 // entries, and the first index of the log after them
	opCut    = 3 // the extent of a group after a truncation
	opCarry  = 4 // copies of live entries out of an old segment
	opClose  = 5 // the log was closed: what comes before was acknowledged
)

// extent is the range of a group's log; both are 0 when it is empty.
type extent struct{ first, last uint64 }

func (e extent) has(index uint64) bool { return e.first != 0 && index >= e.first && index <= e.last }

func (e extent) len() uint64 {
	if e.first == 0 {
		return 0
	}
	return e.last - e.first + 1
}

func (e extent) check() error {
	if (e.first == 0) != (e.last == 0) || e.first > e.last || e.last == ^uint64(0) {
		return fmt.Errorf("impossible log range %d to %d", e.first, e.last)
	}
	return nil
}

// op is one decoded operation.
type op struct {
	kind    byte
	group   uint32
	after   extent // the group's log after an append or cut
	records []record
	ranges  map[uint32]extent
}

// record is where an entry lies in the payload of its batch.
type record struct {
	index  uint64
	at     uint32
	length uint32
}

func appendRanges(b []byte, groups map[uint32]extent, order []uint32) []byte {
	b = append(b, opRanges)
	b = binary.BigEndian.AppendUint32(b, uint32(len(order)))
	for _, id := range order {
		b = binary.BigEndian.AppendUint32(b, id)
		b = appendExtent(b, groups[id])
	}
	return b
}

func appendExtent(b []byte, e extent) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, e.first), e.last)
}

// appendEntries writes the head of an append or carry and its records.
func appendEntries(b []byte, kind byte, group uint32, first uint64, records []byte) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, group)
	b = binary.BigEndian.AppendUint64(b, first)
	b = binary.BigEndian.AppendUint32(b, uint32(len(records)))
	return append(b, records...)
}

// entriesHead is the size of what appendEntries puts before the records.
const entriesHead = 17

func appendCut(b []byte, group uint32, e extent) []byte {
	return appendExtent(binary.BigEndian.AppendUint32(append(b, opCut), group), e)
}

// decodeOps decodes the payload of a batch.
func decodeOps(p []byte) ([]op, error) {
	d := decoder{b: p}
	var ops []op
	for len(d.b) > 0 {
		o := op{kind: d.byte()}
		switch o.kind {
		case opRanges:
			d.ranges(&o)
		case opAppend, opCarry:
			d.entries(&o, p)
		case opCut:
			o.group = d.uint32()
			o.after = d.extent()
		case opClose:
		default:
			return nil, fmt.Errorf("unknown operation %d", o.kind)
		}
		if d.err != nil {
			return nil, d.err
		}
		ops = append(ops, o)
	}
	return ops, nil
}

// decoder reads big-endian fields and remembers the first error.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err, d.b = err, nil
	}
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.b)) {
		d.fail(errors.New("operation is too short"))
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) byte() byte {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0
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

func (d *decoder) extent() extent {
	e := extent{first: d.uint64(), last: d.uint64()}
	if err := e.check(); err != nil {
		d.fail(err)
	}
	return e
}

func (d *decoder) ranges(o *op) {
	n := d.uint32()
	o.ranges = make(map[uint32]extent)
	for ; n > 0 && d.err == nil; n-- {
		id := d.uint32()
		o.ranges[id] = d.extent()
	}
}

// entries decodes an append or carry; p is the whole payload.
func (d *decoder) entries(o *op, p []byte) {
	o.group = d.uint32()
	first := d.uint64()
	body := d.take(uint64(d.uint32()))
	if d.err != nil {
		return
	}
	at := len(p) - len(d.b) - len(body)
	for len(body) > 0 {
		l, n, err := decodeRecord(body, o.group)
		if err != nil {
			d.fail(err)
			return
		}
		if k := len(o.records); k > 0 && l.Index <= o.records[k-1].index ||
			k > 0 && o.kind == opAppend && l.Index != o.records[k-1].index+1 {
			d.fail(fmt.Errorf("entry %d is out of order", l.Index))
			return
		}
		o.records = append(o.records, record{index: l.Index, at: uint32(at), length: uint32(n)})
		at += n
		body = body[n:]
	}
	if len(o.records) == 0 {
		d.fail(errors.New("operation without entries"))
		return
	}
	if o.kind == opAppend {
		o.after = extent{first: first, last: o.records[len(o.records)-1].index}
		if err := o.after.check(); err != nil || first > o.records[0].index {
			d.fail(fmt.Errorf("entries from %d in a log from %d", o.records[0].index, first))
		}
	}
}
