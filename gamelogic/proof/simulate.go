package proof

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/edgereel/edgereel/gamelogic"
)

// BlockRounds is the number of rounds that share a key of draws. It is part of
// what a seed means and never changes.
const BlockRounds = 1 << 16

const (
	domainSeed    = "edgereel/simulation-seed/1"
	domainOutcome = "edgereel/simulation-outcome/1"
)

// SimulateConfig says what to simulate.
type SimulateConfig struct {
	Mode       string
	StakeMinor int64
	Rounds     uint64
	Seed       uint64
	// Workers play at the same time; 0 means GOMAXPROCS. The result does not depend on it.
	Workers int
	// Checkpoint is a file that finished blocks are kept in and taken from;
	// empty means none.
	Checkpoint string
	// CPUTime tells how much processor time the process has used; nil leaves
	// RoundsPerCPUSecond 0.
	CPUTime func() time.Duration
	// Progress is told the rounds done, one call at a time; nil means nobody.
	Progress func(done, total uint64)
	// Observe is given every round of every block that this run plays, several
	// blocks at a time in no particular order; nil means nobody. It must not
	// keep rounds. Blocks taken from a checkpoint are not played.
	Observe func(block uint64, rounds []Round)
}

// Round is one simulated round.
type Round struct {
	WinMinor int64
	Steps    uint32
	DrawsMax uint32 // of one step
}

// SimulateResult is what simulated rounds paid.
type SimulateResult struct {
	ModuleDigest [32]byte
	Rounds       uint64
	RTP          float64    // of what the rounds cost
	RTPCI99      [2]float64 // normal approximation
	HitFrequency float64    // share of rounds that pay
	SD           float64    // of a round's win per unit of its cost
	MaxWinX      float64    // the largest, per unit of cost
	// FeatureFrequency is the share of rounds of more than one step.
	FeatureFrequency float64
	FuelMax          int64 // the most a step spent
	// RoundsPerCPUSecond counts this run only, not what a checkpoint held.
	RoundsPerCPUSecond float64
	// OutcomeDigest covers the win and the number of steps of every round.
	OutcomeDigest [32]byte
}

// Simulate plays rounds with the module's declared strategy
// (gamelogic.Module.Advise); a game that is no module is played as it is, with
// the first action offered. When ctx ends first it writes the checkpoint and
// returns ctx's error.
func Simulate(ctx context.Context, g gamelogic.Game, cfg SimulateConfig) (SimulateResult, error) {
	cost, err := checkMode(g, cfg.Mode, cfg.StakeMinor)
	if err != nil {
		return SimulateResult{}, err
	}
	if cfg.Rounds == 0 {
		return SimulateResult{}, errors.New("proof: no rounds to simulate")
	}
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	r := &run{cfg: cfg, g: g, seed: simulationSeed(cfg.Seed), blocks: make([]*block, (cfg.Rounds+BlockRounds-1)/BlockRounds)}
	if err := r.resume(); err != nil {
		return SimulateResult{}, err
	}
	before := r.done
	var started time.Duration
	if cfg.CPUTime != nil {
		started = cfg.CPUTime()
	}
	err = r.play(ctx)
	// Blocks that are finished are kept also when the run failed or was stopped.
	if saved := r.save(); err == nil {
		err = saved
	}
	if err != nil {
		return SimulateResult{}, err
	}
	res, err := r.result(cost)
	if err != nil {
		return SimulateResult{}, err
	}
	if cfg.CPUTime != nil {
		if used := cfg.CPUTime() - started; used > 0 {
			res.RoundsPerCPUSecond = float64(r.done-before) / used.Seconds()
		}
	}
	return res, nil
}

// checkMode refuses what no step would accept and returns a round's cost.
func checkMode(g gamelogic.Game, name string, stakeMinor int64) (int64, error) {
	mode, ok := g.Manifest().Mode(name)
	if !ok {
		return 0, fmt.Errorf("%w: %q", gamelogic.ErrUnknownMode, name)
	}
	if err := g.Manifest().CheckStake(stakeMinor); err != nil {
		return 0, err
	}
	return mode.CostMinor(stakeMinor)
}

// simulationSeed spreads a small number over a seed's 32 bytes.
func simulationSeed(n uint64) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(field(nil, []byte(domainSeed)), n))
}

// field appends a 32-bit big-endian length and the bytes.
func field(b, v []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}

// run is one simulation. The goroutine of Simulate owns it; workers read cfg,
// g and seed only.
type run struct {
	cfg    SimulateConfig
	g      gamelogic.Game
	seed   [32]byte
	blocks []*block // nil: not played yet
	done   uint64   // rounds of finished blocks
}

// finished is what a worker hands back.
type finished struct {
	index int
	block *block
	err   error
}

// play runs the workers until every block is finished.
func (r *run) play(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	open, results := make(chan int), make(chan finished)
	var workers sync.WaitGroup
	for range min(r.cfg.Workers, len(r.blocks)) {
		workers.Go(func() { r.work(ctx, open, results) })
	}
	go func() {
		defer close(results)
		r.deal(ctx, open)
		workers.Wait()
	}()
	unsaved := 0
	for f := range results {
		if f.err != nil {
			cancel(f.err)
			continue
		}
		r.blocks[f.index] = f.block
		r.done += f.block.Rounds
		if r.cfg.Progress != nil {
			r.cfg.Progress(r.done, r.cfg.Rounds)
		}
		if unsaved++; unsaved == 64 {
			unsaved = 0
			if err := r.save(); err != nil {
				cancel(err)
			}
		}
	}
	if r.done < r.cfg.Rounds {
		return context.Cause(ctx)
	}
	return nil
}

// deal hands out the blocks not played yet. The list is fixed before the first
// result is written to it.
func (r *run) deal(ctx context.Context, open chan<- int) {
	defer close(open)
	for _, i := range r.missing() {
		select {
		case open <- i:
		case <-ctx.Done():
			return
		}
	}
}

func (r *run) work(ctx context.Context, open <-chan int, results chan<- finished) {
	sim, err := newPlayer(ctx, r.g)
	if err != nil {
		results <- finished{err: err}
		return
	}
	defer sim.Close()
	for i := range open {
		b, err := r.block(ctx, sim, i)
		if err != nil {
			err = fmt.Errorf("simulate block %d: %w", i, err)
		}
		results <- finished{i, b, err}
		if err != nil {
			return
		}
	}
}

// result puts the blocks together in their order.
func (r *run) result(costMinor int64) (SimulateResult, error) {
	total := &block{}
	h := sha256.New()
	h.Write(field(nil, []byte(domainOutcome)))
	digest := r.g.Digest()
	h.Write(digest[:])
	h.Write(field(nil, []byte(r.cfg.Mode)))
	for _, v := range []uint64{uint64(r.cfg.StakeMinor), r.cfg.Seed, r.cfg.Rounds} {
		h.Write(binary.BigEndian.AppendUint64(nil, v))
	}
	for _, b := range r.blocks {
		if err := total.add(b); err != nil {
			return SimulateResult{}, err
		}
		raw, _ := hex.DecodeString(b.Digest) // checked when it was read
		h.Write(raw)
	}
	res := total.figures(costMinor)
	res.ModuleDigest = digest
	h.Sum(res.OutcomeDigest[:0])
	return res, nil
}
