package gate_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/gate"
)

// No module of the hostile corpus passes, and none for want of a sheet alone.
func TestCheck_HostileCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole corpus")
	}
	folder := filepath.Join("..", "testdata", "hostile")
	raw, err := os.ReadFile(filepath.Join(folder, "corpus.json"))
	if err != nil {
		t.Fatal(err)
	}
	var corpus []struct {
		Name    string `json:"name"`
		Refused string `json:"refused"`
	}
	if err := json.Unmarshal(raw, &corpus); err != nil || len(corpus) < 100 {
		t.Fatalf("%d modules: %v", len(corpus), err)
	}
	for _, m := range corpus {
		wasm, err := os.ReadFile(filepath.Join(folder, m.Name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		r := check(t, wasm, "", func(c *gate.Config) { c.Rounds, c.MaxLeaves = 100_000, 1_000_000 })
		own := slices.ContainsFunc(r.Failures(), func(c gate.Result) bool { return c.Name != "par" })
		if !own || m.Refused != "" && r.Failures()[0].Stage != gate.StageDecode {
			t.Errorf("%s: %+v", m.Name, r.Failures())
		}
	}
}
