package seeds

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/edgereel/edgereel/api/token"
)

// Tokens are the keys that sign and verify the tokens of players and
// operators. A node whose file holds only public halves verifies and cannot
// issue.
type Tokens struct {
	keys []tokenKey
}

type tokenKey struct {
	ID     string            `json:"id"`
	Public ed25519.PublicKey `json:"public"`
	// Seed is the private half in its 32-byte form; absent where the node only
	// verifies.
	Seed    []byte    `json:"private,omitempty"`
	Created time.Time `json:"created"`
	State   string    `json:"state"`
}

type tokensFile struct {
	Version int        `json:"version"`
	Keys    []tokenKey `json:"keys"`
}

// NewTokens makes one fresh signing key. random nil is the system's.
func NewTokens(random io.Reader, now time.Time) (*Tokens, error) {
	random = orSystem(random)
	id, err := newKeyID(random)
	if err != nil {
		return nil, err
	}
	seed := make([]byte, ed25519.SeedSize)
	if err := fill(random, seed); err != nil {
		return nil, err
	}
	public, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return &Tokens{keys: []tokenKey{{ID: id, Public: public, Seed: seed, Created: now.UTC(), State: stateActive}}}, nil
}

// LoadTokens reads what Save wrote.
func LoadTokens(path string) (*Tokens, error) {
	var form tokensFile
	if err := readSecret(path, &form); err != nil {
		return nil, err
	}
	t := &Tokens{keys: form.Keys}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return t, nil
}

func (t *Tokens) check() error {
	if len(t.keys) == 0 {
		return errors.New("no key; no token could be verified")
	}
	seen := map[string]bool{}
	for i, k := range t.keys {
		switch {
		case k.ID == "" || seen[k.ID]:
			return fmt.Errorf("key %d has no id of its own", i)
		case len(k.Public) != ed25519.PublicKeySize:
			return fmt.Errorf("key %q has a public half of %d bytes, want %d", k.ID, len(k.Public), ed25519.PublicKeySize)
		case k.State != stateActive && k.State != stateVerifyOnly:
			return fmt.Errorf("key %q is %q, want %s or %s", k.ID, k.State, stateActive, stateVerifyOnly)
		case len(k.Seed) != 0 && len(k.Seed) != ed25519.SeedSize:
			return fmt.Errorf("key %q has a private half of %d bytes, want %d", k.ID, len(k.Seed), ed25519.SeedSize)
		case len(k.Seed) != 0 && !k.Public.Equal(ed25519.NewKeyFromSeed(k.Seed).Public()):
			return fmt.Errorf("the halves of key %q do not belong together", k.ID)
		}
		seen[k.ID] = true
	}
	return nil
}

// Save replaces the file at path, readable by its owner alone.
func (t *Tokens) Save(path string) error {
	return writeSecret(path, tokensFile{Version: fileVersion, Keys: t.keys})
}

// Issuer signs with the newest active key, for the cluster's audience. It errs
// when this node holds no private half of an active key. now nil is time.Now.
func (t *Tokens) Issuer(cluster string, now func() time.Time) (token.Issuer, error) {
	var newest *tokenKey
	for i := range t.keys {
		k := &t.keys[i]
		if k.State == stateActive && len(k.Seed) != 0 && (newest == nil || k.Created.After(newest.Created)) {
			newest = k
		}
	}
	if newest == nil {
		return token.Issuer{}, errors.New("no active signing key; this node cannot issue tokens")
	}
	return token.Issuer{Key: ed25519.NewKeyFromSeed(newest.Seed), KeyID: newest.ID, Audience: cluster, Now: now}, nil
}

// Verifier accepts tokens of every key in the file, for the cluster's
// audience. now nil is time.Now.
func (t *Tokens) Verifier(cluster string, now func() time.Time) token.Verifier {
	keys := make(map[string]ed25519.PublicKey, len(t.keys))
	for _, k := range t.keys {
		keys[k.ID] = k.Public
	}
	return token.Verifier{Keys: keys, Audience: cluster, Now: now}
}

// Format prints no key, whatever the verb.
func (t Tokens) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seeds.Tokens") }
