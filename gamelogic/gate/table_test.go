package gate_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/gamelogic/table"
)

func tableAndSheet(t *testing.T) (file, sheet []byte) {
	t.Helper()
	file, err := os.ReadFile("../table/testdata/copper-well-v1.table")
	if err != nil {
		t.Fatal(err)
	}
	g, err := table.OpenBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	p, err := gate.TablePAR(g)
	if err != nil {
		t.Fatal(err)
	}
	if sheet, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	return file, sheet
}

func TestCheck_Table(t *testing.T) {
	file, sheet := tableAndSheet(t)
	r, err := gate.Check(t.Context(), gate.Config{Wasm: file, PAR: sheet, Rounds: 20_000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed() || r.Manifest == nil || r.Manifest.ID != "copper-well" || r.Meter != 0 {
		t.Errorf("verdict %s, manifest %+v: %q", r.Verdict, r.Manifest, r.Failures())
	}
	// 0, 0.2 and 1.4 stakes at 70, 20 and 10 of 100.
	if x := r.Modes[0]; x.Exact == nil || x.Exact.RTPNum != "9" || x.Exact.RTPDen != "50" || x.Distribution == nil || len(x.Distribution.Points) != 3 {
		t.Errorf("mode %+v, exact %+v", x, x.Exact)
	}
}

// A sheet that says something else than the weights does not pass.
func TestCheck_TableRefuses(t *testing.T) {
	file, sheet := tableAndSheet(t)
	for name, c := range map[string]struct {
		file, sheet []byte
		says        string
	}{
		"another return":      {file, bytes.Replace(sheet, []byte(`"rtp":"0.180000000000"`), []byte(`"rtp":"0.190000000000"`), 1), "rtp of mode"},
		"another share":       {file, bytes.Replace(sheet, []byte(`"weight":"70"`), []byte(`"weight":"60"`), 1), "probability"},
		"damage":              {file[:len(file)-9], sheet, "refuse the table"},
		"no sheet":            {file, nil, "no PAR sheet"},
		"a sheet of a module": {file, bytes.Replace(sheet, []byte(`"id":"copper-well"`), []byte(`"id":"tin-well"`), 1), "tin-well"},
	} {
		r, err := gate.Check(t.Context(), gate.Config{Wasm: c.file, PAR: c.sheet, Rounds: 2000, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Builder{}
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if r.Passed() || !slices.ContainsFunc(r.Checks, func(x gate.Result) bool { return x.Verdict == gate.Fail && strings.Contains(x.Detail, c.says) }) {
			t.Errorf("%s: no finding says %q:\n%s", name, c.says, text.String())
		}
	}
}
