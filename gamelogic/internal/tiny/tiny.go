// Package tiny assembles small game modules for tests: modules that do one
// thing, mostly a wrong one, without a compiler of another language. It
// promises modules that a host takes as long as their manifest is right; it is
// not for games that anybody plays.
//
// A piece of code is a []byte that leaves one i32 on the stack where it is
// called a value, and nothing where it is called a statement. The I/O block is
// the first page of the memory.
package tiny

import (
	"encoding/binary"
	"encoding/json"

	"github.com/edgereel/edgereel/gamelogic"
)

// Game is a module to assemble.
type Game struct {
	Manifest gamelogic.Manifest
	// Play is the value that edgereel_play returns; it has one local i32 (Draw
	// may be stored there, see Keep) and the mutable global 0, an i32.
	Play []byte
	// Advise is the value that edgereel_advise returns; nil leaves it out.
	Advise []byte
	// Document is put in place of the manifest when it is set.
	Document []byte
}

// New is a game with a manifest that holds for small tests: mode "base",
// actions "spin" (1) and "pick" (2), stakes of any amount.
func New(play ...[]byte) *Game {
	return &Game{
		Manifest: gamelogic.Manifest{
			Version: 1, ID: "tiny", Release: "1.0.0", Name: "Tiny", MaxDraws: 4, MaxState: 4, StakeMultipleMinor: 1,
			Modes:   []gamelogic.Mode{{ID: 0, Name: "base", CostX100: 100, RTP: "0.5", HitFrequency: "0.5", MaxWinX: 10}},
			Actions: []gamelogic.Action{{ID: 1, Name: "spin"}, {ID: 2, Name: "pick"}},
		},
		Play: Join(play...),
	}
}

// Join puts pieces behind each other.
func Join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Fields of the input.
const (
	Action      = 4
	Choice      = 12
	StateLength = 24
	State       = 32
)

// I32 is a constant value.
func I32(v int32) []byte {
	b := []byte{0x41}
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Load is the value of four bytes of memory.
func Load(at int32) []byte { return Join(I32(at), []byte{0x28, 2, 0}) }

// Load8 is the value of one byte of memory.
func Load8(at int32) []byte { return Join(I32(at), []byte{0x2d, 0, 0}) }

// Store is a statement that writes four bytes of memory.
func Store(at int32, value []byte) []byte { return Join(I32(at), value, []byte{0x36, 2, 0}) }

// Draw is the value of a draw.
func Draw(bound int32) []byte { return Join(I32(bound), []byte{0x10, 0}) }

// Keep is a statement that puts a value into the local, Kept that value.
func Keep(value []byte) []byte { return Join(value, []byte{0x21, 1}) }

// Kept is the value of the local.
func Kept() []byte { return []byte{0x20, 1} }

// Global is the value of the mutable global.
func Global() []byte { return []byte{0x23, 0} }

// SetGlobal is a statement.
func SetGlobal(value []byte) []byte { return Join(value, []byte{0x24, 0}) }

// Equal is 1 where two values are the same, else 0.
func Equal(a, b []byte) []byte { return Join(a, b, []byte{0x46}) }

// Add is the sum of two values.
func Add(a, b []byte) []byte { return Join(a, b, []byte{0x6a}) }

// Times is the product of two values.
func Times(a, b []byte) []byte { return Join(a, b, []byte{0x6c}) }

// If is the value yes where condition is not 0, else no.
func If(condition, yes, no []byte) []byte {
	return Join(condition, []byte{0x04, 0x7f}, yes, []byte{0x05}, no, []byte{0x0b})
}

// Trap is a value that never comes to be.
func Trap() []byte { return []byte{0x00} }

// Forever is a statement that loops without end.
func Forever() []byte { return []byte{0x03, 0x40, 0x0c, 0, 0x0b} }

// Close is the value of an answer that pays so many stakes and ends the round.
func Close(stakes []byte) []byte {
	return Join(pays(stakes), Store(out+8, I32(1)), Store(out+12, I32(0)), Store(out+16, I32(0)), rest(), I32(32))
}

// Open is the value of an answer that pays so many stakes, keeps four bytes of
// state and offers the actions of a mask.
func Open(stakes, state []byte, mask int32) []byte {
	return Join(pays(stakes), Store(out+8, I32(0)), Store(out+12, I32(mask)), Store(out+16, I32(4)), rest(), Store(out+32, state), I32(36))
}

const out = 16384

// pays writes stakes × stake.
func pays(stakes []byte) []byte {
	return Join(I32(out), stakes, []byte{0xac}, I32(16), []byte{0x29, 3, 0, 0x7e, 0x37, 3, 0})
}

func rest() []byte {
	return Join(Store(out+20, I32(0)), Store(out+24, I32(0)), Store(out+28, I32(0)))
}

func leb(v int) []byte { return binary.AppendUvarint(nil, uint64(v)) }

func text(s string) []byte { return append(leb(len(s)), s...) }

func section(id byte, body ...[]byte) []byte {
	b := Join(body...)
	return Join([]byte{id}, leb(len(b)), b)
}

// Build assembles the module.
func (g *Game) Build() []byte {
	document := g.Document
	if document == nil {
		var err error
		if document, err = json.Marshal(g.Manifest); err != nil {
			panic("tiny: " + err.Error()) // it holds strings and numbers
		}
	}
	body := func(locals int, code []byte) []byte {
		b := []byte{0}
		if locals > 0 {
			b = Join([]byte{1}, leb(locals), []byte{0x7f})
		}
		b = Join(b, code, []byte{0x0b})
		return Join(leb(len(b)), b)
	}
	functions := [][]byte{body(0, I32(1)), body(0, I32(0)), body(0, I32(int32(len(document)))), body(1, g.Play)}
	names := []string{"edgereel_abi_1", "edgereel_io", "edgereel_manifest", "edgereel_play"}
	types := []byte{0, 0, 0, 1}
	if g.Advise == nil {
		functions[0] = body(0, I32(0))
	} else {
		functions, names, types = append(functions, body(1, g.Advise)), append(names, "edgereel_advise"), append(types, 1)
	}
	exports := Join(leb(1+len(names)), text("memory"), []byte{2, 0})
	for i, name := range names {
		exports = Join(exports, text(name), []byte{0}, leb(1+i))
	}
	return Join(
		[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte{2, 0x60, 0, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f}),
		section(2, []byte{1}, text("edgereel"), text("draw"), []byte{0, 1}),
		section(3, leb(len(types)), types),
		section(5, []byte{1, 0, 2}),
		section(6, []byte{1, 0x7f, 1, 0x41, 0, 0x0b}),
		section(7, exports),
		section(10, leb(len(functions)), Join(functions...)),
		section(11, []byte{1, 0}, I32(out), []byte{0x0b}, leb(len(document)), document),
	)
}
