package studio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/sdk"
)

func newProject(t *testing.T, language string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "owl run") // a folder may have a space
	if err := (&Init{Name: "owl-run", Lang: language, Dir: dir, JSON: true}).Do(&bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// buildOrSkip skips where the language has no compiler, except where all are
// promised to be there.
func buildOrSkip(t *testing.T, b *Build) BuildReport {
	t.Helper()
	var out, log bytes.Buffer
	b.JSON = true
	err := b.Do(t.Context(), &out, &log)
	if errors.Is(err, ErrNoCompiler) && os.Getenv("EDGEREEL_TOOLCHAINS") != "required" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	var r BuildReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// A new project of every language builds, would be taken, and plays what its
// PAR sheet says.
func TestInitAndBuild(t *testing.T) {
	for _, language := range sdk.Languages() {
		t.Run(language, func(t *testing.T) {
			dir := newProject(t, language)
			r := buildOrSkip(t, &Build{Dir: dir})
			if !r.Admitted || r.Refusal != "" || r.Language != language || r.Compiler == "" || r.ID != "owl-run" || r.Version != "0.1.0" || r.Out != filepath.Join(dir, "game.wasm") {
				t.Fatalf("%+v", r)
			}
			t.Logf("%s: %d bytes by %s", language, r.Bytes, r.Compiler)
			playsItsSheet(t, r.Out, filepath.Join(dir, "par.json"))
			left, err := filepath.Glob(filepath.Join(dir, ".build-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}

// playsItsSheet walks all 216 throws.
func playsItsSheet(t *testing.T, module, sheet string) {
	t.Helper()
	m, host, err := load(t.Context(), module)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	}()
	wins := map[int64]int{}
	for n := range uint32(216) {
		draws := gamelogic.NewScriptedDraws([]uint32{n / 36, n / 6 % 6, n % 6})
		out, err := m.Play(t.Context(), gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 10, Draws: draws})
		if err != nil || !out.Closed || !json.Valid(out.Presentation) {
			t.Fatalf("throw %d: %+v, %v", n, out, err)
		}
		wins[out.WinMinor]++
	}
	if len(wins) != 4 || wins[0] != 120 || wins[10] != 90 || wins[120] != 5 || wins[500] != 1 {
		t.Errorf("wins %v", wins)
	}
	var par struct {
		ID    string
		Modes []struct {
			RTP          string
			Distribution []struct{ Weight string }
		}
	}
	b, err := os.ReadFile(sheet)
	if err == nil {
		err = json.Unmarshal(b, &par)
	}
	declared := m.Manifest().Modes[0]
	if err != nil || par.ID != m.Manifest().ID || len(par.Modes) != 1 || par.Modes[0].RTP != declared.RTP || len(par.Modes[0].Distribution) != len(wins) {
		t.Errorf("the sheet says %+v, the manifest %+v, %v", par, declared, err)
	}
}

func TestInit_Refusals(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		init  Init
		usage bool
		says  string
	}{
		"name":     {Init{Name: "Owl", Lang: "c", Dir: t.TempDir()}, true, `"Owl" is no game id`},
		"no name":  {Init{Name: "", Lang: "c", Dir: t.TempDir()}, true, "is no game id"},
		"long":     {Init{Name: strings.Repeat("a", 64), Lang: "c", Dir: t.TempDir()}, true, "at most 63"},
		"language": {Init{Name: "owl", Lang: "cobol", Dir: t.TempDir()}, false, "no kit"},
		"full":     {Init{Name: "owl", Lang: "c", Dir: full}, false, "is not empty, it has mine.txt: nothing was written"},
		"a file":   {Init{Name: "owl", Lang: "c", Dir: filepath.Join(full, "mine.txt")}, false, "mine.txt"},
	} {
		err := c.init.Do(&bytes.Buffer{})
		if err == nil || errors.Is(err, ErrUsage) != c.usage || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(full); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

func TestInit_Titles(t *testing.T) {
	for id, want := range map[string]string{"owl": "Owl", "owl-run-2": "Owl Run 2", "owl--run-": "Owl Run"} {
		if got := title(id); got != want {
			t.Errorf("%s is titled %q, want %q", id, got, want)
		}
	}
}

// tools are scripts that stand for compilers.
func tools(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

// What is missing is said, and what to install.
func TestCompile_NoCompiler(t *testing.T) {
	for name, c := range map[string]struct {
		language string
		tools    map[string]string
		says     []string
	}{
		"no rustc":      {"rust", nil, []string{"rustc is not there", "rustup target add wasm32-unknown-unknown", "apt install rustc"}},
		"no cargo":      {"rust", map[string]string{"rustc": "echo rustc 1.80.0"}, []string{"no cargo beside it"}},
		"no library":    {"rust", map[string]string{"rustc": `[ "$1" = --version ] && echo rustc 1.80.0 || echo /nowhere`, "cargo": "exit 1", "rust-lld": ""}, []string{"rustc 1.80.0", "no library for wasm32"}},
		"no rust-lld":   {"rust", map[string]string{"rustc": "echo /nowhere", "cargo": "exit 1"}, []string{"no linker rust-lld", "lld"}},
		"no clang":      {"c", nil, []string{"clang is not there", "apt install clang lld"}},
		"other targets": {"c", map[string]string{"clang": "echo arm64 x86-64"}, []string{"does not know wasm32"}},
		"no linker":     {"c", map[string]string{"clang": `[ "$1" = --print-targets ] && echo wasm32 || echo wasm-ld`}, []string{"no linker wasm-ld", "lld"}},
		"no go":         {"go", nil, []string{"go is not there", "go.dev/dl"}},
		"old go":        {"go", map[string]string{"go": "echo go version go1.21.5 linux/amd64"}, []string{"go1.21.5", "too old"}},
		"no node":       {"assemblyscript", nil, []string{"node is not there", "apt install nodejs npm"}},
		"no npm":        {"assemblyscript", map[string]string{"node": "exit 0"}, []string{"npm is not there"}},
		"no registry":   {"assemblyscript", map[string]string{"node": "exit 0", "npm": "exit 1"}, []string{"npm could not install it"}},
		"other package": {"assemblyscript", map[string]string{"node": "exit 0", "npm": "exit 0"}, []string{"does not name assemblyscript"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newProject(t, c.language)
			tools(t, c.tools)
			at := slices.IndexFunc(projects, func(p project) bool { return p.language == c.language })
			_, err := projects[at].compile(&compilation{dir: dir, out: filepath.Join(t.TempDir(), "out"), log: &bytes.Buffer{}}, t.Context())
			for _, says := range c.says {
				if !errors.Is(err, ErrNoCompiler) || !strings.Contains(err.Error(), says) {
					t.Errorf("%v, want %q", err, says)
				}
			}
		})
	}
}

// A workspace has its compiler in a folder above the project.
func TestCompile_Workspace(t *testing.T) {
	dir := newProject(t, "assemblyscript")
	bin := filepath.Join(filepath.Dir(dir), "node_modules", "assemblyscript", "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "asc.js"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tools(t, map[string]string{"node": `case $2 in --version) echo Version 9;; *) for last; do :; done; echo "$1" >"$last";; esac`})
	out := filepath.Join(dir, "game.wasm")
	c, err := Compile(t.Context(), dir, out, &bytes.Buffer{})
	if err != nil || c.Version != "AssemblyScript 9" {
		t.Fatalf("%+v, %v", c, err)
	}
	if by, err := os.ReadFile(out); err != nil || strings.TrimSpace(string(by)) != filepath.Join(bin, "asc.js") {
		t.Errorf("built by %q, %v", by, err)
	}
}

func TestCompile_NoProject(t *testing.T) {
	empty, both := t.TempDir(), t.TempDir()
	for _, name := range []string{"game.c", "Cargo.toml"} {
		if err := os.WriteFile(filepath.Join(both, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for dir, says := range map[string]string{empty: "is no project: none of Cargo.toml", both: "several languages: Cargo.toml for rust, *.c for c"} {
		_, err := Compile(t.Context(), dir, filepath.Join(t.TempDir(), "out.wasm"), &bytes.Buffer{})
		if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// A build that fails keeps the last module and says what the compiler said.
func TestCompile_Fails(t *testing.T) {
	dir := newProject(t, "c")
	out := filepath.Join(dir, "game.wasm")
	if err := os.WriteFile(out, []byte("the last one"), 0o600); err != nil {
		t.Fatal(err)
	}
	tools(t, map[string]string{"clang": `case $1 in --print-targets) echo wasm32;; -print-*) echo clang;; --version) echo clang 99;; *) echo "game.c:1: wrong" >&2; exit 1;; esac`})
	var log bytes.Buffer
	_, err := Compile(t.Context(), dir, out, &log)
	if err == nil || errors.Is(err, ErrNoCompiler) || !strings.Contains(log.String(), "game.c:1: wrong") {
		t.Errorf("%v, log %q", err, log.String())
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "the last one" {
		t.Errorf("the module is %q now, %v", got, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".build-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// A module that would be refused is reported by the reason, and kept.
func TestBuild_Refused(t *testing.T) {
	dir := newProject(t, "c")
	tools(t, map[string]string{"clang": `case $1 in --print-targets) echo wasm32;; -print-*) echo clang;; --version) echo clang 99;;
*) while [ "$1" != -o ]; do shift; done; printf '\0asm\1\0\0\0' > "$2";; esac`})
	var out bytes.Buffer
	err := (&Build{Dir: dir}).Do(context.Background(), &out, &bytes.Buffer{})
	if !errors.Is(err, ErrNo) || !strings.Contains(out.String(), "would be REFUSED: ") || !strings.Contains(out.String(), "clang 99") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
