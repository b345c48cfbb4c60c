package studio

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// rustTargets are the targets a module can be built for, the best first: the
// other has features that grow with the compiler.
var rustTargets = []string{"wasm32v1-none", "wasm32-unknown-unknown"}

// systemRustc are where a distribution has its own, which rustup hides.
var systemRustc = []string{"/usr/bin/rustc", "/usr/local/bin/rustc"}

// rustChain is a compiler with a library for one of the targets.
type rustChain struct{ cargo, rustc, target string }

func (c *compilation) rust(ctx context.Context) (string, error) {
	chain, err := c.rustChain(ctx)
	if err != nil {
		return "", err
	}
	target, err := filepath.Abs(filepath.Join(c.dir, "target"))
	if err != nil {
		return "", err
	}
	env := []string{"RUSTC=" + chain.rustc, "CARGO_TARGET_DIR=" + target}
	if err := c.run(ctx, env, chain.cargo, "build", "--release", "--target", chain.target); err != nil {
		return "", err
	}
	built, err := newest(filepath.Join(target, chain.target, "release"))
	if err != nil {
		return "", err
	}
	return c.ask(ctx, chain.rustc, "--version") + ", " + chain.target, c.keep(built)
}

// rustChain finds a compiler that has a library for wasm32. The first rustc on
// the path often has none, while that of the system has.
func (c *compilation) rustChain(ctx context.Context) (rustChain, error) {
	why := "rustc is not there"
	for _, name := range append([]string{"rustc"}, c.rustc...) {
		rustc, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cargo := filepath.Join(filepath.Dir(rustc), "cargo") // one that knows this rustc
		if _, err := exec.LookPath(cargo); err != nil {
			why = rustc + " has no cargo beside it"
			continue
		}
		sysroot := c.ask(ctx, rustc, "--print", "sysroot")
		if !hasLinker(sysroot) {
			why = rustc + " has no linker rust-lld, which comes with lld"
			continue
		}
		for _, target := range rustTargets {
			if _, err := os.Stat(filepath.Join(sysroot, "lib", "rustlib", target, "lib")); err == nil {
				return rustChain{cargo, rustc, target}, nil
			}
		}
		why = fmt.Sprintf("%s (%s) has no library for wasm32", rustc, c.ask(ctx, rustc, "--version"))
	}
	return rustChain{}, noCompiler("%s; with rustup `rustup target add wasm32-unknown-unknown`, on Debian and Ubuntu `apt install rustc cargo libstd-rust-dev-wasm32 lld`", why)
}

// hasLinker tells whether rustc finds rust-lld: rustup's brings it along, a
// distribution's links to that of another package.
func hasLinker(sysroot string) bool {
	if _, err := exec.LookPath("rust-lld"); err == nil {
		return true
	}
	own, err := filepath.Glob(filepath.Join(quoted(sysroot), "lib", "rustlib", "*", "bin", "rust-lld*"))
	return err == nil && len(own) > 0
}

// newest is the module that was built last: a library that was renamed leaves
// its old one behind.
func newest(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(quoted(dir), "*.wasm"))
	if err != nil {
		return "", err
	}
	best, when := "", time.Time{}
	for _, path := range found {
		info, err := os.Stat(path)
		if err == nil && info.ModTime().After(when) {
			best, when = path, info.ModTime()
		}
	}
	if best == "" {
		return "", fmt.Errorf("cargo built no module: Cargo.toml needs a [lib] with crate-type = [\"cdylib\"]: %w", fs.ErrNotExist)
	}
	return best, nil
}

// keep copies what was built: cargo wants to find its own file again.
func (c *compilation) keep(built string) error {
	from, err := os.Open(built)
	if err != nil {
		return fmt.Errorf("open what was built: %w", err)
	}
	defer from.Close() //nolint:errcheck // it was only read
	to, err := os.Create(c.out)
	if err != nil {
		return fmt.Errorf("write the module: %w", err)
	}
	_, err = io.Copy(to, from)
	if errClose := to.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		return fmt.Errorf("write the module: %w", err)
	}
	return nil
}
