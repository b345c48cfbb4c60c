package sdk_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
)

// The rules of the example game, written a second time: no table, no type and
// no function is shared with a kit, and the presentation is made by
// encoding/json. What the model says of bytes is what the vectors hold.

const modelManifest = `{"manifest":1,"id":"lantern-pick","version":"1.0.0","name":"Lantern Pick","max_draws":3,"max_state":4,"stake_multiple_minor":5,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.968031141493","hit_frequency":"0.434599650432","max_win_x":241},{"id":1,"name":"buy","cost_x100":920,"rtp":"0.961987973027","hit_frequency":"0.851414664682","max_win_x":241}],"actions":[{"id":1,"name":"spin"},{"id":2,"name":"pick","choices":3}]}`

// L lantern, M moon, F fox, C crane, N fern, P pebble.
var (
	modelReels  = []string{"FPNLCPNFPCMN", "CNPFLNPMCNFP", "NFPCNMPLNCPF"}
	modelNames  = map[byte]string{'L': "lantern", 'M': "moon", 'F': "fox", 'C': "crane", 'N': "fern", 'P': "pebble"}
	modelPays   = map[byte]int64{'M': 75, 'F': 24, 'C': 9, 'N': 5, 'P': 3}
	modelLines  = []string{"111", "000", "222", "012", "210"}
	modelChoice = []struct{ from, to, times int }{{4, 6, 2}, {8, 12, 1}, {2, 5, 3}}
)

type drawer func(bound uint32) uint32

type modelLine struct {
	Line   int    `json:"line"`
	Symbol string `json:"symbol"`
	Win    string `json:"win"`
}

type modelSpin struct {
	V          int         `json:"v"`
	Grid       [][]string  `json:"grid"`
	Lines      []modelLine `json:"lines"`
	Lanterns   int         `json:"lanterns"`
	Multiplier int         `json:"multiplier"`
	SpinsLeft  int         `json:"spins_left"`
	Win        string      `json:"win"`
}

type modelPick struct {
	V          int    `json:"v"`
	Choice     uint32 `json:"choice"`
	Spins      int    `json:"spins"`
	Multiplier int    `json:"multiplier"`
	Win        string `json:"win"`
}

// request is an input taken apart.
type request struct {
	action, mode, choice uint32
	stake                int64
	state                string
}

func readRequest(in []byte, length int) (request, bool) {
	le := binary.LittleEndian
	if length < 32 || length > len(in) || le.Uint16(in) != 1 || le.Uint16(in[2:]) != 0 || uint64(le.Uint32(in[24:]))+32 != uint64(length) {
		return request{}, false
	}
	r := request{action: le.Uint32(in[4:]), mode: le.Uint32(in[8:]), choice: le.Uint32(in[12:])}
	r.stake, r.state = int64(le.Uint64(in[16:])), string(in[32:length])
	return r, r.mode < 2 && r.stake > 0 && r.stake%5 == 0
}

// phases of a round, as the model reads them from a state.
const (
	phaseOpening = iota
	phasePicking
	phaseFree
	phaseWrong
)

func phase(state string) (kind, left, times int) {
	switch {
	case state == "":
		return phaseOpening, 0, 1
	case state == "\x01\x00\x00\x00":
		return phasePicking, 0, 1
	case len(state) != 4 || state[:2] != "\x01\x01":
		return phaseWrong, 0, 0
	}
	left, times = int(state[2]), int(state[3])
	for _, c := range modelChoice {
		if c.times == times && left >= 1 && left <= c.to {
			return phaseFree, left, times
		}
	}
	return phaseWrong, 0, 0
}

// modelPlay is edgereel_play: the code and, for a code that is a length, the output.
func modelPlay(in []byte, length int, draw drawer) (int32, []byte) {
	r, ok := readRequest(in, length)
	if !ok {
		return -1, nil
	}
	kind, left, times := phase(r.state)
	action, choices := uint32(1), uint32(1)
	if kind == phasePicking {
		action, choices = 2, uint32(len(modelChoice))
	}
	switch {
	case kind == phaseWrong:
		return -3, nil
	case r.action != action:
		return -4, nil
	case r.choice >= choices:
		return -1, nil
	case kind == phasePicking:
		c := modelChoice[r.choice]
		spins := c.from + int(draw(uint32(c.to-c.from+1)))
		return modelAnswer(0, 2, string([]byte{1, 1, byte(spins), byte(c.times)}), modelPick{1, r.choice, spins, c.times, "0"})
	}
	stops := [3]uint32{}
	if kind == phaseOpening && r.mode == 1 {
		for reel, top := range []uint32{3, 4, 7} {
			stops[reel] = (top + 12 - draw(3)) % 12
		}
	} else {
		for reel := range stops {
			stops[reel] = draw(12)
		}
	}
	s := modelSpin{V: 1, Lines: []modelLine{}, Multiplier: times}
	win := s.evaluate(stops, r.stake/5*int64(times))
	switch {
	case kind == phaseOpening && s.Lanterns == 3:
		return modelAnswer(win, 4, "\x01\x00\x00\x00", s)
	case left > 1:
		s.SpinsLeft = left - 1
		return modelAnswer(win, 2, string([]byte{1, 1, byte(left - 1), byte(times)}), s)
	}
	return modelAnswer(win, 0, "", s)
}

// evaluate fills in what the stops show; a unit is what a pay of 1 is worth.
func (s *modelSpin) evaluate(stops [3]uint32, unit int64) (win int64) {
	windows := [3]string{}
	for reel, stop := range stops {
		windows[reel] = (modelReels[reel] + modelReels[reel])[stop : stop+3]
		names := []string{}
		for _, x := range []byte(windows[reel]) {
			names = append(names, modelNames[x])
			if x == 'L' {
				s.Lanterns++
			}
		}
		s.Grid = append(s.Grid, names)
	}
	for i, line := range modelLines {
		kinds := map[byte]bool{}
		for reel, row := range []byte(line) {
			kinds[windows[reel][row-'0']] = true
		}
		if len(kinds) > 1 {
			delete(kinds, 'M')
		}
		for x := range kinds {
			if pay := modelPays[x] * unit; len(kinds) == 1 && pay > 0 {
				s.Lines = append(s.Lines, modelLine{i + 1, modelNames[x], strconv.FormatInt(pay, 10)})
				win += pay
			}
		}
	}
	s.Win = strconv.FormatInt(win, 10)
	return win
}

func modelAnswer(win int64, actions uint32, state string, presentation any) (int32, []byte) {
	shown, err := json.Marshal(presentation)
	if err != nil {
		panic(fmt.Sprintf("the model makes no JSON: %v", err))
	}
	closed := uint32(0)
	if state == "" {
		closed = 1
	}
	le := binary.LittleEndian
	out := le.AppendUint64(nil, uint64(win))
	out = le.AppendUint32(out, closed)
	out = le.AppendUint32(out, actions)
	out = le.AppendUint32(out, uint32(len(state)))
	out = le.AppendUint32(out, uint32(len(shown)))
	out = le.AppendUint64(out, 0)
	out = append(append(out, state...), shown...)
	return int32(len(out)), out
}

// modelAdvise is edgereel_advise.
func modelAdvise(in []byte, length int) int32 {
	r, ok := readRequest(in, length)
	if !ok {
		return -1
	}
	switch kind, _, _ := phase(r.state); kind {
	case phasePicking:
		return 2<<5 | 2
	case phaseFree:
		return 0<<5 | 1
	}
	return -3
}
