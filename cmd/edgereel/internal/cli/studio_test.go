package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
)

func studioOutputs() map[string]any {
	half, three, one := 0.5, 0.75, 1.0
	return map[string]any{
		"studio-init": studio.InitReport{Schema: 1, ID: "owl-run", Language: "c", Dir: "owl-run", Files: []string{"README.md", "game.c"}},
		"studio-build": studio.BuildReport{
			Schema: 1, Language: "rust", Compiler: "rustc 1.63.0, wasm32-unknown-unknown", Out: "game.wasm", Bytes: 7240, ModuleDigest: exampleDigest,
			Admitted: true, ID: "owl-run", Version: "0.1.0",
		},
		"studio-inspect": &studio.InspectReport{
			Schema: 1, ModuleDigest: exampleDigest, Bytes: 1466, Admitted: true, ABI: "1", ABIMinor: 1, Profile: "pure", Advises: true,
			FuelPerStep: 1_000_000, FuelPerInit: 10_000_000, Findings: []studio.Finding{{Rule: "start", Detail: "a start function runs before anybody has paid for it"}},
			Functions: 4, MemoryPages: 2,
			Sections: []studio.Section{{Name: "code", Bytes: 610}},
			Imports:  []studio.Import{{Module: "edgereel", Name: "draw", Kind: "function"}},
			Exports:  []studio.Export{{Name: "edgereel_play", Kind: "function"}},
			Manifest: &gamelogic.Manifest{
				Version: 1, ID: "choice", Release: "1.0.0", Name: "Choice", MaxDraws: 2, MaxState: 1, StakeMultipleMinor: 1,
				Modes:   []gamelogic.Mode{{Name: "base", CostX100: 100, RTP: "0.5", HitFrequency: "0.5", MaxWinX: 3}},
				Actions: []gamelogic.Action{{ID: 1, Name: "spin"}},
			},
		},
		"studio-simulate": studio.SimulateReport{
			Schema: 1, ModuleDigest: exampleDigest, Mode: "base", StakeMinor: 5, Seed: 1, Rounds: 10000000,
			RTP: 0.9535786, RTPCI99: [2]float64{0.94844854, 0.95870866}, HitFrequency: 0.124888, SD: 6.298, MaxWinX: 1000,
			FeatureFrequency: 0.0099, FuelMax: 412, RoundsPerCPUSecond: 2104551.4, OutcomeDigest: exampleHash,
		},
		"studio-exact": &studio.ExactReport{
			Schema: 1, ModuleDigest: exampleDigest, Mode: "base", StakeMinor: 1, RTP: &half, RTPNum: "1", RTPDen: "2",
			HitFrequency: &half, HitFrequencyNum: "1", HitFrequencyDen: "2", SD: &half, VarianceNum: "1", VarianceDen: "4",
			MaxWinX: &one, RTPDeclared: &half, RTPDeclaredNum: "1", RTPDeclaredDen: "2", RTPOptimal: &three, RTPOptimalNum: "3", RTPOptimalDen: "4",
			RTPWorst: &half, RTPWorstNum: "1", RTPWorstDen: "2", States: 2, Leaves: 12, Countable: true,
			Wins: []studio.ExactWin{{WinMinor: 0, Num: "1", Den: "2"}, {WinMinor: 1, Num: "1", Den: "2"}},
		},
		"studio-check": exampleGateReport(),
	}
}

// exampleGateReport has something in every list.
func exampleGateReport() *gate.Report {
	return &gate.Report{
		Schema: gate.ReportVersion, Kind: gate.ReportKind, Verdict: gate.Fail, ModuleDigest: exampleDigest, ModuleBytes: 3379, PARDigest: exampleHash,
		ABI: "1", Meter: 2, Profile: "pure", Fuel: gate.Fuel{PerStep: 1_000_000, PerInit: 10_000_000, Max: 21628},
		Asked: gate.Asked{Rounds: 1_000_000, Seed: 1, FloorRTP: "0.85", MaxLeaves: 100_000_000},
		Checks: []gate.Result{{
			Stage: gate.StagePAR, Name: "par-mismatch", Mode: "base", Verdict: gate.Fail,
			Detail:  `the PAR sheet does not match the module: rtp of mode "base" is "0.96" in the sheet and "0.95" in the manifest`,
			Figures: []gate.Figure{{Name: "par", Value: "0.96"}, {Name: "manifest", Value: "0.95"}},
		}},
		Modes: []gate.Mode{{
			Mode: "base", StakeMinor: 10, CostMinor: 10, Declared: gate.Declared{RTP: "0.5", HitFrequency: "0.5", MaxWinX: 1},
			Exact: &gate.Exact{Countable: true, States: 1, Leaves: 2, RTP: 0.5, RTPNum: "1", RTPDen: "2", HitFrequency: 0.5, SD: 0.5, MaxWinX: 1, DistinctWins: 2},
			Simulated: &gate.Measured{
				Rounds: 1_000_000, Seed: 1, RTP: 0.5003, RTPCI99: [2]float64{0.499, 0.5016}, RTPCI999: [2]float64{0.4987, 0.5019}, HitFrequency: 0.5003, SD: 0.5,
				MaxWinX: 1, StepsMax: 1, OutcomeDigest: exampleHash, Convergence: []gate.Checkpoint{{Rounds: 1_000_000, RTP: 0.5003, Half99: 0.0013}},
			},
			Distribution: &gate.Distribution{Source: "exact", CostMinor: 10, Points: []gate.Point{
				{WinMinor: 0, Probability: 0.5, Num: "1", Den: "2"}, {WinMinor: 10, Probability: 0.5, Num: "1", Den: "2"},
			}},
			FuelMax: 21628, DrawsMax: 1,
		}},
	}
}

// studioRun runs one command line.
func studioRun(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(t.Context(), append([]string{"studio"}, args...), strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestStudio_ExitCodes(t *testing.T) {
	published := filepath.Join("..", "..", "..", "..", "gamelogic", "testdata", "published")
	choice, columbus := filepath.Join(published, "choice.wasm"), filepath.Join(published, "columbus.wasm")
	noModule := filepath.Join(published, "README.md")
	wasm, err := os.ReadFile(choice)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(t.TempDir(), "torn.wasm")
	if err := os.WriteFile(torn, wasm[:len(wasm)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	// A memory that is imported, a start function and no game.
	floats := filepath.Join(t.TempDir(), "floats.wasm")
	binary := []byte("\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x00\x01\x7d\x02\x0c\x01\x03env\x04time\x00\x00\x08\x01\x00")
	if err := os.WriteFile(floats, binary, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"inspect " + choice, ExitOK, "would be taken"},
		{"inspect " + noModule, ExitVerdict, "not a WebAssembly 1 binary"},
		{"inspect " + torn, ExitVerdict, "it ends too early"},
		{"inspect " + choice, ExitOK, "profile    pure, ABI minor version 0, no strategy of its own, 1000000 fuel a step"},
		{"inspect " + floats, ExitVerdict, "breaks     start: "},
		{"inspect " + floats, ExitVerdict, `breaks     export: it does not export "edgereel_play"`},
		{"inspect none.wasm", ExitUsage, "none.wasm"},
		{"simulate " + choice + " --mode base --rounds 1e4", ExitOK, "RTP"},
		{"simulate " + choice + " --mode bonus", ExitUsage, `the module has ["base"]`},
		{"simulate " + choice + " --mode base --rounds 1.5", ExitUsage, "no whole number"},
		{"simulate " + choice + " --mode base --stake=-1", ExitUsage, "not positive"},
		{"simulate " + noModule + " --mode base", ExitFailed, "not a WebAssembly 1 binary"},
		{"exact " + choice + " --mode base", ExitOK, "50.0000000000 %"},
		{"exact " + columbus + " --mode base --max-leaves 1e6", ExitVerdict, "too large"},
		{"exact " + choice, ExitUsage, "--mode"},
		{"exact " + choice + " --mode base --wins", ExitOK, "win                       1  0.5"},
		{"check " + choice + " --rounds 1e4", ExitVerdict, "there is no PAR sheet"},
		{"check " + noModule + " --rounds 1e4", ExitVerdict, "a host would refuse the module: format"},
		{"check " + torn + " --rounds 1e4 --json", ExitVerdict, `"verdict":"fail"`},
		{"check " + choice + " --rounds 1e4", ExitVerdict, "s left"},
		{"check " + choice + " --floor much", ExitUsage, `the floor "much"`},
		{"check " + choice + " --par none.json", ExitUsage, "none.json"},
		{"init Owl --lang c", ExitUsage, "no game id"},
		{"init owl --lang cobol", ExitUsage, "--lang must be one of"},
		{"init owl", ExitUsage, "--lang"},
		{"init owl --lang c --dir " + t.TempDir(), ExitOK, "edgereel studio build"},
		{"init owl --lang c --dir " + published, ExitFailed, "is not empty"},
		{"build " + t.TempDir(), ExitUsage, "is no project"},
		{"build none", ExitUsage, "none"},
	} {
		code, out, errs := studioRun(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("studio %s ends with %d, want %d, and says\n%s%s want %q", c.args, code, c.code, out, errs, c.says)
		}
	}
}

// What comes out is the same twice, except for the speed of the machine.
func TestStudio_SimulateJSON(t *testing.T) {
	choice := filepath.Join("..", "..", "..", "..", "gamelogic", "testdata", "published", "choice.wasm")
	var reports [2]studio.SimulateReport
	for i := range reports {
		code, out, errs := studioRun(t, "simulate", choice, "--mode", "base", "--rounds", "2e5", "--seed", "9", "--json")
		if code != ExitOK || strings.Count(out, "\n") != 1 {
			t.Fatalf("code %d: %s%s", code, out, errs)
		}
		if err := json.Unmarshal([]byte(out), &reports[i]); err != nil {
			t.Fatal(err)
		}
		reports[i].RoundsPerCPUSecond = 0
	}
	if reports[0] != reports[1] {
		t.Errorf("%+v, again %+v", reports[0], reports[1])
	}
	if r := reports[0]; r.RTPCI99[0] > 0.5 || r.RTPCI99[1] < 0.5 || r.MaxWinX != 1 || r.FeatureFrequency < 0.49 || r.FeatureFrequency > 0.51 || r.FuelMax == 0 {
		t.Errorf("figures %+v of a game that returns 1/2", r)
	}
}

// Every command of the guide is run as it stands there, from the root of the
// repository. Blocks that need a cluster have a marker above them and are run
// by the end-to-end tests.
func TestStudio_Guide(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", "..", ".."))
	page, err := os.ReadFile(filepath.Join("docs", "studio-guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, ran, inside, marked := filepath.Join(t.TempDir(), "run.json"), 0, false, false
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			inside = line == "```sh" && !marked
			continue
		}
		marked = strings.HasPrefix(line, "<!-- run")
		if !inside || line == "" {
			continue
		}
		args := strings.Fields(strings.NewReplacer("run.json", checkpoint, "report.html", checkpoint+".html",
			"copper-well.table", checkpoint+".table", "copper-well.par.json", filepath.Join(filepath.Dir(checkpoint), "copper-well.par.json")).Replace(line))
		if len(args) < 3 || args[0] != "edgereel" || args[1] != "studio" {
			t.Errorf("the guide has %q, which this test cannot run", line)
			continue
		}
		ran++
		if code, out, errs := studioRun(t, args[2:]...); code != ExitOK {
			t.Errorf("%s ends with %d: %s%s", line, code, out, errs)
		}
	}
	if ran < 4 {
		t.Errorf("%d commands in the guide", ran)
	}
}
