package studio

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// Inspect are the flags of `edgereel studio inspect`.
type Inspect struct {
	Module string `arg:"" help:"The module." placeholder:"M.wasm" type:"existingfile"`
	JSON   bool   `help:"Print JSON, see docs/cli-json.md."`
}

// InspectReport is what --json prints.
type InspectReport struct {
	Schema        int                 `json:"schema"`
	ModuleDigest  string              `json:"module_digest"`
	Bytes         int                 `json:"bytes"`
	Admitted      bool                `json:"admitted"`
	Refusal       string              `json:"refusal"`
	Findings      []Finding           `json:"findings"` // why it would be refused, as far as that is known
	ABI           string              `json:"abi"`
	ABIMinor      uint32              `json:"abi_minor"`
	Profile       string              `json:"profile"`
	Advises       bool                `json:"advises"`
	FuelPerStep   int64               `json:"fuel_per_step"`
	FuelPerInit   int64               `json:"fuel_per_init"`
	Sections      []Section           `json:"sections"`
	Imports       []Import            `json:"imports"`
	Exports       []Export            `json:"exports"`
	Functions     int                 `json:"functions"`
	Globals       int                 `json:"globals"`
	MemoryPages   uint32              `json:"memory_pages"`
	TableElements uint32              `json:"table_elements"`
	Floats        int                 `json:"floats"`
	Manifest      *gamelogic.Manifest `json:"manifest"`
}

// Finding is one rule of admission that a module breaks.
type Finding struct {
	Rule   string `json:"rule"`
	Detail string `json:"detail"`
}

// Section is one section of a binary.
type Section struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
}

// Import is what a module wants from its host.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
}

// Export is what a module offers.
type Export struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Help is shown by --help.
func (*Inspect) Help() string {
	return `Says what is in a module, and whether a host would take it. To learn its manifest
the module is started on this machine, whatever its digest.

Exit codes: 0 it would be taken, 10 it would be refused, 1 anything else.

Examples:
  edgereel studio inspect game.wasm
  edgereel studio inspect game.wasm --json | jq .manifest`
}

// Do inspects and reports.
func (i *Inspect) Do(ctx context.Context, out io.Writer) error {
	wasm, err := read(i.Module)
	if err != nil {
		return err
	}
	r, err := inspect(ctx, i.Module, wasm)
	if err != nil {
		return err
	}
	if i.JSON {
		err = printJSON(out, r)
	} else {
		r.print(out)
	}
	if err == nil && !r.Admitted {
		return ErrNo
	}
	return err
}

func inspect(ctx context.Context, path string, wasm []byte) (*InspectReport, error) {
	b := decode(wasm)
	r := &InspectReport{
		Schema: 1, ModuleDigest: digestText(sha256.Sum256(wasm)), Bytes: len(wasm), Findings: []Finding{},
		Sections: b.Sections, Imports: b.Imports, Exports: b.Exports, Functions: b.Functions, Globals: b.Globals,
		MemoryPages: b.MemoryPages, TableElements: b.TableElements, Floats: b.Floats,
	}
	for _, e := range b.Exports {
		if version, ok := strings.CutPrefix(e.Name, "edgereel_abi_"); ok && e.Kind == "function" {
			r.ABI = version
		}
	}
	m, host, err := load(ctx, path)
	switch {
	case err == nil:
		r.Admitted, r.Manifest = true, m.Manifest()
		switch g := m.(type) {
		case *table.Game:
			r.ABI = "table from " + g.Source()
		case *gamelogic.Module:
			r.ABIMinor, r.Profile, r.Advises = g.ABIMinor(), string(g.Profile()), g.Advises()
			r.FuelPerStep, r.FuelPerInit = g.Fuel()
		}
		return r, host.Close()
	case errors.Is(err, table.ErrFormat), errors.Is(err, table.ErrNewerFormat):
		r.Refusal = err.Error()
		return r, nil
	case errors.Is(err, gamelogic.ErrRefusedModule):
		_, r.Refusal, _ = strings.Cut(err.Error(), gamelogic.ErrRefusedModule.Error()+": ")
		if b.err != nil && len(b.Sections) > 0 {
			r.Refusal += " (" + b.err.Error() + ")"
		}
		r.Findings = b.findings(err, r)
		return r, nil
	}
	return nil, err
}

func (r *InspectReport) print(out io.Writer) {
	verdict := "would be taken"
	if !r.Admitted {
		verdict = "would be REFUSED: " + r.Refusal
	}
	fmt.Fprintf(out, "module     %s\nadmission  %s\nABI        %s\nsize       %d bytes, %d functions, %d globals, %d pages of memory, %d table elements\nfloats     %d\n",
		r.ModuleDigest, verdict, r.ABI, r.Bytes, r.Functions, r.Globals, r.MemoryPages, r.TableElements, r.Floats)
	if r.Admitted && r.Profile != "" {
		advice := "no strategy of its own"
		if r.Advises {
			advice = "declares a strategy"
		}
		fmt.Fprintf(out, "profile    %s, ABI minor version %d, %s, %d fuel a step and %d to start\n", r.Profile, r.ABIMinor, advice, r.FuelPerStep, r.FuelPerInit)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(out, "breaks     %s: %s\n", f.Rule, f.Detail)
	}
	for _, s := range r.Sections {
		fmt.Fprintf(out, "section    %s, %d bytes\n", s.Name, s.Bytes)
	}
	for _, x := range r.Imports {
		fmt.Fprintf(out, "import     %s %q from %q\n", x.Kind, x.Name, x.Module)
	}
	for _, x := range r.Exports {
		fmt.Fprintf(out, "export     %s %q\n", x.Kind, x.Name)
	}
	if m := r.Manifest; m != nil {
		fmt.Fprintf(out, "game       %s %s, %q, stakes in multiples of %d\n", m.ID, m.Release, m.Name, m.StakeMultipleMinor)
		if m.Family != "" {
			fmt.Fprintf(out, "family     %s, variant %s\n", m.Family, m.Variant)
		}
		fmt.Fprintf(out, "most       %d draws and %d bytes of state in a step\n", m.MaxDraws, m.MaxState)
		for _, x := range m.Modes {
			fmt.Fprintf(out, "mode       %s: cost %d.%02d×, RTP %s, hit frequency %s, at most %d×\n",
				x.Name, x.CostX100/100, x.CostX100%100, x.RTP, x.HitFrequency, x.MaxWinX)
		}
		for _, x := range m.Actions {
			choices := ""
			if x.Choices > 1 {
				choices = fmt.Sprintf(", %d choices", x.Choices)
			}
			fmt.Fprintf(out, "action     %s%s\n", x.Name, choices)
		}
	}
}
