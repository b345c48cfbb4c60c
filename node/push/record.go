package push

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
)

// record stores the report and the verdict.
func (p *pushed) record(ctx context.Context, attempt string, report *gate.Report) error {
	text, err := report.JSON()
	if err != nil {
		return fault("report_failed", err)
	}
	digest := blobs.Digest(sha256.Sum256(text))
	if err := p.s.cfg.Blobs.Put(digest, int64(len(text)), strings.NewReader(string(text))); err != nil {
		return fault("storage_failed", err)
	}
	for _, d := range []blobs.Digest{p.module, p.envelope, p.sheet} {
		if _, err := p.s.cfg.Blobs.Stat(d); err != nil {
			return blobError("checked document", err)
		}
	}
	m := p.admission.Manifest
	passed := report.Verdict == gate.Pass
	_, err = p.s.cfg.Registry.Submit(ctx, registry.Op{
		ID: attempt + "-verdict", Person: p.req.GetPerson(), Reason: summary(report),
		Verdict: &registry.Verdict{Game: m.ID, Version: m.Release, Attempt: attempt, Passed: passed, Report: registry.Digest(digest)},
	})
	if err != nil {
		return registryError(err)
	}
	p.rejected = !passed
	r := p.s.cfg.Registry.State().Release(m.ID, m.Release)
	if r == nil {
		return registryError(errors.New("the recorded release is not seen here yet"))
	}
	return p.finish(r, report)
}

// summary is the reason that stands in the release's history.
func summary(r *gate.Report) string {
	failures := failures(r)
	if len(failures) == 0 {
		return fmt.Sprintf("all %d checks passed", len(r.Checks))
	}
	text := fmt.Sprintf("%d of %d checks failed: %s", len(failures), len(r.Checks), failures[0])
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:497], "") + "..."
	}
	return text
}

// failures gives a sentence for each failed check.
func failures(r *gate.Report) []string {
	var list []string
	for _, c := range r.Failures() {
		name := string(c.Stage) + " " + c.Name
		if c.Mode != "" {
			name += ", mode " + c.Mode
		}
		list = append(list, name+": "+c.Detail)
	}
	return list
}

// finish sends the last message.
func (p *pushed) finish(r *registry.Release, report *gate.Report) error {
	last := &edgereelv1.PushResponse{
		Stage: "recorded", Release: Message(r, p.s.cfg.Registry.State().Seq()), Passed: r.Phase != registry.Rejected,
	}
	if report != nil {
		last.Failures = failures(report)
	}
	return p.send.Send(last)
}
