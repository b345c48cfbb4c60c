package gamelogic

import (
	"encoding/binary"
	"math"
	"testing"

	"golang.org/x/crypto/chacha20"
)

// Both ways to compute blocks give the stream that another implementation
// gives, at every place of it.
func TestKeystream(t *testing.T) {
	for _, block := range []uint32{0, 4, 1 << 16, math.MaxUint32 - 3} {
		for k := range byte(8) {
			var raw [32]byte
			for i := range raw {
				raw[i] = byte(i)*31 + k*17 + byte(block)
			}
			c, err := chacha20.NewUnauthenticatedCipher(raw[:], make([]byte, chacha20.NonceSize))
			if err != nil {
				t.Fatal(err)
			}
			c.SetCounter(block)
			want := make([]byte, 256)
			c.XORKeyStream(want, want)
			keys := newKeystream(raw)
			for name, compute := range map[string]func(*[64]uint32, *[8]uint32, uint32){"here": blocks, "generic": blocksGeneric} {
				var words [64]uint32
				compute(&words, &keys.key, block)
				for i, w := range words {
					if w != binary.LittleEndian.Uint32(want[4*i:]) {
						t.Fatalf("%s: key %d, block %d: word %d is %#x", name, k, block, i, w)
					}
				}
			}
		}
	}
}

// The words never begin anew.
func TestKeystream_Ends(t *testing.T) {
	k := newKeystream([32]byte{1})
	k.block = 1<<32 - 4
	var words [64]uint32
	k.next(&words)
	defer func() {
		if recover() == nil {
			t.Error("the stream goes on behind its end")
		}
	}()
	k.next(&words)
}

func BenchmarkKeystream(b *testing.B) {
	k := newKeystream([32]byte{1})
	var words [64]uint32
	for name, compute := range map[string]func(*[64]uint32, *[8]uint32, uint32){"here": blocks, "generic": blocksGeneric} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(256)
			for b.Loop() {
				compute(&words, &k.key, 0)
			}
		})
	}
}
