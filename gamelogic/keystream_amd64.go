package gamelogic

import "golang.org/x/sys/cpu"

// fourBlocks computes four blocks of the key stream, the first of them with
// this number, which is not one of the last three there are. It needs AVX2.
//
//go:noescape
func fourBlocks(words *[64]uint32, key *[8]uint32, block uint32)

func blocks(words *[64]uint32, key *[8]uint32, block uint32) {
	if cpu.X86.HasAVX2 {
		fourBlocks(words, key, block)
		return
	}
	blocksGeneric(words, key, block)
}
