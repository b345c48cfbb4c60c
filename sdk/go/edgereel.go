// Package edgereel is the guest kit for Go, ABI v1. It promises that a game
// sees a checked header, that what it writes has the layout the host reads, and
// that neither allocates. It has no dependencies, and its own go.mod: copy the
// folder into your project. It builds with Go 1.24 and newer, and is written
// for TinyGo too:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o game.wasm .
//
// A program exports its game once and has an empty main:
//
//	func init() { edgereel.Export(coin{}) }
//	func main() {}
//
// Refuse before the first draw: after one, a refusal is an incident. Money is
// in integers of minor units. What a game changes in its own variables is put
// back after each step. The ABI itself is specified in docs/abi.md.
package edgereel

import "encoding/binary"

// Limits of the ABI, in bytes.
const (
	MaxState        = 4096
	MaxPresentation = 16384
)

const (
	ioSize       = 65536
	outputOffset = 16384
	headerSize   = 32
)

// Game is one game module.
type Game interface {
	// Manifest is JSON, see docs/abi.md.
	Manifest() string
	// Play evaluates one step: a function of the input and the draws alone. It
	// returns what Output.Close or Output.KeepOpen returned, or a refusal.
	// Neither pointer is valid after it returns.
	Play(in *Input, draws Draws, out *Output) Code
}

// Adviser is a Game whose player decides something, and the strategy its
// figures hold for.
type Adviser interface {
	Game
	// Advise says what the strategy does in an open round; the input's action
	// is 0. It returns what Advice returned, or a refusal.
	Advise(in *Input) Code
}

// Advice is an action that is offered, and one of its choices.
func Advice(action, choice uint32) Code { return Code(choice<<5 | action) }

// Draws supplies uniform values: the host's in a module, any other in a test.
type Draws interface {
	// Draw gives one value in [0, bound); bound is at least 1.
	Draw(bound uint32) uint32
	// DrawMany replaces each bound by a value below it, in order, in one call.
	DrawMany(bounds []uint32)
}

// Code is what a step returns: the length of its answer, or a refusal.
type Code int32

// Refusals: the step is not played.
const (
	BadInput      Code = -1 // stake, mode or choice make no sense to this game
	BadState      Code = -3 // the state is not one that this game wrote
	UnknownAction Code = -4 // there is no such action, or it is not offered now
	Internal      Code = -5 // the game cannot go on: always an incident
)

// Input is what the host asks for.
type Input struct {
	Action     uint32
	Mode       uint32
	Choice     uint32 // for actions that pick something, else 0
	StakeMinor int64  // base stake of the round, the same in each of its steps
	State      []byte // what the previous step kept; empty opens a round
}

// Output is the answer, written from front to back: first the state, if the
// round goes on, then the presentation. What does not fit makes the step an
// incident when it ends.
type Output struct {
	bytes []byte
	at    int
	room  int // where the presentation must end
	state int
	full  bool
}

// State writes what the next step gets. Once, before any presentation.
func (o *Output) State(state []byte) {
	if o.at != headerSize || len(state) > MaxState {
		o.full = true
		return
	}
	o.at += copy(o.bytes[headerSize:], state)
	o.room = o.at + MaxPresentation
	o.state = len(state)
}

// Text appends text to the presentation.
func (o *Output) Text(s string) {
	if o.at+len(s) > o.room {
		o.full = true
		return
	}
	o.at += copy(o.bytes[o.at:], s)
}

// Number appends a number in decimal.
func (o *Output) Number(v uint64) {
	var digits [20]byte
	n := len(digits)
	for {
		n--
		digits[n] = byte('0' + v%10)
		v /= 10
		if v == 0 {
			break
		}
	}
	if o.at+len(digits)-n > o.room {
		o.full = true
		return
	}
	o.at += copy(o.bytes[o.at:], digits[n:])
}

// Quoted appends text in quotes; it must need no escape.
func (o *Output) Quoted(s string) {
	o.Text(`"`)
	o.Text(s)
	o.Text(`"`)
}

// Amount appends an amount as JSON has it: a string of minor units.
func (o *Output) Amount(minor int64) {
	o.Text(`"`)
	o.Number(uint64(minor))
	o.Text(`"`)
}

// Close ends the round with what this step wins.
func (o *Output) Close(winMinor int64) Code { return o.answer(winMinor, 1, 0) }

// KeepOpen goes on: bit i of actions offers the action with id i.
func (o *Output) KeepOpen(winMinor int64, actions uint32) Code { return o.answer(winMinor, 0, actions) }

func (o *Output) answer(winMinor int64, flags, actions uint32) Code {
	if o.full {
		return Internal
	}
	le := binary.LittleEndian
	le.PutUint64(o.bytes[0:], uint64(winMinor))
	le.PutUint32(o.bytes[8:], flags)
	le.PutUint32(o.bytes[12:], actions)
	le.PutUint32(o.bytes[16:], uint32(o.state))
	le.PutUint32(o.bytes[20:], uint32(o.at-headerSize-o.state))
	le.PutUint64(o.bytes[24:], 0)
	return Code(o.at)
}

// Block is the 64 KiB that a module shares with its host, and what reads it. A
// module has one of its own; a test makes one to play a game natively.
type Block struct {
	words [ioSize / 8]uint64 // for its alignment
	in    Input              // here rather than in Play, so that a step allocates nothing
	out   Output
}

// PlayStep evaluates the step whose input of the given length lies in the
// block, as edgereel_play does.
func (b *Block) PlayStep(g Game, draws Draws, length int32) Code {
	if !b.read(length) {
		return BadInput
	}
	b.out = Output{bytes: b.Bytes()[outputOffset:], at: headerSize, room: headerSize + MaxPresentation}
	return g.Play(&b.in, draws, &b.out)
}

// AskAdvice answers edgereel_advise for the input in the block. A game that is
// no Adviser must not let its player decide anything: it answers Internal.
func (b *Block) AskAdvice(g Game, length int32) Code {
	if !b.read(length) {
		return BadInput
	}
	if a, ok := g.(Adviser); ok {
		return a.Advise(&b.in)
	}
	return Internal
}

// read takes the header apart; false when it is not of this ABI.
func (b *Block) read(length int32) bool {
	if length < headerSize || length > outputOffset {
		return false
	}
	le, all := binary.LittleEndian, b.Bytes()
	b.in = Input{
		Action: le.Uint32(all[4:]), Mode: le.Uint32(all[8:]), Choice: le.Uint32(all[12:]),
		StakeMinor: int64(le.Uint64(all[16:])), State: all[headerSize:length:length],
	}
	// Version 1 and no flags in one look.
	return le.Uint32(all) == 1 && le.Uint32(all[24:]) == uint32(length-headerSize)
}

// WriteManifest answers edgereel_manifest.
func (b *Block) WriteManifest(g Game) int32 {
	return int32(copy(b.Bytes()[outputOffset:], g.Manifest()))
}
