// Package dsse signs and verifies what a studio says about a release: an
// in-toto statement in a DSSE envelope, with Ed25519 and nothing else.
//
// What it promises: [Verify] returns a statement only if exactly one key, known
// and not revoked, signed exactly these bytes, and the statement is about
// exactly this module and PAR sheet. It does not know whether the module is any
// good, nor which studio may release which game.
//
// The forms are public ones: DSSE 1.0 (payload type
// application/vnd.in-toto+json), in-toto Statement v1, and a predicate of this
// project, [PredicateType]. Other tools for those forms can make and read them.
//
// # Concurrency
//
// All functions are safe for concurrent use.
//
// # Errors
//
// Every refusal of Verify is exactly one of the sentinels, with a sentence that
// says where.
package dsse

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// What is wrong with an envelope.
var (
	// ErrMalformed means the bytes are no envelope with one statement of this
	// form; unknown and repeated keys count.
	ErrMalformed = errors.New("the envelope is malformed")
	// ErrUnsigned means the envelope carries no signature.
	ErrUnsigned = errors.New("the envelope is not signed")
	// ErrPayloadType means the envelope carries something else than a statement.
	ErrPayloadType = errors.New("the envelope holds another type of payload")
	// ErrUnknownKey means no studio has the key that the envelope names.
	ErrUnknownKey = errors.New("the key is not a studio's")
	// ErrRevokedKey means the key was a studio's and was taken back.
	ErrRevokedKey = errors.New("the key is revoked")
	// ErrSignature means the named key did not sign these bytes.
	ErrSignature = errors.New("the signature is not valid")
	// ErrWrongModule means the statement is about another module.
	ErrWrongModule = errors.New("the statement is about another module")
	// ErrWrongSheet means the statement is about another PAR sheet.
	ErrWrongSheet = errors.New("the statement is about another PAR sheet")
	// ErrWrongStudio means the statement names another studio than its key's.
	ErrWrongStudio = errors.New("the statement names another studio than that of the key")
)

const (
	// PayloadType is the type of every payload.
	PayloadType = "application/vnd.in-toto+json"
	// MaxBytes bounds an envelope; an honest one has about 1 KiB.
	MaxBytes = 64 << 10
	// keyIDLength of a key id in hexadecimal digits.
	keyIDLength = 16
)

// Key is a studio's public key as the registry holds it.
type Key struct {
	Studio  string
	Public  ed25519.PublicKey
	Revoked bool
}

// KeyFunc looks a key up by its id; false says that no studio has it.
type KeyFunc func(keyID string) (Key, bool)

// Subject is what an envelope has to be about.
type Subject struct {
	// Module and ParSheet are the SHA-256 of the two files.
	Module, ParSheet [32]byte
}

// envelope is DSSE's JSON form.
type envelope struct {
	Payload     string      `json:"payload"` // base64
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// Verified is a statement with the key that signed it.
type Verified struct {
	Statement Statement
	KeyID     string
}

// PAE is DSSE's pre-authentication encoding: what is signed in place of the
// payload, so that no signature serves for another type.
func PAE(payloadType string, payload []byte) []byte {
	var b bytes.Buffer
	b.WriteString("DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(len(payload)) + " ")
	b.Write(payload)
	return b.Bytes()
}

// Sign makes the envelope of a release, one line of JSON. It is the same for
// the same release and key.
func Sign(r Release, s Subject, key ed25519.PrivateKey) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("sign a release: the key is no Ed25519 private key")
	}
	payload, err := newStatement(r, s)
	if err != nil {
		return nil, fmt.Errorf("sign a release: %w", err)
	}
	public, _ := key.Public().(ed25519.PublicKey)
	text, err := json.Marshal(envelope{
		Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: PayloadType,
		Signatures: []signature{{KeyID: KeyID(public), Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(key, PAE(PayloadType, payload)))}},
	})
	if err != nil {
		return nil, fmt.Errorf("sign a release: %w", err)
	}
	return append(text, '\n'), nil
}

// Verify reads an envelope that a key of keys signed about the subject. The
// signature is checked before anything in the payload is looked at.
func Verify(text []byte, about Subject, keys KeyFunc) (*Verified, error) {
	v, key, err := open(text, keys)
	if err != nil {
		return nil, err
	}
	s := &v.Statement
	if got, want := s.Subject[0].Digest.SHA256, hexOf(about.Module); got != want {
		return nil, fmt.Errorf("%w: it names SHA-256 %s, the module has %s", ErrWrongModule, got, want)
	}
	if got, want := s.Predicate.ParSheet.SHA256, hexOf(about.ParSheet); got != want {
		return nil, fmt.Errorf("%w: it names SHA-256 %s, the sheet has %s", ErrWrongSheet, got, want)
	}
	if s.Predicate.Studio != key.Studio {
		return nil, fmt.Errorf("%w: it names %q, key %s belongs to %q", ErrWrongStudio, s.Predicate.Studio, v.KeyID, key.Studio)
	}
	return v, nil
}

func open(text []byte, keys KeyFunc) (*Verified, Key, error) {
	e, payload, sig, err := parse(text)
	if err != nil {
		return nil, Key{}, err
	}
	id := e.Signatures[0].KeyID
	key, known := keys(id)
	switch {
	// The id is derived from the key, so that a table that holds the wrong key
	// under an id cannot make a statement look like somebody else's.
	case !known || len(key.Public) != ed25519.PublicKeySize || KeyID(key.Public) != id:
		return nil, Key{}, fmt.Errorf("%w: key id %s", ErrUnknownKey, id)
	case key.Revoked:
		return nil, Key{}, fmt.Errorf("%w: key id %s of studio %q", ErrRevokedKey, id, key.Studio)
	case !ed25519.Verify(key.Public, PAE(e.PayloadType, payload), sig):
		return nil, Key{}, fmt.Errorf("%w: key id %s did not sign this payload", ErrSignature, id)
	}
	s, err := parseStatement(payload)
	if err != nil {
		return nil, Key{}, err
	}
	return &Verified{Statement: *s, KeyID: id}, key, nil
}

// parse reads an envelope up to what has to be known before a key is asked for.
func parse(text []byte) (*envelope, []byte, []byte, error) {
	if len(text) > MaxBytes {
		return nil, nil, nil, malformed("it has %d bytes, at most %d", len(text), MaxBytes)
	}
	e := &envelope{}
	if err := strict(text, e); err != nil {
		return nil, nil, nil, malformed("%w", err)
	}
	if e.PayloadType != PayloadType {
		return nil, nil, nil, fmt.Errorf("%w: %q, want %q", ErrPayloadType, e.PayloadType, PayloadType)
	}
	switch n := len(e.Signatures); {
	case n == 0:
		return nil, nil, nil, ErrUnsigned
	case n > 1:
		return nil, nil, nil, malformed("it has %d signatures, a release has the one of its studio", n)
	}
	payload, err := fromBase64(e.Payload)
	if err != nil {
		return nil, nil, nil, malformed("payload: %w", err)
	}
	sig, err := fromBase64(e.Signatures[0].Sig)
	if err == nil && len(sig) == 0 {
		return nil, nil, nil, ErrUnsigned
	}
	if err == nil && len(sig) != ed25519.SignatureSize {
		err = fmt.Errorf("%d bytes, an Ed25519 signature has %d", len(sig), ed25519.SignatureSize)
	}
	if err != nil {
		return nil, nil, nil, malformed("signatures[0].sig: %w", err)
	}
	if id := e.Signatures[0].KeyID; !isHex(id, keyIDLength) {
		return nil, nil, nil, malformed("signatures[0].keyid: %.64q has not the form of a key id, %d hexadecimal digits", id, keyIDLength)
	}
	return e, payload, sig, nil
}

// fromBase64 reads either alphabet, as DSSE asks of a verifier.
func fromBase64(text string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		if b, again := base64.URLEncoding.Strict().DecodeString(text); again == nil {
			return b, nil
		}
		return nil, err
	}
	return b, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

func hexOf(d [32]byte) string { return hex.EncodeToString(d[:]) }

func isHex(text string, length int) bool {
	if len(text) != length {
		return false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
