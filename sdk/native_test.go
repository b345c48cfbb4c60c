package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program finds a compiler or an engine. Without one of the names the test is
// skipped with the reason, or fails where all are promised to be there.
func program(t *testing.T, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, strings.Join(names, " or ")+" is missing: run sdk/install.sh "+install)
	return ""
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("EDGEREEL_TOOLCHAINS") == "required" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// run starts a program in a folder of sdk and gives its output.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// reads opens what only a child process uses, so that Go's test cache knows
// that the result depends on it.
func reads(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("nothing matches %s: %v", pattern, err)
		}
		for _, p := range paths {
			if _, err := os.ReadFile(p); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestVectors_Node(t *testing.T) {
	node := program(t, "assemblyscript", "node")
	reads(t, "vectors/*", "*/example/example.wasm")
	for _, language := range languages {
		out := run(t, ".", nil, node, "vectors/play.mjs", language+"/example/example.wasm", "vectors/lantern-pick.json")
		if !strings.HasSuffix(out, " vectors\n") {
			t.Errorf("%s: %s", language, out)
		}
	}
}

func TestVectors_RustNative(t *testing.T) {
	// Debian's, which the pinned build has anyway, or any other: only the crate
	// itself is needed.
	cargo := program(t, "rust", "/usr/bin/cargo", "cargo")
	program(t, "c", "cc") // which links what rustc compiles
	reads(t, "rust/Cargo.toml", "rust/src/*", "rust/example/*.rs", "rust/tests/*", "vectors/*")
	env := []string{"CARGO_TARGET_DIR=" + t.TempDir(), "CARGO_NET_OFFLINE=true"}
	if rustc := filepath.Join(filepath.Dir(cargo), "rustc"); filepath.Dir(cargo) == "/usr/bin" {
		env = append(env, "RUSTC="+rustc)
	}
	out := run(t, "rust", env, cargo, "test", "--quiet", "--test", "vectors", "--test", "kit")
	if !strings.Contains(out, "1 passed") || !strings.Contains(out, "3 passed") {
		t.Error(out)
	}
}

func TestVectors_CNative(t *testing.T) {
	cc := program(t, "c", "cc", "clang", "gcc")
	reads(t, "c/*.h", "c/example/*.c", "c/test/*.c", "vectors/*")
	bin := filepath.Join(t.TempDir(), "vectors")
	run(t, ".", nil, cc, "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", bin, "c/test/vectors.c")
	if out := run(t, ".", nil, bin, "vectors/lantern-pick.txt"); !strings.HasSuffix(out, " vectors\n") {
		t.Error(out)
	}
	run(t, ".", nil, cc, "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", bin, "c/test/kit.c")
	run(t, ".", nil, bin)
}

// The kit is a module of its own, so the tests of this one do not reach it.
func TestVectors_GoNative(t *testing.T) {
	reads(t, "go/*.go", "go/go.mod", "go/example/*.go", "vectors/*")
	env := []string{"GOWORK=off"}
	run(t, "go", env, "go", "vet", "./...")
	run(t, "go", env, "go", "test", "./...")
}

func TestModulesAreWhatTheirSourceBuilds(t *testing.T) {
	reads(t, "build.sh", "rust/src/*", "rust/example/*", "assemblyscript/package-lock.json", "assemblyscript/assembly/*", "assemblyscript/example/*",
		"c/*.h", "c/example/*", "go/*.go", "go/go.mod", "go/example/*")
	skips := 0
	for _, language := range languages {
		if language == "assemblyscript" {
			if _, err := os.Stat("assemblyscript/node_modules/assemblyscript/bin/asc.js"); err != nil && os.Getenv("EDGEREEL_TOOLCHAINS") != "required" {
				t.Logf("assemblyscript: skipped, run sdk/install.sh assemblyscript once")
				continue
			}
		}
		out := run(t, ".", nil, "sh", "build.sh", "--check", language)
		if strings.Contains(out, "skipped") {
			skips++
		}
		t.Log(strings.TrimSpace(out))
	}
	if skips == len(languages) {
		t.Skip("no compiler of a pinned version is here")
	}
}
