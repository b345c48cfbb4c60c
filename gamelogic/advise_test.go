package gamelogic_test

import (
	"context"
	"errors"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

// adviser is a guest whose strategy is to return what the first byte of the
// state says, as a choice of action 4 among five.
func adviser() *guest {
	g := newGuest(closedWin(0))
	g.minor = 1
	g.manifest.Actions[1].Choices = 5
	// load8_u(I/O + 32) << 5 | 4
	g.advise = cat(i32c(32), []byte{0x2d, 0, 0}, i32c(5), []byte{0x74}, i32c(4), []byte{0x72})
	return g
}

func TestAdvise(t *testing.T) {
	m := load(t, adviser().build(t))
	sim, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	both := []string{"spin", "pick"}
	for choice := range uint32(5) {
		s := gamelogic.Step{Mode: "base", StakeMinor: 100, State: []byte{byte(choice)}}
		for name, ask := range map[string]func() (string, uint32, error){
			"module":    func() (string, uint32, error) { return m.Advise(t.Context(), s, both) },
			"simulator": func() (string, uint32, error) { return sim.Advise(s, both) },
			// A choice is left to decide with one action too.
			"one action": func() (string, uint32, error) { return m.Advise(t.Context(), s, both[1:]) },
		} {
			if action, got, err := ask(); err != nil || action != "pick" || got != choice {
				t.Errorf("%s: state %d gives %q %d %v", name, choice, action, got, err)
			}
		}
	}
}

func TestAdvise_NotThere(t *testing.T) {
	m := load(t, newGuest(closedWin(0)).build(t))
	action, choice, err := m.Advise(t.Context(), gamelogic.Step{Mode: "base", StakeMinor: 1, State: []byte{1}}, []string{"pick", "spin"})
	if err != nil || action != "pick" || choice != 0 {
		t.Fatalf("%q %d %v, want the first action offered", action, choice, err)
	}
}

// Advice that cannot be followed is the module's fault; it never reaches a round.
func TestAdvise_Traps(t *testing.T) {
	tests := []struct {
		name   string
		advise []byte
		kind   gamelogic.TrapKind
	}{
		{"not offered", ret(1), gamelogic.KindBadOutput},
		{"no such action", ret(2), gamelogic.KindBadOutput},
		{"no such choice", ret(5<<5 | 4), gamelogic.KindBadOutput},
		{"a draw", cat(i32c(2), call(0)), gamelogic.KindBadDraw},
		{"unreachable", []byte{0x00}, gamelogic.KindTrap},
		{"endless", []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x00}, gamelogic.KindExhausted},
		{"internal", ret(-5), gamelogic.KindInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := adviser()
			g.advise = tt.advise
			m := load(t, g.build(t))
			for range 2 { // the second one meets what the fault left
				_, _, err := m.Advise(t.Context(), gamelogic.Step{Mode: "base", StakeMinor: 1, State: []byte{1}}, []string{"pick"})
				var trap *gamelogic.TrapError
				if !errors.As(err, &trap) || trap.Kind != tt.kind || trap.Module != m.Digest() {
					t.Fatalf("error %v, want %s", err, tt.kind)
				}
			}
		})
	}
}

func TestAdvise_BlamesTheCaller(t *testing.T) {
	g := adviser()
	g.advise = ret(-3)
	m := load(t, g.build(t))
	good := gamelogic.Step{Mode: "base", StakeMinor: 1, State: []byte{1}}
	tests := []struct {
		name    string
		change  func(*gamelogic.Step)
		offered []string
		want    error
	}{
		{"the module does not know the state", func(*gamelogic.Step) {}, []string{"pick"}, gamelogic.ErrBadState},
		{"no open round", func(s *gamelogic.Step) { s.State = nil }, []string{"pick"}, gamelogic.ErrBadState},
		{"nothing offered", func(*gamelogic.Step) {}, nil, gamelogic.ErrUnknownAction},
		{"unknown action", func(*gamelogic.Step) {}, []string{"fly"}, gamelogic.ErrUnknownAction},
		{"unknown mode", func(s *gamelogic.Step) { s.Mode = "x" }, []string{"pick"}, gamelogic.ErrUnknownMode},
		{"bad stake", func(s *gamelogic.Step) { s.StakeMinor = 0 }, []string{"pick"}, gamelogic.ErrBadStake},
	}
	for _, tt := range tests {
		s := good
		tt.change(&s)
		if _, _, err := m.Advise(t.Context(), s, tt.offered); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A choice that the manifest does not have never reaches the module, which
// would pay.
func TestPlay_Choice(t *testing.T) {
	m := load(t, adviser().build(t))
	for action, choices := range map[string]uint32{"spin": 1, "pick": 5} {
		for choice := range uint32(7) {
			s := step()
			s.Action, s.Choice = action, choice
			for _, play := range []func(context.Context, gamelogic.Step) (gamelogic.Outcome, error){m.Play, m.Replay} {
				s.Draws = gamelogic.NewScriptedDraws(nil)
				if _, err := play(t.Context(), s); (err == nil) != (choice < choices) || err != nil && !errors.Is(err, gamelogic.ErrBadInput) {
					t.Errorf("%s %d: %v", action, choice, err)
				}
			}
		}
	}
}

// A simulated round follows the strategy: the game goes on for as long as it is
// given the choice that the strategy takes.
func TestSimulator_FollowsTheStrategy(t *testing.T) {
	// if choice == 3 { close, paying 7 } else { stay open in state 3 }
	choice := cat(i32c(12), []byte{0x28, 2, 0}, i32c(3), []byte{0x46})
	stay := cat(answer(0, 0, 1<<4, 1, 0), i32c(16384+32), i32c(3), []byte{0x3a, 0, 0}, i32c(33))
	g := adviser()
	g.play = cat(choice, []byte{0x04, 0x7f}, answer(7, 1, 0, 0, 0), ret(32), []byte{0x05}, stay, []byte{0x0b})
	m := load(t, g.build(t))
	sim, err := m.NewSimulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	won, steps, err := sim.Round(gamelogic.NewStream([32]byte{1}, m.Digest(), 0), "base", 100)
	if err != nil || won != 7 || steps != 2 {
		t.Fatalf("won %d in %d steps, %v", won, steps, err)
	}
}
