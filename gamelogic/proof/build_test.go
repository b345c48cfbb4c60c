package proof_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The compiler is not part of Go's toolchain: without it the check is skipped,
// except in CI, which installs it by games/build.sh.
func TestModulesAreWhatTheirSourceBuilds(t *testing.T) {
	folder, kit := filepath.Join("..", "testdata", "published"), filepath.Join("..", "..", "sdk", "assemblyscript")
	_, missing := os.Stat(filepath.Join(kit, "node_modules", "assemblyscript", "bin", "asc.js"))
	if _, err := exec.LookPath("node"); err != nil {
		missing = err
	}
	if missing != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the compiler must be there in CI: %v", missing)
		}
		t.Skipf("no AssemblyScript compiler, run games/build.sh once to install it: %v", missing)
	}
	// Read what only the child uses, so that the test cache knows of it.
	for _, pattern := range []string{filepath.Join(folder, "*"), filepath.Join(kit, "package-lock.json"), filepath.Join(kit, "assembly", "*.ts")} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("nothing matches %s: %v", pattern, err)
		}
		for _, path := range paths {
			if _, err := os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), "sh", filepath.Join(folder, "build.sh"), "--check").CombinedOutput()
	if err != nil {
		t.Fatalf("build.sh --check: %v\n%s", err, out)
	}
}
