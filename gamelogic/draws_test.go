package gamelogic

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"golang.org/x/crypto/chacha20"
)

// Every value of a small width must own equally many words, for every bound:
// all inputs are tried, so this is a proof for these widths of the very
// function that scales 32-bit words.
func TestScale_Exhaustive(t *testing.T) {
	prove := func(width uint, bound uint64) {
		counts := make([]uint64, bound)
		for x := range uint64(1) << width {
			if v, ok := scale(x, bound, width); ok {
				counts[v]++
			}
		}
		want := (uint64(1) << width) / bound
		for v, n := range counts {
			if n != want {
				t.Fatalf("width %d, bound %d: value %d has %d words, want %d", width, bound, v, n, want)
			}
		}
	}
	for width := uint(1); width <= 8; width++ {
		for bound := uint64(1); bound <= 1<<width; bound++ {
			prove(width, bound)
		}
	}
	bounds := []uint64{1, 2, 3, 5, 7, 22, 24, 26, 27, 28, 37, 100, 255, 256, 257, 1000, 32767, 32768, 32769, 65534, 65535, 65536}
	for _, bound := range bounds {
		prove(16, bound)
	}
}

// At full width: the words at both ends of each value's range, by big
// arithmetic instead of the whole range.
func TestScale_FullWidthEdges(t *testing.T) {
	const width = 32
	for _, bound := range []uint64{1, 2, 3, 22, 27, 1000, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 - 1} {
		owned := (uint64(1) << width) / bound
		for _, v := range []uint64{0, 1, bound / 2, bound - 1} {
			if v >= bound {
				continue
			}
			// Words of v: x with x*bound in [v*2^32, (v+1)*2^32).
			first := (v<<width + bound - 1) / bound
			last := ((v+1)<<width - 1) / bound
			if _, ok := scale(first, bound, width); !ok {
				first++ // at most one word of a value is rejected, and it is the first
			}
			if n := last - first + 1; n != owned {
				t.Errorf("bound %d: value %d owns %d words, want %d", bound, v, n, owned)
			}
			if w, ok := scale(last, bound, width); !ok || uint64(w) != v {
				t.Errorf("bound %d: word %d gives %d %v, want %d", bound, last, w, ok, v)
			}
		}
	}
}

type vector struct {
	Seed       string   `json:"seed"`
	ClientSeed string   `json:"client_seed"`
	Module     string   `json:"module"`
	RoundID    uint64   `json:"round_id"`
	StepNonce  uint64   `json:"step_nonce"`
	Commitment string   `json:"commitment"`
	Key        string   `json:"key"`
	Bounds     []uint32 `json:"bounds"`
	Values     []uint32 `json:"values"`
	Digest     string   `json:"draws_digest"`
}

func array32(t *testing.T, s string) (a [32]byte) {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatalf("%q: %v", s, err)
	}
	copy(a[:], b)
	return a
}

// The vectors were computed by testdata/vectors.py, which shares no code with
// this package.
func TestDraws_KnownAnswers(t *testing.T) {
	b, err := os.ReadFile("testdata/draws-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) < 4 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for i, v := range vectors {
		client, err := hex.DecodeString(v.ClientSeed)
		if err != nil {
			t.Fatal(err)
		}
		seed := array32(t, v.Seed)
		if got := Commitment(seed); got != array32(t, v.Commitment) {
			t.Errorf("vector %d: commitment %x", i, got)
		}
		c := DrawContext{
			Algorithm: AlgorithmHMACChaCha20, ClientSeed: client, Module: array32(t, v.Module), RoundID: v.RoundID, StepNonce: v.StepNonce,
		}
		if got := hex.EncodeToString(hmacSHA256(seed, c.encode())); got != v.Key {
			t.Errorf("vector %d: key %s, want %s", i, got, v.Key)
		}
		d, err := NewDraws(seed, c)
		if err != nil {
			t.Fatal(err)
		}
		for k, bound := range v.Bounds {
			got, err := d.take(bound)
			if err != nil || got != v.Values[k] {
				t.Fatalf("vector %d: draw %d of %d is %d, %v, want %d", i, k, bound, got, err, v.Values[k])
			}
		}
		if got := d.Digest(); got != array32(t, v.Digest) {
			t.Errorf("vector %d: digest %x", i, got)
		}
	}
}

// Each part of the context, and the place where one part ends and the next
// begins, changes the draws.
func TestDraws_ContextSeparates(t *testing.T) {
	base := DrawContext{Algorithm: AlgorithmHMACChaCha20, ClientSeed: []byte("ab"), Module: [32]byte{1}, RoundID: 2, StepNonce: 3}
	seed := [32]byte{9}
	contexts := map[string]DrawContext{"base": base}
	for name, change := range map[string]func(*DrawContext){
		"client seed":       func(c *DrawContext) { c.ClientSeed = []byte("ac") },
		"client seed empty": func(c *DrawContext) { c.ClientSeed = nil },
		"client seed zero":  func(c *DrawContext) { c.ClientSeed = []byte("ab\x00") },
		"module":            func(c *DrawContext) { c.Module[31] = 1 },
		"round":             func(c *DrawContext) { c.RoundID = 3 },
		"nonce":             func(c *DrawContext) { c.StepNonce = 2 },
		"swapped":           func(c *DrawContext) { c.RoundID, c.StepNonce = c.StepNonce, c.RoundID },
	} {
		c := base
		change(&c)
		contexts[name] = c
	}
	seen := map[[32]byte]string{}
	for name, c := range contexts {
		d, err := NewDraws(seed, c)
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			if _, err := d.take(math.MaxUint32); err != nil {
				t.Fatal(err)
			}
		}
		if other, ok := seen[d.Digest()]; ok {
			t.Errorf("%q draws the same as %q", name, other)
		}
		seen[d.Digest()] = name
	}
	if key := Commitment(seed); key == seed {
		t.Error("the commitment is the seed")
	}
}

func TestNewDraws_Refuses(t *testing.T) {
	if _, err := NewDraws([32]byte{}, DrawContext{}); !errors.Is(err, ErrBadDraws) {
		t.Errorf("algorithm 0: %v", err)
	}
	c := DrawContext{Algorithm: AlgorithmHMACChaCha20, ClientSeed: make([]byte, MaxClientSeed+1)}
	if _, err := NewDraws([32]byte{}, c); !errors.Is(err, ErrBadDraws) {
		t.Errorf("long client seed: %v", err)
	}
}

// The stream is plain ChaCha20 under its key from block 0, across blocks.
func TestStream_IsChaCha20(t *testing.T) {
	s := newStream([32]byte{1}, []byte("context"))
	zero := make([]byte, 300*4)
	var key [32]byte
	copy(key[:], hmacSHA256([32]byte{1}, []byte("context")))
	c, err := chacha20.NewUnauthenticatedCipher(key[:], make([]byte, chacha20.NonceSize))
	if err != nil {
		t.Fatal(err)
	}
	c.XORKeyStream(zero, zero)
	for i := range 300 {
		if got, want := s.word(), binary.LittleEndian.Uint32(zero[4*i:]); got != want {
			t.Fatalf("word %d is %#x, want %#x", i, got, want)
		}
	}
}

// Chi-square of scaled draws for the strip lengths in use and some others, with
// fixed seeds, one stream per step as in production.
func TestDraws_ChiSquare(t *testing.T) {
	n := uint64(100_000)
	for _, bound := range []uint32{2, 3, 6, 22, 24, 25, 26, 27, 28, 37, 100, 1000} {
		counts := make([]uint64, bound)
		for i := uint64(0); i < n; i += 5 {
			d, err := NewDraws([32]byte{7}, DrawContext{Algorithm: AlgorithmHMACChaCha20, RoundID: i, StepNonce: uint64(bound)})
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				v, err := d.take(bound)
				if err != nil {
					t.Fatal(err)
				}
				counts[v]++
			}
		}
		chi, expected := 0.0, float64(n)/float64(bound)
		for _, c := range counts {
			chi += (float64(c) - expected) * (float64(c) - expected) / expected
		}
		// Wilson-Hilferty: the cube root is close to normal; 4.75 is one in a million.
		k := float64(bound - 1)
		z := (math.Cbrt(chi/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
		if math.Abs(z) > 4.75 {
			t.Errorf("bound %d: chi-square %.1f with %v degrees of freedom, z %.2f", bound, chi, k, z)
		}
	}
}

func hmacSHA256(key [32]byte, message []byte) []byte {
	m := hmac.New(sha256.New, key[:])
	m.Write(message)
	return m.Sum(nil)
}

// Every value of every bound owns equally many of all the ways that the draws
// can fall: all are tried, with digits small enough for it.
func TestCompose_Exhaustive(t *testing.T) {
	w := digits{bits: 3, highest: 15}
	for bound := uint64(1); bound <= 15<<6; bound++ {
		first, others := w.split(bound)
		if first > w.highest || others > 0 && (bound-1)>>(3*(others-1))+1 <= w.highest {
			t.Fatalf("bound %d: %d and %d digits", bound, first, others)
		}
		counts, redrawn := make([]int, bound), 0
		for fall := range first << (3 * others) {
			served := uint(0)
			x, err := compose(bound, w, func(b uint32) (uint32, error) {
				if served > others {
					return 0, errScriptEnded // all digits were drawn: it wants them anew
				}
				digit := fall >> (3 * (others - served))
				if served++; served > 1 {
					if b != 8 {
						t.Fatalf("bound %d: digit %d has bound %d", bound, served, b)
					}
					digit &= 7
				}
				return uint32(digit), nil
			})
			if err != nil {
				redrawn++
				continue
			}
			counts[x]++
		}
		for x, n := range counts {
			if n != 1 {
				t.Fatalf("bound %d: value %d has %d ways", bound, x, n)
			}
		}
		if 2*redrawn > len(counts) {
			t.Fatalf("bound %d: %d of %d ways are drawn anew", bound, redrawn, uint64(redrawn)+bound)
		}
	}
}

func TestDraw64(t *testing.T) {
	const m31 = 1<<31 - 1
	tests := []struct {
		bound  uint64
		script []uint32
		want   uint64
		bounds []uint32
	}{
		{1, []uint32{0}, 0, []uint32{1}},
		{math.MaxUint32, []uint32{math.MaxUint32 - 1}, math.MaxUint32 - 1, []uint32{math.MaxUint32}},
		{1 << 32, []uint32{1, m31}, 1<<32 - 1, []uint32{2, 1 << 31}},
		// The second digits are beyond the bound with this first one: all again.
		{1<<32 + 1, []uint32{2, 1, 2, 0}, 1 << 32, []uint32{3, 1 << 31, 3, 1 << 31}},
		{math.MaxUint64, []uint32{3, m31, m31, 3, m31, m31 - 1}, math.MaxUint64 - 1, []uint32{4, 1 << 31, 1 << 31, 4, 1 << 31, 1 << 31}},
	}
	for _, tt := range tests {
		d := NewScriptedDraws(tt.script)
		if err := d.Claim([32]byte{7}); err != nil {
			t.Fatal(err)
		}
		x, err := d.Draw64(tt.bound)
		if err != nil || x != tt.want || len(d.Log()) != len(tt.bounds) {
			t.Fatalf("bound %d: %d %v after %d draws, want %d", tt.bound, x, err, len(d.Log()), tt.want)
		}
		for i, entry := range d.Log() {
			if entry.Bound != tt.bounds[i] || entry.Value != tt.script[i] {
				t.Errorf("bound %d: draw %d is %+v", tt.bound, i, entry)
			}
		}
	}
}

func TestDraws_Claim(t *testing.T) {
	module := [32]byte{9}
	d, err := NewDraws([32]byte{1}, DrawContext{Algorithm: AlgorithmHMACChaCha20, Module: module})
	if err != nil {
		t.Fatal(err)
	}
	_, first := d.Draw(6)
	_, wide := d.Draw64(6)
	if !errors.Is(first, ErrBadDraws) || !errors.Is(wide, ErrBadDraws) {
		t.Errorf("draws without a claim: %v, %v", first, wide)
	}
	if err := d.Claim([32]byte{8}); !errors.Is(err, ErrBadDraws) {
		t.Errorf("claimed for another game: %v", err)
	}
	if err := d.Claim(module); err != nil {
		t.Fatal(err)
	}
	if err := d.Claim(module); !errors.Is(err, ErrBadDraws) {
		t.Errorf("claimed twice: %v", err)
	}
	_, zero := d.Draw(0)
	_, zero64 := d.Draw64(0)
	if !errors.Is(zero, ErrBadDraws) || !errors.Is(zero64, ErrBadDraws) || len(d.Log()) != 0 {
		t.Errorf("bound 0: %v, %v", zero, zero64)
	}
	if err := (*Draws)(nil).Claim(module); !errors.Is(err, ErrBadDraws) {
		t.Errorf("claimed without draws: %v", err)
	}
}
