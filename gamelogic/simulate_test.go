package gamelogic_test

import (
	"bytes"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

// PlayInto answers what Play answers, round by round, and the state a step was
// played from is still there when it has been played.
func TestSimulator_PlayInto(t *testing.T) {
	m, _ := loadGame(t, "comet-spins")
	fast, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer fast.Close()
	plain, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	ours, theirs := gamelogic.NewStream([32]byte{3}, m.Digest(), 0), gamelogic.NewStream([32]byte{3}, m.Digest(), 0)
	features := 0
	for range 50 {
		st, out := gamelogic.Step{Mode: "buy", Action: "spin", StakeMinor: 100}, gamelogic.Outcome{}
		again := st
		for !out.Closed {
			before := bytes.Clone(st.State)
			st.Draws, again.Draws = ours.Step(), theirs.Step()
			if err := fast.PlayInto(&st, &out); err != nil {
				t.Fatal(err)
			}
			want, err := plain.Play(again)
			if err != nil {
				t.Fatal(err)
			}
			if out.WinMinor != want.WinMinor || out.Closed != want.Closed || out.Fuel != want.Fuel || !bytes.Equal(out.State, want.State) ||
				!bytes.Equal(out.Presentation, want.Presentation) || !bytes.Equal(st.State, before) {
				t.Fatalf("%+v\nwant %+v\nfrom %x, it was %x", out, want, st.State, before)
			}
			st.WonMinor, st.State = st.WonMinor+out.WinMinor, out.State
			again.WonMinor, again.State = st.WonMinor, want.State
			features++
		}
	}
	if features < 200 {
		t.Errorf("%d steps of the feature", features)
	}
}

// A refused step leaves nothing of the step before in the outcome.
func TestSimulator_PlayIntoRefuses(t *testing.T) {
	m, _ := loadGame(t, "harbor-lines")
	sim, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	stream := gamelogic.NewStream([32]byte{1}, m.Digest(), 0)
	for name, st := range map[string]gamelogic.Step{
		"mode":       {Mode: "", Action: "spin", StakeMinor: 100},
		"stake":      {Mode: "base", Action: "spin", StakeMinor: 101},
		"action":     {Mode: "base", Action: "jump", StakeMinor: 100},
		"too much":   {Mode: "base", Action: "spin", StakeMinor: 100, WonMinor: 1 << 50},
		"no draws":   {Mode: "base", Action: "spin", StakeMinor: 100},
		"zero stake": {Mode: "", Action: "", StakeMinor: 0},
	} {
		out := gamelogic.Outcome{}
		good := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, Draws: stream.Step()}
		if err := sim.PlayInto(&good, &out); err != nil || !out.Closed || len(out.Presentation) == 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		if err := sim.PlayInto(&st, &out); err == nil || out.Closed || out.Presentation != nil || out.Fuel != 0 || out.DrawCount != 0 {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

func TestSimulator_AllocatesNothing(t *testing.T) {
	m, _ := loadGame(t, "harbor-lines")
	sim, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	stream := gamelogic.NewStream([32]byte{1}, m.Digest(), 0)
	st, out := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100}, gamelogic.Outcome{}
	n := testing.AllocsPerRun(1000, func() {
		st.Draws = stream.Step()
		if err := sim.PlayInto(&st, &out); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}
