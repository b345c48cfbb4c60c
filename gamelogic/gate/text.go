package gate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// printer keeps the first error of a writer.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func writeText(w io.Writer, r *Report) error {
	p := &printer{w: w}
	game := "unknown game"
	if m := r.Manifest; m != nil {
		game = fmt.Sprintf("%s %s, %q", m.ID, m.Release, m.Name)
		if m.Family != "" {
			game += fmt.Sprintf(", family %s variant %s", m.Family, m.Variant)
		}
	}
	p.printf("game      %s\nmodule    %s\nPAR       %s\nprofile   %s, %d bytes, meter %d\nfuel      %d of %d at most in a step\nasked     %d rounds a mode, seed %d",
		game, r.ModuleDigest, or(r.PARDigest, "none"), or(r.Profile, "none"), r.ModuleBytes, r.Meter, r.Fuel.Max, r.Fuel.PerStep, r.Asked.Rounds, r.Asked.Seed)
	if r.Asked.FloorRTP != "" {
		p.printf(", floor %s", r.Asked.FloorRTP)
	}
	p.printf("\n")
	if len(r.Modes) > 0 && p.err == nil {
		p.printf("\n")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "MODE\tCOST\tRTP DECLARED\tEXACT\tSIMULATED\t99 % WITHIN\tHITS\tSD\tLARGEST")
		for _, m := range r.Modes {
			fmt.Fprintln(t, strings.Join(modeRow(&m), "\t"))
		}
		p.err = t.Flush()
	}
	for _, s := range Stages() {
		first := true
		for _, c := range r.Checks {
			if c.Stage != s {
				continue
			}
			if first {
				p.printf("\n%s\n", s)
				first = false
			}
			p.printf("  %s  %s\n", mark(c.Verdict), c.Detail)
		}
	}
	failures := r.Failures()
	if len(failures) == 0 {
		p.printf("\nThe module PASSES.\n")
		return p.err
	}
	p.printf("\nThe module FAILS %d checks:\n", len(failures))
	for _, c := range failures {
		p.printf("  %s: %s\n", c.Name, c.Detail)
	}
	return p.err
}

func mark(v Verdict) string {
	if v == Fail {
		return "FAIL"
	}
	return string(v)
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// modeRow are the figures of a mode as both reports show them.
func modeRow(m *Mode) []string {
	exact, simulated, within, hits, sd, most := "-", "-", "-", "-", "-", "-"
	if x := m.Exact; x != nil && x.Countable {
		exact, hits, sd = fmt.Sprintf("%.8f", x.RTP), fmt.Sprintf("%.6f", x.HitFrequency), fmt.Sprintf("%.4f", x.SD)
		if x.MaxWinX > 0 {
			most = fmt.Sprintf("%.2f×", x.MaxWinX)
		}
	}
	if x := m.Simulated; x != nil {
		simulated, within = fmt.Sprintf("%.6f", x.RTP), fmt.Sprintf("±%.6f", (x.RTPCI99[1]-x.RTPCI99[0])/2)
		if hits == "-" {
			hits, sd = fmt.Sprintf("%.6f", x.HitFrequency), fmt.Sprintf("%.4f", x.SD)
		}
		if most == "-" {
			most = fmt.Sprintf("%.2f× seen", x.MaxWinX)
		}
	}
	return []string{m.Mode, fmt.Sprintf("%.2f×", float64(m.CostMinor)/float64(m.StakeMinor)), m.Declared.RTP, exact, simulated, within, hits, sd, most}
}
