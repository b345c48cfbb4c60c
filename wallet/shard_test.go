package wallet_test

import (
	"bytes"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

// TestShard_Apply plays the shortest useful life of a shard and checks what
// every other test builds on: results, chain, sums and snapshot.
func TestShard_Apply(t *testing.T) {
	s := wallet.New()
	id := wallet.ID{7, 1}
	seed := [32]byte{1, 2, 3}
	digest := wallet.Hash{9}
	apply := func(ops ...wallet.Op) []wallet.Result {
		t.Helper()
		e := &wallet.Entry{Version: 1, Proposer: "n1", StampMS: 1000, Salt: wallet.Hash{byte(len(ops))}, Ops: ops}
		out, err := s.Apply(e.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.Records {
			if err := r.Verify(); err != nil {
				t.Fatal(err)
			}
		}
		return out.Results
	}
	must := func(ops ...wallet.Op) []wallet.Result {
		t.Helper()
		res := apply(ops...)
		for _, r := range res {
			if r.Effect != wallet.Applied {
				t.Fatalf("refused: %v", r.Refusal())
			}
		}
		return res
	}
	must(&wallet.Genesis{Cluster: "c1", Epoch: 1}, &wallet.Clock{ReadingsMS: []int64{900, 1000, 5000}},
		&wallet.Operator{Operator: "acme", Jurisdiction: "test"},
		&wallet.Catalogue{
			Game: "g", Version: "1", Digest: digest, Enabled: true, MinStakeMinor: 1, MaxStakeMinor: 100,
			Modes: []wallet.Mode{{Name: "base", CostX100: 100, MaxWinX: 50}},
		},
		&wallet.OpenWallet{Operator: "acme", Currency: "EUR", Wallet: id},
		&wallet.Deposit{Cash: wallet.Cash{Operator: "acme", Wallet: id, TransactionID: "t1", AmountMinor: 1000, Currency: "EUR"}},
		&wallet.OpenSession{Wallet: id, Key: "k", Game: "g", Session: 1, Epoch: 1, Commitment: wallet.SeedCommitment(seed), Sealed: []byte{1}, KeyID: "k1"})
	req := wallet.PlayRequest{Wallet: id, Session: 1, Step: 1, Mode: "base", StakeMinor: 10}
	ev, repeat, err := s.PreparePlay(req)
	if err != nil || repeat != nil {
		t.Fatal(repeat, err)
	}
	play := &wallet.Play{PlayRequest: req, Basis: ev.Basis, WinMinor: 25, NextActions: 1, State: []byte{1}}
	first := must(play)[0]
	if first.BalanceMinor != 990 || first.HeldMinor != 35 || first.Round != 1 {
		t.Fatalf("after the first step: %+v", first)
	}
	again := must(play)[0]
	if !again.Repeat || again.Seq != first.Seq || again.Hash != first.Hash {
		t.Fatalf("a repeat differs: %+v", again)
	}
	req = wallet.PlayRequest{Wallet: id, Session: 1, Step: 2}
	ev, _, err = s.PreparePlay(req)
	if err != nil {
		t.Fatal(err)
	}
	second := must(&wallet.Play{PlayRequest: req, Basis: ev.Basis, WinMinor: 5, Closed: true})[0]
	if second.BalanceMinor != 1020 || second.HeldMinor != 0 || second.RoundWinMinor != 30 {
		t.Fatalf("after the round: %+v", second)
	}
	must(&wallet.CloseSession{Wallet: id, Session: 1, Seed: seed})
	sums, err := s.Sums()
	if err != nil || len(sums) != 1 || sums[0].SumMinor != 0 {
		t.Fatalf("sums %v, %v", sums, err)
	}
	snap := s.Snapshot()
	back, err := wallet.Restore(snap)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Snapshot(), snap) || back.Head() != s.Head() {
		t.Fatal("a restored shard differs")
	}
}
