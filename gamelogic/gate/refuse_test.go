package gate_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/gamelogic/internal/tiny"
)

// fails wants a failed check of a name whose detail says something.
func fails(t *testing.T, r *gate.Report, name, says string) {
	t.Helper()
	if r.Passed() || r.Verdict != gate.Fail {
		t.Errorf("it passes, %q should fail", name)
		return
	}
	for _, c := range r.Failures() {
		if c.Name == name && strings.Contains(c.Detail, says) {
			return
		}
	}
	t.Errorf("no failure %q that says %q in %+v", name, says, r.Failures())
}

func TestCheck_Binary(t *testing.T) {
	whole := coin().Build()
	other := func(from, to string) []byte { return []byte(strings.Replace(string(whole), from, to, 1)) }
	for name, c := range map[string]struct {
		wasm       []byte
		name, says string
	}{
		"empty":           {nil, "admission-format", "0 bytes"},
		"text":            {[]byte("# Harbor Lines\n"), "admission-format", `begins with "# Harbor"`},
		"truncated":       {whole[:len(whole)/2], "admission-format", "section"},
		"wrong ABI":       {other("edgereel_abi_1", "edgereel_abi_7"), "admission-export", `"edgereel_abi_1"`},
		"missing export":  {other("edgereel_play", "edgereel_pray"), "admission-export", `"edgereel_play"`},
		"unknown import":  {other("\x04draw", "\x04time"), "admission-import", "edgereel.time"},
		"no JSON":         {document("the game of games"), "admission-manifest", "invalid character"},
		"unknown field":   {document(`{"manifest":1,"colour":"red"}`), "admission-manifest", `"colour"`},
		"impossible mode": {document(strings.Replace(string(manifest(t)), `"rtp":"0.5"`, `"rtp":"1.5"`, 1)), "admission-manifest", `mode "base": rtp "1.5"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, c.wasm, coinPAR)
			fails(t, r, c.name, c.says)
			if len(r.Checks) != len(gate.Stages()) || r.Checks[1].Verdict != gate.Skip || r.Manifest != nil {
				t.Errorf("what follows is not skipped: %+v", r.Checks)
			}
		})
	}
}

func manifest(t *testing.T) []byte {
	t.Helper()
	b, err := json.Marshal(coin().Manifest)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func document(s string) []byte {
	g := coin()
	g.Document = []byte(s)
	return g.Build()
}

func TestCheck_Contradictions(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(*tiny.Game)
		name, says string
	}{
		"cost":     {func(g *tiny.Game) { g.Manifest.Modes[0].CostX100 = 150 }, "manifest-cost", "1.50 minor units at the smallest stake of 1"},
		"max win":  {func(g *tiny.Game) { g.Manifest.Modes[0].HitFrequency = "0.1" }, "manifest-max-win", "contradicts itself"},
		"actions":  {func(g *tiny.Game) { g.Manifest.Actions = tiny.New().Manifest.Actions }, "manifest-state", "2 actions, but max_state is 0"},
		"no draws": {func(g *tiny.Game) { g.Manifest.MaxDraws = 0 }, "manifest-draws", "max_draws 0"},
		"too many draws": {
			func(g *tiny.Game) { g.Play = tiny.Join(tiny.Draw(2), []byte{0x1a}, g.Play) }, "plays", "too_many_draws",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := coin()
			c.change(g)
			fails(t, check(t, g.Build(), coinPAR), c.name, c.says)
		})
	}
}

func TestCheck_Sheet(t *testing.T) {
	wasm := coin().Build()
	for name, c := range map[string]struct{ from, to, name, says string }{
		"none":          {coinPAR, "", "par", "no PAR sheet"},
		"torn":          {"\"design\":{", "\"design\":", "par", "line 3"},
		"unknown key":   {`"cost_x100"`, `"cost"`, "par", `unknown key "modes[0].cost"`},
		"twice":         {`"id":0,`, `"id":0,"id":0,`, "par", `"modes[0].id" stands there twice`},
		"kind":          {`"cost_x100":100`, `"cost_x100":"100"`, "par", "modes.cost_x100"},
		"format":        {`"par":1`, `"par":2`, "par", "format 2"},
		"no number":     {`"rtp":"0.5"`, `"rtp":"half"`, "par", `modes[0].rtp: "half" is no number`},
		"other game":    {`"id":"coin"`, `"id":"con"`, "par-mismatch", `id is "con" in the sheet and "coin" in the manifest`},
		"other return":  {`"rtp":"0.5"`, `"rtp":"0.51"`, "par-mismatch", `rtp of mode "base" is "0.51" in the sheet and "0.5"`},
		"exact return":  {`"rtp":"0.5"`, `"rtp":"0.51"`, "par-rtp", "0.500000000000"},
		"variant":       {`"method"`, `"family":"coins","variant":"v50","method"`, "par-mismatch", "family"},
		"other mode":    {`"name":"base"`, `"name":"buy"`, "par-modes", `says nothing of the mode "base"`},
		"fraction":      {`"rtp_fraction":"1/2"`, `"rtp_fraction":"1/3"`, "par-rtp-fraction", "1/3"},
		"deviation":     {`"sd":"0.5"`, `"sd":"0.4"`, "par-sd", "0.4"},
		"top win":       {`"top_win_x":"1"`, `"top_win_x":"2"`, "par-top-win", "1.0"},
		"prize":         {`"probability":"5e-1"`, `"probability":"0.4"`, "par-distribution", "the win of 1 stakes"},
		"sum":           {`{"win_x":"0","probability":"0.5"}`, `{"win_x":"0","probability":"0.4"}`, "par-sum", "add up to 0.900"},
		"mean":          {`"win_x":"1"`, `"win_x":"0.9"`, "par-mean", "a return of 0.450"},
		"share above 1": {`"probability":"5e-1"`, `"probability":"5"`, "par", "above 1"},
	} {
		t.Run(name, func(t *testing.T) {
			par := strings.Replace(coinPAR, c.from, c.to, 1)
			if par == coinPAR {
				t.Fatal("nothing was changed")
			}
			fails(t, check(t, wasm, par), c.name, c.says)
		})
	}
}

func TestCheck_Behaviour(t *testing.T) {
	count := tiny.SetGlobal(tiny.Add(tiny.Global(), tiny.I32(1)))
	state := func(g *tiny.Game) { g.Manifest.MaxState = 4 }
	// A round that stays open once, with a state that is not looked at.
	careless := tiny.If(tiny.Load(tiny.StateLength),
		tiny.If(tiny.Equal(tiny.Load(tiny.State), tiny.I32(5)), tiny.Close(tiny.Draw(2)), tiny.Trap()),
		tiny.If(tiny.Equal(tiny.Load(tiny.Action), tiny.I32(1)), tiny.Open(tiny.I32(0), tiny.I32(5), 2), tiny.I32(-4)))
	greedy := tiny.If(tiny.Load(tiny.StateLength), tiny.Close(tiny.Times(tiny.Load8(tiny.State), tiny.Draw(2))),
		tiny.If(tiny.Equal(tiny.Load(tiny.Action), tiny.I32(1)), tiny.Open(tiny.I32(0), tiny.I32(1), 2), tiny.I32(-4)))
	for name, c := range map[string]struct {
		play       []byte
		change     func(*tiny.Game)
		name, says string
	}{
		"hidden state":         {tiny.Join(count, tiny.Close(tiny.Equal(tiny.Global(), tiny.Add(tiny.Draw(2), tiny.I32(1))))), nil, "shuffled", "hidden state"},
		"loop":                 {tiny.Join(tiny.Forever(), tiny.I32(0)), nil, "plays", "exhausted"},
		"trap on a win":        {tiny.If(tiny.Draw(2), tiny.Trap(), tiny.Close(tiny.I32(0))), nil, "plays", "trap"},
		"win above the most":   {tiny.Close(tiny.Times(tiny.I32(2), tiny.Draw(2))), nil, "plays", "win 2, at most 1"},
		"refusal after a draw": {tiny.If(tiny.Draw(2), tiny.I32(-1), tiny.Close(tiny.I32(0))), nil, "plays", "refused_after_draw"},
		"state not looked at":  {careless, state, "states", "incident trap"},
		"state that pays":      {greedy, state, "states", "at most 1"},
		"stake looked at": {
			tiny.Close(tiny.If(tiny.Equal(tiny.Load(16), tiny.I32(100)), tiny.I32(0), tiny.Draw(2))), nil, "stakes", "in proportion",
		},
		"other return":     {tiny.Close(tiny.Equal(tiny.Draw(4), tiny.I32(0))), nil, "rtp", "0.250000000000"},
		"simulated return": {tiny.Close(tiny.Equal(tiny.Draw(4), tiny.I32(0))), nil, "prizes", ""},
		"unreachable": {
			nil, func(g *tiny.Game) { g.Manifest.Modes[0].MaxWinX = 5 }, "max-win", "nobody can win",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := coin()
			if c.play != nil {
				g.Play = c.play
			}
			if c.change != nil {
				c.change(g)
			}
			if name == "simulated return" { // only the sheet to compare with
				r := check(t, g.Build(), coinPAR, func(cfg *gate.Config) { cfg.MaxLeaves = 1 })
				fails(t, r, "prizes", "and again with another seed")
				fails(t, r, "simulated-rtp", "and again")
				return
			}
			fails(t, check(t, g.Build(), coinPAR), c.name, c.says)
		})
	}
}

// A strategy that is not a function of the state, and one that cannot be played.
func TestCheck_Advice(t *testing.T) {
	picks := tiny.If(tiny.Load(tiny.StateLength),
		tiny.If(tiny.Equal(tiny.Load(tiny.State), tiny.I32(5)), tiny.If(tiny.Equal(tiny.Load(tiny.Action), tiny.I32(2)), tiny.Close(tiny.Draw(2)), tiny.I32(-4)), tiny.I32(-3)),
		tiny.If(tiny.Equal(tiny.Load(tiny.Action), tiny.I32(1)), tiny.Open(tiny.I32(0), tiny.I32(5), 1<<2), tiny.I32(-4)))
	game := func(advice []byte) []byte {
		g := coin()
		g.Play, g.Advise = picks, advice
		g.Manifest.MaxState, g.Manifest.Actions = 4, tiny.New().Manifest.Actions
		g.Manifest.Actions[1].Choices = 2
		return g.Build()
	}
	if r := check(t, game(tiny.I32(2)), coinPAR); !r.Passed() || !r.Modes[0].Exact.DeclaredByGame {
		t.Errorf("advice to take the first choice: %+v", r.Failures())
	}
	fails(t, check(t, game(tiny.I32(2<<5|2)), coinPAR), "advice", "choice 2")
	fails(t, check(t, game(tiny.I32(1)), coinPAR), "advice", "not offered")
	fickle := tiny.Join(tiny.SetGlobal(tiny.Add(tiny.Global(), tiny.I32(1))), tiny.If(tiny.Equal(tiny.Global(), tiny.I32(1)), tiny.I32(2), tiny.I32(1<<5|2)))
	fails(t, check(t, game(fickle), coinPAR), "advice", "hidden state")
}

func TestCheck_Floor(t *testing.T) {
	r := check(t, coin().Build(), coinPAR, func(c *gate.Config) { c.FloorRTP = "0.85" })
	fails(t, r, "floor-declared", "under the floor of 0.85")
	fails(t, r, "floor", "under the floor of 0.85")
}

// A page of what failed, with text of the module in it, stays a page.
func TestWriteHTML_Escapes(t *testing.T) {
	g := coin()
	g.Manifest.Name = `<script>alert("1")</script>`
	var page strings.Builder
	if err := check(t, g.Build(), coinPAR).WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "<script>alert") || !strings.Contains(page.String(), "What has to be repaired") {
		t.Error("the name of a game is a part of the page")
	}
}

// The modules with published returns have no sheet here; their behaviour passes.
func TestCheck_WithoutSheet(t *testing.T) {
	wasm, err := os.ReadFile(filepath.Join("..", "testdata", "published", "choice.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	r := check(t, wasm, "")
	if f := r.Failures(); len(f) != 1 || f[0].Name != "par" {
		t.Errorf("failures %+v", f)
	}
	if x := r.Modes[0].Exact; x == nil || x.RTPOptimal != "3/4" || x.RTPWorst != "1/10" {
		t.Errorf("exact %+v", x)
	}
}
