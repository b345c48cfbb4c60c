package main

import (
	"encoding/binary"
	"strings"
	"testing"

	edgereel "github.com/edgereel/edgereel/sdk/go"
)

// filler writes as much state and presentation as the action and the choice say.
type filler struct{}

func (filler) Manifest() string { return "{}" }

func (filler) Play(in *edgereel.Input, _ edgereel.Draws, out *edgereel.Output) edgereel.Code {
	if in.Mode == 1 {
		out.Text("x") // too early
	}
	if in.Action > 0 {
		out.State(make([]byte, in.Action))
	}
	out.Text(strings.Repeat("y", int(in.Choice)))
	if in.Mode == 2 {
		out.Number(1<<64 - 1)
		out.Amount(1<<63 - 1)
	}
	if in.Action > 0 {
		return out.KeepOpen(1, 2)
	}
	return out.Close(1)
}

func fill(action, mode, choice uint32) (edgereel.Code, *edgereel.Block) {
	b := new(edgereel.Block)
	for at, v := range map[int]uint32{0: 1, 4: action, 8: mode, 12: choice, 16: 5} {
		binary.LittleEndian.PutUint32(b.Bytes()[at:], v)
	}
	return b.PlayStep(filler{}, nil, 32), b
}

// What the kit does at the edges of the ABI.
func TestOutput_Edges(t *testing.T) {
	const state, presentation = edgereel.MaxState, edgereel.MaxPresentation
	for _, c := range []struct {
		action, mode, choice uint32
		want                 edgereel.Code
	}{
		{0, 0, 0, 32},
		{0, 0, presentation, 32 + presentation},
		{0, 0, presentation + 1, edgereel.Internal},
		{state, 0, presentation, 32 + state + presentation},
		{state, 0, presentation + 1, edgereel.Internal},
		{state + 1, 0, 0, edgereel.Internal},
		{1, 1, 0, edgereel.Internal}, // state behind the presentation
		{0, 2, presentation, edgereel.Internal},
	} {
		if got, _ := fill(c.action, c.mode, c.choice); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	n, b := fill(0, 2, 0)
	if got := string(output(b, n))[32:]; got != `18446744073709551615"9223372036854775807"` {
		t.Errorf("numbers %s", got)
	}
}

// A game without a strategy must have nothing to decide.
func TestAdvice_NotDeclared(t *testing.T) {
	_, b := fill(0, 0, 0)
	if got := b.AskAdvice(filler{}, 32); got != edgereel.Internal {
		t.Errorf("code %d", got)
	}
}
