package gate

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/edgereel/edgereel/gamelogic/proof"
)

// alpha is the probability that a good game flags in one run of the chi-square
// over all its modes; it takes two runs to fail.
const alpha = 1e-6

// leastExpected rounds of a cell of the chi-square; rarer wins are put together.
const leastExpected = 5

// cellsOf are the prizes of a sheet.
func cellsOf(p *PARMode) []cell {
	var cells []cell
	for _, x := range p.Distribution {
		one, err := x.cell(p.DistributionTotal)
		if err != nil { // ParsePAR has seen to it
			return nil
		}
		cells = append(cells, one)
	}
	if cells == nil {
		for _, x := range p.Wins {
			one := cell{}
			one.from, _ = decimal(x.From)
			one.to, _ = decimal(x.To)
			one.win = one.to
			one.single = one.to.Sign() == 0
			one.probability, _ = decimal(x.Probability)
			cells = append(cells, one)
		}
	}
	slices.SortStableFunc(cells, func(a, b cell) int { return a.to.Cmp(b.to) })
	return cells
}

// holds tells whether a win in stakes belongs to a cell.
func (x *cell) holds(stakes *big.Rat) bool {
	if x.single {
		return stakes.Cmp(x.win) == 0
	}
	return (x.from == nil || stakes.Cmp(x.from) > 0) && stakes.Cmp(x.to) <= 0
}

// find is the cell that a win belongs to, -1 for none.
func find(cells []cell, winMinor, stakeMinor int64) int {
	stakes := big.NewRat(winMinor, stakeMinor)
	i, _ := slices.BinarySearchFunc(cells, stakes, func(x cell, v *big.Rat) int { return x.to.Cmp(v) })
	if i < len(cells) && cells[i].holds(stakes) {
		return i
	}
	return -1
}

// weigh is what an exact distribution gives each cell.
func weigh(cells []cell, x *proof.ExactResult, stakeMinor int64) []*big.Rat {
	shares := make([]*big.Rat, len(cells))
	for i := range shares {
		shares[i] = new(big.Rat)
	}
	for _, w := range x.Wins {
		if i := find(cells, w.WinMinor, stakeMinor); i >= 0 {
			shares[i].Add(shares[i], w.Probability)
		}
	}
	return shares
}

// expectation is what wins a simulation has to show, and with what probability.
func (c *checker) expectation(s *modeState, r *Mode) {
	if s.exact != nil && s.exact.Wins != nil {
		s.source = "exact"
		for _, w := range s.exact.Wins {
			stakes := big.NewRat(w.WinMinor, r.StakeMinor)
			s.cells = append(s.cells, cell{win: stakes, to: stakes, single: true, probability: w.Probability})
		}
		return
	}
	if p := c.sheetMode(s); p != nil {
		s.source, s.cells = "par", cellsOf(p)
	}
}

// flag is one figure of a simulation that is not what it should be.
type flag struct {
	name, detail string
	figures      []Figure
}

// againstSimulated judges the simulation, and plays again what it flags.
func (c *checker) againstSimulated(ctx context.Context, s *modeState, r *Mode) error {
	if s.tally == nil {
		return nil
	}
	flags, passed := c.flags(s, r, s.tally)
	if len(flags) > 0 {
		seed := c.cfg.Seed ^ 0x9e3779b97f4a7c15 // another one, and known from the first
		again, err := c.play(ctx, s, seed, func(done uint64) { c.tell(StageSimulate, done, c.cfg.Rounds) })
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c.add(StageFigures, "rounds", s.mode.Name, Fail, nil, "rounds of mode %q cannot be played again: %v", s.mode.Name, err)
			return nil
		}
		r.Simulated.Again = append(r.Simulated.Again, seed)
		second, _ := c.flags(s, r, again)
		for _, f := range flags {
			if i := slices.IndexFunc(second, func(x flag) bool { return x.name == f.name }); i >= 0 {
				c.add(StageFigures, f.name, s.mode.Name, Fail, second[i].figures, "%s; and again with another seed: %s", f.detail, second[i].detail)
			} else {
				s.agrees = s.agrees || f.name == "prizes"
				c.add(StageFigures, f.name, s.mode.Name, Pass, f.figures, "%s; with another seed it was not: chance", f.detail)
			}
		}
	}
	for _, f := range passed {
		s.agrees = s.agrees || f.name == "prizes"
		c.add(StageFigures, f.name, s.mode.Name, Pass, f.figures, "%s", f.detail)
	}
	if s.cells == nil {
		c.add(StageFigures, "prizes", s.mode.Name, Skip, nil, "not asked: mode %q is too large to be counted and the PAR sheet has no distribution of wins to compare with", s.mode.Name)
	}
	return nil
}

// flags looks at one simulation.
func (c *checker) flags(s *modeState, r *Mode, t *tally) (flags, passed []flag) {
	put := func(bad bool, f flag) {
		if bad {
			flags = append(flags, f)
		} else {
			passed = append(passed, f)
		}
	}
	n, name := float64(t.res.Rounds), s.mode.Name
	rtp, hit, sd, from := c.expected(s, t)
	half := z999*sd/math.Sqrt(n) + 1e-12
	put(math.Abs(t.res.RTP-rtp) > half, flag{
		"simulated-rtp", fmt.Sprintf("mode %q returned %.6f in %d rounds of seed %d, %s is %.6f and 99.9 %% of such runs are within %.6f", name, t.res.RTP, t.res.Rounds, t.seed, from, rtp, half),
		[]Figure{{"simulated", fmt.Sprintf("%.9f", t.res.RTP)}, {"expected", fmt.Sprintf("%.9f", rtp)}, {"half_width_999", fmt.Sprintf("%.9f", half)}},
	})
	half = z999*math.Sqrt(hit*(1-hit)/n) + 1e-9
	put(math.Abs(t.res.HitFrequency-hit) > half, flag{
		"simulated-hit-frequency", fmt.Sprintf("%.6f of the rounds of mode %q pay with seed %d, %s is %.6f and 99.9 %% of such runs are within %.6f", t.res.HitFrequency, name, t.seed, from, hit, half),
		[]Figure{{"simulated", fmt.Sprintf("%.9f", t.res.HitFrequency)}, {"expected", fmt.Sprintf("%.9f", hit)}, {"half_width_999", fmt.Sprintf("%.9f", half)}},
	})
	if s.cells != nil {
		f, bad := c.chiSquare(s, r, t)
		put(bad, f)
	}
	return flags, passed
}

// expected figures: exact where they are known, else what is declared.
func (c *checker) expected(s *modeState, t *tally) (rtp, hit, sd float64, from string) {
	if s.exact != nil {
		return float(s.exact.RTP), float(s.exact.HitFrequency), math.Sqrt(float(s.exact.Variance)), "exact"
	}
	declared, _ := decimal(s.mode.RTP)
	hits, _ := decimal(s.mode.HitFrequency)
	sd = t.res.SD
	if p := c.sheetMode(s); p != nil {
		if v, ok := decimal(p.SD); ok {
			sd = float(v)
		}
	}
	return float(declared), float(hits), sd, "declared"
}

// chiSquare compares how often each prize came with how often it should have.
func (c *checker) chiSquare(s *modeState, r *Mode, t *tally) (flag, bool) {
	seen := make([]float64, len(s.cells))
	for _, win := range sortedWins(t.wins) {
		i := find(s.cells, win, r.StakeMinor)
		if i < 0 || s.cells[i].probability.Sign() == 0 {
			return flag{
				"prizes", fmt.Sprintf("mode %q paid %d minor units at a stake of %d with seed %d, a win that there is not", s.mode.Name, win, r.StakeMinor, t.seed),
				[]Figure{{"win_minor", fmt.Sprint(win)}, {"rounds", fmt.Sprint(t.wins[win])}},
			}, true
		}
		seen[i] += float64(t.wins[win])
	}
	statistic, groups := pooled(s.cells, seen, float64(t.res.Rounds))
	p := chiTail(statistic, groups-1)
	limit := alpha / float64(len(c.modes))
	f := flag{
		"prizes", fmt.Sprintf("the wins of mode %q with seed %d against the %s distribution: chi-square %.2f over %d cells, p = %.3g", s.mode.Name, t.seed, s.source, statistic, groups, p),
		[]Figure{{"chi_square", fmt.Sprintf("%.4f", statistic)}, {"cells", fmt.Sprint(groups)}, {"p", fmt.Sprintf("%.6g", p)}, {"limit", fmt.Sprintf("%.3g", limit)}},
	}
	return f, p < limit
}

// pooled puts neighbouring cells together until each expects enough.
func pooled(cells []cell, seen []float64, n float64) (statistic float64, groups int) {
	var expect, count []float64
	var e, k float64
	for i := range cells {
		e += n * float(cells[i].probability)
		k += seen[i]
		if e >= leastExpected {
			expect, count = append(expect, e), append(count, k)
			e, k = 0, 0
		}
	}
	if last := len(expect) - 1; last >= 0 {
		expect[last] += e
		count[last] += k
	}
	for i := range expect {
		statistic += (count[i] - expect[i]) * (count[i] - expect[i]) / expect[i]
	}
	return statistic, len(expect)
}

func sortedWins(wins map[int64]uint64) []int64 {
	list := make([]int64, 0, len(wins))
	for win := range wins {
		list = append(list, win)
	}
	slices.Sort(list)
	return list
}
