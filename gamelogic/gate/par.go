package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

// PARVersion is the version of the sheet's format.
const PARVersion = 1

// PAR is a sheet as the gate reads it: the figures of every mode, and the
// design they follow from, which is the studio's own. Decimals are strings, so
// that no reader rounds them. Unknown keys are refused: a claim nobody checks
// is none.
type PAR struct {
	Version            int       `json:"par"` // format of this document, 1
	ID                 string    `json:"id"`
	Release            string    `json:"version"`
	Name               string    `json:"name"`
	Family             string    `json:"family,omitempty"`
	Variant            string    `json:"variant,omitempty"`
	Method             string    `json:"method"` // how the figures were found, a sentence
	StakeMultipleMinor int64     `json:"stake_multiple_minor"`
	BaseCombinations   uint64    `json:"base_combinations,omitempty"`
	FreeCombinations   uint64    `json:"free_combinations,omitempty"`
	Combinations       uint64    `json:"combinations,omitempty"`
	Strategy           string    `json:"strategy,omitempty"` // what a player's choices are assumed to be
	Modes              []PARMode `json:"modes"`
	// Design is not looked into.
	Design json.RawMessage `json:"design,omitempty"`
}

// PARMode are the figures of one mode. A round's win counts everything up to
// its close; shares are per round. Only what is not marked may be left out.
type PARMode struct {
	ID           uint32     `json:"id"`                     // required
	Name         string     `json:"name"`                   // required
	CostX100     int64      `json:"cost_x100"`              // required
	RTP          string     `json:"rtp"`                    // required; win per unit of cost
	RTPFraction  string     `json:"rtp_fraction,omitempty"` // exact, "n/d"
	RTPOptimal   string     `json:"rtp_optimal,omitempty"`  // of the best choices
	RTPWorst     string     `json:"rtp_worst,omitempty"`
	HitFrequency string     `json:"hit_frequency"`            // required
	SD           string     `json:"sd,omitempty"`             // of a round's win per unit of its cost
	MaxWinX      int64      `json:"max_win_x"`                // required; declared limit, whole stakes
	TopWinX      string     `json:"top_win_x,omitempty"`      // greatest win there is, stakes
	TopWinOneIn  string     `json:"top_win_one_in,omitempty"` // rounds
	FeatureOneIn string     `json:"feature_one_in,omitempty"` // rounds
	FeatureX     string     `json:"feature_x,omitempty"`      // average win of the feature, stakes
	FeatureSpins string     `json:"feature_spins,omitempty"`
	HitFraction  string     `json:"hit_fraction,omitempty"` // exact, "n/d"
	Wins         []PARRange `json:"wins,omitempty"`
	// DistributionTotal is what the weights of Distribution add up to.
	DistributionTotal string     `json:"distribution_total,omitempty"`
	Distribution      []PARPrize `json:"distribution,omitempty"`
}

// PARPrize is one win of a whole round in stakes, or a range of wins and their
// average, with its weight of the mode's total or its probability.
type PARPrize struct {
	WinX        string `json:"win_x"`
	FromX       string `json:"from_x,omitempty"` // exclusive
	ToX         string `json:"to_x,omitempty"`   // inclusive
	Weight      string `json:"weight,omitempty"`
	Probability string `json:"probability,omitempty"`
}

// PARRange is the share of rounds whose win in stakes is above From and at
// most To. From "-" means from nothing on, so "-" to "0" is no win.
type PARRange struct {
	From        string `json:"from_x"`
	To          string `json:"to_x"`
	Probability string `json:"probability"`
	RTPShare    string `json:"rtp_share"`
}

// ParsePAR reads a sheet strictly. The error says what is wrong and where.
func ParsePAR(b []byte) (*PAR, error) {
	if err := strict(b, reflect.TypeFor[PAR]()); err != nil {
		return nil, err
	}
	p := &PAR{}
	if err := json.Unmarshal(b, p); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return nil, fmt.Errorf("key %q is a JSON %s, it has to be a %s", kind.Field, kind.Value, kind.Type)
		}
		return nil, err
	}
	if p.Version != PARVersion {
		return nil, fmt.Errorf("key %q: format %d, this gate knows %d", "par", p.Version, PARVersion)
	}
	if len(p.Modes) == 0 {
		return nil, errors.New(`key "modes": there is none`)
	}
	return p, p.numbers()
}

// numbers refuses text where a number belongs.
func (p *PAR) numbers() error {
	for i, m := range p.Modes {
		for _, d := range []struct{ key, value string }{
			{"rtp", m.RTP},
			{"rtp_optimal", m.RTPOptimal},
			{"rtp_worst", m.RTPWorst},
			{"rtp_fraction", m.RTPFraction},
			{"hit_frequency", m.HitFrequency},
			{"hit_fraction", m.HitFraction},
			{"sd", m.SD},
			{"top_win_x", m.TopWinX},
			{"top_win_one_in", m.TopWinOneIn},
			{"feature_one_in", m.FeatureOneIn},
			{"distribution_total", m.DistributionTotal},
		} {
			if _, ok := decimal(d.value); d.value != "" && !ok {
				return fmt.Errorf("modes[%d].%s: %q is no number", i, d.key, d.value)
			}
		}
		for k, x := range m.Wins {
			_, from := decimal(x.From)
			_, to := decimal(x.To)
			_, share := decimal(x.Probability)
			if !from && x.From != "-" || !to || !share {
				return fmt.Errorf("modes[%d].wins[%d]: from %q to %q with %q are no numbers", i, k, x.From, x.To, x.Probability)
			}
		}
		for k, x := range m.Distribution {
			if _, err := x.cell(m.DistributionTotal); err != nil {
				return fmt.Errorf("modes[%d].distribution[%d]: %w", i, k, err)
			}
		}
	}
	return nil
}

// cell is a set of wins and its probability, in stakes.
type cell struct {
	from, to    *big.Rat // above from (nil: from nothing on), at most to
	win         *big.Rat // the only one, or the average
	probability *big.Rat
	single      bool
}

func (x PARPrize) cell(total string) (cell, error) {
	c := cell{single: x.FromX == "" && x.ToX == ""}
	var ok bool
	if c.win, ok = decimal(x.WinX); !ok {
		return c, fmt.Errorf("win_x %q is no number", x.WinX)
	}
	c.to = c.win
	if !c.single {
		from, okFrom := decimal(x.FromX)
		to, okTo := decimal(x.ToX)
		if !okFrom || !okTo || from.Cmp(to) >= 0 {
			return c, fmt.Errorf("from_x %q and to_x %q are no range", x.FromX, x.ToX)
		}
		c.from, c.to = from, to
	}
	switch {
	case x.Weight != "" && x.Probability != "":
		return c, errors.New("it has a weight and a probability: one of them")
	case x.Weight != "":
		weight, ok := decimal(x.Weight)
		all, okAll := decimal(total)
		if !ok || !okAll || all.Sign() == 0 {
			return c, fmt.Errorf("weight %q of distribution_total %q is no share", x.Weight, total)
		}
		c.probability = weight.Quo(weight, all)
	default:
		if c.probability, ok = scientific(x.Probability); !ok {
			return c, fmt.Errorf("probability %q is no number", x.Probability)
		}
	}
	if c.probability.Cmp(big.NewRat(1, 1)) > 0 {
		return c, fmt.Errorf("its share %s is above 1", c.probability.FloatString(6))
	}
	return c, nil
}

// scientific reads a decimal that may have an exponent.
func scientific(s string) (*big.Rat, bool) {
	if v, err := strconv.ParseFloat(s, 64); err != nil || v < 0 || v > 1e18 || v != 0 && v < 1e-200 || len(s) > 100 {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// mode finds the figures of a mode by its name.
func (p *PAR) mode(name string) *PARMode {
	for i := range p.Modes {
		if p.Modes[i].Name == name {
			return &p.Modes[i]
		}
	}
	return nil
}

// strict walks a JSON document beside the type it is to become and refuses
// what the type has no place for: unknown keys, keys twice, a second document.
func strict(b []byte, t reflect.Type) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := strictValue(d, t, ""); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			line, column := position(b, d.InputOffset())
			return fmt.Errorf("it is no JSON: %w after line %d, column %d", err, line, column)
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func strictValue(d *json.Decoder, t reflect.Type, path string) error {
	if t == reflect.TypeFor[json.RawMessage]() {
		return d.Decode(new(json.RawMessage))
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return strictObject(d, t, path)
	case json.Delim('['):
		if t.Kind() != reflect.Slice {
			return fmt.Errorf("key %q is a list, it has to be a %s", path, t)
		}
		for i := 0; d.More(); i++ {
			if err := strictValue(d, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}

func strictObject(d *json.Decoder, t reflect.Type, path string) error {
	if t.Kind() != reflect.Struct {
		return fmt.Errorf("key %q is an object, it has to be a %s", path, t)
	}
	known := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = t.Field(i).Type
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		at := strings.TrimPrefix(path+"."+key, ".")
		switch {
		case known[key] == nil:
			return fmt.Errorf("unknown key %q", at)
		case seen[key]:
			return fmt.Errorf("key %q stands there twice", at)
		}
		seen[key] = true
		if err := strictValue(d, known[key], at); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func position(b []byte, offset int64) (line, column int) {
	before := b[:min(offset, int64(len(b)))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n') - 1
}
