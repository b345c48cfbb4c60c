package push

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
)

// rounds the check simulates in each mode.
func (p *pushed) rounds() uint64 {
	if n := p.req.GetRounds(); n > 0 {
		return n
	}
	return p.s.cfg.Rounds
}

func (p *pushed) seed() (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(p.s.cfg.Rand, b[:]); err != nil {
		return 0, fault("no_randomness", fmt.Errorf("draw the check's seed: %w", err))
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// admit starts the module once and compares what it says of itself with what
// its studio signed.
func (p *pushed) admit(ctx context.Context, job Job) error {
	var a *Admission
	var err error
	p.telling(ctx, "admission", func(ctx context.Context, _ func(string, uint64, uint64)) {
		if a, err = p.s.cfg.Gate.Admit(ctx, job); err != nil && ctx.Err() != nil {
			err = gateError(ctx, err)
		}
	})
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		return refuse("module_refused", "Look at it with edgereel studio inspect, correct it and push again.", "%s", refusal.Reason)
	}
	if err != nil {
		return gateError(ctx, err)
	}
	p.admission = a
	m, st := a.Manifest, p.verified.Statement.Predicate
	for _, x := range [][3]string{
		{"game", m.ID, st.Game}, {"version", m.Release, st.Version}, {"family", m.Family, st.Family}, {"variant", m.Variant, st.Variant},
	} {
		if x[1] != x[2] {
			return refuse("manifest_mismatch", "Sign what the module says of itself (edgereel studio push does).",
				"the module's manifest says %s %q, the signed statement %q", x[0], x[1], x[2])
		}
	}
	sheet, err := gate.ParsePAR(p.par)
	if err != nil {
		return refuse("sheet_malformed", "Correct the PAR sheet; docs/studio-guide.md shows its form.", "the PAR sheet: %s", err)
	}
	if sheet.ID != m.ID || sheet.Release != m.Release {
		return refuse("sheet_mismatch", "Push the sheet of this version.", "the PAR sheet is of %s %s, the module is %s %s", sheet.ID, sheet.Release, m.ID, m.Release)
	}
	return nil
}

// gateError is the error of a check that found out nothing. One that says so
// already stays as it is.
func gateError(ctx context.Context, err error) error {
	if api.DetailOf(err).GetCode() != "" {
		return err
	}
	if ctx.Err() != nil {
		return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "check_stopped", connect.CodeCanceled, "Push again.", "the check was stopped before its end: %w", opaque{err})
	}
	return fault("check_failed", err)
}

// draft records that the check runs, and gives the attempt's name.
func (p *pushed) draft(ctx context.Context) (string, error) {
	id, err := p.s.cfg.Registry.NewID()
	if err != nil {
		return "", fault("no_randomness", err)
	}
	m, st := p.admission.Manifest, p.verified.Statement.Predicate
	r := registry.Release{
		Game: m.ID, Version: m.Release, Family: m.Family, Variant: m.Variant, Studio: st.Studio, KeyID: p.verified.KeyID, Kind: p.admission.Kind,
		Module: registry.Digest(p.module), ModuleBytes: p.size, Envelope: registry.Digest(p.envelope), ParSheet: registry.Digest(p.sheet),
		Profile: p.admission.Profile, MeterVersion: p.admission.MeterVersion, FuelPerStep: uint64(p.admission.FuelPerStep), StakeMultipleMinor: m.StakeMultipleMinor,
	}
	for _, x := range m.Modes {
		r.Modes = append(r.Modes, registry.Mode{ID: x.ID, Name: x.Name, CostX100: x.CostX100, RTP: x.RTP, HitFrequency: x.HitFrequency, MaxWinX: x.MaxWinX})
	}
	_, err = p.s.cfg.Registry.Submit(ctx, registry.Op{ID: id, Person: p.req.GetPerson(), Draft: &registry.DraftOp{Release: r}})
	if err != nil {
		return "", registryError(err)
	}
	return id, nil
}

// progress is what a check told last.
type progress struct {
	stage       string
	done, total uint64
}

// telling runs work in a goroutine of its own and sends what it tells, and
// something every two seconds, so that a stream is never silent for long. The
// work's context ends when nobody listens any more.
func (p *pushed) telling(ctx context.Context, stage string, work func(context.Context, func(string, uint64, uint64))) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	told, ended := make(chan progress, 1), make(chan struct{})
	go func() {
		defer close(ended)
		work(ctx, func(stage string, done, total uint64) {
			select {
			case told <- progress{stage, done, total}:
			default: // the one before is not sent yet; the next will be
			}
		})
	}()
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	last := progress{stage: stage}
	for listening := true; ; {
		if listening && p.send.Send(&edgereelv1.PushResponse{Stage: last.stage, Done: last.done, Total: last.total}) != nil {
			listening = false
			cancel() // the work ends, and is begun anew by the next push
		}
		select {
		case last = <-told:
		case <-tick.C:
		case <-ended:
			return
		}
	}
}

// prove runs the check and tells of it.
func (p *pushed) prove(ctx context.Context, job Job) (*gate.Report, error) {
	var report *gate.Report
	var err error
	p.telling(ctx, "check", func(ctx context.Context, tell func(string, uint64, uint64)) {
		if report, err = p.s.cfg.Gate.Prove(ctx, job, tell); err != nil && ctx.Err() != nil {
			err = gateError(ctx, err)
		}
	})
	refusal := (*Refusal)(nil)
	switch {
	case err == nil:
		return report, nil
	case errors.As(err, &refusal):
		return p.ended(job, refusal), nil
	}
	return nil, gateError(ctx, err)
}

// ended is the report of a check that the module itself ended.
func (p *pushed) ended(job Job, r *Refusal) *gate.Report {
	sheet := sha256.Sum256(p.par)
	stage := gate.Stage(r.Stage)
	if !slices.Contains(gate.Stages(), stage) {
		stage = gate.StageDecode
	}
	return &gate.Report{
		Schema: gate.ReportVersion, Kind: gate.ReportKind, Verdict: gate.Fail,
		ModuleDigest: p.module.String(), ModuleBytes: int(p.size), PARDigest: blobs.Digest(sheet).String(), Meter: int(p.admission.MeterVersion),
		Profile: p.admission.Profile, Manifest: p.admission.Manifest, Modes: []gate.Mode{},
		Asked:  gate.Asked{Rounds: job.Rounds, Seed: job.Seed, FloorRTP: job.FloorRTP},
		Checks: []gate.Result{{Stage: stage, Name: "limits", Verdict: gate.Fail, Detail: r.Reason}},
	}
}
