package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
)

func importOutputs() map[string]any {
	return map[string]any{
		"studio-import-stake-engine": &studio.ImportReport{
			Schema: 1, File: "copper-well.table", ParSheet: "copper-well.par.json", ModuleDigest: exampleDigest, Bytes: 1635, ID: "copper-well", Version: "1.0.0",
			Source: "stake-engine", StakeStep: 5,
			Modes: []studio.ImportedMode{{
				Name: "base", CostX100: 100, Rows: 3, TotalWeight: 100, RTP: 0.18, RTPNum: "9", RTPDen: "50", HitFrequency: 0.3,
				SD: 0.41424630, MaxWinX: 1.4,
			}},
		},
	}
}

// published writes a small publication of one mode and returns its folder.
func published(t *testing.T, weights string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"index.json": []byte(`{"modes":[{"name":"base","cost":1.0,"events":"books.jsonl.zst","weights":"weights.csv"}]}`),
		"books.jsonl.zst": w.EncodeAll([]byte(`{"id":1,"payoutMultiplier":0,"events":[]}
{"id":2,"payoutMultiplier":150,"events":[{"type":"win","amount":150}]}
`), nil),
		"weights.csv": []byte(weights),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestStudio_ImportsStakeEngine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "copper-well.table")
	code, out, errs := studioRun(t, "import", "stake-engine", published(t, "1,9,0\n2,3,150\n"), "--id", "copper-well", "--out", file, "--json")
	if code != ExitOK {
		t.Fatalf("code %d: %s%s", code, out, errs)
	}
	var r studio.ImportReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Modes) != 1 || r.Modes[0].RTPNum != "3" || r.Modes[0].RTPDen != "8" || r.Modes[0].TotalWeight != 12 || r.StakeStep != 2 {
		t.Errorf("report %+v", r)
	}
	if code, out, errs = studioRun(t, "import", "stake-engine", published(t, "1,9,0\n2,3,150\n"), "--id", "copper-well", "--out", file); code != ExitOK ||
		!strings.Contains(out, "RTP 37.5000000000 %") || !strings.Contains(out, r.ModuleDigest) {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	// What came out is a game to every other verb.
	sheet := filepath.Join(filepath.Dir(file), "copper-well.par.json")
	for _, c := range []struct{ args, says string }{
		{"inspect " + file, "table from stake-engine"},
		{"simulate " + file + " --mode base --rounds 2000", r.ModuleDigest},
		{"exact " + file + " --mode base", "37.5000000000 %"},
		{"check " + file + " --par " + sheet + " --rounds 2000", "copper-well"},
		{"try " + file, "copper-well"},
	} {
		if code, out, errs := studioRun(t, strings.Fields(c.args)...); code != ExitOK || !strings.Contains(out, c.says) {
			t.Errorf("studio %s ends with %d and does not say %q:\n%s%s", c.args, code, c.says, out, errs)
		}
	}
}

func TestStudio_ImportRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.table")
	for name, c := range map[string]struct{ weights, id, says string }{
		"a row without its book": {"1,9,0\n2,3,150\n3,1,0\n", "copper-well", "books.jsonl.zst: has no book 3, which weights.csv lists"},
		"another payout":         {"1,9,0\n2,3,160\n", "copper-well", "books.jsonl.zst, line 2: book 2 pays 150, its row in weights.csv 160"},
		"a broken line":          {"1,9,0\n2;3;150\n", "copper-well", "weights.csv, line 2: has 1 cells"},
		"no id":                  {"1,9,0\n2,3,150\n", "Copper Well", `id "Copper Well"`},
	} {
		code, out, errs := studioRun(t, "import", "stake-engine", published(t, c.weights), "--id", c.id, "--out", file)
		if code != ExitFailed || !strings.Contains(errs, c.says) {
			t.Errorf("%s: code %d, %s%s", name, code, out, errs)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: a file was written", name)
		}
	}
}
