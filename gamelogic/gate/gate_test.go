package gate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/gamelogic/internal/tiny"
)

var update = flag.Bool("update", false, "write the golden files anew")

// coin pays a stake for one of two.
func coin() *tiny.Game {
	g := tiny.New(tiny.If(tiny.Load(tiny.StateLength), tiny.I32(-3),
		tiny.If(tiny.Equal(tiny.Load(tiny.Action), tiny.I32(1)), tiny.Close(tiny.Draw(2)), tiny.I32(-4))))
	g.Manifest.ID, g.Manifest.Name = "coin", "Coin"
	g.Manifest.MaxDraws, g.Manifest.MaxState = 1, 0
	g.Manifest.Actions = g.Manifest.Actions[:1]
	g.Manifest.Modes[0].MaxWinX = 1
	return g
}

const coinPAR = `{"par":1,"id":"coin","version":"1.0.0","name":"Coin","method":"by hand","stake_multiple_minor":1,
"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.5","rtp_fraction":"1/2","hit_frequency":"0.5","sd":"0.5","max_win_x":1,"top_win_x":"1","top_win_one_in":"2",
"distribution":[{"win_x":"0","probability":"0.5"},{"win_x":"1","probability":"5e-1"}]}],"design":{"anything":[1]}}`

// check runs the gate with few rounds.
func check(t *testing.T, wasm []byte, par string, change ...func(*gate.Config)) *gate.Report {
	t.Helper()
	cfg := gate.Config{Wasm: wasm, PAR: []byte(par), Rounds: 20_000, Seed: 3}
	for _, f := range change {
		f(&cfg)
	}
	r, err := gate.Check(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheck_Passes(t *testing.T) {
	var told []gate.Stage
	r := check(t, coin().Build(), coinPAR, func(c *gate.Config) {
		c.FloorRTP = "0.25"
		c.Progress = func(s gate.Stage, _, _ uint64) {
			if !slices.Contains(told, s) {
				told = append(told, s)
			}
		}
	})
	if !r.Passed() || r.Verdict != gate.Pass {
		t.Fatalf("it fails: %+v", r.Failures())
	}
	if !slices.Equal(told, gate.Stages()) {
		t.Errorf("progress of the stages %v", told)
	}
	m := r.Modes[0]
	if m.Exact == nil || m.Exact.RTPNum != "1" || m.Exact.RTPDen != "2" || m.DrawsMax != 1 || m.FuelMax == 0 || r.Fuel.Max < m.FuelMax {
		t.Errorf("mode %+v, exact %+v", m, m.Exact)
	}
	if d := m.Distribution; d == nil || d.Source != "exact" || len(d.Points) != 2 || d.Points[1].Num != "1" || d.Points[1].Den != "2" {
		t.Errorf("distribution %+v", d)
	}
}

// The same question has the same answer, however many workers play.
func TestCheck_SameReport(t *testing.T) {
	var first []byte
	for _, workers := range []int{1, 3} {
		r := check(t, coin().Build(), coinPAR, func(c *gate.Config) { c.Workers, c.Rounds = workers, 200_000 })
		raw, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		} else if !bytes.Equal(first, raw) {
			t.Errorf("%d workers report otherwise:\n%s\n%s", workers, raw, first)
		}
		back, err := gate.ParseReport(raw)
		if err != nil || !back.Passed() || back.Modes[0].Exact.RTPDen != "2" {
			t.Errorf("read again: %v", err)
		}
	}
	if _, err := gate.ParseReport([]byte(strings.Replace(string(first), `"schema":1`, `"schema":2`, 1))); err == nil {
		t.Error("a report of a later version is read")
	}
}

// TestCheck_Golden holds what other programs read.
func TestCheck_Golden(t *testing.T) {
	r := check(t, coin().Build(), coinPAR)
	raw, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "report.json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the report is not %s, which other programs read; -update writes it anew\n%s", path, got.String())
	}
}

func TestCheck_ReferenceGames(t *testing.T) {
	if testing.Short() {
		t.Skip("whole games")
	}
	folder := filepath.Join("..", "..", "games")
	for _, game := range []string{"harbor-lines", "comet-spins"} {
		wasm, err := os.ReadFile(filepath.Join(folder, game, game+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		par, err := os.ReadFile(filepath.Join(folder, game, "par.json"))
		if err != nil {
			t.Fatal(err)
		}
		r := check(t, wasm, string(par), func(c *gate.Config) { c.Rounds, c.MaxLeaves, c.FloorRTP = 100_000, 8_000_000, "0.85" })
		if !r.Passed() {
			t.Errorf("%s fails: %+v", game, r.Failures())
		}
		for _, m := range r.Modes {
			if d := m.Distribution; d == nil || d.Source != map[bool]string{true: "exact", false: "par"}[m.Exact.Countable] {
				t.Errorf("%s: the distribution of mode %s is %+v", game, m.Mode, d)
			}
		}
		var page, text bytes.Buffer
		if err := errors.Join(r.WriteHTML(&page), r.WriteText(&text)); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(page.String(), "<svg"); n != 2*len(r.Modes) {
			t.Errorf("%s: %d plots for %d modes", game, n, len(r.Modes))
		}
		for _, far := range []string{"http:", "https:", "src=", "url(", "@import", "<script"} {
			if strings.Contains(page.String(), far) {
				t.Errorf("the page of %s has %q: it must need nothing else", game, far)
			}
		}
		if !strings.Contains(text.String(), "The module PASSES.") {
			t.Errorf("the text of %s:\n%s", game, text.String())
		}
	}
}

func TestCheck_BadQuestion(t *testing.T) {
	for _, floor := range []string{"high", "-0.1", "1.5", "1e-1x"} {
		if _, err := gate.Check(t.Context(), gate.Config{Wasm: coin().Build(), FloorRTP: floor}); !errors.Is(err, gate.ErrConfig) {
			t.Errorf("floor %q: %v", floor, err)
		}
	}
}
