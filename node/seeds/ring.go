package seeds

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// SeedBytes is the length of a session seed.
const SeedBytes = 32

// Ring seals session seeds under its newest active key and opens what any of
// its keys sealed.
type Ring struct {
	random io.Reader
	keys   []ringKey
}

type ringKey struct {
	ID      string    `json:"id"`
	Key     []byte    `json:"key"`
	Created time.Time `json:"created"`
	State   string    `json:"state"`
}

type ringFile struct {
	Version int       `json:"version"`
	Keys    []ringKey `json:"keys"`
}

// NewRing makes a ring with one fresh key. random nil is the system's.
func NewRing(random io.Reader, now time.Time) (*Ring, error) {
	return (&Ring{random: orSystem(random)}).Rotate(now)
}

// LoadRing reads what Save wrote. random, nil for the system's, gives nonces.
func LoadRing(path string, random io.Reader) (*Ring, error) {
	var form ringFile
	if err := readSecret(path, &form); err != nil {
		return nil, err
	}
	r := &Ring{random: orSystem(random), keys: form.Keys}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return r, nil
}

func (r *Ring) check() error {
	seen := map[string]bool{}
	for i, k := range r.keys {
		switch {
		case k.ID == "" || seen[k.ID]:
			return fmt.Errorf("key %d has no id of its own", i)
		case len(k.Key) != keyBytes:
			return fmt.Errorf("key %q has %d bytes, want %d", k.ID, len(k.Key), keyBytes)
		case k.State != stateActive && k.State != stateDecryptOnly:
			return fmt.Errorf("key %q is %q, want %s or %s", k.ID, k.State, stateActive, stateDecryptOnly)
		}
		seen[k.ID] = true
	}
	_, err := r.active()
	return err
}

// Save replaces the file at path, readable by its owner alone.
func (r *Ring) Save(path string) error {
	return writeSecret(path, ringFile{Version: fileVersion, Keys: r.keys})
}

// Rotate gives a ring with a fresh active key; the present ones open only.
// Hand the new ring to every node before any node seals with it.
func (r *Ring) Rotate(now time.Time) (*Ring, error) {
	next := &Ring{random: r.random}
	for _, k := range r.keys {
		k.State = stateDecryptOnly
		next.keys = append(next.keys, k)
	}
	id, err := newKeyID(r.random)
	if err != nil {
		return nil, err
	}
	key := make([]byte, keyBytes)
	if err := fill(r.random, key); err != nil {
		return nil, err
	}
	next.keys = append(next.keys, ringKey{ID: id, Key: key, Created: now.UTC(), State: stateActive})
	return next, nil
}

// active is the newest active key.
func (r *Ring) active() (ringKey, error) {
	var newest *ringKey
	for i := range r.keys {
		k := &r.keys[i]
		if k.State == stateActive && (newest == nil || k.Created.After(newest.Created)) {
			newest = k
		}
	}
	if newest == nil {
		return ringKey{}, errors.New("no key is active; nothing could be sealed")
	}
	return *newest, nil
}

// KeyIDs lists the keys, oldest first as in the file.
func (r *Ring) KeyIDs() []string {
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.ID
	}
	return ids
}

// Seal encrypts a seed for one session. The key's id is stored beside it.
func (r *Ring) Seal(seed [SeedBytes]byte, wallet [16]byte, session uint64, epoch uint32) (sealed []byte, keyID string, err error) {
	k, err := r.active()
	if err != nil {
		return nil, "", err
	}
	sealed, err = seal(r.random, k.Key, seed[:], seedContext(k.ID, wallet, session, epoch))
	if err != nil {
		return nil, "", fmt.Errorf("seal seed: %w", err)
	}
	return sealed, k.ID, nil
}

// Open decrypts a seed: ErrUnknownKey or ErrSealBroken where it cannot.
func (r *Ring) Open(sealed []byte, keyID string, wallet [16]byte, session uint64, epoch uint32) ([SeedBytes]byte, error) {
	for _, k := range r.keys {
		if k.ID != keyID {
			continue
		}
		plain, err := open(k.Key, sealed, seedContext(keyID, wallet, session, epoch))
		if err != nil {
			return [SeedBytes]byte{}, fmt.Errorf("open seed: %w", err)
		}
		if len(plain) != SeedBytes {
			return [SeedBytes]byte{}, fmt.Errorf("open seed: %w", ErrSealBroken)
		}
		return [SeedBytes]byte(plain), nil
	}
	return [SeedBytes]byte{}, fmt.Errorf("open seed: key %.40q: %w", keyID, ErrUnknownKey)
}

func seedContext(keyID string, wallet [16]byte, session uint64, epoch uint32) []byte {
	return fields("edgereel session seed", wallet[:],
		binary.BigEndian.AppendUint64(nil, session),
		binary.BigEndian.AppendUint32(nil, epoch), []byte(keyID))
}

// Format prints the names of the keys, never the keys, whatever the verb.
func (r Ring) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "seeds.Ring%q", r.KeyIDs()) }
