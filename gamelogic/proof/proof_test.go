package proof_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/proof"
)

func load(t testing.TB, name string) *gamelogic.Module {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join("..", "testdata", "published", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := host.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func equal(t *testing.T, what string, got *big.Rat, a, b int64) {
	t.Helper()
	if got == nil || got.Cmp(big.NewRat(a, b)) != 0 {
		t.Errorf("%s is %v, want %d/%d", what, got, a, b)
	}
}

// The module's source derives these figures by hand.
func TestExact_ChoicesAndCycles(t *testing.T) {
	var surveyed proof.Size
	res, err := proof.Exact(t.Context(), load(t, "choice"), proof.ExactConfig{
		Mode: "base", StakeMinor: 7, Survey: func(s proof.Size) { surveyed = s },
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "RTP", res.RTP, 1, 2)
	equal(t, "hit frequency", res.HitFrequency, 1, 2)
	equal(t, "variance", res.Variance, 1, 4)
	equal(t, "max win", res.MaxWinX, 1, 1)
	equal(t, "optimal RTP", res.RTPOptimal, 3, 4)
	equal(t, "worst RTP", res.RTPWorst, 1, 10)
	// spin 2, take 1, dive 3, toss 1 + 5
	if want := (proof.Size{States: 2, Leaves: 12}); !res.Countable || res.Size != want {
		t.Errorf("size %+v, want %+v", res.Size, want)
	}
	// The path of zeros does not see the second draw of toss: 2 + 1 + 3 + 2.
	if want := (proof.Size{States: 2, Leaves: 8}); surveyed != want {
		t.Errorf("survey says %+v, want %+v", surveyed, want)
	}
}

func TestExact_TooLarge(t *testing.T) {
	m := load(t, "columbus")
	res, err := proof.Exact(t.Context(), m, proof.ExactConfig{Mode: "base", StakeMinor: 10, MaxLeaves: 1e6})
	if !errors.Is(err, proof.ErrTooLarge) || res.Countable || res.RTP != nil {
		t.Fatalf("%+v, %v", res, err)
	}
	// The base game alone has 32·28·32·28·32 and each free spin 25·25·24·25·24.
	if res.States < 11 || res.Leaves != 25690112+(res.States-1)*9000000 {
		t.Errorf("%+v", res.Size)
	}
	_, err = proof.Exact(t.Context(), load(t, "choice"), proof.ExactConfig{Mode: "base", StakeMinor: 1, MaxLeaves: 9})
	if !errors.Is(err, proof.ErrTooLarge) {
		t.Errorf("a limit below what the walk finds: %v", err)
	}
	_, err = proof.Exact(t.Context(), load(t, "choice"), proof.ExactConfig{Mode: "base", StakeMinor: 1, MaxStates: 1})
	if !errors.Is(err, proof.ErrTooLarge) {
		t.Errorf("a limit below the states: %v", err)
	}
}

func TestSimulate_SameDigestAnyWorkers(t *testing.T) {
	m := load(t, "columbus")
	cfg := proof.SimulateConfig{Mode: "base", StakeMinor: 10, Rounds: 3*proof.BlockRounds + 77, Seed: 5, Workers: 1}
	want, err := proof.Simulate(t.Context(), m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Workers = 3
	if got, err := proof.Simulate(t.Context(), m, cfg); err != nil || got != want {
		t.Errorf("three workers: %+v, %v, one: %+v", got, err, want)
	}
	cfg.Seed = 6
	if got, err := proof.Simulate(t.Context(), m, cfg); err != nil || got.OutcomeDigest == want.OutcomeDigest {
		t.Errorf("another seed: %+v, %v", got, err)
	}
}

func TestSimulate_Resume(t *testing.T) {
	m := load(t, "sizzling")
	cfg := proof.SimulateConfig{Mode: "base", StakeMinor: 5, Rounds: 4 * proof.BlockRounds, Workers: 1}
	want, err := proof.Simulate(t.Context(), m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.json")
	cfg.Progress = func(done, _ uint64) {
		if done >= 2*proof.BlockRounds {
			cancel()
		}
	}
	if _, err := proof.Simulate(ctx, m, cfg); !errors.Is(err, context.Canceled) {
		t.Fatalf("a stopped run: %v", err)
	}
	var played uint64
	first := uint64(0)
	cfg.Progress = func(done, _ uint64) {
		if played++; played == 1 {
			first = done
		}
	}
	got, err := proof.Simulate(t.Context(), m, cfg)
	if err != nil || got != want {
		t.Errorf("resumed: %+v, %v, in one go: %+v", got, err, want)
	}
	if first <= 2*proof.BlockRounds || played >= 3 {
		t.Errorf("%d blocks played again, the first made it %d rounds", played, first)
	}
	cfg.Seed = 1
	if _, err := proof.Simulate(t.Context(), m, cfg); !errors.Is(err, proof.ErrCheckpoint) {
		t.Errorf("the checkpoint of another seed: %v", err)
	}
	if err := os.WriteFile(cfg.Checkpoint, []byte(`{"checkpoint":1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := proof.Simulate(t.Context(), m, cfg); !errors.Is(err, proof.ErrCheckpoint) {
		t.Errorf("a torn checkpoint: %v", err)
	}
}

func TestBadInput(t *testing.T) {
	m := load(t, "sizzling")
	for _, c := range []struct {
		mode  string
		stake int64
		want  error
	}{{"none", 5, gamelogic.ErrUnknownMode}, {"base", 4, gamelogic.ErrBadStake}, {"base", 0, gamelogic.ErrBadStake}} {
		if _, err := proof.Simulate(t.Context(), m, proof.SimulateConfig{Mode: c.mode, StakeMinor: c.stake, Rounds: 1}); !errors.Is(err, c.want) {
			t.Errorf("simulate %+v: %v", c, err)
		}
		if _, err := proof.Exact(t.Context(), m, proof.ExactConfig{Mode: c.mode, StakeMinor: c.stake}); !errors.Is(err, c.want) {
			t.Errorf("walk %+v: %v", c, err)
		}
	}
}

func BenchmarkSimulate(b *testing.B) {
	m := load(b, "sizzling")
	for b.Loop() {
		if _, err := proof.Simulate(b.Context(), m, proof.SimulateConfig{Mode: "base", StakeMinor: 5, Rounds: proof.BlockRounds, Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*proof.BlockRounds/b.Elapsed().Seconds(), "rounds/s")
}

// near fails when a simulated return is outside its own confidence interval;
// the seed is fixed.
func near(t *testing.T, got proof.SimulateResult, want float64) {
	t.Helper()
	t.Logf("simulated %.6f in [%.6f, %.6f], published %.10f", got.RTP, got.RTPCI99[0], got.RTPCI99[1], want)
	if want < got.RTPCI99[0] || want > got.RTPCI99[1] || math.IsNaN(got.RTP) {
		t.Errorf("the published return %v is outside [%v, %v]", want, got.RTPCI99[0], got.RTPCI99[1])
	}
}

func TestSimulate_Observe(t *testing.T) {
	var mu sync.Mutex
	var rounds, won uint64
	blocks := map[uint64]int{}
	res, err := proof.Simulate(t.Context(), load(t, "choice"), proof.SimulateConfig{
		Mode: "base", StakeMinor: 1, Rounds: proof.BlockRounds + 9, Seed: 2,
		Observe: func(block uint64, list []proof.Round) {
			mu.Lock()
			defer mu.Unlock()
			blocks[block] = len(list)
			for _, x := range list {
				rounds++
				won += uint64(x.WinMinor)
				if x.Steps < 1 || x.DrawsMax < 1 {
					t.Fatalf("a round of %+v", x)
				}
			}
		},
	})
	if err != nil || rounds != res.Rounds || blocks[0] != proof.BlockRounds || blocks[1] != 9 {
		t.Fatalf("%+v, %v; seen %d rounds in blocks %v", res, err, rounds, blocks)
	}
	if got := float64(won) / float64(rounds); got != res.RTP {
		t.Errorf("the rounds seen return %v, the result says %v", got, res.RTP)
	}
}
