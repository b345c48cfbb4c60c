//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGuideCommands types the commands of each guide in docs/guides one after
// the other, in one shell that begins in an empty folder. A guide whose
// compiler is missing is skipped with what the program said, except where all
// compilers are promised to be there.
func TestGuideCommands(t *testing.T) {
	bin := program(t)
	pages, err := filepath.Glob(filepath.Join("..", "..", "..", "docs", "guides", "*.md"))
	if err != nil || len(pages) != 4 {
		t.Fatalf("guides %q, %v", pages, err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			content, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			blocks, err := markedBlocks(content)
			if err != nil || len(blocks) < 3 || strings.Count(string(content), "```sh") != len(blocks) {
				t.Fatalf("%d blocks to run, %v: every ```sh block of a guide is run", len(blocks), err)
			}
			script := ""
			for _, b := range blocks {
				script += b.script
			}
			typeGuide(t, bin, script)
		})
	}
}

func typeGuide(t *testing.T, bin, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
	cmd.Dir, cmd.WaitDelay = filepath.Join(borrowCompiler(t), "empty"), 10*time.Second
	if err := os.Mkdir(cmd.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// Compilers keep their settings and caches at home.
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(string(out), ": no compiler: ") && os.Getenv("EDGEREEL_TOOLCHAINS") != "required" {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skip(lines[len(lines)-1])
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Count(string(out), "The module PASSES.") != 2 {
		t.Errorf("the gate does not pass twice:\n%s", out)
	}
}

// borrowCompiler gives a folder with the AssemblyScript compiler of the kit in
// it, if that is installed: a project below finds it as one in a workspace does.
func borrowCompiler(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	modules, err := filepath.Abs(filepath.Join("..", "..", "..", "sdk", "assemblyscript", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(modules); err == nil {
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
