package gate

import (
	"fmt"
	"io"
)

func writeText(w io.Writer, r *Report) error {
	for _, c := range r.Checks {
		if _, err := fmt.Fprintf(w, "%-5s %-12s %s\n", c.Verdict, c.Stage, c.Detail); err != nil {
			return err
		}
	}
	return nil
}
