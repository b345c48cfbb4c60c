package gate

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

// page is the whole document: styles and plots are in it, and nothing is
// fetched from anywhere.
//
//go:embed report.html
var page string

func writeHTML(w io.Writer, r *Report) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"row":          modeRow,
		"distribution": plotDistribution,
		"convergence":  plotConvergence,
		"percent":      func(v float64) string { return fmt.Sprintf("%.6f %%", 100*v) },
		"share":        func(v float64) string { return fmt.Sprintf("%.3g", v) },
		"of":           func(r *Report, s Stage) []Result { return r.stage(s) },
		"ranges":       ranges,
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("gate: the report's page: %w", err)
	}
	if err := t.Execute(w, map[string]any{"R": r, "Stages": Stages(), "Failures": r.Failures(), "Passed": r.Passed()}); err != nil {
		return fmt.Errorf("gate: write the report: %w", err)
	}
	return nil
}

func (r *Report) stage(s Stage) []Result {
	var list []Result
	for _, c := range r.Checks {
		if c.Stage == s {
			list = append(list, c)
		}
	}
	return list
}

// winRange is a line of the table of wins.
type winRange struct {
	From, To    string
	Probability float64
	Share       float64 // of the return
}

// ranges gathers a distribution into the ranges that sheets publish, in stakes.
func ranges(m *Mode) []winRange {
	if m.Distribution == nil {
		return nil
	}
	edges := []float64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 1e9}
	list := make([]winRange, len(edges))
	for i, e := range edges {
		list[i].To = fmt.Sprintf("%g", e)
		if i+1 < len(list) {
			list[i+1].From = list[i].To
		}
	}
	for _, p := range m.Distribution.Points {
		x := float64(p.WinMinor) / float64(m.StakeMinor)
		i := 0
		for i < len(edges)-1 && x > edges[i] {
			i++
		}
		list[i].Probability += p.Probability
		list[i].Share += p.Probability * float64(p.WinMinor) / float64(m.CostMinor)
	}
	var out []winRange
	for _, x := range list {
		if x.Probability > 0 {
			out = append(out, x)
		}
	}
	return out
}
