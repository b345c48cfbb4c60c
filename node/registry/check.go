package registry

import (
	"crypto/ed25519"
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the registry. They keep it small enough to be sent whole.
const (
	maxGames    = 5_000
	maxReleases = 1_000 // of a game
	maxSteps    = 500   // of a release
	maxKeys     = 64    // of a studio
	maxModes    = 32
	maxFounded  = 256
	maxBytes    = 2 << 20 // encoded, before a draft
)

var (
	namePattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	versionPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$`)
)

func invalid(format string, args ...any) *Refusal {
	return refuse(CodeInvalid, "Correct the request.", format, args...)
}

// check refuses an operation that is wrong whatever the state.
func (op *Op) check() *Refusal {
	if op.ID == "" || len(op.ID) > 64 {
		return invalid("an operation has an id of 1 to 64 characters")
	}
	if r := checkText("person", op.Person, 128, true); r != nil {
		return r
	}
	if r := checkText("reason", op.Reason, 512, false); r != nil {
		return r
	}
	set := 0
	for _, there := range []bool{op.Found != nil, op.AddKey != nil, op.RevokeKey != nil, op.Draft != nil, op.Verdict != nil, op.Move != nil} {
		if there {
			set++
		}
	}
	if set != 1 {
		return invalid("an operation does exactly one thing, this one does %d", set)
	}
	switch {
	case op.Found != nil:
		return op.Found.check()
	case op.AddKey != nil:
		return op.AddKey.check()
	case op.Draft != nil:
		return op.Draft.Release.check(true)
	case op.Verdict != nil:
		return op.Verdict.check()
	case op.Move != nil:
		return op.Move.check()
	}
	return nil
}

func checkText(what, text string, most int, needed bool) *Refusal {
	switch {
	case needed && strings.TrimSpace(text) == "":
		return invalid("%s is missing", what)
	case len(text) > most:
		return invalid("%s has %d bytes, at most %d", what, len(text), most)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return invalid("%s has characters that cannot be shown", what)
	}
	return nil
}

func (op *Found) check() *Refusal {
	if len(op.Releases) > maxFounded {
		return invalid("%d games are founded at once, at most %d", len(op.Releases), maxFounded)
	}
	for i := range op.Releases {
		if r := op.Releases[i].check(false); r != nil {
			return r
		}
	}
	return nil
}

func (op *AddKey) check() *Refusal {
	if !namePattern.MatchString(op.Studio) {
		return badName("studio", op.Studio)
	}
	if len(op.PublicKey) != ed25519.PublicKeySize {
		return invalid("an Ed25519 public key has %d bytes, this one %d", ed25519.PublicKeySize, len(op.PublicKey))
	}
	return nil
}

func badName(what, name string) *Refusal {
	return invalid("%s %q is no name of lower-case letters, digits and dashes, at most 63", what, name)
}

func (op *Verdict) check() *Refusal {
	if op.Report.IsZero() {
		return invalid("a verdict names its report")
	}
	return nil
}

func (op *Move) check() *Refusal {
	switch {
	case len(movesFrom(op.To)) == 0:
		return invalid("%q is no step: use approved, canary, live, rolled_back or retired", op.To)
	case op.To == Canary && (op.ShareX10000 == 0 || op.ShareX10000 > 10_000):
		return invalid("the share of a canary is %d ten-thousandths; it must be 1 to 10000", op.ShareX10000)
	case op.To != Canary && op.ShareX10000 != 0:
		return invalid("a share belongs to a canary, not to %s", op.To)
	}
	return nil
}

// check refuses a release that is not complete. One that came with the program
// has no signature and no documents.
func (r *Release) check(signed bool) *Refusal {
	switch {
	case !namePattern.MatchString(r.Game):
		return badName("game", r.Game)
	case !versionPattern.MatchString(r.Version):
		return invalid("version %q is not of the form major.minor.patch", r.Version)
	case !namePattern.MatchString(r.Studio):
		return badName("studio", r.Studio)
	case r.Family != "" && !namePattern.MatchString(r.Family):
		return badName("family", r.Family)
	case r.Variant != "" && !namePattern.MatchString(r.Variant):
		return badName("variant", r.Variant)
	case r.Kind != "wasm" && r.Kind != "table":
		return invalid("kind %q is neither wasm nor table", r.Kind)
	case r.Module.IsZero() || r.ModuleBytes <= 0:
		return invalid("a release names its module and its size")
	case r.StakeMultipleMinor <= 0:
		return invalid("a stake has to be a multiple of something positive, not of %d", r.StakeMultipleMinor)
	case signed && (r.Envelope.IsZero() || r.ParSheet.IsZero() || r.KeyID == ""):
		return invalid("a release names its envelope, its PAR sheet and the key that signed it")
	}
	if refusal := checkText("profile", r.Profile, 32, false); refusal != nil {
		return refusal
	}
	return checkModes(r.Modes)
}

func checkModes(modes []Mode) *Refusal {
	if len(modes) == 0 || len(modes) > maxModes {
		return invalid("a release has 1 to %d bet modes, this one %d", maxModes, len(modes))
	}
	names, ids := map[string]bool{}, map[uint32]bool{}
	for _, m := range modes {
		if refusal := checkText("the name of a mode", m.Name, 64, true); refusal != nil {
			return refusal
		}
		if names[m.Name] || ids[m.ID] {
			return invalid("mode %s or its id %d is listed twice", m.Name, m.ID)
		}
		names[m.Name], ids[m.ID] = true, true
		if m.CostX100 <= 0 || m.CostX100 > math.MaxUint32 || m.MaxWinX < 0 {
			return invalid("mode %s has no cost, too great a one, or a negative greatest win", m.Name)
		}
		if _, ok := parseRTP(m.RTP); !ok {
			return invalid("mode %s returns %q, which is no decimal or fraction like 0.96", m.Name, m.RTP)
		}
		if _, ok := parseRTP(m.HitFrequency); !ok && m.HitFrequency != "" {
			return invalid("mode %s hits %q, which is no decimal or fraction like 0.25", m.Name, m.HitFrequency)
		}
	}
	return nil
}
