package sdk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/gate"
)

// The examples pass the gate of every release, with one PAR sheet for all.
func TestExamplesPassTheGate(t *testing.T) {
	for _, language := range []string{"rust", "assemblyscript", "c"} {
		passesTheGate(t, language)
	}
}

// A Go guest takes a hundred times as long to load, and the gate loads it often.
func TestLongGoExamplePassesTheGate(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("EDGEREEL_LONG=1 plays it")
	}
	passesTheGate(t, "go")
}

func passesTheGate(t *testing.T, language string) {
	t.Helper()
	sheet, err := os.ReadFile(filepath.Join("vectors", "lantern-pick.par.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gate.Check(t.Context(), gate.Config{Wasm: exampleModule(t, language), PAR: sheet, Rounds: 20_000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	exact := 0
	for _, m := range r.Modes {
		if m.Exact != nil {
			exact++
		}
	}
	if r.Verdict != gate.Pass || exact != 2 {
		t.Errorf("%s: %s with %d modes computed:\n%+v", language, r.Verdict, exact, r.Checks)
	}
}
