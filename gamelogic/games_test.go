package gamelogic_test

import (
	"crypto/sha256"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/games/par"
)

func loadGame(t testing.TB, id string) (*gamelogic.Module, *par.Sheet) {
	t.Helper()
	for _, g := range games.All() {
		if g.ID == id {
			var s par.Sheet
			if err := json.Unmarshal(g.Par, &s); err != nil {
				t.Fatal(err)
			}
			return load(t, g.Wasm), &s
		}
	}
	t.Fatalf("no game %q", id)
	return nil, nil
}

// A module must say what its PAR sheet says.
func TestGames_ManifestMatchesSheet(t *testing.T) {
	for _, g := range games.All() {
		m, s := loadGame(t, g.ID)
		man := m.Manifest()
		if man.ID != s.ID || man.Release != s.Release || man.Name != s.Name || man.StakeMultipleMinor != s.StakeMultipleMinor {
			t.Errorf("%s: manifest %+v", g.ID, man)
		}
		if len(man.Modes) != len(s.Modes) {
			t.Fatalf("%s: %d modes, the sheet has %d", g.ID, len(man.Modes), len(s.Modes))
		}
		for i, x := range s.Modes {
			want := gamelogic.Mode{ID: x.ID, Name: x.Name, CostX100: x.CostX100, RTP: x.RTP, HitFrequency: x.HitFrequency, MaxWinX: x.MaxWinX}
			if man.Modes[i] != want {
				t.Errorf("%s: mode %+v, the sheet says %+v", g.ID, man.Modes[i], want)
			}
		}
	}
}

// screen is the presentation of both games as a client reads it.
type screen struct {
	V     int         `json:"v"`
	Grid  [][3]string `json:"grid"`
	Lines []struct {
		Line   int    `json:"line"`
		Symbol string `json:"symbol"`
		Count  int    `json:"count"`
		Win    int64  `json:"win,string"`
	} `json:"lines"`
	Scatters   int   `json:"scatters"`
	ScatterWin int64 `json:"scatter_win,string"`
	Multiplier int64 `json:"multiplier"`
	Left       int   `json:"free_spins_left"`
	Awarded    int   `json:"free_spins_awarded"`
	Limit      bool  `json:"limit_reached"`
	Win        int64 `json:"win,string"`
	RoundWin   int64 `json:"round_win,string"`
}

// checkScreen pays what the player is shown by the evaluator of the PAR sheet
// and compares it with what the module decided.
func checkScreen(t *testing.T, s *par.Sheet, st gamelogic.Step, out gamelogic.Outcome) {
	t.Helper()
	var p screen
	if err := json.Unmarshal(out.Presentation, &p); err != nil {
		t.Fatalf("presentation %s: %v", out.Presentation, err)
	}
	index := map[string]int{}
	for i, x := range s.Design.Symbols {
		index[x.Name] = i
	}
	strips, opening := s.Design.Base, len(st.State) == 0
	multiplier, start := int64(1), int64(0)
	if !opening {
		strips, multiplier = s.Design.Feature.Free, s.Design.Feature.Multiplier
	}
	var grid par.Screen
	for r, reel := range p.Grid {
		for row, name := range reel {
			i, ok := index[name]
			if !ok {
				t.Fatalf("symbol %q", name)
			}
			grid[r][row] = i
		}
	}
	if !onStrips(strips, grid) {
		t.Fatalf("the screen %v is not on the strips", p.Grid)
	}
	wins, units, scatters := s.Design.Evaluate(grid)
	bet := st.StakeMinor / int64(len(s.Design.Lines))
	if len(wins) != len(p.Lines) {
		t.Fatalf("%d lines shown, %d pay: %s", len(p.Lines), len(wins), out.Presentation)
	}
	for i, w := range wins {
		l := p.Lines[i]
		if l.Line != w.Line || index[l.Symbol] != w.Symbol || l.Count != w.Count || l.Win != w.Units*multiplier*bet {
			t.Fatalf("line %+v shown, %+v pays", l, w)
		}
	}
	win := units * multiplier * bet
	if f := s.Design.Feature; f != nil {
		if opening && scatters >= f.Scatters {
			start = f.ScatterPayX * st.StakeMinor
		}
		win = min(win+start, f.MaxWinX*st.StakeMinor-st.WonMinor)
		if p.Scatters != scatters || p.ScatterWin != start || p.Multiplier != multiplier || p.RoundWin != st.WonMinor+win {
			t.Fatalf("feature fields of %s: want %d scatters, %d, round win %d", out.Presentation, scatters, start, st.WonMinor+win)
		}
		if out.Closed != (p.Left == 0) || p.Limit != (p.RoundWin == f.MaxWinX*st.StakeMinor) {
			t.Fatalf("closed %v with %s", out.Closed, out.Presentation)
		}
	}
	if p.V != 1 || p.Win != win || out.WinMinor != win {
		t.Fatalf("shown %d, decided %d, the screen pays %d: %s", p.Win, out.WinMinor, win, out.Presentation)
	}
}

func onStrips(strips [][]int, grid par.Screen) bool {
	for r, strip := range strips {
		found := false
		for stop := range strip {
			var stops [par.Reels]int
			stops[r] = stop
			found = found || par.ScreenAt(strips, stops)[r] == grid[r]
		}
		if !found {
			return false
		}
	}
	return true
}

// Displayed outcome = decided outcome, on random rounds of every game and mode.
func TestGames_DisplayedIsDecided(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for _, g := range games.All() {
		m, s := loadGame(t, g.ID)
		if s.Design.Design == nil {
			continue // no game of lines: package games checks its screens
		}
		sim, err := m.NewSimulator(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		for _, mode := range s.Modes {
			t.Run(g.ID+"/"+mode.Name, func(t *testing.T) {
				n := rounds
				if mode.Name == "buy" {
					n /= 10 // each has ten steps and more
				}
				stream := gamelogic.NewStream([32]byte{1}, m.Digest(), 0)
				for range n {
					st := gamelogic.Step{Mode: mode.Name, Action: "spin", StakeMinor: 250}
					for closed := false; !closed; {
						st.Draws = stream.Step()
						out, err := sim.Play(st)
						if err != nil {
							t.Fatal(err)
						}
						checkScreen(t, s, st, out)
						st.State, st.WonMinor, closed = out.State, st.WonMinor+out.WinMinor, out.Closed
					}
				}
			})
		}
	}
}

// The module walks the same strips as the sheet: for scripted stops the whole
// screen is the one at these stops.
func TestGames_StopsShowTheStrips(t *testing.T) {
	m, s := loadGame(t, "harbor-lines")
	for i := range uint32(60) {
		var stops [par.Reels]int
		var values []uint32
		for r, strip := range s.Design.Base {
			stops[r] = int(i) * (r + 1) % len(strip)
			values = append(values, uint32(stops[r]))
		}
		out, err := m.Play(t.Context(), gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 10, Draws: gamelogic.NewScriptedDraws(values)})
		if err != nil {
			t.Fatal(err)
		}
		var p screen
		if err := json.Unmarshal(out.Presentation, &p); err != nil {
			t.Fatal(err)
		}
		want := par.ScreenAt(s.Design.Base, stops)
		for r := range want {
			for row, x := range want[r] {
				if p.Grid[r][row] != s.Design.Symbols[x].Name {
					t.Fatalf("stops %v: reel %d row %d shows %q, want %q", stops, r+1, row, p.Grid[r][row], s.Design.Symbols[x].Name)
				}
			}
		}
	}
}

// The whole cycle of Harbor Lines through the module gives the sheet's return
// exactly, not closely.
func TestLong_FullCycleThroughTheModule(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("7.2 million steps: set EDGEREEL_LONG=1")
	}
	m, s := loadGame(t, "harbor-lines")
	sim, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	var total, n int64
	values := make([]uint32, par.Reels)
	for {
		out, err := sim.Play(gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 10, Draws: gamelogic.NewScriptedDraws(values)})
		if err != nil {
			t.Fatal(err)
		}
		total += out.WinMinor
		n++
		r := par.Reels - 1
		for ; r >= 0; r-- {
			if values[r]++; values[r] < uint32(len(s.Design.Base[r])) {
				break
			}
			values[r] = 0
		}
		if r < 0 {
			break
		}
	}
	// Units of one line bet are one minor unit at this stake.
	got := strconv.FormatFloat(float64(total)/float64(n*10), 'f', 12, 64)
	if uint64(n) != s.BaseCombinations || got != s.Modes[0].RTP {
		t.Errorf("RTP %s over %d combinations, the sheet says %s over %d", got, n, s.Modes[0].RTP, s.BaseCombinations)
	}
}

// The return of simulated rounds lies within 4 standard errors of the sheet.
// The seed is fixed, so this fails only when module, draws or sheet change.
func TestGames_SimulatedReturn(t *testing.T) {
	if testing.Short() {
		simulatedReturn(t, 50_000)
	} else {
		simulatedReturn(t, 500_000)
	}
}

func TestLong_SimulatedReturn(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("21 million rounds: set EDGEREEL_LONG=1")
	}
	simulatedReturn(t, 10_000_000)
}

// simulatedReturn plays rounds of every mode, fewer of those with many steps.
func simulatedReturn(t *testing.T, rounds int) {
	for _, tt := range []struct{ game, mode string }{{"harbor-lines", "base"}, {"comet-spins", "base"}, {"comet-spins", "buy"}} {
		t.Run(tt.game+"/"+tt.mode, func(t *testing.T) {
			n := rounds
			if tt.mode == "buy" {
				n /= 20
			}
			m, s := loadGame(t, tt.game)
			sim, err := m.NewSimulator(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer sim.Close()
			var figures par.ModeFigures
			for _, f := range s.Modes {
				if f.Name == tt.mode {
					figures = f
				}
			}
			const stake = 100
			stream := gamelogic.NewStream(sha256.Sum256([]byte(tt.game)), m.Digest(), 1)
			won, hits := int64(0), 0
			for range n {
				win, _, err := sim.Round(stream, tt.mode, stake)
				if err != nil {
					t.Fatal(err)
				}
				won += win
				if win > 0 {
					hits++
				}
			}
			cost := float64(n) * stake * float64(figures.CostX100) / 100
			check(t, "RTP", float64(won)/cost, number(t, figures.RTP), number(t, figures.SD)/math.Sqrt(float64(n)))
			p := number(t, figures.HitFrequency)
			check(t, "hit frequency", float64(hits)/float64(n), p, math.Sqrt(p*(1-p)/float64(n)))
		})
	}
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func check(t *testing.T, what string, got, want, standardError float64) {
	t.Helper()
	t.Logf("%s %.5f, the sheet says %.5f, standard error %.5f", what, got, want, standardError)
	if math.Abs(got-want) > 4*standardError {
		t.Errorf("%s %.5f is more than 4 standard errors (%.5f) from %.5f", what, got, standardError, want)
	}
}
