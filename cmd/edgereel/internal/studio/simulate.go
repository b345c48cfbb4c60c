package studio

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/cputime"
	"github.com/edgereel/edgereel/gamelogic/proof"
)

// Simulate are the flags of `edgereel studio simulate`.
type Simulate struct {
	Module string `arg:"" help:"The module." placeholder:"M.wasm" type:"existingfile"`
	Mode   string `help:"The bet mode." required:""`
	Rounds Count  `help:"How many rounds; 1e8 is a number too." default:"1e6"`
	Seed   uint64 `help:"The same seed gives the same rounds on any machine." default:"1"`
	Stake  int64  `help:"Stake in minor units; default is the smallest." placeholder:"MINOR"`
	Resume string `help:"Keep finished blocks in this file, and go on from it if it is there." placeholder:"FILE" type:"path"`
	JSON   bool   `help:"Print JSON, see docs/cli-json.md."`
}

// SimulateReport is what --json prints.
type SimulateReport struct {
	Schema             int        `json:"schema"`
	ModuleDigest       string     `json:"module_digest"`
	Mode               string     `json:"mode"`
	StakeMinor         int64      `json:"stake_minor"`
	Seed               uint64     `json:"seed"`
	Rounds             uint64     `json:"rounds"`
	RTP                float64    `json:"rtp"`
	RTPCI99            [2]float64 `json:"rtp_ci99"`
	HitFrequency       float64    `json:"hit_frequency"`
	SD                 float64    `json:"sd"`
	MaxWinX            float64    `json:"max_win_x"`
	FeatureFrequency   float64    `json:"feature_frequency"`
	FuelMax            int64      `json:"fuel_max"`
	RoundsPerCPUSecond float64    `json:"rounds_per_cpu_second"`
	OutcomeDigest      string     `json:"outcome_digest"`
}

// Help is shown by --help.
func (*Simulate) Help() string {
	return `Plays whole rounds on all cores, on the path that plays for money, with the
strategy that the studio declared. The module runs on this machine, whatever its digest.

Examples:
  edgereel studio simulate game.wasm --mode base
  edgereel studio simulate game.wasm --mode base --rounds 1e8 --seed 7 --resume run.json --json`
}

// Do simulates and reports.
func (s *Simulate) Do(ctx context.Context, out io.Writer, p *Progress) error {
	m, host, err := load(ctx, s.Module)
	if err != nil {
		return err
	}
	stakeMinor, err := stake(m, s.Mode, s.Stake)
	var res proof.SimulateResult
	if err == nil {
		res, err = proof.Simulate(ctx, m, proof.SimulateConfig{
			Mode: s.Mode, StakeMinor: stakeMinor, Rounds: uint64(s.Rounds), Seed: s.Seed, Checkpoint: s.Resume,
			CPUTime: cputime.Used, Progress: p.tell,
		})
		p.end()
	}
	if err := errors.Join(err, host.Close()); err != nil {
		return err
	}
	r := SimulateReport{
		Schema: 1, ModuleDigest: digestText(res.ModuleDigest), Mode: s.Mode, StakeMinor: stakeMinor, Seed: s.Seed,
		Rounds: res.Rounds, RTP: res.RTP, RTPCI99: res.RTPCI99, HitFrequency: res.HitFrequency, SD: res.SD, MaxWinX: res.MaxWinX,
		FeatureFrequency: res.FeatureFrequency, FuelMax: res.FuelMax, RoundsPerCPUSecond: res.RoundsPerCPUSecond, OutcomeDigest: digestText(res.OutcomeDigest),
	}
	if s.JSON {
		return printJSON(out, r)
	}
	declared, _ := m.Manifest().Mode(s.Mode)
	_, err = fmt.Fprintf(out, `module             %s
rounds             %d
RTP                %.6f %%   99 %% within %.6f %% and %.6f %%, declared %s
hit frequency      %.6f
SD                 %.4f of the cost
largest win        %.2f × the cost
feature frequency  %.6f
fuel               %d at most in a step
speed              %.0f rounds per CPU second
outcomes           %s
`, r.ModuleDigest, r.Rounds, 100*r.RTP, 100*r.RTPCI99[0], 100*r.RTPCI99[1], declared.RTP, r.HitFrequency, r.SD, r.MaxWinX,
		r.FeatureFrequency, r.FuelMax, r.RoundsPerCPUSecond, r.OutcomeDigest)
	return err
}
