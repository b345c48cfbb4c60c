package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"runtime"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/meter"
	"github.com/edgereel/edgereel/gamelogic/proof"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// checker runs the stages. One goroutine owns it; stages start workers of
// their own and wait for them.
type checker struct {
	cfg    Config
	floor  *big.Rat // nil: none
	digest [32]byte
	r      *Report
	host   *gamelogic.Host   // nil before the module was taken
	m      *gamelogic.Module // nil before the module was taken, and for a table
	game   gamelogic.Game    // nil before the module or table was taken
	par    *PAR              // nil without a sheet that can be read
	corpus []*sample         // steps that were played, for stages that need some
	done   uint64            // of the stage at work
	modes  []*modeState      // beside those of the report
}

// modeState is what the stages know of a mode beyond the report.
type modeState struct {
	mode   gamelogic.Mode
	exact  *proof.ExactResult // nil: not countable
	cells  []cell             // what wins are expected, nil: unknown
	source string             // of cells: "exact" or "par"
	agrees bool               // the simulation with cells
	tally  *tally             // of the simulation, nil: not played
}

func newChecker(cfg Config) (*checker, error) {
	c := &checker{cfg: cfg, digest: sha256.Sum256(cfg.Wasm)}
	if cfg.FloorRTP != "" {
		floor, ok := new(big.Rat).SetString(cfg.FloorRTP)
		if !ok || len(cfg.FloorRTP) > 24 || floor.Sign() < 0 || floor.Cmp(big.NewRat(1, 1)) > 0 {
			return nil, fmt.Errorf("%w: the floor %q is no decimal between 0 and 1, like 0.85", ErrConfig, cfg.FloorRTP)
		}
		c.floor = floor
	}
	if c.cfg.Rounds == 0 {
		c.cfg.Rounds = DefaultRounds
	}
	if c.cfg.MaxLeaves == 0 {
		c.cfg.MaxLeaves = DefaultMaxLeaves
	}
	if c.cfg.Workers <= 0 {
		c.cfg.Workers = runtime.GOMAXPROCS(0)
	}
	c.r = &Report{
		Schema: ReportVersion, Kind: ReportKind, ModuleDigest: hex.EncodeToString(c.digest[:]), ModuleBytes: len(cfg.Wasm),
		Meter: meter.Version, Checks: []Result{}, Modes: []Mode{},
		Asked: Asked{Rounds: c.cfg.Rounds, Seed: c.cfg.Seed, FloorRTP: c.cfg.FloorRTP, MaxLeaves: c.cfg.MaxLeaves},
	}
	if len(cfg.PAR) > 0 {
		d := sha256.Sum256(cfg.PAR)
		c.r.PARDigest = hex.EncodeToString(d[:])
	}
	return c, nil
}

func (c *checker) run(ctx context.Context) (_ *Report, err error) {
	if err := c.decode(ctx); err != nil {
		return nil, err
	}
	if c.host != nil {
		defer func() { err = errors.Join(err, c.host.Close()) }()
	}
	if t, ok := c.game.(*table.Game); ok {
		defer t.Close()
	}
	if err := c.stages(ctx); err != nil {
		return nil, err
	}
	c.r.tidy()
	c.r.Verdict = Fail
	if c.r.Passed() {
		c.r.Verdict = Pass
	}
	return c.r, nil
}

// stages runs what comes behind the binary itself.
func (c *checker) stages(ctx context.Context) error {
	if c.game == nil {
		for _, s := range Stages()[1:] {
			c.skip(s, string(s), "the module could not be loaded")
		}
		return nil
	}
	c.manifest()
	c.sheet()
	for _, stage := range []func(context.Context) error{c.determinism, c.advice, c.stakes, c.fuzz, c.exact, c.simulate, c.judgeAll} {
		c.done = 0
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) skip(s Stage, name, why string) {
	c.add(s, name, "", Skip, nil, "not asked: %s", why)
}

func (c *checker) hostConfig() gamelogic.HostConfig {
	return gamelogic.HostConfig{Allow: [][32]byte{c.digest}, CompileCacheDir: c.cfg.CompileCacheDir}
}

func (c *checker) tell(s Stage, done, total uint64) {
	if c.cfg.Progress != nil {
		c.cfg.Progress(s, done, total)
	}
}

func (c *checker) add(s Stage, name, mode string, v Verdict, figures []Figure, format string, args ...any) {
	c.r.Checks = append(c.r.Checks, Result{Stage: s, Name: name, Mode: mode, Verdict: v, Detail: fmt.Sprintf(format, args...), Figures: figures})
}
