package wallet_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

func TestSub_Range(t *testing.T) {
	if got, err := wallet.Sub(-1, math.MinInt64); err != nil || got != math.MaxInt64 {
		t.Errorf("-1 - MinInt64 = %d, %v", got, err)
	}
	if _, err := wallet.Sub(0, math.MinInt64); !errors.Is(err, wallet.ErrOverflow) {
		t.Errorf("0 - MinInt64: %v", err)
	}
}

// The wallets of two operators may together hold more than 64 bits; whether
// that was reported used to hang on the order of a map.
func TestShard_Sums_BeyondOneSide(t *testing.T) {
	w := newWorld(t)
	w.open(1, math.MaxInt64)
	id := walletID(2)
	w.must(&wallet.OpenWallet{Operator: "strict", Currency: "EUR", Wallet: id},
		&wallet.Deposit{Cash: wallet.Cash{Operator: "strict", Wallet: id, TransactionID: "t", AmountMinor: math.MaxInt64, Currency: "EUR"}})
	for range 50 {
		checkSums(t, w.s)
	}
}

func TestDecodeEntry_VersionZero(t *testing.T) {
	e := &wallet.Entry{Version: 0}
	if _, err := wallet.DecodeEntry(e.Encode()); err == nil {
		t.Error("an entry without a version was accepted")
	}
}

// Once an outcome is known its credit must not fail: neither a deposit nor a
// second round may use up the room an open round needs.
func TestShard_Play_RoomForTheGreatestWin(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 10_000)
	ses := w.session(id, "k", "lines")
	w.must(w.play(spin(id, ses, 1, 10), outcome{win: 0, next: 1}))
	// 9,990 held free, 10 staked, 5,000 may still be won.
	w.refused(wallet.NotApplied, wallet.CodeOverflow, deposit(id, "big", math.MaxInt64-14_999))
	w.must(deposit(id, "fits", math.MaxInt64-15_000))
	other := w.session(id, "k2", "spins")
	w.refused(wallet.NotApplied, wallet.CodeOverflow, w.play(spin(id, other, 1, 10), outcome{}))
	w.must(w.play(further(id, ses, 2), outcome{win: 5_000}))
	if v := w.view(id); v.BalanceMinor != math.MaxInt64-10 || v.HeldMinor != 0 {
		t.Errorf("balance %d, held %d", v.BalanceMinor, v.HeldMinor)
	}
}

func TestShard_Reverse_RoomForTheGreatestWin(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, math.MaxInt64)
	w.must(withdraw(id, "out", 20_000))
	ses := w.session(id, "k", "lines")
	w.must(w.play(spin(id, ses, 1, 10), outcome{next: 1}))
	w.refused(wallet.NotApplied, wallet.CodeOverflow, reverse(id, "back", "out"))
}

func TestShard_Catalogue_QuarantineOutlivesAnotherVersion(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	w.must(w.incident(spin(id, ses, 1, 10)), catalogue("lines", wallet.Hash{0xee}))
	w.refused(wallet.NotApplied, wallet.CodeGameDisabled, catalogue("lines", gameDigest))
	w.refused(wallet.NotApplied, wallet.CodeGameDisabled, catalogue("twin", gameDigest))
	off := catalogue("lines", gameDigest)
	off.Enabled = false
	w.must(off)
	on := catalogue("lines", gameDigest)
	on.Reason = "fixed host limit, ticket 7"
	w.must(on)
	for _, g := range w.s.Games() {
		if g.Game == "lines" && !g.Enabled {
			t.Error("enabled with a reason, but still out of play")
		}
	}
}

// An incident of a round pinned to an older module quarantines that module.
func TestShard_Incident_QuarantinesThePinnedModule(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	w.must(w.play(spin(id, ses, 1, 10), outcome{win: 3, next: 1}), catalogue("lines", wallet.Hash{0xee}))
	res := w.one(w.incident(further(id, ses, 2)))
	if res.Digest != gameDigest || res.RoundWinMinor != 3 || !res.RoundOpen {
		t.Errorf("incident result %+v", res)
	}
	w.refused(wallet.NotApplied, wallet.CodeGameDisabled, catalogue("lines", gameDigest))
}

func TestShard_Incident_UsesUpTheRoundNumber(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	failed := w.one(w.incident(spin(id, ses, 1, 10)))
	w.must(catalogue("lines", wallet.Hash{0xee}))
	played := w.one(w.play(spin(id, ses, 2, 10), outcome{}))
	if failed.Round == played.Round || failed.Nonce == played.Nonce {
		t.Errorf("incident is round %d nonce %d, the next spin %d nonce %d", failed.Round, failed.Nonce, played.Round, played.Nonce)
	}
	if failed.BalanceMinor != 1000 || failed.CostMinor != 0 {
		t.Errorf("an incident moved money: %+v", failed)
	}
}

func TestShard_Resolve_Retries(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	w.must(w.play(spin(id, ses, 1, 10), outcome{win: 3, next: 1}))
	w.must(w.incident(further(id, ses, 2)))
	number := w.view(id).Sessions[0].Round.Round
	first := w.one(resolve(id, number, "ann", wallet.PayWinSoFar))
	again := w.one(resolve(id, number, "ann", wallet.PayWinSoFar))
	if !again.Repeat || again.Seq != first.Seq || again.Resolved {
		t.Errorf("the first person's retry: %+v", again)
	}
	w.refused(wallet.NotApplied, wallet.CodeResolutionMismatch, resolve(id, number, "bob", wallet.Refund))
	w.must(resolve(id, number, "ann", wallet.Refund))
	done := w.one(resolve(id, number, "bob", wallet.Refund))
	if !done.Resolved || done.BalanceMinor != 1000 || done.HeldMinor != 0 {
		t.Errorf("resolved: %+v", done)
	}
	for _, who := range []string{"ann", "bob"} {
		if r := w.one(resolve(id, number, who, wallet.Refund)); !r.Repeat || r.Seq != done.Seq || !r.Resolved {
			t.Errorf("retry of %s: %+v", who, r)
		}
	}
	w.refused(wallet.NotApplied, wallet.CodeUnknownRound, resolve(id, number, "eve", wallet.Refund))
	w.s = restored(t, w.s)
	w.must(closing(id, ses))
	if r := w.one(resolve(id, number, "bob", wallet.Refund)); !r.Repeat || r.Seq != done.Seq {
		t.Errorf("retry after the session closed: %+v", r)
	}
}

// What a proposer gets is a copy: scribbling on it must not reach the state.
func TestShard_Prepare_GivesCopies(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses, idle := w.session(id, "k", "lines"), w.session(id, "k2", "spins")
	w.must(w.play(spin(id, ses, 1, 10), outcome{next: 1, state: []byte{9, 9}}))
	before := string(w.s.Snapshot())
	ev, _, err := w.s.PreparePlay(further(id, ses, 2))
	if err != nil {
		t.Fatal(err)
	}
	ending, _, err := w.s.PrepareClose(id, idle)
	if err != nil {
		t.Fatal(err)
	}
	ev.Sealed[0], ev.State[0], ending.Sealed[0] = 0xff, 0xff, 0xff
	w.s.Games()[0].Modes[0].Name = "other"
	w.view(id).Sessions[0].Round.Frozen = true
	if string(w.s.Snapshot()) != before {
		t.Error("a copy reached the state")
	}
}

func TestShard_Time(t *testing.T) {
	w := newWorld(t)
	at := func() int64 { return w.s.Head().TimeMS }
	if at() != startMS+5 {
		t.Fatalf("median is %d, want %d", at(), startMS+5)
	}
	stamp := func(proposer string, stampMS, sinceMS int64) {
		t.Helper()
		e := w.entry()
		e.Proposer, e.StampMS, e.SinceAnchorMS = proposer, stampMS, sinceMS
		w.applyEntry(e)
	}
	anchor := startMS + 5
	stamp("n1", anchor+8*3600_000, 1000)
	if at() != anchor+1250 {
		t.Errorf("a fast clock moved time to +%d, want +1250", at()-anchor)
	}
	stamp("n1", anchor, 2000)
	if at() != anchor+1250 {
		t.Errorf("time went back to +%d", at()-anchor)
	}
	for _, since := range []int64{-1, math.MaxInt64, math.MaxInt64 - anchor} {
		stamp("n1", math.MaxInt64, since)
		if at() != anchor+1250 {
			t.Fatalf("since %d moved time to %d", since, at())
		}
	}
	// Another node's monotonic time counts from an agreement of its own.
	stamp("n2", anchor+3600_000, 3600_000)
	if at() != anchor+1250 {
		t.Errorf("a node that did not anchor moved time to +%d", at()-anchor)
	}
	for _, readings := range [][]int64{nil, {0}, {-5, 7}, {math.MaxInt64}, make([]int64, 17)} {
		w.refused(wallet.NotApplied, wallet.CodeInvalid, &wallet.Clock{ReadingsMS: readings})
	}
	e := w.entry(&wallet.Clock{ReadingsMS: []int64{1, 2}})
	e.Proposer = "n2"
	w.applyEntry(e)
	if at() != anchor+1250 {
		t.Errorf("voters' clocks behind shard time moved it to +%d", at()-anchor)
	}
	w.s = restored(t, w.s)
	stamp("n2", 3600_000, 3600_000)
	stamp("n1", anchor+9999, 9999)
	if at() != anchor+1250 {
		t.Errorf("time is +%d", at()-anchor)
	}
}

// Half the voters running ahead cannot move time on their own.
func TestShard_Clock_LowerMedian(t *testing.T) {
	for _, c := range []struct {
		readings []int64
		want     int64
	}{
		{[]int64{9, 5}, 5}, {[]int64{7}, 7}, {[]int64{900, 800, 7, 6}, 7}, {[]int64{900, 7, 800}, 800}, {[]int64{1, 2, 3, 4, 5}, 3},
	} {
		w := emptyWorld(t)
		w.must(&wallet.Genesis{Cluster: "c1", Shard: 3, Epoch: 1}, &wallet.Clock{ReadingsMS: c.readings})
		if got := w.s.Head().TimeMS; got != c.want {
			t.Errorf("readings %v give %d, want %d", c.readings, got, c.want)
		}
	}
}

// A revealed seed needs no sealed copy: keys may retire once none is held.
func TestShard_CloseSession_DropsTheSealedSeed(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 0)
	op := w.sessionOp(id, "k", "lines")
	op.Sealed = []byte("sealed seed")
	w.must(op)
	if !bytes.Contains(w.s.Snapshot(), op.Sealed) {
		t.Fatal("an open session holds no sealed seed")
	}
	w.must(closing(id, 1))
	if bytes.Contains(w.s.Snapshot(), op.Sealed) {
		t.Error("a closed session still holds its sealed seed")
	}
}

func TestShard_Limits(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	ops := map[string]wallet.Op{
		"reason":       &wallet.Operator{Meta: wallet.Meta{Reason: long(257)}, Operator: "x"},
		"jurisdiction": &wallet.Operator{Operator: "x", Jurisdiction: long(65)},
		"cycle":        &wallet.Operator{Operator: "x", MinCycleMS: math.MaxInt64},
		"claim currency": &wallet.Claim{
			Operator: operator, Currency: long(100_000), Wallet: id, Lookup: wallet.Hash{1},
		},
	}
	c := cash(id, "t9", 1)
	c.Approver = long(257)
	ops["approver"] = &wallet.Withdraw{Cash: c}
	c = cash(id, "t9", 1)
	c.Actor = long(257)
	ops["actor"] = &wallet.Deposit{Cash: c}
	rev := reverse(id, "t9", "t1")
	rev.Approver = long(257)
	ops["reversal's approver"] = rev
	version := catalogue("x", gameDigest)
	version.Version = long(65)
	ops["game version"] = version
	modes := catalogue("x", gameDigest)
	modes.Modes = make([]wallet.Mode, 65)
	for i := range modes.Modes {
		modes.Modes[i] = wallet.Mode{ID: uint32(i), Name: string(rune('A' + i)), CostX100: 100, MaxWinX: 1}
	}
	ops["modes"] = modes
	twins := catalogue("x", gameDigest)
	twins.Modes[1].Name = twins.Modes[0].Name
	ops["twin modes"] = twins
	play := w.play(spin(id, ses, 1, 10), outcome{})
	play.Reason = long(257)
	ops["play"] = play
	for name, op := range ops {
		before := string(w.s.Snapshot())
		r := w.apply(op)[0]
		if r.Effect != wallet.NotApplied || r.Code != wallet.CodeInvalid && r.Code != wallet.CodeUnknownCurrency {
			t.Errorf("%s: %s %q", name, r.Effect, r.Code)
		}
		if string(w.s.Snapshot()) != before {
			t.Errorf("%s changed the state", name)
		}
	}
	shard := wallet.New()
	out, err := shard.Apply((&wallet.Entry{Version: 1, Ops: []wallet.Op{&wallet.Genesis{Cluster: long(65), Epoch: 1}}}).Encode())
	if err != nil || out.Results[0].Code != wallet.CodeInvalid {
		t.Errorf("cluster: %v, %v", out.Results, err)
	}
}

// A key that is decided answers even where its retry says too much about
// where it came from.
func TestShard_KeyFirst(t *testing.T) {
	w := newWorld(t)
	id := w.open(1, 1000)
	ses := w.session(id, "k", "lines")
	out := withdraw(id, "out", 1000)
	play := w.play(spin(id, ses, 1, 1000), outcome{})
	w.must(play)
	w.must(deposit(id, "in", 1000), out)
	late := *out
	late.Reason = long(1000)
	latePlay := *play
	latePlay.Reason, latePlay.Basis = long(1000), wallet.Basis{}
	w.must(&wallet.Catalogue{
		Game: "lines", Digest: gameDigest, MinStakeMinor: 1, MaxStakeMinor: 1,
		Modes: []wallet.Mode{{Name: "other", CostX100: 100}},
	})
	for _, op := range []wallet.Op{&late, &latePlay, w.sessionOp(id, "k", "lines")} {
		if r := w.one(op); !r.Repeat {
			t.Errorf("%s was not answered from its key: %+v", op.Kind(), r)
		}
	}
}

func TestCheckOp(t *testing.T) {
	big := deposit(walletID(1), "t", 1)
	big.Reason = long(2 << 20)
	for _, op := range []wallet.Op{big, &wallet.Activate{Version: wallet.Version + 1}} {
		var refusal *wallet.Refusal
		if err := wallet.CheckOp(op); !errors.As(err, &refusal) {
			t.Errorf("%s: %v", op.Kind(), err)
		}
	}
	if err := wallet.CheckOp(deposit(walletID(1), "t", 1)); err != nil {
		t.Error(err)
	}
}

func TestShard_SecondApprover_NeedsTwoNames(t *testing.T) {
	w := newWorld(t)
	id := walletID(1)
	c := wallet.Cash{Operator: "strict", Wallet: id, TransactionID: "t", AmountMinor: 5, Currency: "EUR"}
	w.must(&wallet.OpenWallet{Operator: "strict", Currency: "EUR", Wallet: id}, &wallet.Deposit{Cash: c})
	c.TransactionID, c.Approver = "u", "ann"
	w.refused(wallet.NotApplied, wallet.CodeSecondApprover, &wallet.Withdraw{Cash: c})
	c.Actor = "ann"
	w.refused(wallet.NotApplied, wallet.CodeSecondApprover, &wallet.Withdraw{Cash: c})
	c.Actor = "bob"
	w.must(&wallet.Withdraw{Cash: c})
}
