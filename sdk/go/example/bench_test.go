package main

import (
	"testing"

	edgereel "github.com/edgereel/edgereel/sdk/go"
)

// stepDraws is a small generator: what a native game would at least pay.
type stepDraws struct{ state uint64 }

func (d *stepDraws) Draw(bound uint32) uint32 {
	d.state = d.state*6364136223846793005 + 1442695040888963407
	return uint32(d.state >> 33 % uint64(bound))
}

func (d *stepDraws) DrawMany(bounds []uint32) {
	for i, b := range bounds {
		d.state = d.state*6364136223846793005 + 1442695040888963407
		bounds[i] = uint32((d.state >> 33) % uint64(b))
	}
}

func BenchmarkNative(b *testing.B) {
	block, draws := new(edgereel.Block), &stepDraws{}
	copy(block.Bytes(), []byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 244, 1})
	var game edgereel.Game = lanternPick{}
	for b.Loop() {
		if block.PlayStep(game, draws, 32) < 0 {
			b.Fatal("refused")
		}
	}
}
