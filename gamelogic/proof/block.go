package proof

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/edgereel/edgereel/gamelogic"
)

// block holds the totals of finished rounds, as a checkpoint keeps them.
type block struct {
	Rounds   uint64 `json:"rounds"`
	Won      sum    `json:"won_minor"`
	Squares  sum    `json:"won_squared"`
	Hits     uint64 `json:"hits"`     // rounds that pay
	Features uint64 `json:"features"` // rounds of more than one step
	Most     int64  `json:"most_minor"`
	Fuel     int64  `json:"fuel_max"` // of one step
	Digest   string `json:"digest"`   // SHA-256, hexadecimal
}

// sum is an unsigned 128-bit total: squares of wins of 2⁴⁰ fit 2⁴⁸ times.
type sum struct{ hi, lo uint64 }

func (s *sum) add(hi, lo uint64) (ok bool) {
	var c uint64
	s.lo, c = bits.Add64(s.lo, lo, 0)
	s.hi, c = bits.Add64(s.hi, hi, c)
	return c == 0
}

func (s sum) int() *big.Int {
	v := new(big.Int).SetUint64(s.hi)
	return v.Add(v.Lsh(v, 64), new(big.Int).SetUint64(s.lo))
}

var errSum = errors.New("proof: the wins are too large to be summed: take a smaller stake")

// MarshalText writes the total in decimal.
func (s sum) MarshalText() ([]byte, error) { return []byte(s.int().String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *sum) UnmarshalText(text []byte) error {
	v, ok := new(big.Int).SetString(string(text), 10)
	if !ok || v.Sign() < 0 || v.BitLen() > 128 {
		return fmt.Errorf("%w: total %q", ErrCheckpoint, text)
	}
	s.lo = new(big.Int).And(v, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	s.hi = new(big.Int).Rsh(v, 64).Uint64()
	return nil
}

// block plays one block of rounds. Its draws come from a key of its own, so it
// is the same whoever plays it and in whatever order.
func (r *run) block(ctx context.Context, sim player, index int) (*block, error) {
	b := &block{}
	h := sha256.New()
	buffer := make([]byte, 0, 12*1024)
	s := &seat{
		g: r.g, player: sim, stream: gamelogic.NewStream(r.seed, r.g.Digest(), uint64(index)),
		opening: gamelogic.Step{Mode: r.cfg.Mode, Action: r.g.Manifest().Actions[0].Name, StakeMinor: r.cfg.StakeMinor},
	}
	n := r.size(index)
	var seen []Round // only if somebody looks
	if r.cfg.Observe != nil {
		seen = make([]Round, 0, n)
	}
	for i := range n {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		// The last round is the one that most of a block's hidden state could bend.
		played, err := s.round(ctx, b, i == n-1)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", i, err)
		}
		if seen != nil {
			seen = append(seen, played)
		}
		if err := b.observe(played); err != nil {
			return nil, err
		}
		buffer = binary.LittleEndian.AppendUint64(buffer, uint64(played.WinMinor))
		buffer = binary.LittleEndian.AppendUint32(buffer, played.Steps)
		if len(buffer) == cap(buffer) {
			h.Write(buffer)
			buffer = buffer[:0]
		}
	}
	h.Write(buffer)
	b.Digest = hex.EncodeToString(h.Sum(nil))
	if seen != nil {
		r.cfg.Observe(uint64(index), seen)
	}
	return b, nil
}

// size is the number of rounds of a block; only the last may be short.
func (r *run) size(index int) uint64 {
	return min(BlockRounds, r.cfg.Rounds-uint64(index)*BlockRounds)
}

// seat is where one block is played. What every step needs is in one place, so
// that a step costs no allocation.
type seat struct {
	g       gamelogic.Game
	player  player
	stream  *gamelogic.Stream
	opening gamelogic.Step
	step    gamelogic.Step
	out     gamelogic.Outcome
}

// round plays one round; again plays its steps in fresh instances too.
func (s *seat) round(ctx context.Context, b *block, again bool) (played Round, err error) {
	st, out := &s.step, &s.out
	*st = s.opening
	for steps := uint32(1); steps <= gamelogic.MaxRoundSteps; steps++ {
		st.Draws = s.stream.Step()
		if err := s.player.PlayInto(st, out); err != nil {
			return Round{}, fmt.Errorf("step %d: %w", steps, err)
		}
		if again {
			if err := playAgain(ctx, s.g, *st, out); err != nil {
				return Round{}, fmt.Errorf("step %d: %w", steps, err)
			}
		}
		b.Fuel, played.DrawsMax = max(b.Fuel, out.Fuel), max(played.DrawsMax, uint32(out.DrawCount))
		st.WonMinor += out.WinMinor
		if out.Closed {
			played.WinMinor, played.Steps = st.WonMinor, steps
			return played, nil
		}
		st.State = out.State
		if st.Action, st.Choice, err = s.player.Advise(*st, out.NextActions); err != nil {
			return Round{}, fmt.Errorf("ask for the strategy after step %d: %w", steps, err)
		}
	}
	return Round{}, ErrEndless
}

// playAgain plays a step in a fresh instance with the draws it had. The answer
// must be the same to the byte.
func playAgain(ctx context.Context, g gamelogic.Game, st gamelogic.Step, want *gamelogic.Outcome) error {
	log := st.Draws.Log()
	values := make([]uint32, len(log))
	for i, d := range log {
		values[i] = d.Value
	}
	st.Draws = gamelogic.NewScriptedDraws(values)
	got, err := g.Replay(ctx, st)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: a fresh instance answers: %w", ErrHiddenState, err)
	}
	if got.WinMinor != want.WinMinor || got.Closed != want.Closed || got.DrawCount != want.DrawCount || got.Fuel != want.Fuel ||
		!bytes.Equal(got.State, want.State) || !bytes.Equal(got.Presentation, want.Presentation) {
		return fmt.Errorf("%w: a fresh instance pays %d for %d fuel, this one paid %d for %d", ErrHiddenState, got.WinMinor, got.Fuel, want.WinMinor, want.Fuel)
	}
	return nil
}

func (b *block) observe(played Round) error {
	b.Rounds++
	if won := uint64(played.WinMinor); won > 0 {
		hi, lo := bits.Mul64(won, won)
		if !b.Won.add(0, won) || !b.Squares.add(hi, lo) {
			return errSum
		}
		b.Hits++
		b.Most = max(b.Most, played.WinMinor)
	}
	if played.Steps > 1 {
		b.Features++
	}
	return nil
}

func (b *block) add(x *block) error {
	if !b.Won.add(x.Won.hi, x.Won.lo) || !b.Squares.add(x.Squares.hi, x.Squares.lo) {
		return errSum
	}
	b.Rounds += x.Rounds
	b.Hits += x.Hits
	b.Features += x.Features
	b.Most, b.Fuel = max(b.Most, x.Most), max(b.Fuel, x.Fuel)
	return nil
}

// quantile99 is that of the normal distribution for a two-sided 99 %.
const quantile99 = 2.5758293035489004

// figures turns totals into ratios, exactly up to the last division.
func (b *block) figures(costMinor int64) SimulateResult {
	n, cost := new(big.Int).SetUint64(b.Rounds), big.NewInt(costMinor)
	total, squares := b.Won.int(), b.Squares.int()
	rtp := ratio(total, new(big.Int).Mul(n, cost))
	// variance = (n·Σw² − (Σw)²) / (n·(n−1)·cost²)
	above := new(big.Int).Mul(n, squares)
	above.Sub(above, new(big.Int).Mul(total, total))
	below := new(big.Int).Mul(n, new(big.Int).Sub(n, big.NewInt(1)))
	below.Mul(below, cost).Mul(below, cost)
	sd := 0.0
	if below.Sign() > 0 {
		sd = math.Sqrt(ratio(above, below))
	}
	half := quantile99 * sd / math.Sqrt(float64(b.Rounds))
	return SimulateResult{
		Rounds: b.Rounds, RTP: rtp, RTPCI99: [2]float64{rtp - half, rtp + half}, SD: sd,
		HitFrequency: float64(b.Hits) / float64(b.Rounds), FeatureFrequency: float64(b.Features) / float64(b.Rounds),
		MaxWinX: float64(b.Most) / float64(costMinor), FuelMax: b.Fuel,
	}
}

func ratio(a, b *big.Int) float64 {
	v, _ := new(big.Rat).SetFrac(a, b).Float64()
	return v
}
