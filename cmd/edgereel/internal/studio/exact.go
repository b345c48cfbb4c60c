package studio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/edgereel/edgereel/gamelogic/proof"
)

// Exact are the flags of `edgereel studio exact`.
type Exact struct {
	Module    string `arg:"" help:"The module." placeholder:"M.wasm" type:"existingfile"`
	Mode      string `help:"The bet mode." required:""`
	Stake     int64  `help:"Stake in minor units; default is the smallest." placeholder:"MINOR"`
	MaxLeaves Count  `help:"Give up when the tree has more leaves." default:"4e9"`
	Wins      bool   `help:"Give the probability of every win of a whole round too."`
	JSON      bool   `help:"Print JSON, see docs/cli-json.md."`
}

// ExactReport is what --json prints. Figures are null when the tree is too large.
type ExactReport struct {
	Schema          int      `json:"schema"`
	ModuleDigest    string   `json:"module_digest"`
	Mode            string   `json:"mode"`
	StakeMinor      int64    `json:"stake_minor"`
	RTP             *float64 `json:"rtp"`
	RTPNum          string   `json:"rtp_num"`
	RTPDen          string   `json:"rtp_den"`
	HitFrequency    *float64 `json:"hit_frequency"`
	HitFrequencyNum string   `json:"hit_frequency_num"`
	HitFrequencyDen string   `json:"hit_frequency_den"`
	SD              *float64 `json:"sd"`
	VarianceNum     string   `json:"variance_num"`
	VarianceDen     string   `json:"variance_den"`
	MaxWinX         *float64 `json:"max_win_x"`
	RTPDeclared     *float64 `json:"rtp_declared"`
	RTPDeclaredNum  string   `json:"rtp_declared_num"`
	RTPDeclaredDen  string   `json:"rtp_declared_den"`
	RTPOptimal      *float64 `json:"rtp_optimal"`
	RTPOptimalNum   string   `json:"rtp_optimal_num"`
	RTPOptimalDen   string   `json:"rtp_optimal_den"`
	RTPWorst        *float64 `json:"rtp_worst"`
	RTPWorstNum     string   `json:"rtp_worst_num"`
	RTPWorstDen     string   `json:"rtp_worst_den"`
	States          uint64   `json:"states"`
	Leaves          uint64   `json:"leaves"`
	Countable       bool     `json:"countable"`
	// Opening is the first step alone, where the whole is too large.
	Opening *ExactOpening `json:"opening"`
	// Wins is the distribution of a whole round's win, only with --wins.
	Wins []ExactWin `json:"wins,omitempty"`
	// NoWins says why there is none.
	NoWins string `json:"no_wins,omitempty"`
}

// ExactOpening is what the first step pays and how often the round ends there.
type ExactOpening struct {
	Leaves    uint64  `json:"leaves"`
	RTP       float64 `json:"rtp"`
	RTPNum    string  `json:"rtp_num"`
	RTPDen    string  `json:"rtp_den"`
	Closes    float64 `json:"closes"`
	ClosesNum string  `json:"closes_num"`
	ClosesDen string  `json:"closes_den"`
}

// ExactWin is one win and its probability as a fraction.
type ExactWin struct {
	WinMinor int64  `json:"win_minor"`
	Num      string `json:"num"`
	Den      string `json:"den"`
}

// Help is shown by --help.
func (*Exact) Help() string {
	return `Walks every sequence of draws of every state of the mode, on the path that plays
for money, and gives exact fractions. Figures are those of the strategy the module
declares (without one: the first action each time); where a player chooses, also
those of the best and the worst. The size is said before the walk begins.
The module runs on this machine, whatever its digest.

Exit codes: 0 computed, 10 too large to be counted, 1 anything else.

Examples:
  edgereel studio exact game.wasm --mode base
  edgereel studio exact game.wasm --mode base --wins
  edgereel studio exact game.wasm --mode base --json | jq -r '.rtp_num + "/" + .rtp_den'`
}

// Do walks and reports.
func (e *Exact) Do(ctx context.Context, out io.Writer, p *Progress) error {
	m, host, err := load(ctx, e.Module)
	if err != nil {
		return err
	}
	stakeMinor, err := stake(m, e.Mode, e.Stake)
	var res proof.ExactResult
	if err == nil {
		res, err = proof.Exact(ctx, m, proof.ExactConfig{
			Mode: e.Mode, StakeMinor: stakeMinor, MaxLeaves: uint64(e.MaxLeaves), Opening: true, Progress: p.tell,
			Survey: func(s proof.Size) {
				p.say("at least %d states and %d leaves to walk", s.States, s.Leaves)
			},
		})
		p.end()
	}
	tooLarge := err
	if errors.Is(err, proof.ErrTooLarge) {
		err = nil
	}
	if err := errors.Join(err, host.Close()); err != nil {
		return err
	}
	r := newExactReport(e.Mode, stakeMinor, &res)
	if e.Wins {
		r.addWins(&res)
	}
	if tooLarge != nil {
		p.say("%v", tooLarge)
	}
	if e.JSON {
		err = printJSON(out, r)
	} else {
		err = r.print(out, &res)
	}
	if err == nil && !res.Countable {
		return ErrNo
	}
	return err
}

func newExactReport(mode string, stakeMinor int64, res *proof.ExactResult) *ExactReport {
	r := &ExactReport{
		Schema: 1, ModuleDigest: digestText(res.ModuleDigest), Mode: mode, StakeMinor: stakeMinor,
		RTP: float(res.RTP), HitFrequency: float(res.HitFrequency), SD: root(res.Variance), MaxWinX: float(res.MaxWinX),
		RTPOptimal: float(res.RTPOptimal), RTPWorst: float(res.RTPWorst),
		States: res.States, Leaves: res.Leaves, Countable: res.Countable,
	}
	r.RTPNum, r.RTPDen = fraction(res.RTP)
	r.HitFrequencyNum, r.HitFrequencyDen = fraction(res.HitFrequency)
	r.VarianceNum, r.VarianceDen = fraction(res.Variance)
	if o := res.Opening; o != nil {
		r.Opening = &ExactOpening{Leaves: o.Leaves, RTP: *float(o.RTP), Closes: *float(o.Closes)}
		r.Opening.RTPNum, r.Opening.RTPDen = fraction(o.RTP)
		r.Opening.ClosesNum, r.Opening.ClosesDen = fraction(o.Closes)
	}
	if r.RTPDeclared = r.RTP; res.RTPOptimal == nil { // nothing to choose
		r.RTPOptimal, r.RTPWorst = r.RTP, r.RTP
		res.RTPOptimal, res.RTPWorst = res.RTP, res.RTP
	}
	r.RTPDeclaredNum, r.RTPDeclaredDen = r.RTPNum, r.RTPDen
	r.RTPOptimalNum, r.RTPOptimalDen = fraction(res.RTPOptimal)
	r.RTPWorstNum, r.RTPWorstDen = fraction(res.RTPWorst)
	return r
}

func (r *ExactReport) addWins(res *proof.ExactResult) {
	r.NoWins = res.WhyNoWins
	for _, w := range res.Wins {
		r.Wins = append(r.Wins, ExactWin{w.WinMinor, w.Probability.Num().String(), w.Probability.Denom().String()})
	}
}

func (r *ExactReport) print(out io.Writer, res *proof.ExactResult) error {
	fmt.Fprintf(out, "module         %s\nsize           %d states, %d leaves", r.ModuleDigest, r.States, r.Leaves)
	if !r.Countable {
		_, err := fmt.Fprintln(out, " at least: too large to be counted")
		if o := res.Opening; o != nil {
			_, err = fmt.Fprintf(out, "first step     %d leaves: it returns %s %% by itself and ends the round with probability %s\n", o.Leaves, percent(o.RTP), o.Closes.FloatString(10))
		}
		return err
	}
	fmt.Fprintf(out, "\nRTP            %s %%\n", percent(res.RTP))
	if res.RTPOptimal.Cmp(res.RTPWorst) != 0 {
		fmt.Fprintf(out, "  optimal      %s %%\n  worst        %s %%\n", percent(res.RTPOptimal), percent(res.RTPWorst))
	}
	most := "as declared: a cycle of states pays"
	if res.MaxWinX != nil {
		most = fmt.Sprintf("%.2f × the cost", *r.MaxWinX)
	}
	_, err := fmt.Fprintf(out, "hit frequency  %.9f\nSD             %.6f of the cost\nlargest win    %s\n", *r.HitFrequency, *r.SD, most)
	if r.NoWins != "" {
		_, err = fmt.Fprintf(out, "wins           no distribution: %s\n", r.NoWins)
	}
	for _, w := range r.Wins {
		p, _ := new(big.Rat).SetString(w.Num + "/" + w.Den)
		_, err = fmt.Fprintf(out, "win            %12d  %.12g\n", w.WinMinor, *float(p))
	}
	return err
}

// percent keeps what sheets publish: ten digits behind the point.
func percent(r *big.Rat) string {
	return new(big.Rat).Mul(r, big.NewRat(100, 1)).FloatString(10)
}
