package gamelogic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/bits"
	"regexp"
)

// Manifest is what a module says about itself. The host holds it to this.
type Manifest struct {
	Version int    `json:"manifest"` // format of this document, 1
	ID      string `json:"id"`       // stable game id, lower case and dashes
	Release string `json:"version"`  // of the game, major.minor.patch
	Name    string `json:"name"`
	// Family and Variant are set both or neither: games of one family are the
	// same game with other returns, and the variant tells them apart.
	Family   string `json:"family,omitempty"`
	Variant  string `json:"variant,omitempty"`
	MaxDraws int    `json:"max_draws"` // most draws in one step
	MaxState int    `json:"max_state"` // most bytes of round state
	// StakeMultipleMinor: a stake must be a multiple of it, so that pays are exact.
	StakeMultipleMinor int64    `json:"stake_multiple_minor"`
	Modes              []Mode   `json:"modes"`
	Actions            []Action `json:"actions"`
}

// Mode is one bet mode: base game, ante, feature buy.
type Mode struct {
	ID           uint32 `json:"id"`
	Name         string `json:"name"`
	CostX100     int64  `json:"cost_x100"`     // cost of a round in hundredths of the stake
	RTP          string `json:"rtp"`           // declared return per unit of cost, decimal
	HitFrequency string `json:"hit_frequency"` // share of rounds with a win, decimal
	MaxWinX      int64  `json:"max_win_x"`     // most a round pays, in whole stakes
}

// Action is one thing a player can do in a step. Its id is its bit in the
// module's next-action mask.
type Action struct {
	ID   uint32 `json:"id"`
	Name string `json:"name"`
	// Choices is how many things the action can pick: Step.Choice is below it. 0
	// is an action that picks nothing; its choice is 0.
	Choices uint32 `json:"choices,omitempty"`
}

// MaxChoices is the most things an action can pick from.
const MaxChoices = 4096

// CheckChoice tells whether the action has this choice; if not, ErrBadInput.
func (a Action) CheckChoice(choice uint32) error {
	if choice < max(1, a.Choices) {
		return nil
	}
	return fmt.Errorf("%w: choice %d of action %q, which has %d", ErrBadInput, choice, a.Name, a.Choices)
}

// Mode finds a bet mode by name.
func (m *Manifest) Mode(name string) (Mode, bool) {
	for _, x := range m.Modes {
		if x.Name == name {
			return x, true
		}
	}
	return Mode{}, false
}

// Action finds an action by name.
func (m *Manifest) Action(name string) (Action, bool) {
	if a := m.find(name); a != nil {
		return *a, true
	}
	return Action{}, false
}

func (m *Manifest) find(name string) *Action {
	for i := range m.Actions {
		if m.Actions[i].Name == name {
			return &m.Actions[i]
		}
	}
	return nil
}

func (m *Manifest) actionMask() (mask uint32) {
	for _, a := range m.Actions {
		mask |= 1 << a.ID
	}
	return mask
}

// actionNames lists the actions of a mask in the manifest's order.
func (m *Manifest) actionNames(mask uint32) []string {
	if mask == 0 {
		return nil
	}
	names := make([]string, 0, bits.OnesCount32(mask))
	for _, a := range m.Actions {
		if mask&(1<<a.ID) != 0 {
			names = append(names, a.Name)
		}
	}
	return names
}

// CheckStake tells whether a stake in minor units can be played at all:
// positive and a multiple of the manifest's.
func (m *Manifest) CheckStake(stakeMinor int64) error {
	if stakeMinor <= 0 {
		return fmt.Errorf("%w: %d is not positive", ErrBadStake, stakeMinor)
	}
	if stakeMinor%m.StakeMultipleMinor != 0 {
		return fmt.Errorf("%w: %d is not a multiple of %d", ErrBadStake, stakeMinor, m.StakeMultipleMinor)
	}
	return nil
}

// CostMinor is what opening a round of this mode takes at a stake. ErrBadStake
// when it is not a whole number of minor units or overflows.
func (m Mode) CostMinor(stakeMinor int64) (int64, error) {
	p, ok := mul(stakeMinor, m.CostX100)
	if !ok || p%100 != 0 {
		return 0, fmt.Errorf("%w: the cost of mode %q at %d is not a whole amount within int64", ErrBadStake, m.Name, stakeMinor)
	}
	return p / 100, nil
}

// MaxWinMinor is the most a round of this mode pays at a stake. ErrBadStake
// when that overflows.
func (m Mode) MaxWinMinor(stakeMinor int64) (int64, error) {
	p, ok := mul(stakeMinor, m.MaxWinX)
	if !ok {
		return 0, fmt.Errorf("%w: the greatest win of mode %q at %d overflows", ErrBadStake, m.Name, stakeMinor)
	}
	return p, nil
}

// mul multiplies two non-negative numbers.
func mul(a, b int64) (int64, bool) {
	if a < 0 || b < 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(lo), hi == 0 && lo <= math.MaxInt64
}

var (
	idPattern      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	variantPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	releasePattern = regexp.MustCompile(`^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$`)
	decimalPattern = regexp.MustCompile(`^[01]\.[0-9]{1,18}$`)
)

// ParseManifest reads a manifest strictly: an unknown field is a claim the host
// could not hold the game to. ErrRefusedModule with the reason.
func ParseManifest(b []byte) (*Manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var m Manifest
	if err := dec.Decode(&m); err != nil {
		return nil, refuse("manifest: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, refuse("manifest: more than one JSON value")
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}

func (m *Manifest) check() error {
	switch {
	case m.Version != 1:
		return refuse("manifest: format %d, this host knows 1", m.Version)
	case !idPattern.MatchString(m.ID):
		return refuse("manifest: id %q", m.ID)
	case !releasePattern.MatchString(m.Release):
		return refuse("manifest: version %q", m.Release)
	case m.Name == "" || len(m.Name) > 100:
		return refuse("manifest: name of %d bytes", len(m.Name))
	case m.MaxDraws < 0 || m.MaxDraws > MaxDraws:
		return refuse("manifest: max_draws %d", m.MaxDraws)
	case m.MaxState < 0 || m.MaxState > MaxState:
		return refuse("manifest: max_state %d", m.MaxState)
	case m.StakeMultipleMinor < 1 || m.StakeMultipleMinor > 1e9:
		return refuse("manifest: stake_multiple_minor %d", m.StakeMultipleMinor)
	case (m.Family == "") != (m.Variant == ""):
		return refuse("manifest: family %q and variant %q: both or neither", m.Family, m.Variant)
	case m.Family != "" && !(idPattern.MatchString(m.Family) && variantPattern.MatchString(m.Variant)):
		return refuse("manifest: family %q, variant %q", m.Family, m.Variant)
	case len(m.Modes) == 0 || len(m.Modes) > 32:
		return refuse("manifest: %d modes", len(m.Modes))
	case len(m.Actions) == 0 || len(m.Actions) > 32:
		return refuse("manifest: %d actions", len(m.Actions))
	}
	if err := m.checkModes(); err != nil {
		return err
	}
	ids, names := map[uint32]bool{}, map[string]bool{}
	for _, a := range m.Actions {
		if a.ID > 31 || ids[a.ID] || names[a.Name] || !idPattern.MatchString(a.Name) {
			return refuse("manifest: action %d %q", a.ID, a.Name)
		}
		if a.Choices > MaxChoices {
			return refuse("manifest: action %q: %d choices, at most %d", a.Name, a.Choices, MaxChoices)
		}
		ids[a.ID], names[a.Name] = true, true
	}
	return nil
}

func (m *Manifest) checkModes() error {
	ids, names := map[uint32]bool{}, map[string]bool{}
	for _, x := range m.Modes {
		switch {
		case ids[x.ID] || names[x.Name] || !idPattern.MatchString(x.Name):
			return refuse("manifest: mode %d %q", x.ID, x.Name)
		case x.CostX100 < 1 || x.CostX100 > 1e7:
			return refuse("manifest: mode %q: cost_x100 %d", x.Name, x.CostX100)
		case x.MaxWinX < 1 || x.MaxWinX > 1e7:
			return refuse("manifest: mode %q: max_win_x %d", x.Name, x.MaxWinX)
		case !share(x.RTP):
			return refuse("manifest: mode %q: rtp %q", x.Name, x.RTP)
		case !share(x.HitFrequency):
			return refuse("manifest: mode %q: hit_frequency %q", x.Name, x.HitFrequency)
		}
		ids[x.ID], names[x.Name] = true, true
	}
	return nil
}

// share tells whether s is a plain decimal above 0 and at most 1.
func share(s string) bool {
	if !decimalPattern.MatchString(s) {
		return false
	}
	r, ok := new(big.Rat).SetString(s)
	return ok && r.Sign() > 0 && r.Cmp(big.NewRat(1, 1)) <= 0
}
