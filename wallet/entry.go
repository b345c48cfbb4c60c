package wallet

import (
	"errors"
	"fmt"
)

// Version is the newest behaviour this build knows. Entries carry the version
// they were written for; a shard follows the version last activated.
//
// Version 2 adds the operation Release, canary builds, and tallies of what the
// rounds of a build came to.
const Version uint8 = 2

// versionReleases is the first one with releases and tallies.
const versionReleases = 2

// VersionOf is the version that must be active before an operation may be put
// into an entry: a build that does not know it stops there.
func VersionOf(op Op) uint8 {
	if op.Kind() == KindRelease {
		return versionReleases
	}
	return 1
}

// MaxEntryOps bounds the operations of one entry.
const MaxEntryOps = 4096

// ErrUnsupported means that an entry or operation is from a newer build. The
// replica must stop: skipping it would diverge.
var ErrUnsupported = errors.New("entry needs a newer version of Edgereel")

// Entry is what one Raft log entry carries.
type Entry struct {
	Version uint8
	// Proposer is the node that wrote the entry.
	Proposer string
	// StampMS is the proposer's wall clock, SinceAnchorMS its monotonic time
	// since it proposed the last Clock operation; the second bounds the first.
	StampMS       int64
	SinceAnchorMS int64
	// Salt is fresh randomness; the leaves' salts derive from it.
	Salt Hash
	Ops  []Op
}

// Encode gives the canonical bytes of an entry.
func (e *Entry) Encode() []byte {
	w := &writer{b: make([]byte, 0, 128+256*len(e.Ops))}
	w.byte(e.Version)
	w.string(e.Proposer)
	w.int(e.StampMS)
	w.int(e.SinceAnchorMS)
	w.hash(e.Salt)
	w.uint(uint64(len(e.Ops)))
	for _, op := range e.Ops {
		w.bytes(EncodeOp(op))
	}
	return w.b
}

// DecodeEntry reads an entry. A newer version gives ErrUnsupported.
func DecodeEntry(b []byte) (*Entry, error) {
	r := &reader{b: b}
	e := &Entry{Version: r.byte()}
	if r.err == nil && e.Version == 0 {
		return nil, fmt.Errorf("decode entry of version 0: %w", errNonCanonical)
	}
	if r.err == nil && e.Version > Version {
		return nil, fmt.Errorf("decode entry of version %d: %w", e.Version, ErrUnsupported)
	}
	e.Proposer, e.StampMS, e.SinceAnchorMS, e.Salt = r.string(), r.int(), r.int(), r.hash()
	n := r.count()
	if n > MaxEntryOps {
		return nil, fmt.Errorf("decode entry: %d operations are over the limit of %d", n, MaxEntryOps)
	}
	for i := range n {
		op, err := DecodeOp(r.bytes())
		if r.err == nil && err != nil {
			return nil, fmt.Errorf("decode operation %d: %w", i, err)
		}
		e.Ops = append(e.Ops, op)
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("decode entry: %w", err)
	}
	return e, nil
}

// EncodeOp gives the canonical bytes of one operation: its kind and its body.
func EncodeOp(op Op) []byte {
	w := &writer{b: make([]byte, 0, 256)}
	w.byte(byte(op.Kind()))
	op.encode(w)
	return w.b
}

// DecodeOp reads one operation. An unknown kind gives ErrUnsupported.
func DecodeOp(b []byte) (Op, error) {
	r := &reader{b: b}
	kind := Kind(r.byte())
	if r.err != nil {
		return nil, r.err
	}
	op := newOp(kind)
	if op == nil {
		return nil, fmt.Errorf("unknown operation %s: %w", kind, ErrUnsupported)
	}
	op.decode(r)
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	return op, nil
}

// journalInput gives the bytes of an operation that the chain and the journal
// keep: all of it but what must be destroyable to erase a person.
func journalInput(op Op) []byte {
	switch o := op.(type) {
	case *Claim:
		c := *o
		c.Lookup, c.WrappedKey = Hash{}, nil
		return EncodeOp(&c)
	case *Erase:
		c := *o
		c.Lookup = Hash{}
		return EncodeOp(&c)
	}
	return EncodeOp(op)
}
