package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Kind and version of the JSON document a Round is.
const (
	Kind    = "edgereel.round"
	Version = 1
)

// Round is everything that decided a round, and what it came to. Digests,
// seeds and states are lower-case hexadecimal.
type Round struct {
	Schema       int    `json:"schema"` // Version
	Kind         string `json:"kind"`   // Kind
	Round        string `json:"round"`  // wallet-number
	RoundID      uint64 `json:"round_id"`
	Session      string `json:"session"`
	Game         string `json:"game"`
	ModuleDigest string `json:"module_digest"`
	Algorithm    uint32 `json:"algorithm"`   // of the draws
	Commitment   string `json:"commitment"`  // to the seed, known before any wager
	ClientSeed   string `json:"client_seed"` // text
	Seed         string `json:"seed"`        // empty until the session is closed
	Mode         string `json:"mode"`
	StakeMinor   int64  `json:"stake_minor"`
	WinMinor     int64  `json:"win_minor"` // of all steps
	Closed       bool   `json:"closed"`
	// Resolution is how a round that froze was ended by people; empty for all others.
	Resolution string `json:"resolution,omitempty"`
	Steps      []Step `json:"steps"`
}

// Step is one thing a player did, and what it came to.
type Step struct {
	ShardSeq uint64 `json:"shard_seq"`
	Step     uint64 `json:"step"`  // of the session
	Nonce    uint64 `json:"nonce"` // of the wallet
	Action   uint32 `json:"action"`
	Choice   uint32 `json:"choice"`
	// StateHash is of the state the step was evaluated on; zeros for an opening.
	StateHash    string `json:"state_hash"`
	WinMinor     int64  `json:"win_minor"`
	Closed       bool   `json:"closed"`
	NextActions  uint32 `json:"next_actions"` // bit mask
	State        string `json:"state"`
	Draws        uint32 `json:"draws"`
	DrawsDigest  string `json:"draws_digest"`
	Presentation []byte `json:"presentation"` // base64
	// Incident is what the module did wrong; then nothing but the draws is set.
	Incident string `json:"incident,omitempty"`
}

var (
	// ErrRecord: not a record, or one of a version this program does not know.
	ErrRecord = errors.New("record: cannot be read")
	// ErrSealed: the session is still open, so its seed is not revealed.
	ErrSealed = errors.New("record: the seed is still sealed: close the session, then export the round again")
	// ErrSeed: the seed is not the one that the session committed to.
	ErrSeed = errors.New("record: the seed does not open the commitment")
	// ErrModule: the game at hand is not the one that was played.
	ErrModule = errors.New("record: another module")
	// ErrMissing: a step is missing.
	ErrMissing = errors.New("record: a step is missing")
)

// MismatchError is the first thing that came out otherwise.
type MismatchError struct {
	Step                 int // from 1, within the round
	Field                string
	Recorded, Recomputed string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("record: step %d: %s is recorded as %s, it comes out as %s", e.Step, e.Field, e.Recorded, e.Recomputed)
}

// Parse reads a record strictly.
func Parse(b []byte) (*Round, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	r := &Round{}
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one JSON value", ErrRecord)
	}
	switch {
	case r.Kind != Kind:
		return nil, fmt.Errorf("%w: its kind is %q, want %q", ErrRecord, r.Kind, Kind)
	case r.Schema != Version:
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrRecord, r.Schema, Version)
	}
	return r, nil
}

// digest reads 32 bytes of hexadecimal.
func digest(field, text string) (d [32]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(d) {
		return d, fmt.Errorf("%w: %s is %d characters, want 64 of hexadecimal", ErrRecord, field, len(text))
	}
	copy(d[:], b)
	return d, nil
}
