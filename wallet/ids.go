package wallet

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Slots is the fixed number of slots wallets are spread over. A versioned map
// assigns slots to shards, so a later move never changes a wallet's identity.
const Slots = 256

// ID is a wallet's random surrogate. Its first byte is its slot; entries never
// name the player.
type ID [16]byte

// Slot is the wallet's place in the slot map, 0 to Slots-1.
func (id ID) Slot() int { return int(id[0]) }

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the surrogate is unset.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads the 32 hexadecimal digits of a wallet.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) || strings.ToLower(s) != s {
		return ID{}, fmt.Errorf("parse wallet %.40q: want %d lower-case hexadecimal digits", s, 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("parse wallet %.40q: %w", s, err)
	}
	return id, nil
}

// Ref names a session or a round: a wallet and one of the wallet's counters,
// which start at 1. Its text form is "<wallet>-<number>".
type Ref struct {
	Wallet ID
	Number uint64
}

func (r Ref) String() string { return r.Wallet.String() + "-" + strconv.FormatUint(r.Number, 10) }

// ParseRef reads the text form of a session or round.
func ParseRef(s string) (Ref, error) {
	w, n, ok := strings.Cut(s, "-")
	if !ok {
		return Ref{}, fmt.Errorf("parse %.60q: want <wallet>-<number>", s)
	}
	id, err := ParseID(w)
	if err != nil {
		return Ref{}, err
	}
	number, err := strconv.ParseUint(n, 10, 64)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != n {
		return Ref{}, fmt.Errorf("parse %.60q: want a number from 1 after the dash", s)
	}
	return Ref{Wallet: id, Number: number}, nil
}

// Hash is a SHA-256 digest.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether the digest is unset.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) {
		return Hash{}, fmt.Errorf("parse digest %.70q: want %d hexadecimal digits", s, 2*len(h))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("parse digest: %w", err)
	}
	return h, nil
}
