package push

import (
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/node/registry"
)

// Message is a release as callers see it.
func Message(r *registry.Release, seq uint64) *edgereelv1.Release {
	m := &edgereelv1.Release{
		Game: r.Game, Version: r.Version, Family: r.Family, Variant: r.Variant, Studio: r.Studio, KeyId: r.KeyID, State: string(r.Phase),
		CanaryShareX10000: r.ShareX10000, Module: text(r.Module), Envelope: text(r.Envelope), ParSheet: text(r.ParSheet), Report: text(r.Report),
		ModuleBytes: uint64(r.ModuleBytes), RegistrySeq: seq,
	}
	for _, x := range r.Modes {
		m.Modes = append(m.Modes, &edgereelv1.Mode{Name: x.Name, CostX100: uint32(x.CostX100), Rtp: x.RTP, MaxWinX: uint64(x.MaxWinX)})
	}
	for _, h := range r.History {
		m.History = append(m.History, &edgereelv1.ReleaseStep{
			State: string(h.Phase), Person: h.Person, Reason: h.Reason, AtMs: h.AtMS, ShareX10000: h.ShareX10000,
		})
	}
	return m
}

// text is empty for a document there is none of.
func text(d registry.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
