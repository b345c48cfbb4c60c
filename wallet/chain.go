package wallet

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// CheckpointEvery is the distance of the sequences whose chain hashes a shard
// keeps, so that replicas can be compared at a common point.
const CheckpointEvery = 4096

// Domain separation of everything that is hashed; one byte each.
const (
	domainLeaf       = 0x00
	domainChain      = 0x01
	domainCommitment = 0x02
	domainOrigin     = 0x03
	domainRequest    = 0x04
	domainState      = 0x06
	domainCanary     = 0x07
)

// Origin is the chain hash before sequence 1. It names cluster, shard and
// epoch, so that a restored cluster ends a chain and never continues it.
func Origin(cluster string, shard, epoch uint32) Hash {
	b := []byte{domainOrigin}
	b = binary.BigEndian.AppendUint32(b, shard)
	b = binary.BigEndian.AppendUint32(b, epoch)
	return sha256.Sum256(append(b, cluster...))
}

// LeafSalt derives the salt of one operation from the salt of its entry.
func LeafSalt(entrySalt Hash, position int) Hash {
	mac := hmac.New(sha256.New, entrySalt[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(position)))
	return Hash(mac.Sum(nil))
}

// Commitment hides an operation's content behind its salt: without the salt
// amounts cannot be guessed from it, and content can be erased while the chain
// still verifies.
func Commitment(salt Hash, input, result []byte) Hash {
	h := sha256.New()
	h.Write([]byte{domainCommitment})
	h.Write(salt[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(input))))
	h.Write(input)
	h.Write(result)
	return Hash(h.Sum(nil))
}

// Leaf is what the chain covers of one operation.
func Leaf(version uint8, epoch uint32, seq uint64, commitment Hash) Hash {
	b := append(make([]byte, 0, 64), domainLeaf, version)
	b = binary.BigEndian.AppendUint32(b, epoch)
	b = binary.BigEndian.AppendUint64(b, seq)
	return sha256.Sum256(append(b, commitment[:]...))
}

// ChainHash is the chain hash after a leaf.
func ChainHash(prev, leaf Hash) Hash {
	b := append(make([]byte, 0, 65), domainChain)
	b = append(b, prev[:]...)
	return sha256.Sum256(append(b, leaf[:]...))
}

// SeedCommitment is what a player sees of a sealed seed before any wager:
// SHA-256 over the length-prefixed domain and the seed, the formula of
// gamelogic.Commitment. Its domain is apart from every use of the seed as a key.
func SeedCommitment(seed [32]byte) Hash {
	const domain = "edgereel/seed-commitment/1"
	b := binary.BigEndian.AppendUint32(nil, uint32(len(domain)))
	b = append(b, domain...)
	return sha256.Sum256(append(b, seed[:]...))
}

// StateHash names a round's opaque state; the empty state has the zero hash.
func StateHash(state []byte) Hash {
	if len(state) == 0 {
		return Hash{}
	}
	return sha256.Sum256(append([]byte{domainState}, state...))
}

// requestDigest names the body of a keyed request.
func requestDigest(w *writer) Hash {
	return sha256.Sum256(append([]byte{domainRequest}, w.b...))
}
