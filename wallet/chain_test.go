package wallet_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

// verifyJournal is what an auditor does with nothing but the records, the
// origin and the head.
func verifyJournal(records []wallet.Record, head wallet.Hash) error {
	chain := wallet.Origin("c1", 3, 1)
	for i := range records {
		r := &records[i]
		if err := r.Verify(); err != nil {
			return err
		}
		if r.Prev != chain || r.Seq != uint64(i+1) || r.Epoch != 1 {
			return fmt.Errorf("record %d does not follow the one before", r.Seq)
		}
		chain = wallet.ChainHash(chain, r.Leaf)
	}
	if chain != head {
		return errors.New("the journal does not end at the head")
	}
	return nil
}

// busyWorld has at least one record of each kind that is journaled.
func busyWorld(t tb) *world {
	w := newWorld(t)
	id := w.open(1, 1000)
	w.must(withdraw(id, "out", 100), reverse(id, "back", "out"), reverse(id, "early", "late"))
	ses := w.session(id, "k", "lines")
	w.must(w.play(spin(id, ses, 1, 10), outcome{win: 25}))
	w.must(w.play(spin(id, ses, 2, 10), outcome{win: 5, next: 1, state: []byte{1}}))
	w.must(w.incident(further(id, ses, 3)))
	w.must(resolve(id, 2, "ann", wallet.Refund), resolve(id, 2, "bob", wallet.Refund), closing(id, ses))
	claim := &wallet.Claim{
		Operator: operator, Currency: "EUR", Wallet: id, Lookup: wallet.Hash{0x10, 0x0c}, Identity: []byte("sealed"),
		WrappedKey: []byte("wrapped"),
	}
	w.must(claim, &wallet.Erase{Wallet: id, Lookup: claim.Lookup})
	return w
}

func TestRecord_AnyFlippedByteIsFound(t *testing.T) {
	w := busyWorld(t)
	head := w.s.Head().Hash
	if err := verifyJournal(w.records, head); err != nil {
		t.Fatal(err)
	}
	flips := 0
	for i := range w.records {
		original := w.records[i]
		fields := []func(r *wallet.Record) []byte{
			func(r *wallet.Record) []byte { return r.Prev[:] },
			func(r *wallet.Record) []byte { return r.Leaf[:] },
			func(r *wallet.Record) []byte { return r.Salt[:] },
			func(r *wallet.Record) []byte { r.Input = bytes.Clone(r.Input); return r.Input },
			func(r *wallet.Record) []byte { r.Result = bytes.Clone(r.Result); return r.Result },
		}
		for f, field := range fields {
			for at := range field(&original) {
				damaged := original
				field(&damaged)[at] ^= 1 << (at % 8)
				w.records[i] = damaged
				if verifyJournal(w.records, head) == nil {
					t.Fatalf("record %d, field %d: a flip of byte %d went unseen", i, f, at)
				}
				flips++
			}
		}
		for _, change := range []func(r *wallet.Record){
			func(r *wallet.Record) { r.Epoch++ },
			func(r *wallet.Record) { r.Seq++ },
			// Bytes moved between input and result are not the same content.
			func(r *wallet.Record) {
				r.Input, r.Result = r.Input[:len(r.Input)-1], append([]byte{r.Input[len(r.Input)-1]}, r.Result...)
			},
		} {
			damaged := original
			change(&damaged)
			w.records[i] = damaged
			if verifyJournal(w.records, head) == nil {
				t.Fatalf("record %d: a change of place went unseen", i)
			}
		}
		w.records[i] = original
	}
	if flips < 5000 {
		t.Errorf("only %d bytes were flipped", flips)
	}
	if verifyJournal(w.records[:len(w.records)-1], head) == nil || verifyJournal(w.records[1:], head) == nil {
		t.Error("a missing record went unseen")
	}
}

func TestCommitment_Salted(t *testing.T) {
	leaf := func(salt wallet.Hash) wallet.Hash {
		return wallet.Leaf(1, 1, 1, wallet.Commitment(salt, []byte("in"), []byte("out")))
	}
	batch := wallet.Hash{1}
	seen := map[wallet.Hash]bool{}
	for position := range 1000 {
		seen[leaf(wallet.LeafSalt(batch, position))] = true
	}
	seen[leaf(wallet.LeafSalt(wallet.Hash{2}, 0))] = true
	if len(seen) != 1001 {
		t.Errorf("%d different leaves of 1001 salts", len(seen))
	}
	if wallet.SeedCommitment([32]byte{1}) == wallet.StateHash(append([]byte{1}, make([]byte, 31)...)) {
		t.Error("seed and state share a domain")
	}
}

// A person's content can be dropped from the journal, or never be in it, and
// the leaves still carry the chain to the head.
func TestRecord_Erasure(t *testing.T) {
	w := busyWorld(t)
	chain := wallet.Origin("c1", 3, 1)
	erased := 0
	for i := range w.records {
		r := w.records[i]
		op, err := wallet.DecodeOp(r.Input)
		if err != nil {
			t.Fatal(err)
		}
		if k := op.Kind(); k == wallet.KindClaim || k == wallet.KindErase {
			erased++
			if bytes.Contains(r.Input, []byte("wrapped")) || bytes.Contains(r.Input, []byte{0x10, 0x0c}) {
				t.Errorf("%s: what must be destroyable is in the journal", k)
			}
			r.Input, r.Result, r.Salt = nil, nil, wallet.Hash{}
		}
		chain = wallet.ChainHash(chain, r.Leaf)
	}
	if erased != 2 || chain != w.s.Head().Hash {
		t.Errorf("%d records erased, chain %s, head %s", erased, chain, w.s.Head().Hash)
	}
	if _, ok := w.s.Claimed(wallet.Hash{0x10, 0x0c}); ok || bytes.Contains(w.s.Snapshot(), []byte("wrapped")) {
		t.Error("the erased person is still in the state")
	}
}

func TestResult_ReceiptOpensTheLeaf(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 0)
	res := w.one(deposit(id, "t", 5))
	r := w.records[len(w.records)-1]
	if r.Seq != res.Seq || r.Salt != res.Salt || res.Hash != wallet.ChainHash(r.Prev, r.Leaf) {
		t.Errorf("receipt %+v does not open record %+v", res, r)
	}
	journaled, err := wallet.DecodeResult(r.Result)
	if err != nil {
		t.Fatal(err)
	}
	if journaled.BalanceMinor != 5 || journaled.Seq != res.Seq || journaled.Jurisdiction != "mt" {
		t.Errorf("journaled result %+v", journaled)
	}
}

func TestShard_Checkpoints(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 0)
	s := w.s
	want := []wallet.Checkpoint{}
	for n := uint64(1); n <= 258; n++ {
		s.SkipTo(n * wallet.CheckpointEvery)
		out, err := s.Apply(w.entry(deposit(id, decimal(int64(n)), 1)).Encode())
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, wallet.Checkpoint{Seq: n * wallet.CheckpointEvery, Hash: out.Results[0].Hash})
	}
	got := restored(t, s).Checkpoints()
	if len(got) != 256 || got[0] != want[2] || got[255] != want[257] {
		t.Errorf("%d checkpoints from %d to %d", len(got), got[0].Seq, got[len(got)-1].Seq)
	}
}
