package seeds

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Directory turns players into what the journal may know of them: a keyed
// digest to find their wallet by, and their id sealed under a key of its own.
type Directory struct {
	random   io.Reader
	lookup   []byte
	wrapping []byte
}

type directoryFile struct {
	Version  int    `json:"version"`
	Lookup   []byte `json:"lookup_key"`
	Wrapping []byte `json:"wrapping_key"`
}

// NewDirectory makes fresh keys. random nil is the system's.
func NewDirectory(random io.Reader) (*Directory, error) {
	d := &Directory{random: orSystem(random), lookup: make([]byte, keyBytes), wrapping: make([]byte, keyBytes)}
	if err := errors.Join(fill(d.random, d.lookup), fill(d.random, d.wrapping)); err != nil {
		return nil, err
	}
	return d, nil
}

// LoadDirectory reads what Save wrote.
func LoadDirectory(path string, random io.Reader) (*Directory, error) {
	var form directoryFile
	if err := readSecret(path, &form); err != nil {
		return nil, err
	}
	if len(form.Lookup) != keyBytes || len(form.Wrapping) != keyBytes {
		return nil, fmt.Errorf("key file %s: lookup_key and wrapping_key must have %d bytes each", path, keyBytes)
	}
	return &Directory{random: orSystem(random), lookup: form.Lookup, wrapping: form.Wrapping}, nil
}

// Save replaces the file at path, readable by its owner alone.
func (d *Directory) Save(path string) error {
	return writeSecret(path, directoryFile{Version: fileVersion, Lookup: d.lookup, Wrapping: d.wrapping})
}

// Lookup is what a wallet is found by. Without the key nobody can tell which
// player it stands for, not even by trying all ids.
func (d *Directory) Lookup(operator, player, currency string) [32]byte {
	mac := hmac.New(sha256.New, d.lookup)
	mac.Write(fields("edgereel player lookup", []byte(operator), []byte(player), []byte(currency)))
	return [32]byte(mac.Sum(nil))
}

// SealIdentity seals a player's id under a fresh key, and that key under the
// directory's. Destroying wrapped erases the person; identity may stay.
func (d *Directory) SealIdentity(wallet [16]byte, player string) (identity, wrapped []byte, err error) {
	key := make([]byte, keyBytes)
	if err := fill(d.random, key); err != nil {
		return nil, nil, err
	}
	identity, err = seal(d.random, key, []byte(player), fields("edgereel identity", wallet[:]))
	if err != nil {
		return nil, nil, fmt.Errorf("seal identity: %w", err)
	}
	wrapped, err = seal(d.random, d.wrapping, key, fields("edgereel identity key", wallet[:]))
	if err != nil {
		return nil, nil, fmt.Errorf("wrap identity key: %w", err)
	}
	return identity, wrapped, nil
}

// OpenIdentity gives the player's id back, or ErrSealBroken.
func (d *Directory) OpenIdentity(wallet [16]byte, identity, wrapped []byte) (player string, err error) {
	key, err := open(d.wrapping, wrapped, fields("edgereel identity key", wallet[:]))
	if err != nil {
		return "", fmt.Errorf("unwrap identity key: %w", err)
	}
	plain, err := open(key, identity, fields("edgereel identity", wallet[:]))
	if err != nil {
		return "", fmt.Errorf("open identity: %w", err)
	}
	return string(plain), nil
}

// Format prints no key, whatever the verb.
func (d Directory) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seeds.Directory") }
