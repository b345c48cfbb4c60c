package gamelogic_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/meter"
	"github.com/edgereel/edgereel/games"
)

// go test ./gamelogic -run TestHostile_Corpus -update writes the corpus anew.
var update = flag.Bool("update", false, "write testdata/hostile")

const hostileDir = "testdata/hostile"

// corpus reads what is kept in testdata.
func corpus(t testing.TB) []attack {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(hostileDir, "corpus.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []attack
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].wasm, err = os.ReadFile(filepath.Join(hostileDir, all[i].Name+".wasm")); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// The files are what the builder makes, one line each and no other.
func TestHostile_Corpus(t *testing.T) {
	built := hostile(t)
	lines, err := json.MarshalIndent(built, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, '\n')
	if *update {
		if err := os.MkdirAll(hostileDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, a := range built {
			if err := os.WriteFile(filepath.Join(hostileDir, a.Name+".wasm"), a.wasm, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(hostileDir, "corpus.json"), lines, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(filepath.Join(hostileDir, "corpus.json"))
	if err != nil || !bytes.Equal(kept, lines) {
		t.Errorf("corpus.json is not what the builder makes (%v); -update writes it", err)
	}
	names := map[string]bool{}
	for _, a := range built {
		if names[a.Name] || (a.Refused == "") == (a.Steps == nil) {
			t.Errorf("%s: twice, or not one verdict", a.Name)
		}
		names[a.Name] = true
		if b, err := os.ReadFile(filepath.Join(hostileDir, a.Name+".wasm")); err != nil || !bytes.Equal(b, a.wasm) {
			t.Errorf("%s is not what the builder makes (%v)", a.Name, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(hostileDir, "*.wasm"))
	if err != nil || len(files) != len(built) {
		t.Errorf("%d files for %d lines, %v", len(files), len(built), err)
	}
}

// ruleOf names what a module was refused for.
func ruleOf(err error) string {
	var refused *meter.RefusedError
	switch {
	case !errors.Is(err, gamelogic.ErrRefusedModule):
		return ""
	case errors.As(err, &refused):
		return string(refused.Rule)
	case strings.HasSuffix(err.Error(), ": exhausted"):
		return "exhausted"
	case strings.HasSuffix(err.Error(), ": depth"):
		return "depth"
	case strings.Contains(err.Error(), ": call "):
		return "trap"
	}
	return "abi"
}

// spent is what a piece of work cost this process.
func spent(t testing.TB, work func()) (cpu time.Duration, bytes uint64) {
	t.Helper()
	var before, after runtime.MemStats
	var from, to syscall.Rusage
	runtime.ReadMemStats(&before)
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &from); err != nil {
		t.Fatal(err)
	}
	work()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &to); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	return time.Duration(to.Utime.Nano() + to.Stime.Nano() - from.Utime.Nano() - from.Stime.Nano()), after.TotalAlloc - before.TotalAlloc
}

// What one attack may cost, in the compiling engine with what it allocates all
// told: a bound three orders of magnitude above what they do cost.
const (
	mostCPU   = 10 * time.Second
	mostBytes = 1 << 30
)

// A neighbour is an honest game on the host that is attacked.
type neighbour struct {
	m    *gamelogic.Module
	want string
}

func (n *neighbour) plays(t *testing.T) {
	t.Helper()
	if got := history(t, n.m, n.m.Play, 0, 5); got != n.want {
		t.Error("the game beside it plays otherwise")
	}
}

// Every module of the corpus gets its verdict, the same one compiled,
// interpreted, in a pooled instance and in a fresh one, and the game beside it
// plays on meanwhile and afterwards.
func TestHostile_Verdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole corpus, compiled and interpreted")
	}
	all := corpus(t)
	game := games.All()[0]
	allow := [][32]byte{sha256.Sum256(game.Wasm)}
	for _, a := range all {
		allow = append(allow, sha256.Sum256(a.wasm))
	}
	results := map[string]string{}
	var worst struct {
		cpu          time.Duration
		bytes        uint64
		slow, hungry string
	}
	for _, interpreter := range []bool{false, true} {
		h, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: allow, Interpreter: interpreter, MaxPerModule: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		m, err := h.Load(t.Context(), game.Wasm)
		if err != nil {
			t.Fatal(err)
		}
		beside := &neighbour{m: m, want: history(t, m, m.Play, 0, 5)}
		for _, a := range all {
			t.Run(fmt.Sprintf("%s/interpreter=%v", a.Name, interpreter), func(t *testing.T) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					beside.plays(t)
				}()
				var got string
				cpu, bytes := spent(t, func() { got = a.verdict(t, h) })
				<-done
				beside.plays(t)
				if !interpreter && (cpu > mostCPU || bytes > mostBytes) {
					t.Errorf("it cost %v and %d bytes", cpu, bytes)
				}
				if before, ok := results[a.Name]; ok && before != got {
					t.Errorf("interpreted %s\ncompiled    %s", got, before)
				}
				if !interpreter && cpu > worst.cpu {
					worst.cpu, worst.slow = cpu, t.Name()
				}
				if !interpreter && bytes > worst.bytes {
					worst.bytes, worst.hungry = bytes, t.Name()
				}
				results[a.Name] = got
			})
		}
	}
	t.Logf("the most costly: %s with %v, %s with %d KiB", worst.slow, worst.cpu, worst.hungry, worst.bytes>>10)
}

// verdict loads and plays the module and prints all that came of it.
func (a *attack) verdict(t *testing.T, h *gamelogic.Host) string {
	t.Helper()
	m, err := h.Load(t.Context(), a.wasm)
	if a.Refused != "" {
		if ruleOf(err) != a.Refused || !strings.Contains(err.Error(), a.Says) {
			t.Errorf("%v, want a refusal by %q that says %q", err, a.Refused, a.Says)
		}
		return a.Refused
	}
	if err != nil {
		t.Fatal(err)
	}
	first := a.round(t, m.Play)
	for name, play := range map[string]player{"again": m.Play, "in a fresh instance": m.Replay, "once more": m.Play} {
		if again := a.round(t, play); again != first {
			t.Errorf("%s it is %s\nat first %s", name, again, first)
		}
	}
	if a.Advice != "" {
		a.asks(t, m)
	}
	return first
}

// asks plays the attack and asks for its strategy, twice.
func (a *attack) asks(t *testing.T, m *gamelogic.Module) {
	t.Helper()
	out, err := m.Play(t.Context(), step(a.Draws[0]...))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := gamelogic.Step{Mode: "base", StakeMinor: 100, State: out.State}
		_, _, err := m.Advise(t.Context(), s, out.NextActions)
		var trap *gamelogic.TrapError
		if !errors.As(err, &trap) || string(trap.Kind) != a.Advice {
			t.Errorf("advice: %v, want %q", err, a.Advice)
		}
	}
}

// round plays the steps of an attack and checks how each of them ends.
func (a *attack) round(t *testing.T, play player) string {
	t.Helper()
	var all strings.Builder
	s := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100}
	for i, want := range a.Steps {
		s.Draws = gamelogic.NewScriptedDraws(a.Draws[i])
		out, err := play(context.Background(), s)
		kind := "ok"
		var trap *gamelogic.TrapError
		if errors.As(err, &trap) {
			kind = string(trap.Kind)
		} else if err != nil {
			kind = err.Error()
		}
		if kind != want {
			t.Errorf("step %d: %v, want %q", i, err, want)
		}
		if err != nil && (out.WinMinor != 0 || out.State != nil || out.Presentation != nil) {
			t.Errorf("step %d: an incident left an outcome: %+v", i, out)
		}
		fmt.Fprintln(&all, result(out, err))
		s.State, s.WonMinor = out.State, s.WonMinor+out.WinMinor
	}
	return all.String()
}

// A module that remembers is found out by playing it without restore, as a
// simulation does, against an instance of its own for every step.
func TestHostile_HiddenStateIsSeen(t *testing.T) {
	seen := 0
	for _, a := range corpus(t) {
		if a.Cell != "hidden-state" && a.Cell != "simulation" {
			continue
		}
		seen++
		m := load(t, a.wasm)
		sim, err := m.NewSimulator(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		differs := false
		for range 10 {
			in, err := sim.Play(step())
			if err != nil {
				t.Fatal(err)
			}
			fresh, err := m.Replay(t.Context(), step())
			if err != nil {
				t.Fatal(err)
			}
			differs = differs || in.WinMinor != fresh.WinMinor
		}
		if !differs {
			t.Errorf("%s hides what it remembers", a.Name)
		}
	}
	if seen == 0 {
		t.Error("no such module in the corpus")
	}
}

// The matrix in docs/threats.md names every file of the corpus in the row of
// its cell, and every test and file that it names is there.
func TestHostile_Matrix(t *testing.T) {
	b, err := os.ReadFile("../docs/threats.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if cells := strings.Split(line, "|"); len(cells) > 5 {
			rows[strings.Trim(cells[1], " `")] = line
		}
	}
	files := map[string]bool{}
	for _, a := range corpus(t) {
		files[a.Name] = true
		if !strings.Contains(rows[a.Cell], "`"+a.Name+"`") {
			t.Errorf("the row of %q does not name `%s`", a.Cell, a.Name)
		}
	}
	tests := testNames(t)
	for cell, line := range rows {
		cells := strings.Split(line, "|")
		shown := cells[len(cells)-2]
		names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(shown, -1)
		if len(names) == 0 && cell != "cell" && !strings.HasPrefix(cell, "--") {
			t.Errorf("nothing shows row %q", cell)
		}
		for _, n := range names {
			if !files[n[1]] && !tests[n[1]] {
				t.Errorf("row %q names `%s`, which is neither a file of the corpus nor a test", cell, n[1])
			}
		}
	}
}

// testNames lists the tests of this package and of package meter.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllSubmatch(b, -1) {
				names[string(m[1])] = true
			}
		}
	}
	return names
}
