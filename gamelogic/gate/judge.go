package gate

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/edgereel/edgereel/gamelogic"
)

// judgeAll holds what is declared against what was found, mode by mode.
func (c *checker) judgeAll(ctx context.Context) error {
	total := uint64(len(c.modes))
	for i, s := range c.modes {
		c.tell(StageFigures, uint64(i), total)
		r := &c.r.Modes[i]
		if s.exact != nil {
			c.againstExact(s, r)
		}
		c.maxWin(s, r)
		c.expectation(s, r)
		if err := c.againstSimulated(ctx, s, r); err != nil {
			return err
		}
		c.budgets(s, r)
		c.topAward(s, r)
		r.Distribution = s.distribution(c.sheetMode(s), r.CostMinor, r.StakeMinor)
	}
	c.tell(StageFigures, total, total)
	return nil
}

// againstExact compares every declared figure with the exact one.
func (c *checker) againstExact(s *modeState, r *Mode) {
	x, before := s.exact, c.failed()
	c.exactly(s, "rtp", "the manifest", s.mode.RTP, x.RTP)
	c.exactly(s, "hit-frequency", "the manifest", s.mode.HitFrequency, x.HitFrequency)
	if c.floor != nil && x.RTP.Cmp(c.floor) < 0 {
		c.add(StageFigures, "floor", s.mode.Name, Fail, []Figure{{"exact", show(x.RTP)}, {"floor", c.cfg.FloorRTP}},
			"mode %q returns %s, under the floor of %s", s.mode.Name, show(x.RTP), c.cfg.FloorRTP)
	}
	if p := c.sheetMode(s); p != nil {
		c.exactly(s, "par-rtp", "the PAR sheet", p.RTP, x.RTP)
		c.exactly(s, "par-hit-frequency", "the PAR sheet", p.HitFrequency, x.HitFrequency)
		c.sameFraction(s, "par-rtp-fraction", p.RTPFraction, x.RTP)
		c.sameFraction(s, "par-hit-fraction", p.HitFraction, x.HitFrequency)
		if x.RTPOptimal != nil {
			c.exactly(s, "par-rtp-optimal", "the PAR sheet", p.RTPOptimal, x.RTPOptimal)
			c.exactly(s, "par-rtp-worst", "the PAR sheet", p.RTPWorst, x.RTPWorst)
		}
		if sd, ok := decimal(p.SD); ok {
			c.closeTo(s, "par-sd", p.SD, float(sd), math.Sqrt(float(x.Variance)))
		}
		if x.MaxWinX != nil {
			c.exactly(s, "par-top-win", "the PAR sheet", p.TopWinX, inStakes(x.MaxWinX, r.CostMinor, r.StakeMinor))
		}
		c.sameDistribution(s, p, r)
	}
	if c.failed() == before {
		c.add(StageFigures, "exact-figures", s.mode.Name, Pass, []Figure{{"rtp", show(x.RTP)}, {"hit_frequency", show(x.HitFrequency)}},
			"every declared figure of mode %q is the exact one, rounded", s.mode.Name)
	}
}

func (c *checker) failed() int { return len(c.r.Failures()) }

func (c *checker) sheetMode(s *modeState) *PARMode {
	if c.par == nil {
		return nil
	}
	return c.par.mode(s.mode.Name)
}

func (c *checker) exactly(s *modeState, name, who, written string, exact *big.Rat) {
	if written != "" && !near(written, exact) {
		c.add(StageFigures, name, s.mode.Name, Fail, []Figure{{"written", written}, {"exact", show(exact)}},
			"mode %q: %s says %s for %s, all draws together give %s (tolerance %s)", s.mode.Name, who, written, name, show(exact), tolerance(written).FloatString(12))
	}
}

func (c *checker) closeTo(s *modeState, name, written string, a, b float64) {
	if math.Abs(a-b) > 1e-6*math.Max(1, b) {
		c.add(StageFigures, name, s.mode.Name, Fail, []Figure{{"written", written}, {"exact", fmt.Sprintf("%.9f", b)}},
			"mode %q: the PAR sheet says %s for %s, all draws together give %.9f", s.mode.Name, written, name, b)
	}
}

func (c *checker) sameFraction(s *modeState, name, written string, exact *big.Rat) {
	if w, ok := decimal(written); ok && w.Cmp(exact) != 0 {
		c.add(StageFigures, name, s.mode.Name, Fail, []Figure{{"written", written}, {"exact", exact.String()}},
			"mode %q: the PAR sheet says %s for %s, all draws together give %s", s.mode.Name, written, name, exact)
	}
}

// sameDistribution compares prize by prize.
func (c *checker) sameDistribution(s *modeState, p *PARMode, r *Mode) {
	if len(p.Distribution) == 0 || s.exact.Wins == nil {
		return
	}
	cells := cellsOf(p)
	for i, share := range weigh(cells, s.exact, r.StakeMinor) {
		d := new(big.Rat).Sub(share, cells[i].probability)
		if d.Abs(d).Cmp(big.NewRat(1, 1_000_000_000)) > 0 {
			c.add(StageFigures, "par-distribution", s.mode.Name, Fail, []Figure{{"par", show(cells[i].probability)}, {"exact", show(share)}},
				"mode %q: the PAR sheet gives the win of %s stakes the probability %s, all draws together give %s",
				s.mode.Name, p.Distribution[i].WinX, show(cells[i].probability), show(share))
			return
		}
	}
}

// maxWin holds the declared maximum to what can be won.
func (c *checker) maxWin(s *modeState, r *Mode) {
	declared := new(big.Rat).SetInt64(s.mode.MaxWinX)
	name := s.mode.Name
	if s.exact != nil && s.exact.MaxWinAnyX != nil {
		most := inStakes(s.exact.MaxWinAnyX, r.CostMinor, r.StakeMinor)
		figures := []Figure{{"declared", fmt.Sprint(s.mode.MaxWinX)}, {"exact", most.FloatString(4)}}
		whole := new(big.Int).Quo(new(big.Int).Add(most.Num(), new(big.Int).Sub(most.Denom(), big.NewInt(1))), most.Denom())
		if whole.Cmp(big.NewInt(s.mode.MaxWinX)) < 0 {
			c.add(StageFigures, "max-win", name, Fail, figures,
				"mode %q declares a maximum of %d stakes that nobody can win: the greatest win there is pays %s", name, s.mode.MaxWinX, most.FloatString(4))
			return
		}
		c.add(StageFigures, "max-win", name, Pass, figures, "the greatest win of mode %q pays %s stakes, declared %d", name, most.FloatString(4), s.mode.MaxWinX)
		return
	}
	if s.tally == nil {
		return
	}
	figures := []Figure{{"declared", fmt.Sprint(s.mode.MaxWinX)}, {"seen", fmt.Sprintf("%.4f", r.Simulated.MaxWinX)}}
	if p := c.sheetMode(s); p != nil {
		// The sheet's is that of the declared strategy: other choices may win more.
		below := func(top *big.Rat) bool {
			return new(big.Rat).Add(top, big.NewRat(1, 1)).Cmp(declared) <= 0 && !c.offersChoice()
		}
		if top, ok := decimal(p.TopWinX); ok && (top.Cmp(declared) > 0 || below(top)) {
			c.add(StageFigures, "max-win", name, Fail, figures, "mode %q declares a maximum of %d stakes, the PAR sheet's greatest win pays %s", name, s.mode.MaxWinX, p.TopWinX)
			return
		}
	}
	c.add(StageFigures, "max-win", name, Pass, figures, "the greatest win of mode %q that was seen pays %.4f stakes, declared %d and never passed", name, r.Simulated.MaxWinX, s.mode.MaxWinX)
}

// offersChoice tells whether a player may have anything to decide: the first
// action opens a round, with one more there is nothing to choose between.
func (c *checker) offersChoice() bool {
	actions := c.game.Manifest().Actions
	return len(actions) > 2 || slices.ContainsFunc(actions, func(a gamelogic.Action) bool { return a.Choices > 1 })
}

// budgets says how near a mode comes to what ends a step as an incident.
func (c *checker) budgets(s *modeState, r *Mode) {
	if s.tally == nil {
		return
	}
	figures := []Figure{
		{"fuel_max", fmt.Sprint(r.FuelMax)},
		{"fuel_budget", fmt.Sprint(c.r.Fuel.PerStep)},
		{"draws_max", fmt.Sprint(r.DrawsMax)},
		{"max_draws", fmt.Sprint(c.game.Manifest().MaxDraws)},
	}
	verdict, word := Pass, "within"
	if 2*r.FuelMax > c.r.Fuel.PerStep {
		verdict, word = Warn, "more than half of"
	}
	c.add(StageFigures, "fuel", s.mode.Name, verdict, figures, "the dearest step of mode %q spends %d fuel, %s the budget of %d; the most draws are %d of %d",
		s.mode.Name, r.FuelMax, word, c.r.Fuel.PerStep, r.DrawsMax, c.game.Manifest().MaxDraws)
}

// topAwardOneIn is how rare the top award may be before its odds have to be shown.
const topAwardOneIn = 100_000_000

func (c *checker) topAward(s *modeState, _ *Mode) {
	oneIn := new(big.Rat)
	if s.exact != nil && len(s.exact.Wins) > 0 {
		oneIn.Inv(s.exact.Wins[len(s.exact.Wins)-1].Probability)
	} else if p := c.sheetMode(s); p == nil || p.TopWinOneIn == "" {
		return
	} else if v, ok := decimal(p.TopWinOneIn); ok {
		oneIn = v
	}
	if oneIn.Cmp(new(big.Rat).SetInt64(topAwardOneIn)) > 0 {
		c.add(StageFigures, "top-award", s.mode.Name, Warn, []Figure{{"one_in", oneIn.FloatString(1)}},
			"the top award of mode %q comes once in %s rounds, rarer than once in 100000000: its odds have to be shown to players", s.mode.Name, oneIn.FloatString(0))
	}
}

// familyOf holds what the sheet says of family and variant to the manifest.
func (c *checker) familyOf(p *PAR, m *gamelogic.Manifest) {
	c.same("", "family", p.Family, m.Family)
	c.same("", "variant", p.Variant, m.Variant)
}
