package studio

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"

	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// ImportTable are the flags of `edgereel studio import stake-engine`.
type ImportTable struct {
	Dir     string `arg:"" help:"Folder with index.json and the files it names." placeholder:"DIR" type:"existingdir"`
	ID      string `help:"Id of the game, like copper-well." required:""`
	Version string `help:"Version of the release." default:"1.0.0"`
	Name    string `help:"Title of the game; default is the id." placeholder:"TITLE"`
	Family  string `help:"Family this game is a variant of." placeholder:"ID"`
	Variant string `help:"Id of the variant, like rtp-94." placeholder:"ID"`
	Out     string `help:"File to write; default is ID.table." short:"o" placeholder:"FILE" type:"path"`
	Par     string `help:"PAR sheet to write, computed from the weights; default is ID.par.json beside the table." placeholder:"FILE" type:"path"`
	JSON    bool   `help:"Print JSON, see docs/cli-json.md."`
}

// ImportReport is what --json prints.
type ImportReport struct {
	Schema       int            `json:"schema"`
	File         string         `json:"file"`
	ParSheet     string         `json:"par_sheet"`
	ModuleDigest string         `json:"module_digest"`
	Bytes        int64          `json:"bytes"`
	ID           string         `json:"id"`
	Version      string         `json:"version"`
	Source       string         `json:"source"`
	StakeStep    int64          `json:"stake_multiple_minor"`
	Modes        []ImportedMode `json:"modes"`
}

// ImportedMode is one mode of ImportReport; rtp is a fraction of the cost.
type ImportedMode struct {
	Name         string  `json:"name"`
	CostX100     int64   `json:"cost_x100"`
	Rows         int     `json:"rows"`
	TotalWeight  uint64  `json:"total_weight,string"`
	RTP          float64 `json:"rtp"`
	RTPNum       string  `json:"rtp_num"`
	RTPDen       string  `json:"rtp_den"`
	HitFrequency float64 `json:"hit_frequency"`
	SD           float64 `json:"sd"`
	MaxWinX      float64 `json:"max_win_x"`
}

// Help is shown by --help.
func (*ImportTable) Help() string {
	return `Makes one table file of what Stake Engine's math-sdk publishes: index.json, lookup
tables of 64-bit weights, compressed books. Every book is held against its row. The
file is played, proved, pushed and released like a module; its digest is its identity,
and the same content makes the same file.

A book larger than one step may show becomes a round of several steps. Beside the
table the PAR sheet is written that its weights come to.

Exit codes: 0 written, 1 the content breaks a rule (file and line are said) and
nothing was written.

Examples:
  edgereel studio import stake-engine library/publish_files --id copper-well
  edgereel studio import stake-engine publish_files --id copper-well-94 --family copper-well --variant rtp-94 --version 1.1.0`
}

// Do imports and reports.
func (i *ImportTable) Do(ctx context.Context, out io.Writer, p *Progress) error {
	name, path := i.Name, i.Out
	if name == "" {
		name = i.ID
	}
	if path == "" {
		path = i.ID + ".table"
	}
	err := table.Import(path, table.ImportConfig{
		Content: os.DirFS(i.Dir), ID: i.ID, Release: i.Version, Name: name, Family: i.Family, Variant: i.Variant,
		Progress: func(_ string, done, total uint64) { p.tell(done, total) },
	})
	p.end()
	if err != nil {
		return fmt.Errorf("import %s: %w", i.Dir, err)
	}
	g, size, done, err := openTable(path)
	if err != nil {
		return err
	}
	defer done()
	sheet := i.Par
	if sheet == "" {
		sheet = filepath.Join(filepath.Dir(path), i.ID+".par.json")
	}
	if err := writeSheet(sheet, g); err != nil {
		return err
	}
	r, err := newImportReport(path, sheet, size, g)
	if err != nil {
		return err
	}
	if i.JSON {
		return printJSON(out, r)
	}
	return r.print(out)
}

// writeSheet writes what the weights come to as a PAR sheet.
func writeSheet(path string, g *table.Game) error {
	p, err := gate.TablePAR(g)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("write the PAR sheet: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil { //nolint:gosec // a sheet is for everybody who may read the folder
		return fmt.Errorf("write the PAR sheet: %w", err)
	}
	return nil
}

// openTable opens a table and hashes it; done closes both.
func openTable(path string) (g *table.Game, size int64, done func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("open the table: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	hash := sha256.New()
	if size, err = io.Copy(hash, f); err != nil {
		return nil, 0, nil, fmt.Errorf("read the table: %w", err)
	}
	if g, err = table.Open(f, size, [32]byte(hash.Sum(nil))); err != nil {
		return nil, 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, size, func() {
		g.Close()
		// It was only read.
		_ = f.Close()
	}, nil
}

func newImportReport(path, sheet string, size int64, g *table.Game) (*ImportReport, error) {
	m := g.Manifest()
	r := &ImportReport{
		Schema: 1, File: path, ParSheet: sheet, ModuleDigest: digestText(g.Digest()), Bytes: size, ID: m.ID, Version: m.Release,
		Source: g.Source(), StakeStep: m.StakeMultipleMinor,
	}
	for _, x := range m.Modes {
		sum, err := g.Exact(x.Name)
		if err != nil {
			return nil, err
		}
		mode := ImportedMode{
			Name: x.Name, CostX100: x.CostX100, Rows: sum.Rows, TotalWeight: sum.TotalWeight, RTP: *float(sum.RTP),
			HitFrequency: *float(sum.HitFrequency), SD: *root(sum.Variance), MaxWinX: *float(sum.MaxWinX),
		}
		mode.RTPNum, mode.RTPDen = fraction(sum.RTP)
		r.Modes = append(r.Modes, mode)
	}
	return r, nil
}

func (r *ImportReport) print(out io.Writer) error {
	_, err := fmt.Fprintf(out, "table      %s, %d bytes\nPAR sheet  %s\nmodule     %s\ngame       %s %s from %s, stakes in multiples of %d\n",
		r.File, r.Bytes, r.ParSheet, r.ModuleDigest, r.ID, r.Version, r.Source, r.StakeStep)
	for _, x := range r.Modes {
		rtp, _ := new(big.Rat).SetString(x.RTPNum + "/" + x.RTPDen)
		fmt.Fprintf(out, "mode       %s: cost %d.%02d×, %d rows, RTP %s %%, hit frequency %.9f, SD %.4f, at most %.2f × the cost\n",
			x.Name, x.CostX100/100, x.CostX100%100, x.Rows, percent(rtp), x.HitFrequency, x.SD, x.MaxWinX)
	}
	return err
}
