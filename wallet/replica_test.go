package wallet_test

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

const dayMS = int64(24 * 3600_000)

// TestShard_KeyRetention moves time past the retention of keys: an old key is
// refused as expired and never executed again.
func TestShard_KeyRetention(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	w.must(deposit(id, "in", 10), withdraw(id, "out", 20), reverse(id, "rev", "in"), reverse(id, "tomb", "never"))
	w.pass(124 * dayMS)
	w.must(deposit(id, "at the limit", 1))
	for _, op := range []wallet.Op{deposit(id, "in", 10), withdraw(id, "out", 20), reverse(id, "rev", "in")} {
		if r := w.one(op); !r.Repeat {
			t.Errorf("%s was forgotten within its retention", op.Kind())
		}
	}
	w.refused(wallet.NotApplied, wallet.CodeReversed, deposit(id, "never", 5))
	w.pass(10)
	w.must(deposit(id, "drain1", 1), deposit(id, "drain2", 1))
	balance := w.view(id).BalanceMinor
	for range 2 {
		for _, op := range []wallet.Op{
			deposit(id, "in", 10), deposit(id, "in", 11), withdraw(id, "out", 20), withdraw(id, "in", 1), reverse(id, "rev", "in"),
			reverse(id, "rev2", "out"), deposit(id, "never", 5), reverse(id, "tomb", "never"),
		} {
			w.refused(wallet.NotApplied, wallet.CodeKeyExpired, op)
		}
		w.s = restored(t, w.s)
	}
	if r := w.one(deposit(id, "at the limit", 1)); !r.Repeat || w.view(id).BalanceMinor != balance {
		t.Errorf("a younger key: %+v, balance %d, want %d", r, w.view(id).BalanceMinor, balance)
	}
	w.refused(wallet.NotApplied, wallet.CodeInsufficientFunds, withdraw(id, "new", balance+1))
}

// TestShard_ReplicaFromSnapshot starts a second replica from a snapshot at
// every index of a history; at the end all hold the same bytes.
func TestShard_ReplicaFromSnapshot(t *testing.T) {
	var entries [][]byte
	var snapshots [][]byte
	w := emptyWorld(t)
	run := func(ops ...wallet.Op) {
		t.Helper()
		e := w.entry(ops...)
		snapshots = append(snapshots, w.s.Snapshot())
		entries = append(entries, e.Encode())
		w.applyEntry(e)
	}
	a, b := walletID(1), walletID(2)
	run(&wallet.Genesis{Cluster: "c1", Shard: 3, Epoch: 1}, &wallet.Clock{ReadingsMS: []int64{startMS}})
	run(&wallet.Operator{Operator: operator}, catalogue("lines", gameDigest), catalogue("spins", otherDigest))
	run(&wallet.OpenWallet{Operator: operator, Currency: "EUR", Wallet: a}, &wallet.OpenWallet{Operator: operator, Currency: "JPY", Wallet: b})
	run(deposit(a, "t1", 5000), reverse(a, "r1", "t2"), &wallet.Claim{Operator: operator, Currency: "EUR", Wallet: a, Lookup: wallet.Hash{7}})
	for i := range uint64(6) {
		number := i + 1
		run(w.sessionOp(a, "k"+strconv.FormatUint(number, 10), "lines"))
		run(w.play(spin(a, number, 1, 10), outcome{win: 7}), deposit(a, "d"+strconv.FormatUint(i, 10), int64(i)))
		run(w.play(spin(a, number, 2, 20), outcome{win: 3, next: 3, state: []byte{byte(i), 1}}))
		if i%2 == 0 {
			run(w.play(further(a, number, 3), outcome{win: 11}))
		} else {
			run(w.incident(further(a, number, 3)))
			round := w.view(a).Sessions[0].Round.Round
			run(resolve(a, round, "ann", wallet.PayWinSoFar))
			run(resolve(a, round, "bob", wallet.PayWinSoFar), &wallet.Read{Wallet: a})
			fixed := catalogue("lines", gameDigest)
			fixed.Reason = "fixed"
			run(fixed)
		}
		run(closing(a, number))
		w.nowMS += 40 * dayMS
		run(&wallet.Clock{ReadingsMS: []int64{w.nowMS}}, withdraw(a, "w"+strconv.FormatUint(i, 10), 1))
	}
	end := w.s.Snapshot()
	for at, snap := range snapshots {
		replica, err := wallet.Restore(snap)
		if err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		for _, e := range entries[at:] {
			if _, err := replica.Apply(e); err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
		}
		if !bytes.Equal(replica.Snapshot(), end) {
			t.Errorf("a replica from the snapshot at entry %d ended elsewhere", at)
		}
	}
	if len(snapshots) < 30 {
		t.Errorf("only %d indexes", len(snapshots))
	}
}

// The order in which an entry's results are asked for, or what became of them
// after, is no part of the state: scribbling on an outcome changes nothing.
func TestShard_Apply_OutcomeIsACopy(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 100)
	ses := w.session(id, "k", "lines")
	data := w.entry(w.play(spin(id, ses, 1, 10), outcome{next: 1, state: []byte{5, 5}}), &wallet.Read{Wallet: id}).Encode()
	out, err := w.s.Apply(data)
	if err != nil {
		t.Fatal(err)
	}
	before := w.s.Snapshot()
	for i := range data {
		data[i] = 0xff
	}
	for _, r := range out.Records {
		clear(r.Input)
		clear(r.Result)
	}
	out.Results[1].View.Sessions[0].Round.Frozen = true
	if !bytes.Equal(w.s.Snapshot(), before) {
		t.Error("the state aliases the entry or its outcome")
	}
}

func TestShard_Apply_StopsAtTheUnknown(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 0)
	newer := w.entry(deposit(id, "t", 1))
	newer.Version = wallet.Version + 1
	unknownOp := w.entry(deposit(id, "t", 1)).Encode()
	at := bytes.LastIndexByte(unknownOp, byte(wallet.KindDeposit))
	unknownOp[at] = 200
	for name, data := range map[string][]byte{
		"newer entry":         newer.Encode(),
		"activate of a newer": w.entry(&wallet.Activate{Version: wallet.Version + 1}).Encode(),
	} {
		if _, err := w.s.Apply(data); !errors.Is(err, wallet.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := wallet.DecodeOp([]byte{200}); !errors.Is(err, wallet.ErrUnsupported) {
		t.Errorf("unknown operation: %v", err)
	}
	for _, data := range [][]byte{nil, {1}, unknownOp[:len(unknownOp)-1], append(w.entry().Encode(), 0)} {
		if _, err := w.s.Apply(data); err == nil {
			t.Errorf("damaged entry of %d bytes was applied", len(data))
		}
	}
	full := w.entry(make([]wallet.Op, wallet.MaxEntryOps+1)...)
	for i := range full.Ops {
		full.Ops[i] = &wallet.Read{}
	}
	if _, err := w.s.Apply(full.Encode()); err == nil {
		t.Error("an entry over the limit of operations was applied")
	}
}

func TestShard_Repeats(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 100)
	claim := &wallet.Claim{Operator: operator, Currency: "EUR", Wallet: id, Lookup: wallet.Hash{1}, Identity: []byte{1}}
	w.must(claim)
	second := *claim
	second.Wallet = walletID(77)
	if r := w.one(&second); !r.Repeat || r.Wallet != id || r.Currency != "EUR" {
		t.Errorf("a person claimed twice: %+v", r)
	}
	if r := w.one(&wallet.OpenWallet{Operator: operator, Currency: "EUR", Wallet: id}); !r.Repeat || r.BalanceMinor != 100 {
		t.Errorf("a wallet opened twice: %+v", r)
	}
	ses := w.session(id, "k", "lines")
	failed := w.incident(spin(id, ses, 1, 10))
	first := w.one(failed)
	// The player's retry of the step meets the incident, never a new draw.
	w.must(w.sessionOp(id, "k", "lines"))
	again := w.one(w.play(spin(id, ses, 1, 10), outcome{win: 5000}))
	if !again.Repeat || again.Kind != wallet.KindIncident || again.Seq != first.Seq {
		t.Errorf("the retry of a failed step: %+v", again)
	}
	first.Repeat = true
	if !reflect.DeepEqual(first, again) {
		t.Errorf("results differ:\n%+v\n%+v", first, again)
	}
	before := w.s.Head()
	r := w.one(&wallet.Read{Wallet: id})
	if r.View == nil || r.View.BalanceMinor != 100 || r.Seq != before.Seq || w.s.Head() != before {
		t.Errorf("a read: %+v", r)
	}
}

func TestShard_Resolve_PayWinSoFar(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 100)
	w.frozen(id)
	w.must(resolve(id, 1, "ann", wallet.PayWinSoFar))
	r := w.one(resolve(id, 1, "bob", wallet.PayWinSoFar))
	if !r.Resolved || r.BalanceMinor != 94 || r.HeldMinor != 0 || r.WinMinor != 4 {
		t.Errorf("resolved %+v", r)
	}
	if h := w.s.Head(); h.OpenRounds != 0 {
		t.Errorf("%d open rounds", h.OpenRounds)
	}
	restored(t, w.s)
	w.must(closing(id, 1))
}

func TestShard_Reverse_Shortfall(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 0)
	w.must(deposit(id, "in", 100), withdraw(id, "out", 70))
	r := w.one(reverse(id, "r", "in"))
	if r.BalanceMinor != 0 || r.ShortfallMinor != 70 || r.CostMinor != 30 {
		t.Errorf("reversal of spent money: %+v", r)
	}
	if r := w.one(reverse(id, "r2", "out")); r.BalanceMinor != 70 || r.ShortfallMinor != 0 || r.WinMinor != 70 {
		t.Errorf("reversal of a withdrawal: %+v", r)
	}
}
