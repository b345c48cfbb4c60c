package canary_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/node/canary"
	"github.com/edgereel/edgereel/wallet"
)

// prize is a win per cost, in hundredths, and its probability.
type prize struct {
	x100 int64
	p    float64
}

// game is a mode by its prizes; losing takes what is left of the probability.
type game []prize

// lines is a line game of three reels with 20 stops: symbol k stands on each
// reel on[k] times. weight scales the first symbol's stops on the first reel,
// at the cost of the blanks.
func lines(weight float64) game {
	on := []float64{1, 2, 3, 4, 5}
	pays := []int64{60_000, 8_000, 2_000, 500, 150}
	var g game
	for k, n := range on {
		first := n / 20
		if k == 2 {
			first *= weight
		}
		g = append(g, prize{pays[k], first * (n / 20) * (n / 20)}, prize{pays[k] / 10, first * (n / 20) * (1 - n/20)})
	}
	return g
}

// volatile has most of its return in prizes that hardly ever come.
var volatile = game{{50, 0.12}, {200, 0.04}, {1000, 0.006}, {20_000, 0.0006}, {500_000, 0.00003}}

func (g game) distribution() *gate.Distribution {
	d := &gate.Distribution{Source: "exact", CostMinor: 100}
	lose := 1.0
	for _, p := range g {
		d.Points = append(d.Points, gate.Point{WinMinor: p.x100, Probability: p.p})
		lose -= p.p
	}
	d.Points = append(d.Points, gate.Point{Probability: lose})
	slices.SortFunc(d.Points, func(a, b gate.Point) int { return int(a.WinMinor - b.WinMinor) })
	return d
}

func (g game) law(t testing.TB) *canary.Law {
	t.Helper()
	l, err := canary.NewLaw("base", g.distribution())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var module = wallet.Hash{1, 2, 3}

// play adds n rounds of a game to a tally.
func (g game) play(r *rand.Rand, t *wallet.Tally, n uint64) {
	t.Digest, t.Mode = module, "base"
	t.Rounds += n
	left, rest := n, 1.0
	for _, p := range g {
		count := canary.DrawBinomial(r, left, p.p/rest)
		left, rest = left-count, rest-p.p
		class, returned := wallet.ClassOf(p.x100, 100)
		t.Counts[class] += count
		t.ReturnX1000000 += count * returned
	}
	t.Counts[0] += left
}

// alarmed plays up to most rounds, looking whenever a look is due, and tells
// after how many the watch took the canary back, 0 for never.
func alarmed(g game, w *canary.Watch, seed, most uint64) uint64 {
	r := rand.New(rand.NewPCG(seed, 77))
	var tally wallet.Tally
	for number := 1; ; number++ {
		next := min(canary.LookRounds(number), most)
		g.play(r, &tally, next-tally.Rounds)
		if w.Decide(&canary.Evidence{Tallies: []wallet.Tally{tally}}, time.Time{}).Rollback {
			return tally.Rounds
		}
		if next == most {
			return 0
		}
	}
}

func TestTails_AreExact(t *testing.T) {
	for _, tc := range []struct {
		n uint64
		p *big.Rat
	}{{1, big.NewRat(1, 3)}, {7, big.NewRat(1, 2)}, {60, big.NewRat(1, 50)}, {60, big.NewRat(49, 50)}, {300, big.NewRat(1, 1000)}} {
		p, _ := tc.p.Float64()
		q := new(big.Rat).Sub(big.NewRat(1, 1), tc.p)
		below := new(big.Rat)
		for k := uint64(0); k <= tc.n; k++ {
			term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(tc.n), int64(k)))
			for range k {
				term.Mul(term, tc.p)
			}
			for range tc.n - k {
				term.Mul(term, q)
			}
			above, _ := new(big.Rat).Sub(big.NewRat(1, 1), below).Float64()
			below.Add(below, term)
			until, _ := below.Float64()
			if got := canary.UpperTail(k, tc.n, p); math.Abs(got-above) > 1e-9*above+1e-15 {
				t.Errorf("P(X >= %d) of %d at %g is %g, exactly %g", k, tc.n, p, got, above)
			}
			if got := canary.LowerTail(k, tc.n, p); math.Abs(got-until) > 1e-9*until+1e-15 {
				t.Errorf("P(X <= %d) of %d at %g is %g, exactly %g", k, tc.n, p, got, until)
			}
		}
	}
	if got := canary.UpperTail(1, 1_000_000, 0); got != 0 {
		t.Errorf("what cannot happen has probability %g", got)
	}
	// Far out at a large number, against the known value for 5 deviations.
	if got := canary.UpperTail(500_000_000+79_057, 1_000_000_000, 0.5); math.Abs(got/2.867e-7-1) > 0.01 {
		t.Errorf("five deviations out is %g", got)
	}
}

// Counts drawn by either way follow the binomial distribution.
func TestDrawBinomial(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tc := range []struct {
		n uint64
		p float64
	}{{5, 0.3}, {1000, 0.004}, {40, 0.5}, {1000, 0.02}, {100_000, 0.7}} {
		const draws = 200_000
		seen := map[uint64]float64{}
		for range draws {
			seen[canary.DrawBinomial(r, tc.n, tc.p)]++
		}
		var chi, cells float64
		for k := range tc.n + 1 {
			p := canary.UpperTail(k, tc.n, tc.p) - canary.UpperTail(k+1, tc.n, tc.p)
			if want := p * draws; want >= 10 {
				chi += (seen[k] - want) * (seen[k] - want) / want
				cells++
			}
		}
		if limit := cells + 6*math.Sqrt(2*cells) + 12; cells < 3 || chi > limit {
			t.Errorf("n %d p %g: chi-square %.1f over %.0f cells, at most %.1f", tc.n, tc.p, chi, cells, limit)
		}
	}
}

// With a single prize the tail of the return is that of a count, which is known
// exactly: the measured one agrees, down to probabilities of 1e-12.
func TestReturnTail_IsThatOfTheCount(t *testing.T) {
	for _, g := range []game{{{200, 0.48}}, {{10_000, 0.0095}}} {
		l := g.law(t)
		p, x := g[0].p, float64(g[0].x100)/100
		for _, n := range []uint64{1000, 50_000, 2_000_000} {
			sd := math.Sqrt(float64(n) * p * (1 - p))
			for _, z := range []float64{-6, -4.5, -3.2, 3.2, 4.5, 6} {
				k := math.Round(float64(n)*p + z*sd)
				if k < 0 {
					continue
				}
				want := canary.UpperTail(uint64(k), n, p)
				if z < 0 {
					want = canary.LowerTail(uint64(k), n, p)
				}
				mean := k * x / float64(n)
				if got := l.ReturnTail(n, mean-math.Copysign(1e-12, z), 1); want < 1e-3 && math.Abs(math.Log(got/want)) > 0.15 {
					t.Errorf("prize %g at %g, %d rounds, %.1f deviations: %g, exactly %g", x, p, n, z, got, want)
				}
			}
		}
	}
}

// For a volatile game the tail and the band are those of many runs, on both
// sides, where the normal ones are not.
func TestReturnTail_AgainstBruteForce(t *testing.T) {
	l := volatile.law(t)
	const alpha, runs = 2e-3, 200_000
	for _, n := range []uint64{20_000, 300_000} {
		r := rand.New(rand.NewPCG(n, 9))
		means := make([]float64, runs)
		for i := range means {
			means[i] = l.DrawMean(r, n)
		}
		slices.Sort(means)
		for _, count := range []int{200, 1000, 4000} {
			// Five deviations of the count, and the few per cent of the measurement.
			slack := 5*math.Sqrt(float64(count)) + 0.15*float64(count)
			if got := runs * l.ReturnTail(n, means[count-1], 1); math.Abs(got-float64(count)) > slack {
				t.Errorf("%d rounds: %d of %d runs return at most %.4f, the tail says %.0f", n, count, runs, means[count-1], got)
			}
			if got := runs * l.ReturnTail(n, means[runs-count], 1); math.Abs(got-float64(count)) > slack {
				t.Errorf("%d rounds: %d of %d runs return at least %.4f, the tail says %.0f", n, count, runs, means[runs-count], got)
			}
		}
		low, high := l.Band(n, alpha, [2]uint64{1, 2})
		outside := [2]float64{float64(sort.SearchFloat64s(means, low)), float64(runs - sort.SearchFloat64s(means, math.Nextafter(high, 9)))}
		z := 2.878 * l.SD / math.Sqrt(float64(n))
		t.Logf("%d rounds: band %.4f to %.4f (normal: %.4f to %.4f), outside %v of %d", n, low, high, l.Mean-z, l.Mean+z, outside, runs)
		for _, count := range outside {
			if want := alpha * runs; count > want+5*math.Sqrt(want)+0.15*want {
				t.Errorf("%d rounds: %v runs outside of the band, want at most %g", n, outside, want)
			}
		}
	}
}

func TestLooks(t *testing.T) {
	for number := 1; number < 40; number++ {
		n := canary.LookRounds(number)
		if canary.LookNumber(n) != number || canary.LookNumber(n-1) != number-1 {
			t.Errorf("look %d at %d rounds: numbers %d, %d before", number, n, canary.LookNumber(n), canary.LookNumber(n-1))
		}
	}
}

// A healthy game plays a million rounds without an alarm, of either kind.
func TestWatch_HealthyMillion(t *testing.T) {
	for name, g := range map[string]game{"lines": lines(1), "volatile": volatile, "even": {{200, 0.48}}} {
		l := g.law(t)
		for seed := range uint64(100) {
			w := canary.NewWatch(module, map[string]*canary.Law{"base": l}, 0)
			if at := alarmed(g, w, seed, 1_000_000); at != 0 {
				t.Errorf("%s, seed %d: alarm at %d rounds", name, seed, at)
			}
		}
	}
}

// All looks together spend at most alpha: measured with one that can be seen.
func TestWatch_SpendsAtMostAlpha(t *testing.T) {
	const alpha, runs = 0.2, 400
	for name, g := range map[string]game{"lines": lines(1), "volatile": volatile} {
		l := g.law(t)
		alarms := 0.0
		for seed := range uint64(runs) {
			w := canary.NewWatch(module, map[string]*canary.Law{"base": l}, alpha)
			if alarmed(g, w, 1000+seed, 300_000) != 0 {
				alarms++
			}
		}
		t.Logf("%s: %.3f of the runs alarm, alpha is %g", name, alarms/runs, alpha)
		if limit := alpha*runs + 4*math.Sqrt(alpha*(1-alpha)*runs); alarms > limit {
			t.Errorf("%s: %.0f alarms in %d runs, alpha is %g", name, alarms, runs, alpha)
		}
		if alarms == 0 {
			t.Errorf("%s: no alarm at alpha %g: the watch sleeps", name, alpha)
		}
	}
}

// A reel on which one symbol stands 5 % too often is found within the number of
// rounds that was reckoned for 90 % power, in 90 % of the runs.
func TestWatch_MisweightedReel(t *testing.T) {
	const power, runs = 0.9, 100
	healthy, faulty := lines(1), lines(1.05)
	l := healthy.law(t)
	n := l.RoundsToSee(faulty.law(t), canary.DefaultAlpha, power)
	found := 0
	var rounds uint64
	for seed := range uint64(runs) {
		w := canary.NewWatch(module, map[string]*canary.Law{"base": l}, 0)
		if at := alarmed(faulty, w, seed, n); at != 0 {
			found++
			rounds += at
		}
	}
	t.Logf("return %.4f instead of %.4f: %d of %d runs found within %d rounds, at %d on average", faulty.law(t).Mean, l.Mean, found, runs, n, rounds/uint64(max(found, 1)))
	// Four deviations below the stated power.
	if n == 0 || float64(found) < power*runs-4*math.Sqrt(power*(1-power)*runs) {
		t.Errorf("%d of %d runs found within %d rounds", found, runs, n)
	}
	if n > 20_000_000 {
		t.Errorf("%d rounds are no use", n)
	}
}

// What no round of the report ever wins takes the canary back at the first look.
func TestWatch_ImpossiblePrize(t *testing.T) {
	l := lines(1).law(t)
	tally := wallet.Tally{Digest: module, Mode: "base", Rounds: 1000, ReturnX1000000: 900_000_000}
	tally.Counts[0], tally.Counts[14] = 999, 1
	d := canary.NewWatch(module, map[string]*canary.Law{"base": l}, 0).Decide(&canary.Evidence{Tallies: []wallet.Tally{tally}}, time.Time{})
	if !d.Rollback || !strings.Contains(d.Reason, "5000x or more") {
		t.Errorf("decision %+v", d)
	}
	// Another module's tally, or another mode's, says nothing.
	tally.Digest[0]++
	if d := canary.NewWatch(module, map[string]*canary.Law{"base": l}, 0).Decide(&canary.Evidence{Tallies: []wallet.Tally{tally}}, time.Time{}); d.Rollback || len(d.Looks) != 0 {
		t.Errorf("decision %+v", d)
	}
}

func TestWatch_Incidents(t *testing.T) {
	for name, e := range map[string]canary.Evidence{
		"incident":   {Tallies: []wallet.Tally{{Digest: module, Mode: "unlisted", Incidents: 1}}},
		"quarantine": {Quarantined: true},
	} {
		if d := canary.NewWatch(module, nil, 0).Decide(&e, time.Time{}); !d.Rollback || d.Reason == "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestWatch_SameEvidenceSameDecision(t *testing.T) {
	l := volatile.law(t)
	tally := wallet.Tally{}
	game{{50, 0.12}, {200, 0.05}, {1000, 0.007}}.play(rand.New(rand.NewPCG(1, 1)), &tally, 30_000)
	e := &canary.Evidence{Tallies: []wallet.Tally{tally}}
	a := canary.NewWatch(module, map[string]*canary.Law{"base": l}, 0).Decide(e, time.Time{})
	b := canary.NewWatch(module, map[string]*canary.Law{"base": l}, 0).Decide(e, time.Unix(99, 0))
	if len(a.Looks) != 1 || !a.Rollback || a.Reason != b.Reason || a.Looks[0] != b.Looks[0] {
		t.Errorf("decided %+v and %+v", a, b)
	}
}

func TestWatch_EvaluationTimes(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	times := func(p99, live time.Duration) *canary.Evidence {
		return &canary.Evidence{Times: []canary.Timing{{Node: "a", CanarySteps: 5000, CanaryP99: p99, LiveSteps: 5000, LiveP99: live}}}
	}
	type step struct {
		after     time.Duration
		p99, live time.Duration
		back      bool
	}
	const ms = time.Millisecond
	for name, steps := range map[string][]step{
		"slow three times a minute apart": {{0, 4 * ms, ms, false}, {time.Minute, 4 * ms, ms, false}, {time.Minute, 4 * ms, ms, true}},
		"looks too close count once":      {{0, 4 * ms, ms, false}, {time.Second, 4 * ms, ms, false}, {time.Second, 4 * ms, ms, false}, {time.Minute, 4 * ms, ms, false}},
		"calm in between":                 {{0, 4 * ms, ms, false}, {time.Minute, 4 * ms, ms, false}, {time.Minute, 2 * ms, ms, false}, {time.Minute, 4 * ms, ms, false}},
		"neither calm nor slow":           {{0, 4 * ms, ms, false}, {time.Minute, 5 * ms / 2, ms, false}, {time.Minute, 4 * ms, ms, false}, {time.Minute, 4 * ms, ms, true}},
		"fast enough for anybody":         {{0, 400 * time.Microsecond, 10 * time.Microsecond, false}, {time.Minute, 400 * time.Microsecond, 10 * time.Microsecond, false}, {time.Minute, 400 * time.Microsecond, 10 * time.Microsecond, false}},
	} {
		w, now := canary.NewWatch(module, nil, 0), start
		for i, s := range steps {
			now = now.Add(s.after)
			if d := w.Decide(times(s.p99, s.live), now); d.Rollback != s.back {
				t.Errorf("%s: look %d: %+v", name, i, d)
			}
		}
	}
	alone := times(11*ms, 0)
	alone.Times[0].LiveSteps = 0
	few := times(time.Second, ms)
	few.Times[0].CanarySteps = 999
	for name, tc := range map[string]struct {
		e    *canary.Evidence
		back bool
	}{"no live version": {alone, true}, "too few steps": {few, false}} {
		w, back := canary.NewWatch(module, nil, 0), false
		for i := range 4 {
			back = w.Decide(tc.e, start.Add(time.Duration(i)*time.Minute)).Rollback || back
		}
		if back != tc.back {
			t.Errorf("%s: taken back %v", name, back)
		}
	}
}

// report is one with a single mode.
func report(change func(*gate.Report, *gate.Mode)) []byte {
	r := &gate.Report{
		Kind: gate.ReportKind, Schema: gate.ReportVersion,
		Manifest: &gamelogic.Manifest{Actions: []gamelogic.Action{{ID: 0, Name: "spin"}, {ID: 1, Name: "free"}}},
	}
	m := gate.Mode{
		Mode: "base", StakeMinor: 100, CostMinor: 100, Declared: gate.Declared{MaxWinX: 5000}, Distribution: volatile.distribution(),
		Exact: &gate.Exact{Countable: true},
	}
	change(r, &m)
	r.Modes = append(r.Modes, m)
	b, err := r.JSON()
	if err != nil {
		panic(err)
	}
	return b
}

// A simulated report shows no prize that is rarer than its rounds: the first
// one is no fault, nor is the sampling error of what it does show.
func TestLaws_Simulated(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const sample = 200_000
	alarms := 0
	for seed := range uint64(60) {
		var points []gate.Point
		left, rest := uint64(sample), 1.0
		for _, p := range volatile {
			count := canary.DrawBinomial(r, left, p.p/rest)
			left, rest = left-count, rest-p.p
			if count > 0 && p.x100 < 500_000 {
				points = append(points, gate.Point{WinMinor: p.x100, Probability: float64(count) / sample})
			} else {
				left += count
			}
		}
		points = append([]gate.Point{{Probability: float64(left) / sample}}, points...)
		laws, err := canary.Laws(report(func(_ *gate.Report, m *gate.Mode) {
			m.Exact, m.Simulated = nil, &gate.Measured{Rounds: sample}
			m.Distribution = &gate.Distribution{Source: "simulated", CostMinor: 100, Points: points}
		}))
		if err != nil || laws["base"].Rounds != sample {
			t.Fatalf("laws %v, %v", laws, err)
		}
		// The game it was drawn from, without its rarest prize and with one of it.
		honest := volatile[:4]
		if alarmed(honest, canary.NewWatch(module, laws, 0), seed, 2_000_000) != 0 {
			alarms++
		}
		var tally wallet.Tally
		honest.play(r, &tally, 20_000)
		tally.Rounds++
		tally.Counts[14]++
		tally.ReturnX1000000 += 5_000_000_000
		if d := canary.NewWatch(module, laws, 0).Decide(&canary.Evidence{Tallies: []wallet.Tally{tally}}, time.Time{}); d.Rollback {
			t.Errorf("the first great win: %s", d.Reason)
		}
	}
	if alarms > 0 {
		t.Errorf("%d of 60 healthy canaries were taken back", alarms)
	}
	laws, err := canary.Laws(report(func(_ *gate.Report, m *gate.Mode) {
		m.Exact, m.Simulated = nil, &gate.Measured{Rounds: sample}
		m.Distribution.Source = "simulated"
	}))
	if err != nil {
		t.Fatal(err)
	}
	twice := slices.Clone(volatile)
	twice[1].p *= 1.3
	if alarmed(twice, canary.NewWatch(module, laws, 0), 1, 300_000) == 0 {
		t.Error("a prize that comes 30 % too often was not seen")
	}
}

// Where players choose, only what no choice explains is an alarm.
func TestLaws_Choice(t *testing.T) {
	exact := volatile.law(t)
	laws, err := canary.Laws(report(func(_ *gate.Report, m *gate.Mode) {
		m.Exact.RTPOptimal, m.Exact.RTPWorst = "98/100", "1/2"
	}))
	if err != nil {
		t.Fatal(err)
	}
	l := laws["base"]
	if l == nil || !l.Choice || l.Worst != 0.5 || l.Best != 0.98 || l.Mean != exact.Mean {
		t.Fatalf("law %+v", l)
	}
	bad := game{{100, 0.55}} // far from the report's classes, between its returns
	if at := alarmed(bad, canary.NewWatch(module, laws, 0), 1, 1_000_000); at != 0 {
		t.Errorf("bad players alarmed at %d", at)
	}
	if at := alarmed(game{{100, 0.4}}, canary.NewWatch(module, laws, 0), 1, 30_000_000); at == 0 {
		t.Error("a return below the worst choice was not seen")
	}
	for name, manifest := range map[string]*gamelogic.Manifest{
		"none": nil, "picks": {Actions: []gamelogic.Action{{Name: "spin"}, {ID: 1, Name: "pick", Choices: 3}}},
		"hold or stop": {Actions: []gamelogic.Action{{Name: "spin"}, {ID: 1, Name: "hold"}, {ID: 2, Name: "stop"}}},
	} {
		laws, err := canary.Laws(report(func(r *gate.Report, m *gate.Mode) {
			r.Manifest, m.Exact, m.Simulated, m.Distribution.Source = manifest, nil, &gate.Measured{Rounds: 10}, "simulated"
		}))
		if err != nil || len(laws) != 0 {
			t.Errorf("%s: laws %v, %v: unbounded choices have none", name, laws, err)
		}
	}
}

func TestLaws_Refused(t *testing.T) {
	for name, change := range map[string]func(*gate.Report, *gate.Mode){
		"another schema":     func(r *gate.Report, _ *gate.Mode) { r.Schema++ },
		"free round":         func(_ *gate.Report, m *gate.Mode) { m.Distribution.CostMinor = 0 },
		"negative win":       func(_ *gate.Report, m *gate.Mode) { m.Distribution.Points[1].WinMinor = -1 },
		"half a law":         func(_ *gate.Report, m *gate.Mode) { m.Distribution.Points[0].Probability = 0.1 },
		"no sample":          func(_ *gate.Report, m *gate.Mode) { m.Distribution.Source = "simulated" },
		"returns not number": func(_ *gate.Report, m *gate.Mode) { m.Exact.RTPOptimal = "much" },
	} {
		if laws, err := canary.Laws(report(change)); err == nil {
			t.Errorf("%s: taken as %v", name, laws)
		}
	}
	if _, err := canary.Laws([]byte("{")); err == nil {
		t.Error("half a document was taken")
	}
	if laws, err := canary.Laws(report(func(_ *gate.Report, m *gate.Mode) { m.Distribution = nil })); err != nil || len(laws) != 0 {
		t.Errorf("a mode without a distribution: %v, %v", laws, err)
	}
}

// A report with more points than the tail is drawn from keeps its return, and
// nearly all of its deviation; merged points may lie in either class.
func TestNewLaw_ManyPoints(t *testing.T) {
	d := &gate.Distribution{CostMinor: 100, Merged: true, Points: []gate.Point{{Probability: 0.7}}}
	var mean, square float64
	for i := range 5000 {
		win := int64(i*i/100 + i + 1)
		d.Points = append(d.Points, gate.Point{WinMinor: win, Probability: 0.3 / 5000})
		mean += float64(win) / 100 * 0.3 / 5000
		square += float64(win) * float64(win) / 10_000 * 0.3 / 5000
	}
	l, err := canary.NewLaw("base", d)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(l.Mean-mean) > 1e-9 || math.Abs(l.SD-math.Sqrt(square-mean*mean)) > 1e-9 || l.Atoms() > 256 || l.Atoms() < 50 {
		t.Errorf("mean %g (%g), deviation %g, %d atoms", l.Mean, mean, l.SD, l.Atoms())
	}
	r := rand.New(rand.NewPCG(1, 2))
	var sum, sq float64
	const runs = 4000
	for range runs {
		m := l.DrawMean(r, 100)
		sum, sq = sum+m, sq+m*m
	}
	got, want := sq/runs-(sum/runs)*(sum/runs), l.SD*l.SD/100
	if math.Abs(got/want-1) > 0.15 {
		t.Errorf("the drawn variance is %g, want %g", got, want)
	}
	for class := 1; class < 6; class++ {
		if low, high := l.Bounds(class); low >= high || high-low > 5*0.3/5000 {
			t.Errorf("class %d has %g to %g", class, low, high)
		}
	}
	if low, high := l.Bounds(0); low != high || math.Abs(low-0.7) > 1e-9 {
		t.Errorf("losing has %g to %g", low, high)
	}
}
