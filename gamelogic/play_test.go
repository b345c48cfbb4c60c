package gamelogic_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
)

func load(t testing.TB, wasm []byte) *gamelogic.Module {
	t.Helper()
	m, err := tryLoad(t, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tryLoad(t testing.TB, wasm []byte) (*gamelogic.Module, error) {
	t.Helper()
	h, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}, MaxPerModule: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.Load(t.Context(), wasm)
}

func step(draws ...uint32) gamelogic.Step {
	return gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 100, Draws: gamelogic.NewScriptedDraws(draws)}
}

func TestPlay(t *testing.T) {
	m := load(t, newGuest(closedWin(250)).build(t))
	out, err := m.Play(t.Context(), step())
	if err != nil {
		t.Fatal(err)
	}
	if out.WinMinor != 250 || !out.Closed || out.NextActions != nil || out.State != nil || len(out.Presentation) != 0 {
		t.Fatalf("outcome %+v", out)
	}
}

// A step's draws, its answer and its module fault, one line each.
func TestPlay_Traps(t *testing.T) {
	drop := []byte{0x1a}
	draw := cat(i32c(6), call(0), drop)
	var nine []byte
	for range 9 {
		nine = append(nine, draw...)
	}
	tests := []struct {
		name  string
		play  []byte
		kind  gamelogic.TrapKind
		draws int
	}{
		{"unreachable", cat(draw, []byte{0x00}, ret(32)), gamelogic.KindTrap, 1},
		{"out of bounds", cat(i32c(1<<20), []byte{0x28, 2, 0}), gamelogic.KindTrap, 0},
		{"negative win", closedWin(-1), gamelogic.KindBadOutput, 0},
		{"over the maximum", cat(draw, closedWin(1001)), gamelogic.KindBadOutput, 1},
		{"huge win", closedWin(1 << 62), gamelogic.KindBadOutput, 0},
		{"closed with state", cat(answer(0, 1, 0, 4, 0), ret(36)), gamelogic.KindBadOutput, 0},
		{"closed with actions", cat(answer(0, 1, 2, 0, 0), ret(32)), gamelogic.KindBadOutput, 0},
		{"open without state", cat(answer(0, 0, 2, 0, 0), ret(32)), gamelogic.KindBadOutput, 0},
		{"open without actions", cat(answer(0, 0, 0, 4, 0), ret(36)), gamelogic.KindBadOutput, 0},
		{"unknown next action", cat(answer(0, 0, 4, 4, 0), ret(36)), gamelogic.KindBadOutput, 0},
		{"state too large", cat(answer(0, 0, 2, 17, 0), ret(49)), gamelogic.KindBadOutput, 0},
		{"state of 4 GiB", cat(answer(0, 0, 2, -1, 0), ret(31)), gamelogic.KindBadOutput, 0},
		{"presentation too large", cat(answer(0, 1, 0, 0, 16385), ret(32+16385)), gamelogic.KindBadOutput, 0},
		{"lengths disagree", cat(answer(0, 1, 0, 0, 8), ret(32)), gamelogic.KindBadOutput, 0},
		{"shorter than its header", cat(answer(0, 1, 0, 0, 0), ret(31)), gamelogic.KindBadOutput, 0},
		{"longer than the block", cat(answer(0, 1, 0, 0, 0), ret(1<<20)), gamelogic.KindBadOutput, 0},
		{"unknown flag", cat(answer(0, 3, 0, 0, 0), ret(32)), gamelogic.KindBadOutput, 0},
		{"reserved field", cat(answer(0, 1, 0, 0, 0), set64(24, 1), ret(32)), gamelogic.KindBadOutput, 0},
		{"internal", ret(-5), gamelogic.KindInternal, 0},
		{"unknown code", ret(-99), gamelogic.KindInternal, 0},
		{"bad state after a draw", cat(draw, ret(-3)), gamelogic.KindRefusedAfterDraw, 1},
		{"bad input after a draw", cat(draw, ret(-1)), gamelogic.KindRefusedAfterDraw, 1},
		{"draw of bound 0", cat(draw, i32c(0), call(0), drop, ret(32)), gamelogic.KindBadDraw, 1},
		{"too many draws", cat(nine, closedWin(0)), gamelogic.KindTooManyDraws, 8},
		{"draw_many too many", cat(i32c(65536), i32c(65536), i32c(5000), call(1), ret(32)), gamelogic.KindTooManyDraws, 0},
		{"draw_many outside", cat(i32c(65536), i32c(131070), i32c(1), call(1), ret(32)), gamelogic.KindBadDraw, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := load(t, newGuest(tt.play).build(t))
			for round := range 2 { // the second one meets the instance after the fault
				s := step(0, 1, 2, 3, 4, 5, 0, 1, 2, 3)
				out, err := m.Play(t.Context(), s)
				var trap *gamelogic.TrapError
				if !errors.As(err, &trap) {
					t.Fatalf("round %d: error %v, want a trap", round, err)
				}
				if trap.Kind != tt.kind || trap.Module != m.Digest() {
					t.Errorf("round %d: %v, want kind %q", round, trap, tt.kind)
				}
				if out.DrawCount != tt.draws || out.DrawsDigest != s.Draws.Digest() {
					t.Errorf("round %d: %d draws recorded, want %d with their digest", round, out.DrawCount, tt.draws)
				}
				if out.WinMinor != 0 || out.State != nil || out.Presentation != nil {
					t.Errorf("round %d: a trap left an outcome: %+v", round, out)
				}
			}
		})
	}
}
