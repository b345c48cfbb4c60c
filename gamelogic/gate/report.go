package gate

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/edgereel/edgereel/gamelogic"
)

// Kind and version of the JSON document a Report is.
const (
	ReportKind    = "edgereel.gate-report"
	ReportVersion = 1
)

// Verdict is what a check came to.
type Verdict string

// Verdicts. A report passes when none of its checks failed.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	Warn Verdict = "warn" // worth a look, no reason to refuse
	Skip Verdict = "skip" // not asked; the detail says why
)

// Report is everything the gate found out. It is deterministic for the same
// Config, whatever Workers is.
type Report struct {
	Schema       int      `json:"schema"`  // ReportVersion
	Kind         string   `json:"kind"`    // ReportKind
	Verdict      Verdict  `json:"verdict"` // pass or fail
	ModuleDigest string   `json:"module_digest"`
	ModuleBytes  int      `json:"module_bytes"`
	PARDigest    string   `json:"par_digest"` // empty without a sheet
	ABI          string   `json:"abi"`        // "1.minor", empty when it has none
	Meter        int      `json:"meter"`      // version of the rewriting that pays for work
	Profile      string   `json:"profile"`    // empty when no profile takes it
	Fuel         Fuel     `json:"fuel"`
	Asked        Asked    `json:"asked"`
	Checks       []Result `json:"checks"`
	Modes        []Mode   `json:"modes"`
	// Manifest is null for a module that could not be asked for one.
	Manifest *gamelogic.Manifest `json:"manifest"`
}

// Fuel are the budgets a module runs under and the most it used.
type Fuel struct {
	PerStep int64 `json:"per_step"`
	PerInit int64 `json:"per_init"`
	Max     int64 `json:"max"` // of one step, over everything that was played
}

// Asked is the part of the configuration that decides the report.
type Asked struct {
	Rounds    uint64 `json:"rounds"` // in each mode
	Seed      uint64 `json:"seed"`
	FloorRTP  string `json:"floor_rtp"`
	MaxLeaves uint64 `json:"max_leaves"`
}

// Result is one check.
type Result struct {
	Stage   Stage    `json:"stage"`
	Name    string   `json:"name"` // stable, lower case and dashes
	Mode    string   `json:"mode,omitempty"`
	Verdict Verdict  `json:"verdict"`
	Detail  string   `json:"detail"` // a sentence: what, and where
	Figures []Figure `json:"figures,omitempty"`
}

// Figure is one number of a check, as text so that no reader rounds it.
type Figure struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Mode is what the gate knows of one bet mode. Returns and deviations are per
// unit of cost; one observation is one whole round.
type Mode struct {
	Mode       string    `json:"mode"`
	StakeMinor int64     `json:"stake_minor"` // what was played with
	CostMinor  int64     `json:"cost_minor"`
	Declared   Declared  `json:"declared"`
	Exact      *Exact    `json:"exact"`     // null when it was not walked
	Simulated  *Measured `json:"simulated"` // null when it was not played
	// Distribution is that of a whole round's win, for anybody who has to tell
	// chance from a fault later; null when there is none.
	Distribution *Distribution `json:"distribution"`
	FuelMax      int64         `json:"fuel_max"`  // of one step
	DrawsMax     uint64        `json:"draws_max"` // of one step
}

// Declared is what the manifest says.
type Declared struct {
	RTP          string `json:"rtp"`
	HitFrequency string `json:"hit_frequency"`
	MaxWinX      int64  `json:"max_win_x"` // whole stakes
}

// Exact are figures from all draws of a mode. Fractions are in lowest terms.
type Exact struct {
	Countable       bool    `json:"countable"`
	States          uint64  `json:"states"`
	Leaves          uint64  `json:"leaves"`
	RTP             float64 `json:"rtp"`
	RTPNum          string  `json:"rtp_num"`
	RTPDen          string  `json:"rtp_den"`
	HitFrequency    float64 `json:"hit_frequency"`
	SD              float64 `json:"sd"`
	MaxWinX         float64 `json:"max_win_x"`         // stakes; 0 when nothing but the declared maximum ends a cycle
	RTPOptimal      string  `json:"rtp_optimal"`       // fractions n/d, empty where a player has no choice
	RTPWorst        string  `json:"rtp_worst"`         //
	DeclaredByGame  bool    `json:"strategy_declared"` // RTP is that of the module's own advice
	NoDistribution  string  `json:"no_distribution,omitempty"`
	DistinctWins    int     `json:"distinct_wins"`
	WhyNotCountable string  `json:"why_not_countable,omitempty"`
}

// Measured are figures of simulated rounds.
type Measured struct {
	Rounds           uint64       `json:"rounds"`
	Seed             uint64       `json:"seed"`
	RTP              float64      `json:"rtp"`
	RTPCI99          [2]float64   `json:"rtp_ci99"`
	RTPCI999         [2]float64   `json:"rtp_ci999"`
	HitFrequency     float64      `json:"hit_frequency"`
	SD               float64      `json:"sd"`
	MaxWinX          float64      `json:"max_win_x"` // stakes
	FeatureFrequency float64      `json:"feature_frequency"`
	StepsMax         uint64       `json:"steps_max"` // of one round
	OutcomeDigest    string       `json:"outcome_digest"`
	Convergence      []Checkpoint `json:"convergence"`
	// Again are the seeds of further runs that a flag asked for.
	Again []uint64 `json:"again,omitempty"`
}

// Checkpoint is the return after the first so many rounds, with the half width
// of its 99 % interval.
type Checkpoint struct {
	Rounds uint64  `json:"rounds"`
	RTP    float64 `json:"rtp"`
	Half99 float64 `json:"half99"`
}

// Distribution gives the probability of every win of a whole round. What a win
// is per unit of cost is WinMinor / CostMinor, exactly.
type Distribution struct {
	// Source is "exact" (all draws), "par" (the sheet's own), or "simulated".
	Source    string `json:"source"`
	CostMinor int64  `json:"cost_minor"` // of the round WinMinor belongs to
	// Merged: neighbouring wins were put together at their mean, because there
	// were more than MaxPoints.
	Merged bool    `json:"merged"`
	Points []Point `json:"points"` // ascending, 0 included
}

// MaxPoints of a distribution.
const MaxPoints = 10_000

// Point is one win. Probabilities have twelve digits and add up to 1 as far as those
// can; Num and Den are the exact fraction where the source is exact and they are
// not very long.
type Point struct {
	WinMinor    int64   `json:"win_minor"`
	Probability float64 `json:"probability"`
	Num         string  `json:"num,omitempty"`
	Den         string  `json:"den,omitempty"`
}

// Passed tells whether no check failed.
func (r *Report) Passed() bool {
	for _, c := range r.Checks {
		if c.Verdict == Fail {
			return false
		}
	}
	return len(r.Checks) > 0
}

// Failures lists the checks that failed, in their order.
func (r *Report) Failures() []Result {
	var list []Result
	for _, c := range r.Checks {
		if c.Verdict == Fail {
			list = append(list, c)
		}
	}
	return list
}

// JSON renders the report, the same bytes for the same report.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("gate: encode the report: %w", err)
	}
	return b, nil
}

// ParseReport reads what JSON wrote. Fields a newer writer added are ignored;
// another schema or version is refused.
func ParseReport(b []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("gate: read a report: %w", err)
	}
	if r.Kind != ReportKind || r.Schema != ReportVersion {
		return nil, fmt.Errorf("gate: read a report: kind %q version %d, want %q version %d", r.Kind, r.Schema, ReportKind, ReportVersion)
	}
	return r, nil
}

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error { return writeText(w, r) }

// WriteHTML writes the report as one HTML file that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error { return writeHTML(w, r) }
