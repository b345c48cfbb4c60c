package bench

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/sdk"
)

// What is compared does the same work: the twin and the kits' modules answer
// the same bytes to the same steps and draws.
func TestTwin_IsTheExample(t *testing.T) {
	for _, language := range []string{"rust", "assemblyscript", "c"} {
		wasm := sdk.Example(language)
		host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		m, err := host.Load(t.Context(), wasm)
		if err != nil {
			t.Fatal(err)
		}
		sim, err := m.NewSimulator(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		features := 0
		for i, mode := range []string{modeBase, modeBuy} {
			// The twin is no module, so its draws are of the module that is none.
			draws := gamelogic.NewStream([32]byte{1}, [32]byte{}, uint64(i))
			script := gamelogic.NewScript()
			for range 2000 {
				features += compareRound(t, language, mode, &twin{}, sim, draws, script)
			}
		}
		if features < 2000 {
			t.Errorf("%s: %d steps of the feature were compared", language, features)
		}
	}
}

// compareRound plays a round on the twin and its steps again on the module, with
// the draws that the twin had.
func compareRound(t *testing.T, language, mode string, ours *twin, sim *gamelogic.Simulator, draws *gamelogic.Stream, script *gamelogic.Script) (steps int) {
	t.Helper()
	st := gamelogic.Step{Mode: mode, Action: actionSpin, StakeMinor: 10}
	for {
		var want, got gamelogic.Outcome
		st.Draws = draws.Step()
		if err := ours.PlayInto(&st, &want); err != nil {
			t.Fatalf("%s: the twin: %v", language, err)
		}
		values := []uint32{}
		for _, d := range st.Draws.Log() {
			values = append(values, d.Value)
		}
		again := st
		again.Draws = script.Step(values)
		if err := sim.PlayInto(&again, &got); err != nil {
			t.Fatalf("%s: %v", language, err)
		}
		if got.WinMinor != want.WinMinor || got.Closed != want.Closed || !bytes.Equal(got.State, want.State) ||
			!bytes.Equal(got.Presentation, want.Presentation) || !slices.Equal(got.NextActions, want.NextActions) || got.DrawCount != want.DrawCount {
			t.Fatalf("%s: %+v %s\nwant %+v %s", language, got, got.Presentation, want, want.Presentation)
		}
		if want.Closed {
			return steps
		}
		steps++
		st.WonMinor += want.WinMinor
		st.State = bytes.Clone(want.State)
		var err error
		st.Action, st.Choice, err = ours.Advise(st, want.NextActions)
		action, choice, err2 := sim.Advise(st, got.NextActions)
		if err != nil || err2 != nil || action != st.Action || choice != st.Choice {
			t.Fatalf("%s: advice %s %d %v, want %s %d %v", language, action, choice, err2, st.Action, st.Choice, err)
		}
	}
}
