package gamelogic

import (
	"encoding/binary"
	"math/bits"
)

// keystream is ChaCha20 (RFC 8439) with a zero nonce as 32-bit words, from block
// 0. It gives words and not bytes, which is what draws are made of, and four
// blocks at a time, which are as cheap as one where the processor helps.
type keystream struct {
	key   [8]uint32
	block uint64 // number of the next one, a multiple of 4
}

// Words of the text "expand 32-byte k".
const (
	chacha0 = 0x61707865
	chacha1 = 0x3320646e
	chacha2 = 0x79622d32
	chacha3 = 0x6b206574
)

func newKeystream(key [32]byte) keystream {
	var k keystream
	for i := range k.key {
		k.key[i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	return k
}

// next gives the words of the next four blocks. No step or block of a simulation
// comes near the end of the stream, where words would repeat.
func (k *keystream) next(words *[64]uint32) {
	if k.block >= 1<<32 {
		panic("gamelogic: the stream of draws has ended")
	}
	blocks(words, &k.key, uint32(k.block))
	k.block += 4
}

// blocksGeneric computes four blocks from this one on, on any processor.
func blocksGeneric(words *[64]uint32, key *[8]uint32, block uint32) {
	for i := range uint32(4) {
		oneBlock((*[16]uint32)(words[16*i:]), key, block+i)
	}
}

func oneBlock(words *[16]uint32, key *[8]uint32, n uint32) {
	x0, x1, x2, x3 := uint32(chacha0), uint32(chacha1), uint32(chacha2), uint32(chacha3)
	x4, x5, x6, x7 := key[0], key[1], key[2], key[3]
	x8, x9, x10, x11 := key[4], key[5], key[6], key[7]
	x12, x13, x14, x15 := n, uint32(0), uint32(0), uint32(0)
	for range 10 {
		x0, x4, x8, x12 = quarterRound(x0, x4, x8, x12)
		x1, x5, x9, x13 = quarterRound(x1, x5, x9, x13)
		x2, x6, x10, x14 = quarterRound(x2, x6, x10, x14)
		x3, x7, x11, x15 = quarterRound(x3, x7, x11, x15)

		x0, x5, x10, x15 = quarterRound(x0, x5, x10, x15)
		x1, x6, x11, x12 = quarterRound(x1, x6, x11, x12)
		x2, x7, x8, x13 = quarterRound(x2, x7, x8, x13)
		x3, x4, x9, x14 = quarterRound(x3, x4, x9, x14)
	}
	*words = [16]uint32{
		x0 + chacha0, x1 + chacha1, x2 + chacha2, x3 + chacha3,
		x4 + key[0], x5 + key[1], x6 + key[2], x7 + key[3],
		x8 + key[4], x9 + key[5], x10 + key[6], x11 + key[7],
		x12 + n, x13, x14, x15,
	}
}

func quarterRound(a, b, c, d uint32) (uint32, uint32, uint32, uint32) {
	a += b
	d = bits.RotateLeft32(d^a, 16)
	c += d
	b = bits.RotateLeft32(b^c, 12)
	a += b
	d = bits.RotateLeft32(d^a, 8)
	c += d
	b = bits.RotateLeft32(b^c, 7)
	return a, b, c, d
}
