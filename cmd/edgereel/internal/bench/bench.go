package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/cputime"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/testdata/published"
	"github.com/edgereel/edgereel/sdk"
)

// Config says what to measure.
type Config struct {
	// Duration is how long to measure, after the modules are loaded; at least
	// three turns are taken, however long they last.
	Duration time.Duration
	// GoModule is the built example of the Go kit; nil leaves its figures out.
	GoModule []byte
	Now      func() time.Time // nil means time.Now
}

// Report is what was measured.
type Report struct {
	Schema  int      `json:"schema"`
	CPUs    int      `json:"cpus"`
	Turns   int      `json:"turns"` // repetitions that the medians are of
	Figures []Figure `json:"figures"`
}

// Figure is one measurement.
type Figure struct {
	Name    string  `json:"name"`
	Subject string  `json:"subject"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	// Goal is the most Value may be, or the least where AtLeast is set; null
	// where there is none.
	Goal    *float64 `json:"goal"`
	AtLeast bool     `json:"at_least"`
	Met     *bool    `json:"met"`
}

// twoCores and manyRounds are the terms of the goal for long simulations.
const (
	twoCores   = 2
	manyRounds = 1e8
	largeBytes = 64 << 10
)

// Wasm measures what the sandbox costs.
func Wasm(ctx context.Context, cfg Config) (_ *Report, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	b := &board{shelf: &shelf{ctx: ctx}}
	defer func() { err = errors.Join(err, b.shelf.close()) }()
	if err := b.set(cfg.GoModule); err != nil {
		return nil, err
	}
	turns, err := takeTurns(ctx, b.sides, cpuTime, cfg.Now, cfg.Now().Add(cfg.Duration))
	if err != nil {
		return nil, err
	}
	r := &Report{Schema: 1, CPUs: runtime.NumCPU(), Turns: turns}
	for _, figure := range b.figures {
		r.Figures = append(r.Figures, figure())
	}
	return r, nil
}

// board is everything that takes turns, and how its times are read.
type board struct {
	shelf   *shelf
	sides   []*side
	figures []func() Figure
}

func (b *board) add(s *side) *side {
	b.sides = append(b.sides, s)
	return s
}

// goal is the most a value may be.
func goal(most float64) *float64 { return &most }

// per reads a side's median in a unit of so many nanoseconds.
func (b *board) per(name, subject string, s *side, unit string, nanoseconds float64, most *float64) {
	b.figures = append(b.figures, func() Figure {
		return judge(Figure{Name: name, Subject: subject, Value: median(s.times) / nanoseconds, Unit: unit, Goal: most})
	})
}

func (b *board) ratio(name, subject string, s, base *side, most *float64) {
	b.figures = append(b.figures, func() Figure {
		return judge(Figure{Name: name, Subject: subject, Value: s.over(base), Unit: "x", Goal: most})
	})
}

func judge(f Figure) Figure {
	if f.Goal != nil {
		met := f.Value <= *f.Goal
		if f.AtLeast {
			met = f.Value >= *f.Goal
		}
		f.Met = &met
	}
	return f
}

// set puts everything on the board.
func (b *board) set(goModule []byte) error {
	native := b.add(&side{name: "native Go", run: steps(&twin{}, gamelogic.NewStream([32]byte{1}, [32]byte{}, 0))})
	b.per("step", "native Go", native, "ns", 1, nil)
	for _, kit := range []struct {
		language                 string
		wasm                     []byte
		ratio, moneyUS, buildsMS float64
	}{
		{"rust", sdk.Example("rust"), 1.5, 10, 0.1},
		{"assemblyscript", sdk.Example("assemblyscript"), 1.5, 10, 0.1},
		{"c", sdk.Example("c"), 1.5, 10, 0.1},
		{"go", goModule, 6, 80, 6},
	} {
		if kit.wasm == nil {
			continue
		}
		m, err := b.shelf.load(kit.wasm)
		if err != nil {
			return err
		}
		if err := b.kit(kit.language, m, native, kit.ratio, kit.moneyUS, kit.buildsMS); err != nil {
			return err
		}
		if m.Profile() == gamelogic.ProfilePure {
			if err := b.meters(kit.language, kit.wasm); err != nil {
				return err
			}
		}
	}
	for _, place := range []func() error{b.simulations, b.compiling, b.runaways} {
		if err := place(); err != nil {
			return err
		}
	}
	return nil
}

// kit measures the example of one kit.
func (b *board) kit(language string, m *gamelogic.Module, native *side, ratio, moneyUS, buildsMS float64) error {
	sim, err := b.shelf.simulator(m)
	if err != nil {
		return err
	}
	step := b.add(&side{name: language, run: steps(sim, gamelogic.NewStream([32]byte{1}, m.Digest(), 0))})
	b.per("step", language, step, "ns", 1, nil)
	b.ratio("step over native Go", language, step, native, goal(ratio))
	b.per("money step", language, b.add(&side{name: "money step, " + language, run: money(b.shelf.ctx, m)}), "us", 1e3, goal(moneyUS))
	b.per("new instance", language, b.add(&side{name: "new instance, " + language, run: instances(b.shelf.ctx, m)}), "ms", 1e6, goal(buildsMS))
	return nil
}

// meters compares a module with and without them.
func (b *board) meters(language string, wasm []byte) error {
	code, err := metered(wasm)
	if err != nil {
		return err
	}
	with, err := b.shelf.bare(code)
	if err != nil {
		return err
	}
	without, err := b.shelf.bare(wasm)
	if err != nil {
		return err
	}
	repeat := func(f func() error) func(int) error {
		return func(n int) error {
			for range n {
				if err := f(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	x := b.add(&side{name: "metered " + language, run: repeat(with.spin)})
	y := b.add(&side{name: "unmetered " + language, run: repeat(without.spin)})
	b.ratio("metered over unmetered", language, x, y, goal(1.10))
	if language == "c" {
		b.per("empty call", language, b.add(&side{name: "empty call", run: repeat(without.empty)}), "ns", 1, goal(50))
	}
	return nil
}

// simulations measures the published games.
func (b *board) simulations() error {
	for _, game := range []struct {
		name  string
		wasm  []byte
		least *float64
	}{{"sizzling", published.Sizzling, goal(4e6)}, {"columbus", published.Columbus, nil}, {"atkins", published.Atkins, nil}} {
		m, err := b.shelf.load(game.wasm)
		if err != nil {
			return err
		}
		s := b.add(&side{name: "simulation of " + game.name, run: simulated(b.shelf.ctx, m), fixed: 1 << 18})
		b.figures = append(b.figures, func() Figure {
			return judge(Figure{Name: "rounds per CPU second", Subject: game.name, Value: 1e9 / median(s.times), Unit: "1/s", Goal: game.least, AtLeast: true})
		})
		if game.least != nil {
			b.figures = append(b.figures, func() Figure {
				return judge(Figure{Name: "1e8 rounds on two cores", Subject: game.name, Value: manyRounds * median(s.times) / 1e9 / twoCores, Unit: "s", Goal: goal(30)})
			})
		}
	}
	return nil
}

// compiling measures how long a module takes to be loaded.
func (b *board) compiling() (err error) {
	large, err := enlarge(sdk.Example("rust"), largeBytes)
	if err != nil {
		return err
	}
	if b.shelf.dir, err = os.MkdirTemp("", "edgereel-bench-"); err != nil {
		return fmt.Errorf("make a place for compiled code: %w", err)
	}
	subject := fmt.Sprintf("%d KB", len(large)>>10)
	b.per("load, compiled", subject, b.add(loading(b.shelf.ctx, "compiling", large, "")), "ms", 1e6, goal(20))
	b.per("load, from the cache", subject, b.add(loading(b.shelf.ctx, "loading from the cache", large, b.shelf.dir)), "ms", 1e6, goal(1))
	return nil
}

// runaways measures how long a step lasts that never ends by itself.
func (b *board) runaways() error {
	for _, x := range []struct {
		subject string
		wasi    bool
		most    float64
	}{{"pure", false, 1}, {"wasi", true, 5}} {
		m, err := b.shelf.load(endless(x.wasi))
		if err != nil {
			return err
		}
		s := b.add(&side{name: "runaway, " + x.subject, run: kills(b.shelf.ctx, m)})
		b.per("runaway killed", x.subject, s, "ms", 1e6, goal(x.most))
	}
	return nil
}

// cpuTime falls back on the clock on the wall where the system does not tell.
func cpuTime() time.Duration {
	if used := cputime.Used(); used > 0 {
		return used
	}
	return time.Duration(time.Now().UnixNano())
}
