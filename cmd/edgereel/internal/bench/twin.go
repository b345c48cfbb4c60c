package bench

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/edgereel/edgereel/gamelogic"
)

// twin is Lantern Pick, the example of the kits, in native Go: the same rules,
// refusals, draws, states and presentations, without a sandbox around them. It
// is written to be fast and allocates nothing. One goroutine.
type twin struct {
	bounds [3]uint32
	shown  [3][3]byte
	state  [4]byte
	out    []byte // presentation
}

// Symbols.
const (
	lantern = iota
	moon    // stands for every symbol but the lantern
	fox
	crane
	fern
	pebble
)

// Actions and the mode that buys the feature.
const (
	actionSpin = "spin"
	actionPick = "pick"
	modeBase   = "base"
	modeBuy    = "buy"
)

// Phases in a state: version, phase, spins left, multiplier.
const (
	stateVersion = 1
	phasePick    = 0
	phaseFree    = 1
)

var (
	twinNames  = [...]string{"lantern", "moon", "fox", "crane", "fern", "pebble"}
	twinPays   = [...]int64{0, 75, 24, 9, 5, 3}
	twinLines  = [...][3]byte{{1, 1, 1}, {0, 0, 0}, {2, 2, 2}, {0, 1, 2}, {2, 1, 0}}
	twinStrips = [3][14]byte{ // the first two symbols again at the end
		{fox, pebble, fern, lantern, crane, pebble, fern, fox, pebble, crane, moon, fern, fox, pebble},
		{crane, fern, pebble, fox, lantern, fern, pebble, moon, crane, fern, fox, pebble, crane, fern},
		{fern, fox, pebble, crane, fern, moon, pebble, lantern, fern, crane, pebble, fox, fern, fox},
	}
	twinLantern = [3]uint32{3, 4, 7}
	twinWays    = [...]struct {
		fewest, counts uint32
		multiplier     byte
	}{{4, 3, 2}, {8, 5, 1}, {2, 4, 3}}
	twinSpins = []string{actionSpin}
	twinPicks = []string{actionPick}
)

// PlayInto plays a step as gamelogic.Simulator does.
func (t *twin) PlayInto(s *gamelogic.Step, out *gamelogic.Outcome) error {
	*out = gamelogic.Outcome{}
	if s.Mode != modeBase && s.Mode != modeBuy {
		return gamelogic.ErrUnknownMode
	}
	if s.StakeMinor <= 0 || s.StakeMinor%5 != 0 {
		return gamelogic.ErrBadStake
	}
	opening, left, times := len(s.State) == 0, byte(0), byte(1)
	action, choices := actionSpin, uint32(1)
	if !opening {
		if !wellFormed(s.State) {
			return gamelogic.ErrBadState
		}
		if s.State[1] == phasePick {
			action, choices = actionPick, uint32(len(twinWays))
		} else {
			left, times = s.State[2]-1, s.State[3]
		}
	}
	if s.Action != action {
		return gamelogic.ErrUnknownAction
	}
	if s.Choice >= choices {
		return gamelogic.ErrBadInput
	}
	if err := s.Draws.Claim([32]byte{}); err != nil {
		return err
	}
	var err error
	if action == actionPick {
		err = t.pick(s, out)
	} else {
		err = t.spin(s, opening, left, times, out)
	}
	out.Presentation, out.DrawCount = t.out, len(s.Draws.Log())
	return err
}

// wellFormed accepts only what the game can have written.
func wellFormed(s []byte) bool {
	if len(s) != 4 || s[0] != stateVersion {
		return false
	}
	if s[1] == phasePick {
		return s[2] == 0 && s[3] == 0
	}
	for _, w := range twinWays {
		if s[1] == phaseFree && w.multiplier == s[3] {
			return s[2] > 0 && uint32(s[2]) < w.fewest+w.counts
		}
	}
	return false
}

func (t *twin) pick(s *gamelogic.Step, out *gamelogic.Outcome) error {
	w := &twinWays[s.Choice]
	extra, err := s.Draws.Draw(w.counts)
	if err != nil {
		return fmt.Errorf("draw the spins: %w", err)
	}
	spins := w.fewest + extra
	b := append(t.out[:0], `{"v":1,"choice":`...)
	b = strconv.AppendUint(b, uint64(s.Choice), 10)
	b = append(b, `,"spins":`...)
	b = strconv.AppendUint(b, uint64(spins), 10)
	b = append(b, `,"multiplier":`...)
	b = strconv.AppendUint(b, uint64(w.multiplier), 10)
	t.out = append(b, `,"win":"0"}`...)
	t.stay(out, twinSpins, phaseFree, byte(spins), w.multiplier)
	return nil
}

// stay keeps the round open.
func (t *twin) stay(out *gamelogic.Outcome, actions []string, phase, left, times byte) {
	t.state = [4]byte{stateVersion, phase, left, times}
	out.State, out.NextActions = t.state[:], actions
}

func (t *twin) spin(s *gamelogic.Step, opening bool, left, times byte, out *gamelogic.Outcome) error {
	bought := opening && s.Mode == modeBuy
	for reel := range t.bounds {
		bound := uint32(12)
		if bought {
			bound = 3
		}
		v, err := s.Draws.Draw(bound)
		if err != nil {
			return fmt.Errorf("draw a stop: %w", err)
		}
		if bought {
			v = (twinLantern[reel] + 12 - v) % 12
		}
		t.bounds[reel] = v
	}
	lanterns := 0
	for reel := range t.shown {
		copy(t.shown[reel][:], twinStrips[reel][t.bounds[reel]:])
		lanterns += bytes.Count(t.shown[reel][:], []byte{lantern})
	}
	out.WinMinor = t.show(s.StakeMinor/5, lanterns, left, times)
	switch {
	case opening && lanterns == 3:
		t.stay(out, twinPicks, phasePick, 0, 0)
	case left > 0:
		t.stay(out, twinSpins, phaseFree, left, times)
	default:
		out.Closed = true
	}
	return nil
}

// paid is the symbol that a line pays for, if it does.
func (t *twin) paid(line *[3]byte) (symbol byte, ok bool) {
	symbol = moon
	for reel, row := range line {
		x := t.shown[reel][row]
		if x == lantern || x != moon && symbol != moon && x != symbol {
			return 0, false
		}
		if x != moon {
			symbol = x
		}
	}
	return symbol, true
}

// show writes the presentation and returns what it shows as won.
func (t *twin) show(lineBet int64, lanterns int, left, times byte) (win int64) {
	b := append(t.out[:0], `{"v":1,"grid":[`...)
	for reel := range t.shown {
		for row, x := range t.shown[reel] {
			switch {
			case row > 0:
				b = append(b, ',')
			case reel > 0:
				b = append(b, ",["...)
			default:
				b = append(b, '[')
			}
			b = append(append(append(b, '"'), twinNames[x]...), '"')
		}
		b = append(b, ']')
	}
	b = append(b, `],"lines":[`...)
	for i := range twinLines {
		symbol, ok := t.paid(&twinLines[i])
		if !ok {
			continue
		}
		if win > 0 {
			b = append(b, ',')
		}
		pay := twinPays[symbol] * int64(times) * lineBet
		b = strconv.AppendInt(append(b, `{"line":`...), int64(i+1), 10)
		b = append(append(b, `,"symbol":"`...), twinNames[symbol]...)
		b = strconv.AppendInt(append(b, `","win":"`...), pay, 10)
		b = append(b, `"}`...)
		win += pay
	}
	b = strconv.AppendInt(append(b, `],"lanterns":`...), int64(lanterns), 10)
	b = strconv.AppendInt(append(b, `,"multiplier":`...), int64(times), 10)
	b = strconv.AppendInt(append(b, `,"spins_left":`...), int64(left), 10)
	b = strconv.AppendInt(append(b, `,"win":"`...), win, 10)
	t.out = append(b, `"}`...)
	return win
}

// Advise is the declared strategy.
func (t *twin) Advise(s gamelogic.Step, offered []string) (action string, choice uint32, err error) {
	if offered[0] == actionPick {
		return actionPick, 2, nil
	}
	return actionSpin, 0, nil
}
