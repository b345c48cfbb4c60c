package par

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// Sheet is a PAR sheet: the figures of every mode beside the design they
// follow from. Decimals are strings, so that no reader rounds them.
type Sheet struct {
	Version            int           `json:"par"` // format of this document, 1
	ID                 string        `json:"id"`
	Family             string        `json:"family,omitempty"`
	Variant            string        `json:"variant,omitempty"`
	Release            string        `json:"version"`
	Name               string        `json:"name"`
	Method             string        `json:"method"`
	Strategy           string        `json:"strategy,omitempty"` // what the player's choices are assumed to be
	StakeMultipleMinor int64         `json:"stake_multiple_minor"`
	BaseCombinations   uint64        `json:"base_combinations"`
	FreeCombinations   uint64        `json:"free_combinations,omitempty"`
	Modes              []ModeFigures `json:"modes"`
	Design             Rules         `json:"design"`
}

// Rules are a design of one kind, the other fields are nil: lines, or another.
type Rules struct {
	*Design
	Ways    *Ways
	Hold    *Hold
	Cascade *Cascade
}

// MarshalJSON writes the design there is.
func (r Rules) MarshalJSON() ([]byte, error) {
	switch {
	case r.Ways != nil:
		return json.Marshal(r.Ways)
	case r.Hold != nil:
		return json.Marshal(r.Hold)
	case r.Cascade != nil:
		return json.Marshal(r.Cascade)
	}
	return json.Marshal(r.Design)
}

// UnmarshalJSON reads a design by its kind.
func (r *Rules) UnmarshalJSON(b []byte) error {
	kind, err := kindOf(b)
	if err != nil {
		return err
	}
	*r = Rules{}
	switch kind {
	case "":
		return json.Unmarshal(b, &r.Design)
	case "ways":
		return json.Unmarshal(b, &r.Ways)
	case "hold":
		return json.Unmarshal(b, &r.Hold)
	case "cascade":
		return json.Unmarshal(b, &r.Cascade)
	}
	return fmt.Errorf("%w: kind %q", errDesign, kind)
}

func kindOf(design []byte) (string, error) {
	var head struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(design, &head); err != nil {
		return "", fmt.Errorf("%w: %w", errDesign, err)
	}
	return head.Kind, nil
}

// ModeFigures are the figures of one mode. A round's win counts everything up
// to its close; shares are per round.
type ModeFigures struct {
	Mode
	RTP          string  `json:"rtp"`                    // win per unit of cost
	RTPFraction  string  `json:"rtp_fraction,omitempty"` // where a fraction is exact
	RTPOptimal   string  `json:"rtp_optimal,omitempty"`  // of the best choices of a player
	RTPWorst     string  `json:"rtp_worst,omitempty"`
	HitFrequency string  `json:"hit_frequency"`
	HitFraction  string  `json:"hit_fraction,omitempty"` // where a fraction is exact
	SD           string  `json:"sd"`                     // of a round's win per unit of cost
	MaxWinX      int64   `json:"max_win_x"`              // declared limit, whole stakes
	TopWinX      string  `json:"top_win_x"`              // greatest win there is
	TopWinOneIn  string  `json:"top_win_one_in"`
	FeatureOneIn string  `json:"feature_one_in,omitempty"`
	FeatureX     string  `json:"feature_x,omitempty"`     // average win of the free spins, stakes
	FeatureSpins string  `json:"feature_spins,omitempty"` // average number of free spins
	Wins         []Range `json:"wins"`
	// DistributionTotal is what the weights of the distribution sum to.
	DistributionTotal string  `json:"distribution_total,omitempty"`
	Distribution      []Prize `json:"distribution"`
}

// Range is the share of rounds whose win in stakes is above From and at most To.
type Range struct {
	From        string `json:"from_x"`
	To          string `json:"to_x"`
	Probability string `json:"probability"`
	RTPShare    string `json:"rtp_share"`
}

const (
	methodCycle   = "full cycle of the base reels; every figure is exact"
	methodFeature = "full cycle of base and free reels; distribution of the free spins followed spin by spin with retriggers and the limit of the round, in double precision"
)

// Compute derives the sheet. It takes seconds: it walks every combination.
func Compute(d *Design) *Sheet {
	base := d.Walk(d.Base)
	s := &Sheet{
		Version: 1, ID: d.ID, Release: d.Release, Name: d.Name, Method: methodCycle,
		StakeMultipleMinor: int64(len(d.Lines)), BaseCombinations: base.Combinations, Design: Rules{Design: d},
	}
	var feature featureWins
	if d.Feature != nil {
		free := d.Walk(d.Feature.Free)
		feature = d.featureWins(free)
		s.Method, s.FreeCombinations = methodFeature, free.Combinations
	}
	for _, m := range d.Modes {
		s.Modes = append(s.Modes, d.figures(m, &base, &feature))
	}
	return s
}

// rounds calls visit with every win of a round, in units, and its probability.
func (d *Design) rounds(m Mode, base *Cycle, feature *featureWins, visit func(units int64, p float64)) {
	all := float64(base.Combinations)
	if m.Name == "buy" {
		all = float64(base.triggers())
	} else {
		for _, u := range slices.Sorted(maps.Keys(base.Plain)) {
			visit(u, float64(base.Plain[u])/all)
		}
	}
	for _, u := range slices.Sorted(maps.Keys(base.Triggered)) {
		p := float64(base.Triggered[u]) / all
		start := u + d.Units(d.Feature.ScatterPayX)
		for i, q := range feature.probability {
			if q > 0 {
				visit(min(start+int64(i)*d.Feature.Multiplier, d.capUnits()), p*q)
			}
		}
	}
}

// edges of the published ranges, in stakes.
func edges() []int64 { return []int64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000} }

func (d *Design) figures(m Mode, base *Cycle, feature *featureWins) ModeFigures {
	if d.Feature == nil {
		return counted(base.Plain).figures(m, d.Units(1))
	}
	visit := func(f func(int64, float64)) { d.rounds(m, base, feature, f) }
	f := figuresOf(m, d.Units(1), visit)
	f.Distribution = binned(d.Units(1), visit)
	f.MaxWinX = d.Feature.MaxWinX
	f.FeatureOneIn = decimal(float64(base.Combinations)/float64(base.triggers()), 6)
	if m.Name == "buy" {
		f.FeatureOneIn = "1"
	}
	won := 0.0
	for i, p := range feature.probability {
		won += p * float64(int64(i)*d.Feature.Multiplier) / float64(d.Units(1))
	}
	f.FeatureX, f.FeatureSpins = decimal(won, 9), decimal(feature.spins, 9)
	return f
}

// figuresOf are the figures of a mode that follow from its wins in units, of
// which visit gives each with its probability, maybe in parts.
func figuresOf(m Mode, perStake int64, visit func(func(units int64, p float64))) ModeFigures {
	stake := float64(perStake)
	cost := float64(m.CostX100) / 100
	var mean, square, hit, topP float64
	var top int64
	bounds := edges()
	share, value := make([]float64, len(bounds)), make([]float64, len(bounds))
	visit(func(units int64, p float64) {
		x := float64(units) / stake
		mean += p * x
		square += p * x * x
		if units > 0 {
			hit += p
		}
		if units > top {
			top, topP = units, 0
		}
		if units == top {
			topP += p
		}
		i := 0
		for i < len(bounds)-1 && units > perStake*bounds[i] {
			i++
		}
		share[i] += p
		value[i] += p * x
	})
	f := ModeFigures{
		Mode: m, RTP: decimal(mean/cost, 12), HitFrequency: decimal(min(hit, 1), 12),
		SD: decimal(math.Sqrt(square-mean*mean)/cost, 9), TopWinX: decimal(float64(top)/stake, 1),
		TopWinOneIn: decimal(1/topP, 1), MaxWinX: (top + perStake - 1) / perStake,
	}
	for i := range bounds {
		from := "-"
		if i > 0 {
			from = strconv.FormatInt(bounds[i-1], 10)
		}
		if share[i] > 0 {
			f.Wins = append(f.Wins, Range{
				From: from, To: strconv.FormatInt(bounds[i], 10),
				Probability: decimal(share[i], 12), RTPShare: decimal(value[i]/cost, 12),
			})
		}
	}
	return f
}

func decimal(v float64, places int) string { return fmt.Sprintf("%.*f", places, v) }
