package games_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/games/par"
)

// shown is what the games of this file present, as a client reads it.
type shown struct {
	V       int        `json:"v"`
	Grid    [][]string `json:"grid"`
	Win     int64      `json:"win,string"`
	Feature string     `json:"feature"`
	Embers  int64      `json:"ember_win,string"`
	Plan    string     `json:"plan"`
	Left    int        `json:"respins_left"`
	Full    bool       `json:"full"`
	Tumbles int        `json:"tumbles"`
	Falls   []struct {
		Grid [][]string `json:"grid"`
	} `json:"falls"`
	Wins []struct {
		Tumble     int    `json:"tumble"`
		Symbol     string `json:"symbol"`
		Count      int    `json:"count"`
		Multiplier int64  `json:"multiplier"`
		Win        int64  `json:"win,string"`
	} `json:"wins"`
}

// Displayed outcome = decided outcome: every screen is paid again by the
// evaluator of the PAR sheet, which shares no code with the modules.
func TestDisplayedIsDecided(t *testing.T) {
	for _, g := range games.All() {
		m, s := loadModule(t, g)
		if s.Design.Design != nil {
			continue // lines: package gamelogic does the same for them
		}
		sim, err := m.NewSimulator(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sim.Close)
		for _, mode := range s.Modes {
			t.Run(g.ID+"/"+mode.Name, func(t *testing.T) {
				stream := gamelogic.NewStream([32]byte{1}, m.Digest(), 0)
				won := map[bool]int{}
				for i := range uint32(1000) {
					st := gamelogic.Step{Mode: mode.Name, Action: "spin", StakeMinor: 50}
					for closed := false; !closed; {
						st.Draws = stream.Step()
						out, err := sim.Play(st)
						if err != nil {
							t.Fatal(err)
						}
						check(t, s, st, out)
						st.State, st.WonMinor, closed = out.State, st.WonMinor+out.WinMinor, out.Closed
						st.Choice = 0
						if !closed {
							st.Action = out.NextActions[0]
						}
						if st.Action == "choose" && !closed {
							st.Choice = i % 3
						}
					}
					won[st.WonMinor > 0]++
				}
				if won[true] == 0 {
					t.Error("no round won: nothing was shown")
				}
			})
		}
	}
}

func check(t *testing.T, s *par.Sheet, st gamelogic.Step, out gamelogic.Outcome) {
	t.Helper()
	var p shown
	if err := json.Unmarshal(out.Presentation, &p); err != nil {
		t.Fatalf("presentation %s: %v", out.Presentation, err)
	}
	want := int64(0)
	switch unit := st.StakeMinor / s.StakeMultipleMinor; {
	case s.Design.Ways != nil:
		want = unit * s.Design.Ways.Evaluate(screenOf(t, p.Grid, s.Design.Ways.Symbols), st.Mode)
	case s.Design.Cascade != nil:
		want = unit * tumblesPay(t, s.Design.Cascade, st, p)
	case s.Design.Hold != nil:
		want = vaultPays(t, s.Design.Hold, st, out, p)
	}
	if p.V != 1 || p.Win != out.WinMinor || want != out.WinMinor {
		t.Fatalf("shown %d, decided %d, the screen pays %d: %s", p.Win, out.WinMinor, want, out.Presentation)
	}
}

func screenOf(t *testing.T, grid [][]string, symbols []par.Symbol) (s par.Screen) {
	t.Helper()
	for r, reel := range grid {
		for row, name := range reel {
			i := slices.IndexFunc(symbols, func(x par.Symbol) bool { return x.Name == name })
			if i < 0 {
				t.Fatalf("symbol %q", name)
			}
			s[r][row] = i
		}
	}
	return s
}

// vaultPays pays a step of a hold-and-respin game from what is shown and, for a
// new ember, from the last draw.
func vaultPays(t *testing.T, d *par.Hold, st gamelogic.Step, out gamelogic.Outcome, p shown) (want int64) {
	t.Helper()
	embers, screen := 0, [3][3]int{}
	for r, reel := range p.Grid {
		for row, name := range reel {
			x := slices.IndexFunc(d.Symbols, func(x par.Paid) bool { return x.Name == name })
			if x < 0 && (name != "empty" || len(st.State) == 0 && st.Mode != "buy") {
				t.Fatalf("symbol %q", name)
			}
			if x == 0 {
				embers++
			}
			screen[r][row] = x
		}
	}
	log := st.Draws.Log()
	switch st.Action {
	case "spin":
		units, locks := int64(0), embers
		if st.Mode != "buy" {
			units, locks = d.Evaluate(screen)
		}
		want = units * st.StakeMinor / d.UnitsPerStake
		if locks == 3 {
			want = 3 * d.LockPaysX * st.StakeMinor
		}
		if out.Closed == (locks == 3) {
			t.Fatalf("%d embers and closed %v", locks, out.Closed)
		}
	case "choose":
		if p.Plan != d.Plans[st.Choice].Name || p.Left != d.Plans[st.Choice].Respins || len(log) != 0 {
			t.Fatalf("choice %d gives %s", st.Choice, out.Presentation)
		}
	case "respin":
		plan := d.Plans[slices.IndexFunc(d.Plans, func(x par.Plan) bool { return x.Name == p.Plan })]
		if len(log) == 3 {
			want = plan.Values[log[2].Value] * st.StakeMinor
		}
		if p.Full != (embers == 9) || out.Closed != (p.Left == 0) {
			t.Fatalf("%d embers: %s", embers, out.Presentation)
		}
		if p.Full {
			want += plan.FullX * st.StakeMinor
		}
	}
	return want
}

// tumblesPay pays the screens that are shown one after the other, each of which
// has to be what falls from the one before.
func tumblesPay(t *testing.T, d *par.Cascade, st gamelogic.Step, p shown) (units int64) {
	t.Helper()
	var stops [par.Reels]int
	for i, x := range st.Draws.Log() {
		stops[i] = int(x.Value)
	}
	mode := slices.IndexFunc(d.Modes, func(m par.Mode) bool { return m.Name == st.Mode })
	screen, grid, paid := d.At(stops), p.Grid, int64(0)
	for tumble := 0; ; tumble++ {
		for r := range screen.Cells {
			for row, x := range screen.Cells[r] {
				if grid[r][row] != d.Symbols[x].Name {
					t.Fatalf("screen %d shows %q, want %v", tumble, grid, screen.Cells)
				}
			}
		}
		pays, which := d.Pay(&screen)
		if which == 0 {
			if len(p.Falls) != tumble || p.Tumbles != tumble || (p.Feature == "cascade") != (tumble > 1) {
				t.Fatalf("%d tumbles are shown, %q, want %d", len(p.Falls), p.Feature, tumble)
			}
			break
		}
		units += pays * d.Ladders[mode][min(tumble, len(d.Ladders[mode])-1)]
		d.Fall(&screen, which)
		grid = p.Falls[tumble].Grid
	}
	for _, w := range p.Wins {
		paid += w.Win
		if w.Multiplier != d.Ladders[mode][min(w.Tumble-1, len(d.Ladders[mode])-1)] || w.Count < d.Counts[0] {
			t.Fatalf("win %+v", w)
		}
	}
	if paid != units*st.StakeMinor/d.UnitsPerStake {
		t.Fatalf("the wins shown sum to %d, the screens pay %d units", paid, units)
	}
	return units
}

// A player who picks can do better than declared, and worse.
func TestChoicesMatter(t *testing.T) {
	for _, g := range games.All() {
		if g.ID != "ember-vault" {
			continue
		}
		_, s := loadModule(t, g)
		for _, m := range s.Modes {
			if !(m.RTPWorst < m.RTP && m.RTP < m.RTPOptimal) {
				t.Errorf("%s: worst %s, declared %s, optimal %s", m.Name, m.RTPWorst, m.RTP, m.RTPOptimal)
			}
		}
	}
}
