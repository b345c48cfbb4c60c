package studio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Build are the flags of `edgereel studio build`.
type Build struct {
	Dir  string `arg:"" optional:"" help:"The project." default:"." placeholder:"DIR" type:"existingdir"`
	Out  string `help:"The module to write; default is game.wasm in the project." short:"o" placeholder:"F" type:"path"`
	JSON bool   `help:"Print JSON, see docs/cli-json.md."`
}

// BuildReport is what --json prints.
type BuildReport struct {
	Schema       int    `json:"schema"`
	Language     string `json:"language"`
	Compiler     string `json:"compiler"`
	Out          string `json:"out"`
	Bytes        int    `json:"bytes"`
	ModuleDigest string `json:"module_digest"`
	Admitted     bool   `json:"admitted"`
	Refusal      string `json:"refusal"`
	ID           string `json:"id"`
	Version      string `json:"version"`
	mode         string // the first one, for the hint
}

// Help is shown by --help.
func (*Build) Help() string {
	return `Calls the compiler of the project's language with the flags a module needs, and
asks of the result what admission would say. What it recognises a project by:
Cargo.toml (Rust), package.json and assembly/index.ts (AssemblyScript), go.mod (Go),
*.c (C). A build that fails leaves the module of the last one in place.

Exit codes: 0 built and would be taken, 10 built but would be refused, 2 no project,
1 anything else, such as a missing compiler; the message says what to install.

Examples:
  edgereel studio build
  edgereel studio build owl-run --out owl.wasm --json`
}

// Do builds and reports; what the compiler says goes to log.
func (b *Build) Do(ctx context.Context, out, log io.Writer) error {
	file := b.Out
	if file == "" {
		file = filepath.Join(b.Dir, "game.wasm")
	}
	c, err := Compile(ctx, b.Dir, file, log)
	if err != nil {
		return err
	}
	wasm, err := read(file)
	if err != nil {
		return err
	}
	seen, err := inspect(ctx, file, wasm)
	if err != nil {
		return err
	}
	r := BuildReport{
		Schema: 1, Language: c.Language, Compiler: c.Version, Out: file, Bytes: seen.Bytes, ModuleDigest: seen.ModuleDigest,
		Admitted: seen.Admitted, Refusal: seen.Refusal,
	}
	if seen.Manifest != nil {
		r.ID, r.Version, r.mode = seen.Manifest.ID, seen.Manifest.Release, seen.Manifest.Modes[0].Name
	}
	if b.JSON {
		err = printJSON(out, r)
	} else {
		r.print(out)
	}
	if err == nil && !r.Admitted {
		return ErrNo
	}
	return err
}

func (r *BuildReport) print(out io.Writer) {
	verdict := "would be taken"
	if !r.Admitted {
		verdict = "would be REFUSED: " + r.Refusal
	}
	fmt.Fprintf(out, "built      %s, %d bytes\ncompiler   %s\nmodule     %s\nadmission  %s\n", r.Out, r.Bytes, r.Compiler, r.ModuleDigest, verdict)
	if r.ID != "" {
		fmt.Fprintf(out, "game       %s %s\nnext       edgereel studio simulate %s --mode %s\n", r.ID, r.Version, r.Out, r.mode)
	}
}

// ErrNoCompiler means that a project's language has no usable compiler on this
// machine. The error says what to install.
var ErrNoCompiler = errors.New("no compiler")

// Compiled says what built a module.
type Compiled struct {
	Language string
	Version  string // of the compiler, as it says it
}

// Compile builds the project in dir into the file out, which is replaced only
// by a module that was built. ErrUsage when dir is no project.
func Compile(ctx context.Context, dir, out string, log io.Writer) (Compiled, error) {
	p, err := detect(dir)
	if err != nil {
		return Compiled{}, err
	}
	// In the folder of the module, so that it can be put in place at once.
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil { //nolint:gosec // as a compiler would
		return Compiled{}, fmt.Errorf("make the folder of the module: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".build-")
	if err != nil {
		return Compiled{}, fmt.Errorf("make room for the build: %w", err)
	}
	fresh, err := filepath.Abs(filepath.Join(work, "game.wasm"))
	version := ""
	if err == nil {
		version, err = p.compile(&compilation{dir: dir, out: fresh, log: log, rustc: systemRustc}, ctx)
	}
	if err == nil {
		err = os.Rename(fresh, out)
	}
	if err := errors.Join(err, os.RemoveAll(work)); err != nil {
		return Compiled{}, fmt.Errorf("build %s: %w", p.language, err)
	}
	return Compiled{Language: p.language, Version: version}, nil
}

// project is a language and how it is built.
type project struct {
	language string
	marks    []string // patterns in the folder, any of them
	compile  func(*compilation, context.Context) (version string, err error)
}

var projects = []project{
	{"rust", []string{"Cargo.toml"}, (*compilation).rust},
	{"assemblyscript", []string{filepath.Join("assembly", "index.ts")}, (*compilation).assemblyScript},
	{"go", []string{"go.mod"}, (*compilation).golang},
	{"c", []string{"*.c", filepath.Join("src", "*.c")}, (*compilation).c},
}

// detect tells the language of a project by its files.
func detect(dir string) (project, error) {
	var found []project
	var why, names []string
	for _, p := range projects {
		for _, mark := range p.marks {
			names = append(names, mark)
			if hits, err := filepath.Glob(filepath.Join(quoted(dir), mark)); err == nil && len(hits) > 0 {
				found, why = append(found, p), append(why, mark+" for "+p.language)
				break
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return project{}, fmt.Errorf("%w: %s is no project: none of %s is there; begin one with `edgereel studio init`", ErrUsage, dir, strings.Join(names, ", "))
	}
	return project{}, fmt.Errorf("%w: %s speaks for several languages: %s", ErrUsage, dir, strings.Join(why, ", "))
}

// quoted keeps the characters of a folder's name from being a pattern.
func quoted(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}
