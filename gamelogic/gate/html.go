package gate

import (
	"fmt"
	"html"
	"io"
)

func writeHTML(w io.Writer, r *Report) error {
	_, err := fmt.Fprintf(w, "<!doctype html><title>%s</title>", html.EscapeString(r.ModuleDigest))
	return err
}
