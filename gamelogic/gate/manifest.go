package gate

import (
	"fmt"
	"math"
	"math/big"

	"github.com/edgereel/edgereel/gamelogic"
)

// manifest looks for what a manifest says twice in different ways. What each
// field may hold by itself the host has checked.
func (c *checker) manifest() {
	c.tell(StageManifest, 0, 1)
	m := c.game.Manifest()
	before := len(c.r.Checks)
	if m.MaxState == 0 && len(m.Actions) > 1 {
		c.add(StageManifest, "manifest-state", "", Fail, nil,
			"the manifest contradicts itself: %d actions, but max_state is 0, and a round that keeps no state closes with its first step", len(m.Actions))
	}
	if m.MaxDraws == 0 {
		c.add(StageManifest, "manifest-draws", "", Fail, nil, "the manifest declares max_draws 0: a game without a draw always does the same")
	}
	for _, x := range m.Modes {
		c.manifestMode(m, x)
	}
	if len(c.r.Checks) == before {
		c.add(StageManifest, "manifest", "", Pass, nil, "game %s %s: %d modes and %d actions, no contradiction", m.ID, m.Release, len(m.Modes), len(m.Actions))
	}
	c.tell(StageManifest, 1, 1)
}

func (c *checker) manifestMode(m *gamelogic.Manifest, x gamelogic.Mode) {
	unit := m.StakeMultipleMinor
	if _, err := x.CostMinor(unit); err != nil {
		cost := big.NewRat(x.CostX100, 100)
		c.add(StageManifest, "manifest-cost", x.Name, Fail, nil,
			"mode %q costs %s of a stake, which is %s minor units at the smallest stake of %d: raise stake_multiple_minor until every cost is a whole amount",
			x.Name, cost.FloatString(2), cost.Mul(cost, new(big.Rat).SetInt64(unit)).FloatString(2), unit)
	}
	rtp, okRTP := decimal(x.RTP)
	hit, okHit := decimal(x.HitFrequency)
	if !okRTP || !okHit { // the host has checked that they are
		return
	}
	// A round pays at most max_win_x stakes, in hit_frequency of the rounds.
	returned := new(big.Rat).Mul(rtp, big.NewRat(x.CostX100, 100))
	most := new(big.Rat).Mul(hit, new(big.Rat).SetInt64(x.MaxWinX))
	if returned.Cmp(most) > 0 {
		c.add(StageManifest, "manifest-max-win", x.Name, Fail, nil,
			"mode %q contradicts itself: rtp %s at a cost of %.2f stakes is %s stakes a round, but hit_frequency %s with max_win_x %d gives at most %s",
			x.Name, x.RTP, float64(x.CostX100)/100, returned.FloatString(4), x.HitFrequency, x.MaxWinX, most.FloatString(4))
	}
	if c.floor != nil {
		verdict, word := Pass, "at least"
		if rtp.Cmp(c.floor) < 0 {
			verdict, word = Fail, "under"
		}
		c.add(StageManifest, "floor-declared", x.Name, verdict, []Figure{{"rtp", x.RTP}, {"floor", c.cfg.FloorRTP}},
			"mode %q declares a return of %s, %s the floor of %s", x.Name, x.RTP, word, c.cfg.FloorRTP)
	}
}

// sheet reads the PAR sheet and holds its head and its modes to the manifest.
func (c *checker) sheet() {
	c.tell(StagePAR, 0, 1)
	defer c.tell(StagePAR, 1, 1)
	if len(c.cfg.PAR) == 0 {
		c.add(StagePAR, "par", "", Fail, nil, "there is no PAR sheet: a game without its maths cannot be checked against them")
		return
	}
	p, err := ParsePAR(c.cfg.PAR)
	if err != nil {
		c.add(StagePAR, "par", "", Fail, nil, "the PAR sheet cannot be read: %v", err)
		return
	}
	c.par = p
	m := c.game.Manifest()
	before := len(c.r.Checks)
	for _, x := range []struct{ key, sheet, module string }{
		{"id", p.ID, m.ID},
		{"version", p.Release, m.Release},
		{"name", p.Name, m.Name},
		{"stake_multiple_minor", fmt.Sprint(p.StakeMultipleMinor), fmt.Sprint(m.StakeMultipleMinor)},
	} {
		c.same("", x.key, x.sheet, x.module)
	}
	c.familyOf(p, m)
	for _, x := range p.Modes {
		if _, ok := m.Mode(x.Name); !ok {
			c.add(StagePAR, "par-modes", x.Name, Fail, nil, "the PAR sheet has a mode %q, the module has none of that name", x.Name)
		}
	}
	for _, x := range m.Modes {
		f := p.mode(x.Name)
		if f == nil {
			c.add(StagePAR, "par-modes", x.Name, Fail, nil, "the PAR sheet says nothing of the mode %q", x.Name)
			continue
		}
		c.same(x.Name, "id", fmt.Sprint(f.ID), fmt.Sprint(x.ID))
		c.same(x.Name, "cost_x100", fmt.Sprint(f.CostX100), fmt.Sprint(x.CostX100))
		c.same(x.Name, "max_win_x", fmt.Sprint(f.MaxWinX), fmt.Sprint(x.MaxWinX))
		c.sameDecimal(x.Name, "rtp", f.RTP, x.RTP)
		c.sameDecimal(x.Name, "hit_frequency", f.HitFrequency, x.HitFrequency)
		c.addsUp(x, f)
	}
	if len(c.r.Checks) == before {
		c.add(StagePAR, "par", "", Pass, nil, "the PAR sheet is that of the module: every figure of the manifest is the same in both")
	}
}

func (c *checker) same(mode, key, sheet, module string) {
	if sheet != module {
		c.mismatch(mode, key, sheet, module)
	}
}

func (c *checker) sameDecimal(mode, key, sheet, module string) {
	a, okA := decimal(sheet)
	b, okB := decimal(module)
	if !okA || !okB || a.Cmp(b) != 0 {
		c.mismatch(mode, key, sheet, module)
	}
}

func (c *checker) mismatch(mode, key, sheet, module string) {
	where := ""
	if mode != "" {
		where = fmt.Sprintf(" of mode %q", mode)
	}
	c.add(StagePAR, "par-mismatch", mode, Fail, []Figure{{"par", sheet}, {"manifest", module}},
		"the PAR sheet does not match the module: %s%s is %q in the sheet and %q in the manifest", key, where, sheet, module)
}

// addsUp holds a sheet's distribution to the figures beside it.
func (c *checker) addsUp(x gamelogic.Mode, f *PARMode) {
	if len(f.Distribution) == 0 {
		return
	}
	sum, mean := new(big.Rat), new(big.Rat)
	for _, one := range cellsOf(f) {
		sum.Add(sum, one.probability)
		mean.Add(mean, new(big.Rat).Mul(one.probability, one.win))
	}
	mean.Quo(mean, big.NewRat(x.CostX100, 100))
	if d := float(sum) - 1; math.Abs(d) > 1e-6 {
		c.add(StagePAR, "par-sum", x.Name, Fail, []Figure{{"sum", show(sum)}}, "the PAR sheet contradicts itself: the probabilities of mode %q add up to %s", x.Name, show(sum))
	} else if rtp, ok := decimal(f.RTP); ok && math.Abs(float(mean)-float(rtp)) > 1e-4 {
		c.add(StagePAR, "par-mean", x.Name, Fail, []Figure{{"rtp", f.RTP}, {"mean", show(mean)}},
			"the PAR sheet contradicts itself: the wins of mode %q come to a return of %s, the sheet says %s", x.Name, show(mean), f.RTP)
	}
}
