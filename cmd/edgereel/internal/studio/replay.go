package studio

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/edgereel/edgereel/gamelogic/record"
)

// Replay are the flags of `edgereel studio replay`.
type Replay struct {
	Module string `help:"The module the round was played with." placeholder:"M.wasm" type:"existingfile" required:""`
	Record string `help:"The round's record, as ledger round --json prints it; - is standard input." placeholder:"FILE" xor:"record"`
	Seed   string `help:"The revealed seed, for a record that was exported before; hexadecimal." placeholder:"HEX"`
	JSON   bool   `help:"Print JSON, see docs/cli-json.md."`
}

// ReplayReport is what --json prints.
type ReplayReport struct {
	Schema       int          `json:"schema"`
	Round        string       `json:"round"`
	ModuleDigest string       `json:"module_digest"`
	Mode         string       `json:"mode"`
	StakeMinor   int64        `json:"stake_minor"`
	WinMinor     int64        `json:"win_minor"`
	Same         bool         `json:"same"`
	Problem      string       `json:"problem"`
	Steps        []ReplayStep `json:"steps"`
}

// ReplayStep is one step as it came out here.
type ReplayStep struct {
	Action       string       `json:"action"`
	WinMinor     int64        `json:"win_minor"`
	Closed       bool         `json:"closed"`
	State        string       `json:"state"`
	Fuel         int64        `json:"fuel"`
	DrawsDigest  string       `json:"draws_digest"`
	Draws        []ReplayDraw `json:"draws"`
	Presentation []byte       `json:"presentation"`
	Incident     string       `json:"incident,omitempty"`
}

// ReplayDraw is one draw: a value below a bound, and the words rejected for it.
type ReplayDraw struct {
	Bound   uint32 `json:"bound"`
	Value   uint32 `json:"value"`
	Rejects uint32 `json:"rejects"`
}

// Help is shown by --help.
func (*Replay) Help() string {
	return `Plays a recorded round again from its revealed seed, offline, and compares every
step bit for bit: draws, win, state, presentation. If it is not the same it names
the first step and field that differ, with both values.

The record comes from ledger round --json, or from the cluster with --round. A
seed is revealed when its session is closed.

Exit codes: 0 the same, 10 not the same, 1 anything else.

Examples:
  edgereel ledger round 0cb30b8a8b7d663d33639ba1b41011ae-41 --json > round.json
  edgereel studio replay --module game.wasm --record round.json
  edgereel studio replay --module game.wasm --round 0cb30b8a8b7d663d33639ba1b41011ae-41`
}

// Read gives the record that was named.
func (p *Replay) Read(in io.Reader) (*record.Round, error) {
	if p.Record != "-" {
		f, err := os.Open(p.Record)
		if err != nil {
			return nil, fmt.Errorf("open the record: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, 256<<20))
	if err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	r, err := record.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Record, err)
	}
	return r, nil
}

// Do replays and reports.
func (p *Replay) Do(ctx context.Context, out io.Writer, r *record.Round) error {
	if p.Seed != "" {
		r.Seed = strings.ToLower(p.Seed)
	}
	m, host, err := load(ctx, p.Module)
	if err != nil {
		return err
	}
	list, differs := record.Replay(ctx, m, r)
	if err := errors.Join(host.Close(), ctx.Err()); err != nil {
		return err
	}
	if errors.Is(differs, record.ErrRecord) {
		return differs
	}
	report := newReplayReport(m.Digest(), r, list)
	if report.Same = differs == nil; differs != nil {
		report.Problem = strings.TrimPrefix(differs.Error(), "record: ")
	}
	if p.JSON {
		err = printJSON(out, report)
	} else {
		err = report.print(out)
	}
	if err == nil && !report.Same {
		return ErrNo
	}
	return err
}

func newReplayReport(digest [32]byte, r *record.Round, list []record.Replayed) *ReplayReport {
	report := &ReplayReport{Schema: 1, Round: r.Round, ModuleDigest: digestText(digest), Mode: r.Mode, StakeMinor: r.StakeMinor, Steps: []ReplayStep{}}
	for _, x := range list {
		s := ReplayStep{
			Action: x.Action, WinMinor: x.WinMinor, Closed: x.Closed, State: hex.EncodeToString(x.State), Fuel: x.Fuel,
			DrawsDigest: digestText(x.DrawsDigest), Draws: []ReplayDraw{}, Presentation: x.Presentation, Incident: string(x.Incident),
		}
		for _, d := range x.Draws {
			s.Draws = append(s.Draws, ReplayDraw{d.Bound, d.Value, d.Rejects})
		}
		report.WinMinor += x.WinMinor
		report.Steps = append(report.Steps, s)
	}
	return report
}

func (r *ReplayReport) print(out io.Writer) error {
	fmt.Fprintf(out, "round      %s, mode %s, stake %d\nmodule     %s\n", r.Round, r.Mode, r.StakeMinor, r.ModuleDigest)
	for i, s := range r.Steps {
		fmt.Fprintf(out, "step %-5d %s: win %d, closed %t, %d fuel, presentation of %d bytes\n", i+1, s.Action, s.WinMinor, s.Closed, s.Fuel, len(s.Presentation))
		if s.Incident != "" {
			fmt.Fprintf(out, "           the incident %s\n", s.Incident)
		}
		for k, d := range s.Draws {
			rejected := ""
			if d.Rejects > 0 {
				rejected = fmt.Sprintf(", %d words rejected", d.Rejects)
			}
			fmt.Fprintf(out, "  draw %-4d %d of %d%s\n", k, d.Value, d.Bound, rejected)
		}
		if s.State != "" {
			fmt.Fprintf(out, "  state     %s\n", s.State)
		}
	}
	verdict := fmt.Sprintf("The round is the same, bit for bit: it pays %d.", r.WinMinor)
	if !r.Same {
		verdict = "The round is NOT the same: " + r.Problem
	}
	_, err := fmt.Fprintln(out, verdict)
	return err
}
