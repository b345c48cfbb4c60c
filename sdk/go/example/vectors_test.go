package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	edgereel "github.com/edgereel/edgereel/sdk/go"
)

type vector struct {
	Name, Export, Input, Output string
	Length                      int32
	Draws                       [][2]uint32
	Returns                     int32
}

// script gives the values of a vector and holds the game to its bounds.
type script struct {
	t     *testing.T
	name  string
	given [][2]uint32
}

func (s *script) Draw(bound uint32) uint32 {
	if len(s.given) == 0 || s.given[0][0] != bound {
		s.t.Fatalf("%s: a draw of %d, the vector has %v left", s.name, bound, s.given)
	}
	v := s.given[0][1]
	s.given = s.given[1:]
	return v
}

func (s *script) DrawMany(bounds []uint32) {
	for i, b := range bounds {
		bounds[i] = s.Draw(b)
	}
}

// The kit's codec and the game, without a WebAssembly engine.
func TestVectors(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "vectors", "lantern-pick.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Manifest string
		Steps    []vector
	}
	if err := json.Unmarshal(content, &f); err != nil {
		t.Fatal(err)
	}
	b := new(edgereel.Block)
	if n := b.WriteManifest(lanternPick{}); string(output(b, edgereel.Code(n))) != f.Manifest {
		t.Errorf("manifest %s, want %s", output(b, edgereel.Code(n)), f.Manifest)
	}
	for _, v := range f.Steps {
		check(t, v)
	}
	if len(f.Steps) < 80 {
		t.Errorf("%d vectors", len(f.Steps))
	}
}

func output(b *edgereel.Block, n edgereel.Code) []byte { return b.Bytes()[16384 : 16384+int(n)] }

func check(t *testing.T, v vector) {
	t.Helper()
	input, err := hex.DecodeString(v.Input)
	if err != nil {
		t.Fatal(err)
	}
	b, draws := new(edgereel.Block), &script{t, v.Name, v.Draws}
	copy(b.Bytes(), input)
	code := b.AskAdvice(lanternPick{}, v.Length)
	if v.Export == "edgereel_play" {
		code = b.PlayStep(lanternPick{}, draws, v.Length)
	} else {
		draws.given = nil
	}
	if code != edgereel.Code(v.Returns) || len(draws.given) != 0 {
		t.Fatalf("%s: code %d, draws left %v, want %d", v.Name, code, draws.given, v.Returns)
	}
	want, err := hex.DecodeString(v.Output)
	if err != nil {
		t.Fatal(err)
	}
	if v.Export == "edgereel_play" && code >= 0 && !bytes.Equal(output(b, code), want) {
		t.Errorf("%s: %s, want %s", v.Name, output(b, code), want)
	}
}

// A step that allocates makes the runtime collect in the middle of a round.
func TestStepsAllocateNothing(t *testing.T) {
	b, draws := new(edgereel.Block), &fixed{}
	copy(b.Bytes(), []byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10})
	var game edgereel.Game = lanternPick{}
	if n := testing.AllocsPerRun(100, func() {
		if b.PlayStep(game, draws, 32) < 0 {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

type fixed struct{}

func (*fixed) Draw(bound uint32) uint32 { return bound - 1 }

func (*fixed) DrawMany(bounds []uint32) {
	for i := range bounds {
		bounds[i] = 3
	}
}
