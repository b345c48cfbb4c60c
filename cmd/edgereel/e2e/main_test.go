//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared is what the tests of the package have in common: the program, built
// once by the first test that needs it.
var shared struct {
	dir   string
	build func() (string, error)
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "edgereel-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.dir = dir
	shared.build = sync.OnceValues(func() (string, error) {
		path := filepath.Join(dir, "edgereel")
		out, err := exec.Command("go", "build", "-o", path, "github.com/edgereel/edgereel/cmd/edgereel").CombinedOutput() //nolint:noctx // bounded by the test's own time
		if err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		return path, nil
	})
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// program is the path of the built program.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	path, err := shared.build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environment is the test's own without what would lead the program to another
// cluster, with extra at the end.
func environment(home string, extra ...string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "EDGEREEL_") && name != "HOME" && name != "XDG_CACHE_HOME" {
			env = append(env, variable)
		}
	}
	return append(append(env, "HOME="+home, "XDG_CACHE_HOME="+filepath.Join(home, ".cache")), extra...)
}

// eventually waits for a condition. what explains the state at the limit.
func eventually(t *testing.T, limit time.Duration, what func() string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what())
		}
	}
}

// text is a description that does not change.
func text(s string) func() string { return func() string { return s } }
