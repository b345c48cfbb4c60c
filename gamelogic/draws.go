package gamelogic

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Algorithm identifies how draws come from a seed. It is kept in every record
// of a session; a number is never given a second meaning.
type Algorithm uint16

// AlgorithmHMACChaCha20 is HMAC-SHA-256 over the step's context as the key of
// a ChaCha20 stream of little-endian 32-bit words, scaled by multiplication
// with rejection.
const AlgorithmHMACChaCha20 Algorithm = 1

// MaxClientSeed is the longest client seed in bytes.
const MaxClientSeed = 64

const (
	domainCommitment = "edgereel/seed-commitment/1"
	domainDraws      = "edgereel/draws/1"
	domainSimulation = "edgereel/simulation/1"
	domainDrawLog    = "edgereel/draw-log/1"
)

// Commitment is what a player is shown before any wager: SHA-256 over the
// length-prefixed domain and the seed. Draws never use it as an input.
func Commitment(seed [32]byte) [32]byte {
	return sha256.Sum256(append(field(nil, []byte(domainCommitment)), seed[:]...))
}

// DrawContext names one step. With the seed it determines every draw of it.
type DrawContext struct {
	Algorithm  Algorithm
	ClientSeed []byte // fixed when the session opens, at most MaxClientSeed bytes, may be empty
	Module     [32]byte
	RoundID    uint64 // the wallet's own counter
	StepNonce  uint64 // the wallet's own counter
}

// encode is injective: every variable field carries its length.
func (c DrawContext) encode() []byte {
	b := make([]byte, 0, 160)
	b = field(b, []byte(domainDraws))
	b = binary.BigEndian.AppendUint16(b, uint16(c.Algorithm))
	b = field(b, c.ClientSeed)
	b = field(b, c.Module[:])
	b = binary.BigEndian.AppendUint64(b, c.RoundID)
	return binary.BigEndian.AppendUint64(b, c.StepNonce)
}

// field appends a 32-bit big-endian length and the bytes.
func field(b, v []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}

// Draw is one entry of a step's draw log.
type Draw struct {
	Index   uint32 // position in the step, from 0
	Bound   uint32 // number of equally likely values
	Value   uint32 // in [0, Bound)
	Rejects uint32 // words of the stream dropped by rejection for this draw
}

// Draws is the supply and the log of the draws of one step. It belongs to one
// goroutine and serves one step: a second Play with it is refused.
type Draws struct {
	stream *stream // nil for scripted draws
	script script
	alg    Algorithm
	module [32]byte
	bound  bool // module is binding
	used   bool
	log    []Draw
}

// NewDraws derives the draws of one step. It keeps no reference to the seed
// and fails only for an unknown algorithm or a client seed too long.
func NewDraws(seed [32]byte, c DrawContext) (*Draws, error) {
	if c.Algorithm != AlgorithmHMACChaCha20 {
		return nil, fmt.Errorf("%w: unknown algorithm %d", ErrBadDraws, c.Algorithm)
	}
	if len(c.ClientSeed) > MaxClientSeed {
		return nil, fmt.Errorf("%w: client seed of %d bytes, at most %d", ErrBadDraws, len(c.ClientSeed), MaxClientSeed)
	}
	return &Draws{stream: newStream(seed, c.encode()), alg: c.Algorithm, module: c.Module, bound: true}, nil
}

// NewScriptedDraws gives the listed values in order, for exact enumeration,
// evaluators and tests. A value not below its bound, or a draw past the end,
// is a fault of the script and traps the step.
func NewScriptedDraws(values []uint32) *Draws {
	return &Draws{script: script{values: values}, alg: 0}
}

// take serves one draw and logs it; bound is at least 1.
func (d *Draws) take(bound uint32) (uint32, error) {
	e := Draw{Index: uint32(len(d.log)), Bound: bound}
	if d.stream != nil {
		e.Value, e.Rejects = d.stream.next(bound)
	} else {
		v, err := d.script.next(bound)
		if err != nil {
			return 0, err
		}
		e.Value = v
	}
	d.log = append(d.log, e)
	return e.Value, nil
}

// takeMany serves draws for as long as there are bounds above 0, writes their
// values, and returns what is left of both. It is take for a whole game round:
// most of what a simulation spends on draws is calls.
func (d *Draws) takeMany(bounds, values []byte) (_, _ []byte) {
	if d.stream == nil {
		return bounds, values
	}
	log := d.log
	for len(bounds) >= 4 && len(values) >= 4 {
		bound := binary.LittleEndian.Uint32(bounds)
		if bound == 0 {
			break
		}
		v, rejects := d.stream.next(bound)
		log = append(log, Draw{uint32(len(log)), bound, v, rejects})
		binary.LittleEndian.PutUint32(values, v)
		bounds, values = bounds[4:], values[4:]
	}
	d.log = log
	return bounds, values
}

// Log returns the draws served so far. The slice is the caller's to keep only
// until the Draws serves again.
func (d *Draws) Log() []Draw { return d.log }

// Digest is SHA-256 over the length-prefixed domain, the algorithm (u16), the
// number of draws (u32) and per draw its index, bound, value and rejects (u32
// each), all big-endian.
func (d *Draws) Digest() [32]byte {
	b := make([]byte, 0, 32+16*len(d.log))
	b = field(b, []byte(domainDrawLog))
	b = binary.BigEndian.AppendUint16(b, uint16(d.alg))
	b = binary.BigEndian.AppendUint32(b, uint32(len(d.log)))
	for _, e := range d.log {
		b = binary.BigEndian.AppendUint32(b, e.Index)
		b = binary.BigEndian.AppendUint32(b, e.Bound)
		b = binary.BigEndian.AppendUint32(b, e.Value)
		b = binary.BigEndian.AppendUint32(b, e.Rejects)
	}
	return sha256.Sum256(b)
}

// Stream supplies the draws of a simulation: one key for a block of rounds,
// everything after the key as in production. Never for a round with money.
type Stream struct{ d Draws }

// NewStream derives the stream of one block of a simulation.
func NewStream(seed, module [32]byte, block uint64) *Stream {
	b := field(nil, []byte(domainSimulation))
	b = field(b, module[:])
	b = binary.BigEndian.AppendUint64(b, block)
	return &Stream{d: Draws{stream: newStream(seed, b), alg: AlgorithmHMACChaCha20, module: module, bound: true}}
}

// Step returns the draws of the next step: the log starts anew, the stream goes
// on. What an earlier call returned is no longer valid.
func (s *Stream) Step() *Draws {
	s.d.log = s.d.log[:0]
	s.d.used = false
	return &s.d
}

// stream is the keyed word stream of AlgorithmHMACChaCha20.
type stream struct {
	keys  keystream
	words [64]uint32
	at    uint // of the next word; 64: none left
}

func newStream(seed [32]byte, context []byte) *stream {
	mac := hmac.New(sha256.New, seed[:])
	mac.Write(context)
	var key [32]byte
	mac.Sum(key[:0])
	// The key serves one context only, so the nonce carries nothing.
	s := &stream{keys: newKeystream(key), at: 64}
	clear(key[:])
	return s
}

func (s *stream) word() uint32 {
	if s.at == uint(len(s.words)) {
		s.refill()
	}
	s.at++
	return s.words[(s.at-1)%64]
}

// refill stays a call, so that word is none.
//
//go:noinline
func (s *stream) refill() {
	s.keys.next(&s.words)
	s.at = 0
}

// next gives one uniform value below bound (≥ 1).
func (s *stream) next(bound uint32) (value, rejects uint32) {
	for {
		if v, ok := scale(uint64(s.word()), uint64(bound), 32); ok {
			return v, rejects
		}
		rejects++
	}
}

// scale maps a uniform word x of width bits to [0, bound) without bias, or
// rejects it. Of the 2^width products x*bound, each value owns those whose low
// half is at least 2^width mod bound, and that is floor(2^width/bound) of them
// for every value. It needs 1 ≤ bound ≤ 2^width and width ≤ 32.
func scale(x, bound uint64, width uint) (uint32, bool) {
	m := x * bound
	low := m & (1<<width - 1)
	if low < bound && low < (1<<width-bound)%bound {
		return 0, false
	}
	return uint32(m >> width), true
}

var (
	errScriptEnded = errors.New("gamelogic: the script has no more draws")
	errScriptValue = errors.New("gamelogic: a scripted value is not below its bound")
)

type script struct {
	values []uint32
	at     int
}

func (s *script) next(bound uint32) (uint32, error) {
	if s.at == len(s.values) {
		return 0, errScriptEnded
	}
	v := s.values[s.at]
	if v >= bound {
		return 0, errScriptValue
	}
	s.at++
	return v, nil
}
