package dsse

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	// StatementType is in-toto's.
	StatementType = "https://in-toto.io/Statement/v1"
	// PredicateType is that of [Release]; its last part is its version.
	PredicateType = "https://github.com/edgereel/edgereel/attestation/release/v1"
)

// Statement is an in-toto statement about one module.
type Statement struct {
	Type          string           `json:"_type"`
	Subject       []SubjectDigests `json:"subject"`
	PredicateType string           `json:"predicateType"`
	Predicate     Release          `json:"predicate"`
}

// SubjectDigests names what a statement is about: "game@version".
type SubjectDigests struct {
	Name   string  `json:"name"`
	Digest Digests `json:"digest"`
}

// Digests are those of one file, in hexadecimal.
type Digests struct {
	SHA256 string `json:"sha256"`
}

// Release is what a studio vouches for: this module is this version of this
// game, and its figures are those of this sheet.
type Release struct {
	Studio  string `json:"studio"`
	Game    string `json:"game"`
	Version string `json:"version"`
	// Family and Variant are empty for a game that has no variants.
	Family  string `json:"family"`
	Variant string `json:"variant"`
	// ParSheet is filled in by Sign.
	ParSheet Digests `json:"par_sheet"`
	// MeterVersion is that of the metering the studio's tools proved the module
	// with.
	MeterVersion int `json:"meter_version"`
}

// Name is the subject's: what people call the release.
func (r Release) Name() string { return r.Game + "@" + r.Version }

func newStatement(r Release, s Subject) ([]byte, error) {
	r.ParSheet.SHA256 = hexOf(s.ParSheet)
	st := &Statement{
		Type: StatementType, PredicateType: PredicateType, Predicate: r,
		Subject: []SubjectDigests{{Name: r.Name(), Digest: Digests{SHA256: hexOf(s.Module)}}},
	}
	if err := st.check(); err != nil {
		return nil, err
	}
	return json.Marshal(st)
}

func parseStatement(payload []byte) (*Statement, error) {
	s := &Statement{}
	if err := strict(payload, s); err != nil {
		return nil, malformed("payload: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, malformed("payload: %w", err)
	}
	return s, nil
}

// check holds whatever is signed and whatever was.
func (s *Statement) check() error {
	if s.Type != StatementType {
		return fmt.Errorf("_type is %q, want %q", s.Type, StatementType)
	}
	if s.PredicateType != PredicateType {
		return fmt.Errorf("predicateType is %q, want %q", s.PredicateType, PredicateType)
	}
	if len(s.Subject) != 1 {
		return fmt.Errorf("subject has %d elements, a release is one module", len(s.Subject))
	}
	r := &s.Predicate
	for _, f := range []struct {
		key, value string
		optional   bool
	}{
		{"studio", r.Studio, false},
		{"game", r.Game, false},
		{"version", r.Version, false},
		{"family", r.Family, true},
		{"variant", r.Variant, true},
	} {
		if !isName(f.value) && (!f.optional || f.value != "") {
			return fmt.Errorf("predicate.%s is %q: 1 to 64 of letters, digits and -._+ are wanted", f.key, f.value)
		}
	}
	switch {
	case r.MeterVersion < 0:
		return fmt.Errorf("predicate.meter_version is %d", r.MeterVersion)
	case !isHex(r.ParSheet.SHA256, 64):
		return fmt.Errorf("predicate.par_sheet.sha256 is no SHA-256 in lower-case hexadecimal")
	case !isHex(s.Subject[0].Digest.SHA256, 64):
		return fmt.Errorf("subject[0].digest.sha256 is no SHA-256 in lower-case hexadecimal")
	case s.Subject[0].Name != r.Name():
		return fmt.Errorf("subject[0].name is %q, the predicate is about %q", s.Subject[0].Name, r.Name())
	}
	return nil
}

// isName allows what file names, commands and "game@version" need no quotes for.
func isName(text string) bool {
	if text == "" || len(text) > 64 {
		return false
	}
	for _, c := range text {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("-._+", c) {
			return false
		}
	}
	return true
}
