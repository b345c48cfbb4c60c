package sdk_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

func load(t testing.TB, wasm []byte) *gamelogic.Module {
	t.Helper()
	host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}, MaxPerModule: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := host.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// asStep is what the host is asked for to send this input; false for one that
// it never sends.
func asStep(m *gamelogic.Manifest, v vector) (gamelogic.Step, bool) {
	le, in := binary.LittleEndian, v.Input
	if int(v.Length) != len(in) || le.Uint32(in) != 1 || le.Uint32(in[24:]) != uint32(len(in)-32) {
		return gamelogic.Step{}, false
	}
	s := gamelogic.Step{Choice: le.Uint32(in[12:]), StakeMinor: int64(le.Uint64(in[16:])), State: in[32:]}
	for _, x := range m.Modes {
		if x.ID == le.Uint32(in[8:]) {
			s.Mode = x.Name
		}
	}
	for _, x := range m.Actions {
		if x.ID == le.Uint32(in[4:]) {
			s.Action = x.Name
		}
	}
	return s, s.Mode != "" && (s.Action != "" || v.Export == "edgereel_advise")
}

func values(draws [][2]uint32) (out []uint32) {
	for _, d := range draws {
		out = append(out, d[1])
	}
	return out
}

// Compiling a Go module takes seconds, so what needs the host shares it.
func TestHost(t *testing.T) {
	modules := map[string]*gamelogic.Module{}
	for _, language := range languages {
		modules[language] = load(t, exampleModule(t, language))
	}
	t.Run("vectors", func(t *testing.T) { hostPlaysVectors(t, modules) })
	t.Run("same game", func(t *testing.T) { kitsPlayTheSameGame(t, modules) })
	t.Run("fuel", func(t *testing.T) { kitsNeedLittleFuel(t, modules) })
}

// The host reads the same outcomes out of the same bytes, and gives refusals
// their names.
func hostPlaysVectors(t *testing.T, modules map[string]*gamelogic.Module) {
	f := readVectors(t)
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			m, sent := modules[language], 0
			for _, v := range f.Steps {
				s, ok := asStep(m.Manifest(), v)
				if !ok {
					continue
				}
				sent++
				if v.Export == "edgereel_advise" {
					checkAdvice(t, m, s, v)
					continue
				}
				s.Draws = gamelogic.NewScriptedDraws(values(v.Draws))
				out, err := m.Play(t.Context(), s)
				checkOutcome(t, m.Manifest(), v, s, out, err)
			}
			if sent < 60 {
				t.Errorf("the host sends %d of %d vectors", sent, len(f.Steps))
			}
		})
	}
}

func checkOutcome(t *testing.T, m *gamelogic.Manifest, v vector, s gamelogic.Step, out gamelogic.Outcome, err error) {
	t.Helper()
	if v.Returns < 0 {
		want := map[int32]error{-1: gamelogic.ErrBadInput, -3: gamelogic.ErrBadState, -4: gamelogic.ErrUnknownAction}[v.Returns]
		// A stake that makes no sense does not get as far as the module.
		if !errors.Is(err, want) && !(v.Returns == -1 && errors.Is(err, gamelogic.ErrBadStake)) {
			t.Errorf("%s: %v, want %v", v.Name, err, want)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", v.Name, err)
		return
	}
	le, b := binary.LittleEndian, v.Output
	n := le.Uint32(b[16:])
	actions := []string{}
	for _, a := range m.Actions {
		if le.Uint32(b[12:])>>a.ID&1 == 1 {
			actions = append(actions, a.Name)
		}
	}
	same := out.WinMinor == int64(le.Uint64(b)) && out.Closed == (le.Uint32(b[8:]) == 1) && slices.Equal(out.NextActions, actions) &&
		bytes.Equal(out.State, b[32:32+n]) && bytes.Equal(out.Presentation, b[32+n:]) && out.DrawCount == len(v.Draws)
	for i, d := range s.Draws.Log() {
		same = same && d.Bound == v.Draws[i][0] && d.Value == v.Draws[i][1]
	}
	if !same {
		t.Errorf("%s: the host reads %+v with draws %v, want %s with %v", v.Name, out, s.Draws.Log(), readable(b), v.Draws)
	}
}

func checkAdvice(t *testing.T, m *gamelogic.Module, s gamelogic.Step, v vector) {
	t.Helper()
	offered := []string{"pick"}
	if len(s.State) > 1 && s.State[1] == 1 {
		offered = []string{"spin"}
	}
	action, choice, err := m.Advise(t.Context(), s, offered)
	if v.Returns < 0 {
		if err == nil && len(offered) == 1 && offered[0] != "spin" {
			t.Errorf("%s: advice %s %d, want a refusal", v.Name, action, choice)
		}
		return
	}
	if err != nil || action != offered[0] || choice != uint32(v.Returns)>>5 {
		t.Errorf("%s: advice %s %d, %v", v.Name, action, choice, err)
	}
}

// Thousands of rounds with the same draws: all kits give the same wins, states
// and presentations, which are the model's.
func kitsPlayTheSameGame(t *testing.T, modules map[string]*gamelogic.Module) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	players := map[string]*gamelogic.Simulator{}
	for _, language := range languages {
		p, err := modules[language].NewSimulator(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		players[language] = p
	}
	random, steps, wins := rand.New(rand.NewPCG(20, 26)), 0, 0
	for round := range rounds {
		h := header{abi: 1, action: 1, mode: uint32(round % 3 / 2), stake: 5 + 5*random.Int64N(1_000_000)}
		won := int64(0)
		for {
			v := vector{Name: "seeded", Export: "edgereel_play", Input: h.bytes(), Length: int32(len(h.bytes()))}
			v.Returns, v.Output = modelPlay(v.Input, len(v.Input), func(bound uint32) uint32 {
				v.Draws = append(v.Draws, [2]uint32{bound, random.Uint32N(bound)})
				return v.Draws[len(v.Draws)-1][1]
			})
			for _, language := range languages {
				playSame(t, language, players[language], v, won)
			}
			if t.Failed() {
				t.Fatalf("round %d", round)
			}
			steps++
			won += int64(binary.LittleEndian.Uint64(v.Output))
			if h = following(h, v.Output, random); h.state == "" {
				break
			}
		}
		if won > 0 {
			wins++
		}
	}
	if steps < rounds*2 || wins < rounds/4 {
		t.Errorf("%d rounds had %d steps and %d of them won: they show little", rounds, steps, wins)
	}
}

func playSame(t *testing.T, language string, p *gamelogic.Simulator, v vector, won int64) {
	t.Helper()
	m := &gamelogic.Manifest{
		Modes:   []gamelogic.Mode{{ID: 0, Name: "base"}, {ID: 1, Name: "buy"}},
		Actions: []gamelogic.Action{{ID: 1, Name: "spin"}, {ID: 2, Name: "pick"}},
	}
	s, _ := asStep(m, v)
	s.WonMinor, s.Draws = won, gamelogic.NewScriptedDraws(values(v.Draws))
	out, err := p.Play(s)
	v.Name = language
	checkOutcome(t, m, v, s, out, err)
}

// What a module asks for is what it can do within the fuel of its profile.
func kitsNeedLittleFuel(t *testing.T, modules map[string]*gamelogic.Module) {
	for _, language := range languages {
		out, err := modules[language].Play(t.Context(), gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 500, Draws: gamelogic.NewScriptedDraws([]uint32{10, 8, 3})})
		if err != nil {
			t.Errorf("%s: %v", language, err)
			continue
		}
		most := int64(60_000)
		if language == "go" {
			most = 3_000_000
		}
		t.Logf("%s: %d units of fuel", language, out.Fuel)
		if out.Fuel > most {
			t.Errorf("%s: a spin takes %d units of fuel, at most %d", language, out.Fuel, most)
		}
	}
}
