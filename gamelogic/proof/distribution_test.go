package proof_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/gamelogic/proof"
)

// Half of the rounds end with nothing, the others take one stake.
func TestExact_Distribution(t *testing.T) {
	res, err := proof.Exact(t.Context(), load(t, "choice"), proof.ExactConfig{Mode: "base", StakeMinor: 7})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Wins) != 2 || res.Wins[0].WinMinor != 0 || res.Wins[1].WinMinor != 7 {
		t.Fatalf("wins %v, %s", res.Wins, res.WhyNoWins)
	}
	for _, w := range res.Wins {
		equal(t, "probability", w.Probability, 1, 2)
	}
	res, err = proof.Exact(t.Context(), load(t, "choice"), proof.ExactConfig{Mode: "base", StakeMinor: 7, MaxTerms: 3})
	if err != nil || res.Wins != nil || !strings.Contains(res.WhyNoWins, "more than 3 terms") {
		t.Errorf("%v, %q, %v", res.Wins, res.WhyNoWins, err)
	}
}

// What the distribution says of a whole published game is what the solver says.
func TestExact_DistributionAgrees(t *testing.T) {
	if testing.Short() {
		t.Skip("ten million leaves")
	}
	res, err := proof.Exact(t.Context(), load(t, "sizzling"), proof.ExactConfig{Mode: "base", StakeMinor: 5})
	if err != nil {
		t.Fatal(err)
	}
	agree(t, &res, 5)
}

// agree computes the figures of a result from its distribution.
func agree(t *testing.T, res *proof.ExactResult, costMinor int64) {
	t.Helper()
	whole, mean, square, hit := new(big.Rat), new(big.Rat), new(big.Rat), new(big.Rat)
	for _, w := range res.Wins {
		x := big.NewRat(w.WinMinor, costMinor)
		whole.Add(whole, w.Probability)
		mean.Add(mean, new(big.Rat).Mul(w.Probability, x))
		square.Add(square, new(big.Rat).Mul(w.Probability, new(big.Rat).Mul(x, x)))
		if w.WinMinor > 0 {
			hit.Add(hit, w.Probability)
		}
	}
	if whole.Cmp(big.NewRat(1, 1)) != 0 || mean.Cmp(res.RTP) != 0 || hit.Cmp(res.HitFrequency) != 0 ||
		square.Sub(square, new(big.Rat).Mul(mean, mean)).Cmp(res.Variance) != 0 {
		t.Errorf("%d wins of weight %s return %s and hit %s, solved: %s and %s", len(res.Wins), whole, mean, hit, res.RTP, res.HitFrequency)
	}
}
