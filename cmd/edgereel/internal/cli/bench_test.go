package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/bench"
)

func benchOutputs() map[string]any {
	goal, met := 1.5, true
	return map[string]any{
		"bench-wasm": &bench.Report{Schema: 1, CPUs: 2, Turns: 40, Figures: []bench.Figure{
			{Name: "step", Subject: "rust", Value: 310.5, Unit: "ns"},
			{Name: "step over native Go", Subject: "rust", Value: 1.39, Unit: "x", Goal: &goal, Met: &met},
		}},
	}
}

// The bench measures everything it names on whatever machine, and says how it
// stands to the goals.
func TestBench_Wasm(t *testing.T) {
	var stdout, stderr bytes.Buffer
	missing := filepath.Join(t.TempDir(), "missing.wasm")
	code := Main(t.Context(), []string{"bench", "wasm", "--seconds", "0", "--go", missing, "--json"}, strings.NewReader(""), &stdout, &stderr)
	if code != ExitOK || !strings.Contains(stderr.String(), "name its built example with --go") {
		t.Fatalf("code %d: %s%s", code, stdout.String(), stderr.String())
	}
	var r bench.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Turns < 3 || len(r.Figures) < 20 {
		t.Errorf("%d figures of %d turns", len(r.Figures), r.Turns)
	}
	seen := map[string]bool{}
	for _, f := range r.Figures {
		id := f.Name + " of " + f.Subject
		if f.Value <= 0 || f.Unit == "" || seen[id] || (f.Goal == nil) != (f.Met == nil) {
			t.Errorf("%s is %+v", id, f)
		}
		seen[id] = true
	}
	for _, want := range []string{"step over native Go of rust", "metered over unmetered of c", "rounds per CPU second of sizzling", "runaway killed of wasi"} {
		if !seen[want] {
			t.Errorf("%s was not measured", want)
		}
	}
	stdout.Reset()
	if err := r.Print(&stdout); err != nil || strings.Count(stdout.String(), "\n") != len(r.Figures)+3 {
		t.Errorf("the table: %v\n%s", err, stdout.String())
	}
}

func TestBench_Usage(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Main(t.Context(), []string{"bench", "wasm", "--seconds", "4000"}, strings.NewReader(""), &stdout, &stderr); code != ExitUsage {
		t.Fatalf("code %d: %s", code, stderr.String())
	}
}
