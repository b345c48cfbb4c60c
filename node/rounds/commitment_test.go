package rounds_test

import (
	"testing"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/wallet"
)

// TestSeedCommitment holds ledger and module host to one formula: the player
// checks the ledger's commitment with the published one of the draws.
func TestSeedCommitment(t *testing.T) {
	for i := range 4 {
		seed := [32]byte{byte(i), 7, 31: byte(i)}
		if wallet.SeedCommitment(seed) != gamelogic.Commitment(seed) {
			t.Fatalf("seed %d: the ledger commits to another value than the draws publish", i)
		}
	}
}
