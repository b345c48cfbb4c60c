package games_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/proof"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/games/par"
)

func loadModule(t *testing.T, g games.Game) (*gamelogic.Module, *par.Sheet) {
	t.Helper()
	host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(g.Wasm)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := host.Load(t.Context(), g.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	s := &par.Sheet{}
	if err := json.Unmarshal(g.Par, s); err != nil {
		t.Fatal(err)
	}
	return m, s
}

// The whole tree of draws, walked through the module, gives the sheet's
// fractions and every prize's weight: not closely, exactly.
func TestExact(t *testing.T) {
	exact(t, func(id, mode string) bool { return id == "lantern-ways" && mode == "base" })
}

func TestLong_Exact(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("30 million leaves: set EDGEREEL_LONG=1")
	}
	exact(t, func(string, string) bool { return true })
}

func exact(t *testing.T, take func(id, mode string) bool) {
	t.Helper()
	for _, g := range games.All() {
		m, s := loadModule(t, g)
		for _, mode := range s.Modes {
			if mode.RTPFraction == "" || !take(g.ID, mode.Name) {
				continue
			}
			t.Run(g.ID+"/"+mode.Name, func(t *testing.T) {
				const stake = 10
				got, err := proof.Exact(t.Context(), m, proof.ExactConfig{Mode: mode.Name, StakeMinor: stake})
				if err != nil {
					t.Fatal(err)
				}
				if got.RTP.String() != mode.RTPFraction || got.HitFrequency.String() != mode.HitFraction {
					t.Errorf("RTP %s, hits %s, the sheet says %s and %s", got.RTP, got.HitFrequency, mode.RTPFraction, mode.HitFraction)
				}
				if mode.RTPOptimal != "" && (got.RTPOptimal.FloatString(12) != mode.RTPOptimal || got.RTPWorst.FloatString(12) != mode.RTPWorst) {
					t.Errorf("optimal %s, worst %s, the sheet says %s and %s", got.RTPOptimal.FloatString(12), got.RTPWorst.FloatString(12), mode.RTPOptimal, mode.RTPWorst)
				}
				total, ok := new(big.Int).SetString(mode.DistributionTotal, 10)
				if !ok || len(got.Wins) != len(mode.Distribution) {
					t.Fatalf("%d prizes, the sheet has %d of %q", len(got.Wins), len(mode.Distribution), mode.DistributionTotal)
				}
				for i, w := range got.Wins {
					weight, _ := new(big.Int).SetString(mode.Distribution[i].Weight, 10)
					winX, _ := new(big.Rat).SetString(mode.Distribution[i].WinX)
					if winX.Cmp(big.NewRat(w.WinMinor, stake)) != 0 || w.Probability.Cmp(new(big.Rat).SetFrac(weight, total)) != 0 {
						t.Fatalf("prize %d: %d minor units with %s, the sheet has %+v", i, w.WinMinor, w.Probability, mode.Distribution[i])
					}
				}
			})
		}
	}
}

// A change of return is a new game: variants of a family say so, and no two of
// them return the same.
func TestFamilies(t *testing.T) {
	returns := map[string]string{}
	for _, g := range games.All() {
		m, s := loadModule(t, g)
		man := m.Manifest()
		if man.ID != g.ID || man.Family != s.Family || man.Variant != s.Variant {
			t.Errorf("%s says %q, family %q, variant %q; its sheet %q and %q", g.ID, man.ID, man.Family, man.Variant, s.Family, s.Variant)
		}
		if s.Family == "" {
			continue
		}
		rtp, err := strconv.ParseFloat(s.Modes[0].RTP, 64)
		if err != nil {
			t.Fatal(err)
		}
		percent := fmt.Sprintf("%.0f", 100*rtp)
		key := s.Family + " " + percent
		if other, taken := returns[key]; taken {
			t.Errorf("%s and %s return the same", g.ID, other)
		}
		if returns[key] = g.ID; percent != s.Variant {
			t.Errorf("%s returns %s in its first mode", g.ID, s.Modes[0].RTP)
		}
	}
	if len(returns) < 3 {
		t.Errorf("variants %v, want three of one family", returns)
	}
}
