package studio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/edgereel/edgereel/gamelogic/gate"
)

// Check are the flags of `edgereel studio check`.
type Check struct {
	Module    string `arg:"" help:"The module." placeholder:"M.wasm" type:"existingfile"`
	Par       string `help:"The PAR sheet, as docs/studio-guide.md describes it." placeholder:"par.json" type:"existingfile"`
	Rounds    Count  `help:"Rounds to simulate in each mode; 1e8 is a number too." default:"1e6"`
	Seed      uint64 `help:"The same seed gives the same report on any machine." default:"1"`
	Floor     string `help:"Least return the jurisdiction allows, like 0.85." placeholder:"RTP"`
	MaxLeaves Count  `help:"Simulate only, where the tree of draws has more leaves." default:"1e8"`
	Report    string `help:"Write the report as one HTML file too." placeholder:"FILE.html" type:"path"`
	JSON      bool   `help:"Print JSON, see docs/cli-json.md."`
}

// Help is shown by --help.
func (*Check) Help() string {
	return `Runs the publish gate on this machine: everything that a push checks in the
cluster. Decode and limits, the manifest and the PAR sheet, determinism (fresh
instances, compiler against interpreter, shuffled order), odd inputs and states,
declared against exact and simulated figures, every prize by chi-square, fuel and
draws. Whatever is flagged by chance is played again with another seed.

The report carries no time and no host: two people can compare it byte by byte.

Exit codes: 0 the module passes, 10 it does not, 2 the question has no sense,
1 anything else.

Examples:
  edgereel studio check game.wasm --par par.json
  edgereel studio check game.wasm --par par.json --rounds 1e8 --floor 0.85 --report report.html
  edgereel studio check game.wasm --par par.json --json | jq '.checks[] | select(.verdict == "fail")'`
}

// Do checks and reports.
func (k *Check) Do(ctx context.Context, out io.Writer, p *Progress) error {
	wasm, err := read(k.Module)
	if err != nil {
		return err
	}
	cfg := gate.Config{Wasm: wasm, Rounds: uint64(k.Rounds), Seed: k.Seed, FloorRTP: k.Floor, MaxLeaves: uint64(k.MaxLeaves)}
	if k.Par != "" {
		if cfg.PAR, err = os.ReadFile(k.Par); err != nil {
			return fmt.Errorf("read the PAR sheet: %w", err)
		}
	}
	var stage gate.Stage
	var last uint64
	cfg.Progress = func(s gate.Stage, done, total uint64) {
		if s != stage || done < last { // each mode has a way of its own
			stage = s
			p.begin(string(s))
		}
		last = done
		p.tell(done, max(done, total))
	}
	r, err := gate.Check(ctx, cfg)
	p.end()
	if err != nil {
		return err
	}
	if k.Report != "" {
		if err := writeReport(k.Report, r); err != nil {
			return err
		}
	}
	if k.JSON {
		err = printJSON(out, r)
	} else {
		err = r.WriteText(out)
	}
	if err == nil && !r.Passed() {
		return ErrNo
	}
	return err
}

// writeReport writes the page beside its place first, so that a reader finds a
// whole one or none.
func writeReport(path string, r *gate.Report) error {
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		return err
	}
	beside := path + ".part"
	err := os.WriteFile(beside, page.Bytes(), 0o644) //nolint:gosec // a report is for everybody who may read the folder
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", errors.Join(err, os.Remove(beside)))
	}
	return nil
}
