package registry

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
)

// Digest is a SHA-256 digest; text is lower-case hexadecimal.
type Digest [32]byte

// String gives 64 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether no digest is named.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText writes 64 hexadecimal digits, nothing for the zero digest.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	var read Digest
	if n, err := hex.Decode(read[:], text[:min(len(text), 2*len(read))]); err != nil || n != len(read) || len(text) != 2*len(read) || read.String() != string(text) {
		return fmt.Errorf("%q is no digest of 64 lower-case hexadecimal digits", text)
	}
	*d = read
	return nil
}

// Phase is how far a release has come.
type Phase string

// The phases of a release.
const (
	Draft      Phase = "draft"       // pushed, the check runs
	Checked    Phase = "checked"     // the check passed
	Rejected   Phase = "rejected"    // the check failed
	Approved   Phase = "approved"    // a second person agreed
	Canary     Phase = "canary"      // a share of the wallets plays it
	Live       Phase = "live"        // everybody plays it
	RolledBack Phase = "rolled_back" // taken back from canary or live
	Retired    Phase = "retired"     // replaced, or ended
)

// Mode is what a module declares of one of its bet modes.
type Mode struct {
	ID       uint32 `json:"id"`
	Name     string `json:"name"`
	CostX100 int64  `json:"cost_x100"` // hundredths of the stake
	// RTP is the theoretical return per unit of cost and HitFrequency the share
	// of rounds with a win, both as decimals or fractions.
	RTP          string `json:"rtp"`
	HitFrequency string `json:"hit_frequency,omitempty"`
	MaxWinX      int64  `json:"max_win_x"` // whole stakes
}

// Step is one thing that happened to a release.
type Step struct {
	Phase       Phase  `json:"phase"`
	Person      string `json:"person"`
	Reason      string `json:"reason,omitempty"`
	AtMS        int64  `json:"at_ms"`
	ShareX10000 uint32 `json:"share_x10000,omitempty"`
}

// Release is one version of one game.
type Release struct {
	Game    string `json:"game"`
	Version string `json:"version"`
	// Family and Variant tell games of one mathematical family apart in
	// reports; an empty family is the game itself.
	Family  string `json:"family,omitempty"`
	Variant string `json:"variant,omitempty"`
	Studio  string `json:"studio"`
	// KeyID is the key that signed it; empty for what came with the program.
	KeyID string `json:"key_id,omitempty"`
	// Pusher is who pushed it; another person has to approve.
	Pusher string `json:"pusher"`
	// Attempt is the id of the operation that drafted it: the check's verdict
	// names it, so that an earlier push cannot answer for a later one.
	Attempt string `json:"attempt"`
	Phase   Phase  `json:"phase"`
	// ShareX10000 of the wallets play a canary.
	ShareX10000 uint32 `json:"share_x10000,omitempty"`

	// Kind is what the module blob holds: "wasm" or "table".
	Kind        string `json:"kind"`
	Module      Digest `json:"module"`
	ModuleBytes int64  `json:"module_bytes"`
	Envelope    Digest `json:"envelope"`
	ParSheet    Digest `json:"par_sheet"`
	Report      Digest `json:"report"`

	// MeterVersion and FuelPerStep decide which steps end for want of fuel, on
	// every node alike; 0 for a table. Profile is the class of a module.
	Profile      string `json:"profile,omitempty"`
	MeterVersion uint16 `json:"meter_version,omitempty"`
	FuelPerStep  uint64 `json:"fuel_per_step,omitempty"`
	// StakeMultipleMinor is the smallest stake; every other is a multiple.
	StakeMultipleMinor int64  `json:"stake_multiple_minor"`
	Modes              []Mode `json:"modes"`

	// Played is set for good once wallets could play it.
	Played bool `json:"played,omitempty"`
	// LiveSeq is the registry's sequence when it last became live.
	LiveSeq uint64 `json:"live_seq,omitempty"`
	// Replaced is set while it is retired because another version became live:
	// taking that one back brings this one back.
	Replaced bool   `json:"replaced,omitempty"`
	History  []Step `json:"history"`
}

// clone copies what Apply may change: Modes never are.
func (r *Release) clone() *Release {
	c := *r
	c.History = slices.Clone(r.History)
	return &c
}

// reportGame names what reports count as one game.
func (r *Release) reportGame() [2]string {
	if r.Family == "" {
		return [2]string{r.Game, r.Variant}
	}
	return [2]string{r.Family, r.Variant}
}

// parseRTP reads a decimal or fraction of 0 to 1000 with at most 64 characters.
func parseRTP(text string) (*big.Rat, bool) {
	if text == "" || len(text) > 64 {
		return nil, false
	}
	for _, c := range text {
		// No exponents: they make short texts with endless values.
		if (c < '0' || c > '9') && c != '.' && c != '/' {
			return nil, false
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || r.Cmp(big.NewRat(1000, 1)) > 0 {
		return nil, false
	}
	return r, true
}

// changedReturn names the first mode whose theoretical return differs.
func changedReturn(a, b *Release) (mode, was, is string, changed bool) {
	for _, x := range a.Modes {
		for _, y := range b.Modes {
			if x.Name != y.Name {
				continue
			}
			rx, okx := parseRTP(x.RTP)
			ry, oky := parseRTP(y.RTP)
			if !okx || !oky || rx.Cmp(ry) != 0 {
				return x.Name, x.RTP, y.RTP, true
			}
		}
	}
	return "", "", "", false
}

// Key is one of a studio's Ed25519 keys. Its id is the first 16 hexadecimal
// digits of the SHA-256 of the public key.
type Key struct {
	ID        string `json:"id"`
	PublicKey []byte `json:"public_key"`
	Revoked   bool   `json:"revoked,omitempty"`
	AddedMS   int64  `json:"added_ms"`
	RevokedMS int64  `json:"revoked_ms,omitempty"`
	AddedBy   string `json:"added_by"`
	RevokedBy string `json:"revoked_by,omitempty"`
	// Reason is that of the last change.
	Reason string `json:"reason,omitempty"`
}

// Studio is who builds games.
type Studio struct {
	Name string `json:"name"`
	Keys []Key  `json:"keys"`
}

// Key finds a key by its id.
func (s *Studio) Key(id string) (Key, bool) {
	i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return Key{}, false
	}
	return s.Keys[i], true
}

// Game is all releases of one game id. Studio owns the id for ever.
type Game struct {
	ID     string `json:"id"`
	Studio string `json:"studio"`
	// ChangedSeq is the registry's sequence when what players should get last
	// changed.
	ChangedSeq uint64 `json:"changed_seq"`
	// Releases are in the order in which their versions were first pushed.
	Releases []*Release `json:"releases"`
}

// Release finds a version.
func (g *Game) Release(version string) *Release {
	i := slices.IndexFunc(g.Releases, func(r *Release) bool { return r.Version == version })
	if i < 0 {
		return nil
	}
	return g.Releases[i]
}

// in gives the release that is in a phase which only one release has at a time.
func (g *Game) in(p Phase) *Release {
	i := slices.IndexFunc(g.Releases, func(r *Release) bool { return r.Phase == p })
	if i < 0 {
		return nil
	}
	return g.Releases[i]
}

// before gives the release that was live last among those that were replaced,
// not taken back or ended by a person.
func (g *Game) before() *Release {
	var last *Release
	for _, x := range g.Releases {
		if x.Replaced && (last == nil || x.LiveSeq > last.LiveSeq) {
			last = x
		}
	}
	return last
}
