//go:build !amd64

package gamelogic

func blocks(words *[64]uint32, key *[8]uint32, block uint32) { blocksGeneric(words, key, block) }
