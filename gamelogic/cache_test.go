package gamelogic_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
)

// A module from the cache plays as one that was compiled, fuel included, and a
// file of the cache that is damaged is made anew.
func TestCompileCache(t *testing.T) {
	dir := t.TempDir()
	g := games.All()[0]
	lives := func(cfg gamelogic.HostConfig) string {
		t.Helper()
		h := hostOf(t, cfg, g.Wasm)
		defer h.Close()
		m, err := h.Load(t.Context(), g.Wasm)
		if err != nil {
			t.Fatal(err)
		}
		return history(t, m, m.Play, 0, 20)
	}
	cached := gamelogic.HostConfig{CompileCacheDir: dir}
	want := lives(gamelogic.HostConfig{})
	for range 2 { // the first fills it
		if lives(cached) != want {
			t.Fatal("a cached module plays otherwise")
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "edgereel-*"))
	if err != nil || len(found) != 1 || !strings.Contains(found[0], "edgereel-metered-") {
		t.Fatalf("the cache holds %q, %v", found, err)
	}
	whole, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return nil },
		"a bit":   func(b []byte) []byte { b[len(b)-9] ^= 1; return b },
		"other":   func(b []byte) []byte { sum := sha256.Sum256([]byte("{}\n")); return append(sum[:], "{}\n"...) },
	} {
		if err := os.WriteFile(found[0], damage([]byte(string(whole))), 0o600); err != nil {
			t.Fatal(err)
		}
		if lives(cached) != want {
			t.Fatalf("%s: plays otherwise", name)
		}
		if again, err := os.ReadFile(found[0]); err != nil || string(again) != string(whole) {
			t.Fatalf("%s: the file was not made anew: %v", name, err)
		}
	}
}
