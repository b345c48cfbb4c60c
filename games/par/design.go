// Package par computes the mathematics of the reference games from their
// designs: exact figures by walking the full cycle of the reels, and an
// evaluator of a screen that shares no code with the modules. It promises
// figures that follow from design.json alone; it runs no module and knows
// nothing of the host.
package par

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Size of the screen of every reference game.
const (
	Reels = 5
	Rows  = 3
)

// Design is what a designer decides; every figure follows from it. Pays are in
// units of stake / number of lines.
type Design struct {
	Version int      `json:"design"` // format of this document, 1
	ID      string   `json:"id"`
	Release string   `json:"version"`
	Name    string   `json:"name"`
	Lines   [][]int  `json:"lines"` // row on each reel
	Symbols []Symbol `json:"symbols"`
	Base    [][]int  `json:"base"` // strips, one per reel, of symbol indexes
	Feature *Feature `json:"feature,omitempty"`
	Modes   []Mode   `json:"modes"`
}

// Symbol is one picture and its pays by length of a run from the left, 0 to 5.
type Symbol struct {
	Name string  `json:"name"`
	Pays []int64 `json:"pays"`
}

// Feature is a set of free spins on their own strips, started by scatters.
type Feature struct {
	Wild        int     `json:"wild"` // stands for any symbol except the scatter
	Scatter     int     `json:"scatter"`
	Scatters    int     `json:"scatters"`      // on screen to start or to add spins
	ScatterPayX int64   `json:"scatter_pay_x"` // paid at the start, in stakes
	Spins       int     `json:"spins"`
	Retrigger   int     `json:"retrigger"` // further spins
	MaxSpins    int     `json:"max_spins"` // awarded in one round
	Multiplier  int64   `json:"multiplier"`
	MaxWinX     int64   `json:"max_win_x"` // the round ends there, in stakes
	Free        [][]int `json:"free"`
}

// Mode is one way to open a round. "buy" starts on a screen with the scatters.
type Mode struct {
	ID       uint32 `json:"id"`
	Name     string `json:"name"`
	CostX100 int64  `json:"cost_x100"`
}

var errDesign = errors.New("par: bad design")

// ParseDesign reads a design strictly and checks that it can be computed.
func ParseDesign(b []byte) (*Design, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	d := &Design{}
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("%w: %w", errDesign, err)
	}
	if d.Version != 1 || len(d.Lines) == 0 || len(d.Symbols) == 0 || len(d.Modes) == 0 {
		return nil, fmt.Errorf("%w: version, lines, symbols and modes are needed", errDesign)
	}
	for _, l := range d.Lines {
		if len(l) != Reels {
			return nil, fmt.Errorf("%w: line %v", errDesign, l)
		}
		for _, row := range l {
			if row < 0 || row >= Rows {
				return nil, fmt.Errorf("%w: line %v", errDesign, l)
			}
		}
	}
	for _, s := range d.Symbols {
		if len(s.Pays) != Reels+1 || s.Name == "" || len(s.Name) > 15 {
			return nil, fmt.Errorf("%w: symbol %q", errDesign, s.Name)
		}
	}
	if err := d.checkStrips(d.Base); err != nil {
		return nil, err
	}
	if d.Feature == nil {
		return d, nil
	}
	return d, d.checkStrips(d.Feature.Free)
}

// checkStrips also holds two rules that the exact computation leans on: no wild
// on the first reel, and at most one scatter in a reel's window.
func (d *Design) checkStrips(strips [][]int) error {
	if len(strips) != Reels {
		return fmt.Errorf("%w: %d strips", errDesign, len(strips))
	}
	for reel, s := range strips {
		if len(s) < Rows || len(s) > 30 {
			return fmt.Errorf("%w: reel %d has %d stops", errDesign, reel+1, len(s))
		}
		for i, x := range s {
			if x < 0 || x >= len(d.Symbols) {
				return fmt.Errorf("%w: reel %d has symbol %d", errDesign, reel+1, x)
			}
			if d.isWild(x) && reel == 0 {
				return fmt.Errorf("%w: a wild on the first reel", errDesign)
			}
			for k := 1; k < Rows && d.isScatter(x); k++ {
				if d.isScatter(s[(i+k)%len(s)]) {
					return fmt.Errorf("%w: two scatters in a window of reel %d", errDesign, reel+1)
				}
			}
		}
	}
	return nil
}

func (d *Design) isWild(symbol int) bool { return d.Feature != nil && symbol == d.Feature.Wild }

func (d *Design) isScatter(symbol int) bool { return d.Feature != nil && symbol == d.Feature.Scatter }

// Units turns a number of stakes into the units pays are counted in.
func (d *Design) Units(stakes int64) int64 { return stakes * int64(len(d.Lines)) }

// capUnits is the most a round pays; 0 when nothing limits it.
func (d *Design) capUnits() int64 {
	if d.Feature == nil {
		return 0
	}
	return d.Units(d.Feature.MaxWinX)
}
