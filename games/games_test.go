package games_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/games/par"
)

// The compiler is not part of Go's toolchain: without it the check is skipped,
// except in CI, which installs it by games/build.sh.
func TestModulesAreWhatTheirSourceBuilds(t *testing.T) {
	compiler := filepath.Join("..", "sdk", "assemblyscript", "node_modules", "assemblyscript", "bin", "asc.js")
	_, missing := os.Stat(compiler)
	if _, err := exec.LookPath("node"); err != nil {
		missing = err
	}
	if missing != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the compiler must be there in CI: %v", missing)
		}
		t.Skipf("no AssemblyScript compiler, run games/build.sh once to install it: %v", missing)
	}
	for _, pattern := range []string{"build.sh", "build.mjs", "*/*.wasm", "*/*/*.wasm", "*/assembly/*.ts", "kit/*.ts", "../sdk/assemblyscript/package-lock.json", "../sdk/assemblyscript/assembly/*.ts"} {
		readAll(t, pattern)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "build.sh", "--check").CombinedOutput()
	if err != nil {
		t.Fatalf("games/build.sh --check: %v\n%s", err, out)
	}
}

// Every figure and every table of the modules' source follows from the designs.
func TestSheetsFollowFromDesigns(t *testing.T) {
	designs, err := filepath.Glob("*/design.json")
	if err != nil || len(designs) == 0 {
		t.Fatalf("no designs: %v", err)
	}
	sheets := 0
	for _, path := range designs {
		folder := filepath.Dir(path)
		t.Run(folder, func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files, err := par.Generate(b)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range files {
				got, err := os.ReadFile(filepath.Join(folder, name))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s/%s does not follow from design.json: run go run ./games/parsheet", folder, name)
				}
				for _, g := range games.All() {
					if filepath.Base(name) == "par.json" && bytes.Equal(g.Par, want) {
						sheets++
					}
				}
			}
		})
	}
	if want := len(games.All()); sheets != want {
		t.Errorf("%d of %d embedded sheets follow from the designs", sheets, want)
	}
}

// readAll opens files that only a child process uses, so that Go's test cache
// knows that the result depends on them.
func readAll(t *testing.T, pattern string) {
	t.Helper()
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
