package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// opVersion numbers the layout of an operation.
const opVersion = 1

// Op is one operation. Exactly one of the pointers is set.
type Op struct {
	Version int `json:"version"`
	// ID names this attempt of the caller: a second operation with the id of an
	// applied one is answered as that one was and changes nothing.
	ID string `json:"id"`
	// AtMS is put in by the leader; the state never goes back in time.
	AtMS int64 `json:"at_ms"`
	// Person is who asks for it, Reason why.
	Person string `json:"person"`
	Reason string `json:"reason,omitempty"`

	Found     *Found     `json:"found,omitempty"`
	AddKey    *AddKey    `json:"add_key,omitempty"`
	RevokeKey *RevokeKey `json:"revoke_key,omitempty"`
	Draft     *DraftOp   `json:"draft,omitempty"`
	Verdict   *Verdict   `json:"verdict,omitempty"`
	Move      *Move      `json:"move,omitempty"`
}

// Found records the games that came with the program, as live releases of
// their studio. Games the registry knows already stay as they are.
type Found struct {
	Releases []Release `json:"releases"`
}

// AddKey lets a studio sign with a key; the first one founds the studio.
type AddKey struct {
	Studio    string `json:"studio"`
	PublicKey []byte `json:"public_key"`
}

// RevokeKey ends a key.
type RevokeKey struct {
	Studio string `json:"studio"`
	KeyID  string `json:"key_id"`
}

// DraftOp records a pushed release whose envelope was verified. Phase, Pusher,
// Attempt, Report, History and what Apply keeps are not the caller's to say.
type DraftOp struct {
	Release Release `json:"release"`
}

// Verdict is how the check of a draft ended.
type Verdict struct {
	Game    string `json:"game"`
	Version string `json:"version"`
	// Attempt is the draft's.
	Attempt string `json:"attempt"`
	Passed  bool   `json:"passed"`
	Report  Digest `json:"report"`
}

// Move takes a release one step on, or back.
type Move struct {
	Game    string `json:"game"`
	Version string `json:"version"`
	// To is approved, canary, live, rolled_back or retired.
	To          Phase  `json:"to"`
	ShareX10000 uint32 `json:"share_x10000,omitempty"`
	// IfModule, where it is set, must be the release's module: a watcher that
	// rolls back names what it watched.
	IfModule Digest `json:"if_module"`
}

// Encode gives the operation's bytes.
func (op *Op) Encode() ([]byte, error) {
	op.Version = opVersion
	b, err := json.Marshal(op)
	if err != nil {
		return nil, fmt.Errorf("encode registry operation: %w", err)
	}
	return b, nil
}

// sum is a digest of everything but the leader's stamp.
func (op *Op) sum() Digest {
	c := *op
	c.AtMS = 0
	// An operation that was decoded can be encoded.
	b, _ := c.Encode()
	return sha256.Sum256(b)
}

// DecodeOp reads an operation; anything unknown in it is refused.
func DecodeOp(b []byte) (*Op, error) {
	var op Op
	if err := strict(b, &op); err != nil {
		return nil, fmt.Errorf("read registry operation: %w", err)
	}
	return &op, nil
}

// Result is what an operation did.
type Result struct {
	Version int `json:"version"`
	// Seq is the registry's sequence after it.
	Seq uint64 `json:"seq"`
	// Repeated is set where the operation was applied before.
	Repeated bool     `json:"repeated,omitempty"`
	Refusal  *Refusal `json:"refusal,omitempty"`
}

// Encode gives the result's bytes.
func (r Result) Encode() ([]byte, error) {
	r.Version = opVersion
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode registry result: %w", err)
	}
	return b, nil
}

// DecodeResult reads a result.
func DecodeResult(b []byte) (Result, error) {
	var r Result
	if err := strict(b, &r); err != nil {
		return Result{}, fmt.Errorf("read registry result: %w", err)
	}
	return r, nil
}

// strict reads one document of this build's version without unknown keys.
func strict(b []byte, into any) error {
	// The version first: a newer document must not be blamed for its keys.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if head.Version != opVersion {
		return &VersionError{Version: head.Version}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the document")
	}
	return nil
}

// VersionError says that a document is of another version than this build's.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("version %d is not the %d this build reads; upgrade the program", e.Version, opVersion)
}

// Code is the stable word of a refusal.
type Code string

// Codes of refusals.
const (
	CodeInvalid        Code = "invalid"
	CodeUnknownStudio  Code = "unknown_studio"
	CodeUnknownKey     Code = "unknown_key"
	CodeKeyExists      Code = "key_exists"
	CodeKeyRevoked     Code = "key_revoked"
	CodeUnknownGame    Code = "unknown_game"
	CodeUnknownVersion Code = "unknown_version"
	CodeVersionExists  Code = "version_exists"
	CodeWrongStudio    Code = "wrong_studio"
	CodeRTPChanged     Code = "rtp_changed"
	CodeWrongState     Code = "wrong_state"
	CodeSamePerson     Code = "second_person_required"
	CodeStale          Code = "stale"
	CodeTooMany        Code = "too_many"
	CodeIDReused       Code = "id_reused"
)

// Refusal is a decision against an operation: nothing changed.
type Refusal struct {
	Code Code `json:"code"`
	// Text says what is wrong, Hint what to do next, each in one sentence.
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Text }

func refuse(code Code, hint, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Text: fmt.Sprintf(format, args...), Hint: hint}
}
