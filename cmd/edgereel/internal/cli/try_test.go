package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
)

func tryOutputs() map[string]any {
	return map[string]any{"studio-try": &studio.TryReport{
		Schema: 1, ModuleDigest: exampleDigest, Mode: "base", StakeMinor: 10, Seed: 1, Round: 48, Step: 2, Action: "choose", Choice: 2,
		Draws: []studio.TryDraw{{Index: 0, Bound: 24, Value: 18}}, WinMinor: 30, WonMinor: 60,
		Next: []studio.TryAction{{Action: "choose", Choices: 3}}, State: "010000009100", Presentation: []byte(`{"v":1}`), Fuel: 12151,
	}}
}

func game(name string) string {
	return filepath.Join("..", "..", "..", "..", "games", name, name+".wasm")
}

func TestTry_ExitCodes(t *testing.T) {
	ember, comet := game("ember-vault"), game("comet-spins")
	for _, c := range []struct {
		args string
		code int
		says []string
	}{
		{"try " + comet, ExitOK, []string{"round 1 of seed 1: comet-spins", "draws", "grid", "fuel", "closed: won"}},
		{"try " + comet + " --mode buy", ExitOK, []string{"cost 750", "step 11: spin", "state "}},
		{"try " + comet + " --until free-spins", ExitOK, []string{"free_spins_left 10", "next   spin", "step 11: spin"}},
		{"try " + comet + " --rounds 3", ExitOK, []string{"round 1 of", "round 2 of", "round 3 of"}},
		{"try " + ember + " --until vault --choice choose=2", ExitOK, []string{"next   choose=0…2", "step 2: choose=2", "plan bold"}},
		{"try " + ember + " --until feature", ExitOK, []string{"plan fair"}}, // the declared strategy
		{"try " + ember + " --until x=20", ExitOK, []string{"closed: won"}},
		{"try " + ember + " --until moon --rounds 50", ExitVerdict, []string{`none of 50 rounds is like "moon"`}},
		{"try " + ember + " --until y=3", ExitUsage, []string{"names of features"}},
		{"try " + ember + " --until step=none", ExitUsage, []string{"step=K"}},
		{"try " + ember + " --choice choose=3", ExitUsage, []string{`choice 3 of action "choose", which has 3`}},
		{"try " + ember + " --choice gamble", ExitUsage, []string{"gamble"}},
		{"try " + ember + " --mode bonus", ExitUsage, []string{`the module has ["base" "buy"]`}},
		{"try " + ember + " --round 0", ExitUsage, []string{"begins with 1"}},
		{"try none.wasm", ExitFailed, []string{"none.wasm"}},
	} {
		code, out, errs := studioRun(t, strings.Fields(c.args)...)
		for _, says := range c.says {
			if code != c.code || !strings.Contains(out+errs, says) {
				t.Errorf("studio %s ends with %d, want %d, and says\n%s%s want %q", c.args, code, c.code, out, errs, says)
			}
		}
	}
}

// What a script reads is the same as what a person sees, and the same twice.
func TestTry_JSON(t *testing.T) {
	args := []string{"try", game("ember-vault"), "--mode", "buy", "--choice", "choose=0", "--seed", "5", "--round", "9", "--json"}
	code, out, errs := studioRun(t, args...)
	if _, again, _ := studioRun(t, args...); code != ExitOK || again != out || errs != "" {
		t.Fatalf("code %d: %s, then\n%s%s", code, out, again, errs)
	}
	var actions []string
	won := int64(0)
	for line := range strings.Lines(out) {
		var r struct {
			studio.TryReport
			Presentation struct {
				Grid [][]string `json:"grid"`
				Plan string     `json:"plan"`
			} `json:"presentation"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		actions = append(actions, r.Action)
		won += r.WinMinor
		if r.Round != 9 || r.Step != len(actions) || r.WonMinor != won || len(r.Presentation.Grid) != 3 || r.Closed != (r.State == "") || r.Closed != (len(r.Next) == 0) {
			t.Errorf("step %d: %s", len(actions), line)
		}
		if r.Step > 1 && r.Presentation.Plan != "steady" {
			t.Errorf("plan %q was not chosen", r.Presentation.Plan)
		}
	}
	if len(actions) < 6 || actions[0] != "spin" || actions[1] != "choose" || actions[2] != "respin" {
		t.Errorf("steps %q", actions)
	}
}

// A changed module is played with the draws that were on the screen before.
func TestTry_Watch(t *testing.T) {
	dir := t.TempDir()
	module, source := filepath.Join(dir, "game.wasm"), filepath.Join(dir, "source")
	put := func(variant string) {
		t.Helper()
		wasm, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "games", "lantern-ways", variant))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(source, wasm, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("lantern-ways.wasm")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	ended := make(chan int, 1)
	said := &spoken{}
	go func() {
		ended <- Main(ctx, []string{"studio", "try", module, "--watch", dir, "--build", "cp " + source + " " + module, "--until", "win", "--json"},
			strings.NewReader(""), write, said)
		write.CloseWithError(io.EOF)
	}()
	decode := json.NewDecoder(read)
	var first, second studio.TryReport
	next := func(r *studio.TryReport) {
		t.Helper()
		var raw map[string]json.RawMessage
		if err := decode.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		delete(raw, "presentation")
		b, err := json.Marshal(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, r); err != nil {
			t.Fatal(err)
		}
	}
	next(&first)
	// What cannot be built or played changes nothing on the screen.
	if err := os.WriteFile(source, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	said.wait(t, "not a WebAssembly 1 binary")
	if err := os.Remove(source); err != nil {
		t.Fatal(err)
	}
	said.wait(t, "build by")
	put("94/lantern-ways-94.wasm")
	next(&second)
	if first.ModuleDigest == second.ModuleDigest || first.Round != second.Round || !slices.Equal(first.Draws, second.Draws) || len(first.Draws) != 5 {
		t.Errorf("first %+v, after the change %+v", first, second)
	}
	cancel()
	if code := <-ended; code != ExitOK {
		t.Errorf("it ends with %d", code)
	}
}

// A project is built first, and again when it is watched.
func TestTry_Project(t *testing.T) {
	for _, tool := range []string{"clang", "wasm-ld"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no compiler for C: %v", err)
		}
	}
	dir := filepath.Join(t.TempDir(), "owl-run")
	if code, out, errs := studioRun(t, "init", "owl-run", "--lang", "c", "--dir", dir); code != ExitOK {
		t.Fatalf("init: %d: %s%s", code, out, errs)
	}
	code, out, errs := studioRun(t, "try", dir, "--until", "win")
	if code != ExitOK || !strings.Contains(out, "owl-run") || !strings.Contains(out, "closed: won") {
		t.Errorf("try ends with %d: %s%s", code, out, errs)
	}
	if code, out, errs := studioRun(t, "try", t.TempDir()); code != ExitUsage || !strings.Contains(errs, "studio init") {
		t.Errorf("an empty folder: %d: %s%s", code, out, errs)
	}
}

// A person is asked where there is something to decide, and again after an
// answer that is none of the choices.
func TestTry_Asks(t *testing.T) {
	var out bytes.Buffer
	try := studio.Try{Module: game("ember-vault"), Mode: "buy", Seed: 1, Round: 1}
	console := studio.Console{In: strings.NewReader("bold\nchoose=9\n2\n"), Out: &out, Terminal: true}
	if err := try.Do(t.Context(), console, &studio.Progress{Out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"which of choose=0…2? Enter takes choose=1: ", `"bold" is none of them`, `"choose=9" is none of them`, "step 2: choose=2\n", "plan bold"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("it says\n%s\nwant %q", out.String(), says)
		}
	}
	if n := strings.Count(out.String(), "which of"); n != 3 {
		t.Errorf("%d questions, want 3: a respin is nothing to decide", n)
	}
}

// spoken keeps what a verb says to a person while it goes on.
type spoken struct {
	mu   sync.Mutex
	text string
}

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(b)
	return len(b), nil
}

// wait returns when the words have been said.
func (s *spoken) wait(t *testing.T, words string) {
	t.Helper()
	for range time.Tick(10 * time.Millisecond) {
		s.mu.Lock()
		text := s.text
		s.mu.Unlock()
		if strings.Contains(text, words) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("it said %q, want %q", text, words)
		}
	}
}
