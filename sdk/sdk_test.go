package sdk_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/sdk"
)

func TestProject(t *testing.T) {
	wants := map[string][]string{
		"rust":           {"Cargo.toml", ".cargo/config.toml", "src/lib.rs", "edgereel/Cargo.toml", "edgereel/src/lib.rs", "edgereel/src/block.rs", "edgereel/src/output.rs"},
		"assemblyscript": {"package.json", "package-lock.json", ".npmrc", "assembly/index.ts", "edgereel/edgereel.ts", "edgereel/lines.ts"},
		"c":              {"game.c", "edgereel.h"},
		"go":             {"go.mod", "main.go", "edgereel/edgereel.go", "edgereel/block.go", "edgereel/module.go", "edgereel/native.go"},
	}
	for _, language := range sdk.Languages() {
		files, err := sdk.Project(language, "owl-run", "Owl Run")
		if err != nil {
			t.Fatal(err)
		}
		want := append(wants[language], "README.md", "par.json", ".gitignore")
		slices.Sort(want)
		if got := sdk.Names(files); !slices.Equal(got, want) {
			t.Errorf("%s: files %q, want %q", language, got, want)
		}
		named := 0
		for name, content := range files {
			if bytes.Contains(content, []byte("my-game")) || bytes.Contains(content, []byte("My Game")) {
				t.Errorf("%s: %s keeps the name of the template", language, name)
			}
			named += bytes.Count(content, []byte(`"owl-run"`)) + bytes.Count(content, []byte(`\"owl-run\"`))
		}
		if named < 2 { // manifest and PAR sheet
			t.Errorf("%s: the game is named %d times", language, named)
		}
	}
	if _, err := sdk.Project("cobol", "a", "A"); !errors.Is(err, sdk.ErrUnknownLanguage) || !strings.Contains(err.Error(), "assemblyscript") {
		t.Errorf("%v", err)
	}
}

// What is embedded of the kit for Go is the kit for Go.
func TestGoKitIsEmbedded(t *testing.T) {
	copies := filepath.Join("project", "go", "edgereel")
	sources, err := filepath.Glob(filepath.Join("go", "*.go"))
	if err != nil || len(sources) < 4 {
		t.Fatalf("%q, %v", sources, err)
	}
	for _, source := range sources {
		want, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(copies, filepath.Base(source)+".tmpl")
		if *update {
			if err := os.WriteFile(to, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not %s (%v): run go test ./sdk -run Embedded -update", to, source, err)
		}
	}
	if found, err := filepath.Glob(filepath.Join(copies, "*")); err != nil || len(found) != len(sources) {
		t.Errorf("%q, %v", found, err)
	}
}
