package gate

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"slices"
	"sync"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/proof"
)

// tally is what one simulation of a mode has shown.
type tally struct {
	res    proof.SimulateResult
	seed   uint64
	wins   map[int64]uint64 // rounds by win
	blocks []blockSum
	steps  uint32 // of the longest round
	draws  uint32 // of the greediest step
}

// blockSum is a part of a block, for the plot of convergence.
type blockSum struct {
	rounds uint64
	won    float64
	square float64
}

// parts of a block that get a point of their own in the plot.
const parts = 16

// simulate plays rounds of every mode, on the path of proof.Simulate: `studio
// simulate` with the same seed gives the same digest.
func (c *checker) simulate(ctx context.Context) error {
	modes := c.game.Manifest().Modes
	total := c.cfg.Rounds * uint64(len(modes))
	for i, s := range c.modes {
		t, err := c.play(ctx, s, c.cfg.Seed, func(done uint64) { c.tell(StageSimulate, uint64(i)*c.cfg.Rounds+done, total) })
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c.add(StageSimulate, "rounds", s.mode.Name, Fail, nil, "rounds of mode %q cannot be played: %v", s.mode.Name, err)
			continue
		}
		s.tally = t
		r := &c.r.Modes[i]
		r.Simulated = measured(t, r.CostMinor, r.StakeMinor)
		r.FuelMax, r.DrawsMax = max(r.FuelMax, t.res.FuelMax), max(r.DrawsMax, uint64(t.draws))
		c.r.Fuel.Max = max(c.r.Fuel.Max, t.res.FuelMax)
		c.add(StageSimulate, "rounds", s.mode.Name, Pass, nil, "%d rounds of mode %q played on the path of real money", t.res.Rounds, s.mode.Name)
	}
	c.tell(StageSimulate, total, total)
	return nil
}

// play simulates one mode with a seed.
func (c *checker) play(ctx context.Context, s *modeState, seed uint64, progress func(uint64)) (*tally, error) {
	t := &tally{seed: seed, wins: map[int64]uint64{}, blocks: make([]blockSum, parts*((c.cfg.Rounds+proof.BlockRounds-1)/proof.BlockRounds))}
	var mu sync.Mutex // guards t.wins, t.steps and t.draws
	observe := func(block uint64, rounds []proof.Round) {
		wins := map[int64]uint64{}
		var steps, draws uint32
		for i, x := range rounds {
			wins[x.WinMinor]++
			steps, draws = max(steps, x.Steps), max(draws, x.DrawsMax)
			b := &t.blocks[parts*block+uint64(i)*parts/proof.BlockRounds] // of this block alone
			w := float64(x.WinMinor)
			b.rounds, b.won, b.square = b.rounds+1, b.won+w, b.square+w*w
		}
		mu.Lock()
		defer mu.Unlock()
		for win, n := range wins {
			t.wins[win] += n
		}
		t.steps, t.draws = max(t.steps, steps), max(t.draws, draws)
	}
	var err error
	t.res, err = proof.Simulate(ctx, c.game, proof.SimulateConfig{
		Mode: s.mode.Name, StakeMinor: c.game.Manifest().StakeMultipleMinor, Rounds: c.cfg.Rounds, Seed: seed, Workers: c.cfg.Workers,
		Observe: observe, Progress: func(done, _ uint64) { progress(done) },
	})
	if err != nil {
		var trap *gamelogic.TrapError
		if errors.As(err, &trap) || errors.Is(err, proof.ErrHiddenState) || errors.Is(err, proof.ErrEndless) {
			return nil, err
		}
		return nil, err
	}
	return t, nil
}

func measured(t *tally, costMinor, stakeMinor int64) *Measured {
	r := t.res
	half := z999 * r.SD / math.Sqrt(float64(r.Rounds))
	return &Measured{
		Rounds: r.Rounds, Seed: t.seed, RTP: r.RTP, RTPCI99: r.RTPCI99, RTPCI999: [2]float64{r.RTP - half, r.RTP + half},
		HitFrequency: r.HitFrequency, SD: r.SD, MaxWinX: r.MaxWinX * float64(costMinor) / float64(stakeMinor),
		FeatureFrequency: r.FeatureFrequency, StepsMax: uint64(t.steps), OutcomeDigest: hex.EncodeToString(r.OutcomeDigest[:]),
		Convergence: t.convergence(float64(costMinor)),
	}
}

// plotted is about how many points a plot of convergence has.
const plotted = 160

// convergence is the return after more and more rounds, spaced evenly on a
// logarithmic scale so that the beginning is seen too.
func (t *tally) convergence(cost float64) []Checkpoint {
	var list []Checkpoint
	var n uint64
	var won, square float64
	next := 0.0
	step := math.Log(float64(t.res.Rounds)+1) / plotted
	for i, b := range t.blocks {
		if b.rounds == 0 {
			continue
		}
		n, won, square = n+b.rounds, won+b.won, square+b.square
		at := math.Log(float64(n))
		if at < next && n != t.res.Rounds || i+1 < len(t.blocks) && n < 2 {
			continue
		}
		next = at + step
		mean := won / float64(n)
		variance := max(0, square/float64(n)-mean*mean)
		list = append(list, Checkpoint{Rounds: n, RTP: mean / cost, Half99: z99 * math.Sqrt(variance/float64(n)) / cost})
	}
	return list
}

// distribution is the exact one, that of a sheet the simulation agrees with (it
// knows what is too rare to be seen), or what was seen.
func (s *modeState) distribution(p *PARMode, costMinor, stakeMinor int64) *Distribution {
	d := &Distribution{CostMinor: costMinor}
	switch {
	case s.exact != nil && s.exact.Wins != nil:
		d.Source = "exact"
		for _, w := range s.exact.Wins {
			point := Point{WinMinor: w.WinMinor, Probability: float(w.Probability)}
			if w.Probability.Denom().BitLen() <= maxPointBits {
				point.Num, point.Den = w.Probability.Num().String(), w.Probability.Denom().String()
			}
			d.Points = append(d.Points, point)
		}
	case p != nil && s.agrees && s.fromSheet(d, p, stakeMinor):
		return d
	case s.tally != nil:
		d.Source = "simulated"
		for win, n := range s.tally.wins {
			d.Points = append(d.Points, Point{WinMinor: win, Probability: float64(n) / float64(s.tally.res.Rounds)})
		}
		slices.SortFunc(d.Points, func(a, b Point) int { return compare(a.WinMinor, b.WinMinor) })
	default:
		return nil
	}
	d.merge()
	return d
}

// fromSheet takes a sheet's prizes; ranges stand at their average.
func (s *modeState) fromSheet(d *Distribution, p *PARMode, stakeMinor int64) bool {
	if len(p.Distribution) == 0 {
		return false
	}
	d.Source = "par"
	for _, one := range cellsOf(p) {
		win := float(new(big.Rat).Mul(one.win, new(big.Rat).SetInt64(stakeMinor)))
		point := Point{WinMinor: int64(math.Round(win)), Probability: float(one.probability)}
		d.Merged = d.Merged || !one.single
		if last := len(d.Points) - 1; last >= 0 && d.Points[last].WinMinor == point.WinMinor {
			d.Points[last].Probability += point.Probability
			continue
		}
		d.Points = append(d.Points, point)
	}
	d.merge()
	return true
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// maxPointBits of a probability's denominator: longer fractions would make
// reports of megabytes, for digits that nobody can use.
const maxPointBits = 256

// merge puts neighbours together until there are at most MaxPoints. Nothing
// and the greatest win stay by themselves.
func (d *Distribution) merge() {
	for len(d.Points) > MaxPoints {
		d.Merged = true
		last := len(d.Points) - 1
		list := []Point{d.Points[0]}
		for i := 1; i < last; i += 2 {
			a := d.Points[i]
			if i+1 < last {
				b := d.Points[i+1]
				p := a.Probability + b.Probability
				a = Point{WinMinor: int64(math.Round((float64(a.WinMinor)*a.Probability + float64(b.WinMinor)*b.Probability) / p)), Probability: p}
			}
			a.Num, a.Den = "", ""
			list = append(list, a)
		}
		d.Points = append(list, d.Points[last])
	}
}
