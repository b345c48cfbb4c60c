// Lantern Pick: three reels, three rows, five lines with a wild. Three lanterns
// open a choice of three ways to play free spins; the mode "buy" starts there.
// The same game is written on every kit, see sdk/README.md.
package main

import edgereel "github.com/edgereel/edgereel/sdk/go"

func init() { edgereel.Export(lanternPick{}) }

func main() {}

const manifest = `{"manifest":1,"id":"lantern-pick","version":"1.0.0","name":"Lantern Pick",` +
	`"max_draws":3,"max_state":4,"stake_multiple_minor":5,` +
	`"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.968031141493","hit_frequency":"0.434599650432","max_win_x":241},` +
	`{"id":1,"name":"buy","cost_x100":920,"rtp":"0.961987973027","hit_frequency":"0.851414664682","max_win_x":241}],` +
	`"actions":[{"id":1,"name":"spin"},{"id":2,"name":"pick","choices":3}]}`

const (
	spin uint32 = 1 // actions
	pick uint32 = 2
	buy  uint32 = 1 // modes; the other is 0, base

	reels, rows, stops = 3, 3, 12
	stateSize          = 4
)

const (
	lantern = iota // symbols
	moon           // stands for every symbol but the lantern
	fox
	crane
	fern
	pebble
)

var (
	names  = [...]string{"lantern", "moon", "fox", "crane", "fern", "pebble"}
	pays   = [...]int64{0, 75, 24, 9, 5, 3} // line bets for three of a kind
	lines  = [...][reels]uint8{{1, 1, 1}, {0, 0, 0}, {2, 2, 2}, {0, 1, 2}, {2, 1, 0}}
	strips = [reels][stops]uint8{
		{fox, pebble, fern, lantern, crane, pebble, fern, fox, pebble, crane, moon, fern},
		{crane, fern, pebble, fox, lantern, fern, pebble, moon, crane, fern, fox, pebble},
		{fern, fox, pebble, crane, fern, moon, pebble, lantern, fern, crane, pebble, fox},
	}
	lanternAt = [reels]uint32{3, 4, 7}
	// The three ways to play the free spins: fewest spins, how many counts are
	// drawn among, multiplier.
	ways = [...]struct{ fewest, counts, multiplier uint32 }{{4, 3, 2}, {8, 5, 1}, {2, 4, 3}}
)

const best = 2 // way: 3.5 spins × 3 against 5 × 2 and 10 × 1

// State, version 1: version, phase, spins left, multiplier; a byte each.
const (
	version = 1
	picking = 0
	free    = 1
)

type lanternPick struct{}

func (lanternPick) Manifest() string { return manifest }

func (lanternPick) Play(in *edgereel.Input, draws edgereel.Draws, out *edgereel.Output) edgereel.Code {
	if refused := refusal(in); refused != 0 {
		return refused
	}
	opening := len(in.State) == 0
	offered, choices := spin, uint32(1)
	if !opening && in.State[1] == picking {
		offered, choices = pick, uint32(len(ways))
	}
	switch {
	case in.Action != offered:
		return edgereel.UnknownAction
	case in.Choice >= choices:
		return edgereel.BadInput
	case offered == pick:
		return pickWay(in.Choice, draws, out)
	case opening:
		return open(in, draws, out)
	}
	return freeSpin(in, uint32(in.State[2])-1, uint32(in.State[3]), draws, out)
}

func (lanternPick) Advise(in *edgereel.Input) edgereel.Code {
	refused := refusal(in)
	switch {
	case refused != 0:
		return refused
	case len(in.State) == 0:
		return edgereel.BadState
	case in.State[1] == picking:
		return edgereel.Advice(pick, best)
	}
	return edgereel.Advice(spin, 0)
}

// refusal is what can be refused whatever the player does; 0 when there is nothing.
func refusal(in *edgereel.Input) edgereel.Code {
	switch {
	case in.Mode > buy || in.StakeMinor <= 0 || in.StakeMinor%int64(len(lines)) != 0:
		return edgereel.BadInput
	case len(in.State) > 0 && !stateOK(in.State):
		return edgereel.BadState
	}
	return 0
}

// stateOK accepts only what this game can have written.
func stateOK(s []byte) bool {
	if len(s) != stateSize || s[0] != version {
		return false
	}
	left, multiplier := uint32(s[2]), uint32(s[3])
	if s[1] == picking {
		return left == 0 && multiplier == 0
	}
	if s[1] != free || left == 0 {
		return false
	}
	for i := range ways {
		if w := &ways[i]; w.multiplier == multiplier {
			return left < w.fewest+w.counts
		}
	}
	return false
}

func open(in *edgereel.Input, draws edgereel.Draws, out *edgereel.Output) edgereel.Code {
	bounds.fill(stops)
	if in.Mode == buy { // a screen that shows a lantern on each reel
		bounds.fill(rows)
	}
	draws.DrawMany(bounds[:])
	if in.Mode == buy {
		for r := range bounds {
			bounds[r] = lanternAt[r] + stops - bounds[r]
		}
	}
	lanterns := shown.at(&bounds)
	if lanterns < reels {
		return out.Close(shown.write(in, out, lanterns, 0, 1))
	}
	out.State([]byte{version, picking, 0, 0})
	return out.KeepOpen(shown.write(in, out, lanterns, 0, 1), 1<<pick)
}

func pickWay(choice uint32, draws edgereel.Draws, out *edgereel.Output) edgereel.Code {
	w := &ways[choice]
	spins := w.fewest + draws.Draw(w.counts)
	out.State([]byte{version, free, uint8(spins), uint8(w.multiplier)})
	out.Text(`{"v":1,"choice":`)
	out.Number(uint64(choice))
	out.Text(`,"spins":`)
	out.Number(uint64(spins))
	out.Text(`,"multiplier":`)
	out.Number(uint64(w.multiplier))
	out.Text(`,"win":"0"}`)
	return out.KeepOpen(0, 1<<spin)
}

func freeSpin(in *edgereel.Input, left, multiplier uint32, draws edgereel.Draws, out *edgereel.Output) edgereel.Code {
	bounds.fill(stops)
	draws.DrawMany(bounds[:])
	lanterns := shown.at(&bounds)
	if left > 0 {
		out.State([]byte{version, free, uint8(left), uint8(multiplier)})
	}
	win := shown.write(in, out, lanterns, left, multiplier)
	if left > 0 {
		return out.KeepOpen(win, 1<<spin)
	}
	return out.Close(win)
}
