package bench

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// Print writes the report as a table.
func (r *Report) Print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURED\tOF\tVALUE\tGOAL\t")
	for _, f := range r.Figures {
		want, verdict := "", ""
		if f.Goal != nil {
			sign := "≤ "
			if f.AtLeast {
				sign = "≥ "
			}
			want, verdict = sign+number(*f.Goal), "missed"
			if *f.Met {
				verdict = "met"
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\n", f.Name, f.Subject, number(f.Value), f.Unit, want, verdict)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the figures: %w", err)
	}
	_, err := fmt.Fprintf(out, "\nMedians of %d turns on %d processors; processor time.\n", r.Turns, r.CPUs)
	return err
}

// number writes three digits, and large numbers whole.
func number(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
