package studio

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// compilation is one build: from a project's folder to a file.
type compilation struct {
	dir, out string
	log      io.Writer
	rustc    []string // where one may be besides the path
}

// run calls a tool in the project's folder; what it says goes to the log.
func (c *compilation) run(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = c.log, c.log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w; what it said stands above", filepath.Base(name), err)
	}
	return nil
}

// ask gives the first line of what a tool answers, or nothing.
func (c *compilation) ask(ctx context.Context, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.dir
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

func noCompiler(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNoCompiler, fmt.Sprintf(format, args...))
}

// ---- C

func (c *compilation) c(ctx context.Context) (string, error) {
	clang, err := c.clang(ctx)
	if err != nil {
		return "", err
	}
	sources, err := filepath.Glob(filepath.Join(quoted(c.dir), "*.c"))
	if err != nil {
		return "", err
	}
	more, err := filepath.Glob(filepath.Join(quoted(c.dir), "src", "*.c"))
	if err != nil {
		return "", err
	}
	args := []string{
		"--target=wasm32", "-std=c11", "-Wall", "-Wextra", "-O2", "-nostdlib", "-ffreestanding", "-mbulk-memory", "-I.",
		"-Wl,--no-entry", "-Wl,-z,stack-size=16384", "-Wl,--stack-first", "-Wl,--strip-all", "-o", c.out,
	}
	for _, s := range append(sources, more...) {
		relative, err := filepath.Rel(c.dir, s)
		if err != nil {
			return "", err
		}
		args = append(args, relative)
	}
	return c.ask(ctx, clang, "--version"), c.run(ctx, nil, clang, args...)
}

// clang finds one that makes wasm32 and has its linker.
func (c *compilation) clang(ctx context.Context) (string, error) {
	names := []string{"clang"}
	for version := 30; version >= 14; version-- {
		names = append(names, "clang-"+strconv.Itoa(version))
	}
	why := "clang is not there"
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "--print-targets").Output()
		if err == nil && !strings.Contains(string(out), "wasm32") {
			why = path + " does not know wasm32"
			continue
		}
		linker := c.ask(ctx, path, "-print-prog-name=wasm-ld")
		if _, err := exec.LookPath(linker); err != nil {
			why = path + " has no linker wasm-ld"
			continue
		}
		return path, nil
	}
	return "", noCompiler("%s; install clang 14 or newer with its linker: on Debian and Ubuntu `apt install clang lld`, on macOS `brew install llvm lld`", why)
}

// ---- Go

var goVersion = regexp.MustCompile(`go1\.(\d+)`)

func (c *compilation) golang(ctx context.Context) (string, error) {
	install := "install Go 1.24 or newer from https://go.dev/dl/"
	path, err := exec.LookPath("go")
	if err != nil {
		return "", noCompiler("go is not there; %s", install)
	}
	version := c.ask(ctx, path, "version")
	if n := goVersion.FindStringSubmatch(version); n != nil {
		if minor, err := strconv.Atoi(n[1]); err == nil && minor < 24 {
			return "", noCompiler("%s is too old, it cannot export functions of a module; %s", version, install)
		}
	}
	env := []string{"GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0"}
	return version, c.run(ctx, env, path, "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w", "-o", c.out, ".")
}

// ---- AssemblyScript

func (c *compilation) assemblyScript(ctx context.Context) (string, error) {
	install := "install node 18 or newer with npm: on Debian and Ubuntu `apt install nodejs npm`, elsewhere from https://nodejs.org"
	node, err := exec.LookPath("node")
	if err != nil {
		return "", noCompiler("node is not there; %s", install)
	}
	asc := c.asc()
	if asc == "" {
		npm, err := exec.LookPath("npm")
		if err != nil {
			return "", noCompiler("npm is not there, which installs the compiler; %s", install)
		}
		fmt.Fprintln(c.log, "installing the compiler named in package.json")
		how := "install" // without a lock file
		if _, err := os.Stat(filepath.Join(c.dir, "package-lock.json")); err == nil {
			how = "ci"
		}
		if err := c.run(ctx, nil, npm, how, "--ignore-scripts", "--no-fund", "--no-audit"); err != nil {
			return "", fmt.Errorf("%w: npm could not install it, which needs its registry once: %w", ErrNoCompiler, err)
		}
		if asc = c.asc(); asc == "" {
			return "", noCompiler("package.json does not name assemblyscript; add it with `npm install --save-dev assemblyscript`")
		}
	}
	version := "AssemblyScript " + strings.TrimPrefix(c.ask(ctx, node, asc, "--version"), "Version ")
	return version, c.run(ctx, nil, node, asc, filepath.Join("assembly", "index.ts"), "-O3", "--runtime", "stub", "--noAssert", "--use", "abort=", "-o", c.out)
}

// asc finds an installed compiler as node finds a package: in the project, or
// in a folder above it, where workspaces have theirs.
func (c *compilation) asc() string {
	dir, err := filepath.Abs(c.dir)
	for err == nil {
		path := filepath.Join(dir, "node_modules", "assemblyscript", "bin", "asc.js")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	return ""
}
