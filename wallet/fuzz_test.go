package wallet_test

import (
	"bytes"
	"math"
	"math/big"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

// Every accepted entry has one encoding, and a shard survives it.
func FuzzDecodeEntry(f *testing.F) {
	f.Add(sampleEntry().Encode())
	f.Add((&wallet.Entry{Version: 1}).Encode())
	f.Add((&wallet.Entry{Version: 1, Proposer: "n", Ops: samples()[8:9]}).Encode())
	f.Add([]byte{1, 0, 0, 0})
	start := busyWorld(f).s.Snapshot()
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := wallet.DecodeEntry(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Encode(), b) {
			t.Fatalf("accepted a second encoding of %+v", e)
		}
		s, err := wallet.Restore(start)
		if err != nil {
			t.Fatal(err)
		}
		before := s.Head().Seq
		out, err := s.Apply(b)
		if err != nil {
			return
		}
		if s.Head().Seq != before+uint64(len(out.Records)) || len(out.Results) != len(e.Ops) {
			t.Fatalf("%d records moved the sequence from %d to %d", len(out.Records), before, s.Head().Seq)
		}
		checkSums(t, s)
		restored(t, s)
	})
}

func FuzzDecodeOp(f *testing.F) {
	for _, op := range samples() {
		f.Add(wallet.EncodeOp(op))
	}
	f.Add([]byte{})
	f.Add([]byte{17, 0x80, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		op, err := wallet.DecodeOp(b)
		if err != nil {
			return
		}
		if !bytes.Equal(wallet.EncodeOp(op), b) {
			t.Fatalf("accepted a second encoding of %+v", op)
		}
	})
}

// Whatever Restore accepts is a shard that can be applied to, and that writes
// the same snapshot again.
func FuzzRestore(f *testing.F) {
	f.Add(wallet.New().Snapshot())
	f.Add(newWorld(f).s.Snapshot())
	f.Add(busyWorld(f).s.Snapshot())
	w := newWorld(f)
	w.frozen(w.open(1, 100))
	w.must(resolve(walletID(1), 1, "ann", wallet.Refund))
	f.Add(w.s.Snapshot())
	f.Add(releasedWorld(f).s.Snapshot())
	next := &wallet.Entry{Version: 1, Ops: append(samples(), further1(), resolve(walletID(1), 1, "bob", wallet.Refund), closing(walletID(1), 1))}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = wallet.Reseal(b)
		s, err := wallet.Restore(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Snapshot(), b) {
			t.Fatal("accepted a second encoding of a shard")
		}
		// An error stops a replica, which is fine here; a panic is not.
		_, _ = s.Apply(next.Encode())
	})
}

func further1() wallet.Op {
	return &wallet.Play{PlayRequest: spin(walletID(1), 1, 3, 10), Closed: true}
}

func FuzzMoney(f *testing.F) {
	edges := []int64{0, 1, -1, 2, 99, 100, 101, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1 << 32}
	for _, a := range edges {
		for _, b := range edges {
			f.Add(a, b, uint32(b))
		}
	}
	f.Fuzz(func(t *testing.T, a, b int64, costX100 uint32) {
		x, y := big.NewInt(a), big.NewInt(b)
		got, err := wallet.Add(a, b)
		sameAs(t, "add", got, err, new(big.Int).Add(x, y))
		got, err = wallet.Sub(a, b)
		sameAs(t, "sub", got, err, new(big.Int).Sub(x, y))
		if a < 0 {
			if _, err := wallet.Mul(a, uint64(b)); err == nil {
				t.Errorf("multiplied the negative amount %d", a)
			}
			return
		}
		got, err = wallet.Mul(a, uint64(b))
		sameAs(t, "mul", got, err, new(big.Int).Mul(x, new(big.Int).SetUint64(uint64(b))))
		product := new(big.Int).Mul(x, big.NewInt(int64(costX100)))
		whole, rest := new(big.Int).QuoRem(product, big.NewInt(100), new(big.Int))
		got, err = wallet.Cost(a, costX100)
		switch {
		case rest.Sign() != 0 || !product.IsInt64():
			if err == nil {
				t.Errorf("cost(%d, %d) = %d, must be refused", a, costX100, got)
			}
		default:
			sameAs(t, "cost", got, err, whole)
		}
	})
}

func sameAs(t *testing.T, what string, got int64, err error, want *big.Int) {
	t.Helper()
	if want.IsInt64() != (err == nil) {
		t.Errorf("%s: error %v, exact result %s", what, err, want)
	}
	if err == nil && got != want.Int64() {
		t.Errorf("%s = %d, want %s", what, got, want)
	}
}
