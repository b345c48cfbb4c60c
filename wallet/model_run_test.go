package wallet_test

import (
	"bytes"
	"reflect"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/edgereel/edgereel/wallet"
)

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func sessionKey(what string, id wallet.ID, number uint64) string {
	return what + " " + wallet.Ref{Wallet: id, Number: number}.String()
}

// TestShard_Model plays random commands against the model. Beside the shard
// that runs unbroken, a twin is restored from its own snapshot before every
// entry; both must give the same results, records and snapshots.
func TestShard_Model(t *testing.T) {
	codes := map[wallet.Code]int{}
	rapid.Check(t, func(t *rapid.T) { modelRun(t, codes) })
	t.Logf("codes met: %v", codes)
	for _, code := range []wallet.Code{
		"", wallet.CodeReversed, wallet.CodeKeyReused, wallet.CodeStaleEvaluation,
		wallet.CodeInsufficientFunds, wallet.CodeAlreadyDecided, wallet.CodeRoundFrozen, wallet.CodeStaleRelease,
		wallet.CodeUnsupportedVersion, wallet.CodeGameDisabled,
	} {
		if codes[code] == 0 {
			t.Errorf("the commands never led to %q: the test has lost its teeth", code)
		}
	}
}

func modelRun(t *rapid.T, codes map[wallet.Code]int) {
	w, m := newWorld(t), newModel()
	twin := restored(t, w.s)
	firsts := map[string]wallet.Result{}
	if rapid.IntRange(0, 3).Draw(t, "version 2") > 0 {
		runEntry(t, w, m, &twin, firsts, codes, []wallet.Op{&wallet.Activate{Version: 2}})
	}
	for id := byte(1); id <= 2; id++ {
		op := &wallet.OpenWallet{Operator: operator, Currency: "EUR", Wallet: walletID(id)}
		ops := []wallet.Op{op, deposit(walletID(id), "fund"+decimal(int64(id)), 2000)}
		runEntry(t, w, m, &twin, firsts, codes, ops)
		runEntry(t, w, m, &twin, firsts, codes, []wallet.Op{w.sessionOp(walletID(id), "first", "lines")})
	}
	for range rapid.IntRange(40, 90).Draw(t, "entries") {
		ops := make([]wallet.Op, rapid.IntRange(1, 3).Draw(t, "ops"))
		for i := range ops {
			ops[i] = command(t, w)
		}
		w.nowMS += rapid.Int64Range(0, 500).Draw(t, "ms")
		w.sinceMS = w.nowMS - startMS
		runEntry(t, w, m, &twin, firsts, codes, ops)
	}
}

func runEntry(t *rapid.T, w *world, m *model, twin **wallet.Shard, firsts map[string]wallet.Result, codes map[wallet.Code]int, ops []wallet.Op) {
	e := w.entry(ops...)
	fromSnapshot, err := (*twin).Apply(e.Encode())
	if err != nil {
		t.Fatalf("twin: %v", err)
	}
	known := len(w.records)
	results := w.applyEntry(e)
	for i, r := range results {
		want := m.apply(ops[i])
		codes[r.Code]++
		if r.Code != want.code || r.Repeat != want.repeat {
			t.Fatalf("%s %+v:\ngot %q (%s) repeat %v, want %q repeat %v", r.Kind, ops[i], r.Code, r.Detail, r.Repeat, want.code, want.repeat)
		}
		if want.key == "" || r.Code != "" {
			continue
		}
		if first, decided := firsts[want.key]; decided && want.repeat {
			first.Repeat = true
			if !reflect.DeepEqual(first, r) {
				t.Fatalf("repeat of %s differs:\n%+v\n%+v", want.key, first, r)
			}
			continue
		}
		firsts[want.key] = r
		mw := m.wallets[r.Wallet]
		if r.BalanceMinor != mw.balance || r.HeldMinor != mw.held() || r.WalletSeq != uint64(mw.seq) {
			t.Fatalf("%s: balance %d held %d seq %d, want %d %d %d",
				want.key, r.BalanceMinor, r.HeldMinor, r.WalletSeq, mw.balance, mw.held(), mw.seq)
		}
	}
	if !reflect.DeepEqual(fromSnapshot.Results, results) || !reflect.DeepEqual(fromSnapshot.Records, w.newRecords(known)) {
		t.Fatalf("the twin from a snapshot answers otherwise")
	}
	restored(t, w.s)
	*twin = restored(t, *twin)
	if !bytes.Equal((*twin).Snapshot(), w.s.Snapshot()) {
		t.Fatalf("the twin from a snapshot holds another state")
	}
	checkReleases(t, w, m)
	openRounds := 0
	for id, mw := range m.wallets {
		v := w.view(id)
		if v.BalanceMinor < 0 || v.BalanceMinor != mw.balance || v.HeldMinor != mw.held() || v.Seq != uint64(mw.seq) {
			t.Fatalf("wallet %s: %+v, want balance %d held %d seq %d", id, v, mw.balance, mw.held(), mw.seq)
		}
		for _, s := range mw.sessions {
			if s.round != nil {
				openRounds++
			}
		}
	}
	if got := w.s.Head().OpenRounds; got != openRounds {
		t.Fatalf("%d open rounds, want %d", got, openRounds)
	}
}

// newRecords gives what was recorded after the first known ones, nil for none.
func (w *world) newRecords(known int) []wallet.Record {
	if len(w.records) == known {
		return nil
	}
	return w.records[known:]
}

// command draws one operation; most are sensible, some are late, wrong or
// repeated. It is prepared on the state before its entry, so later operations
// of an entry are sometimes stale, as a proposer's speculation can be.
func command(t *rapid.T, w *world) wallet.Op {
	id := walletID(rapid.SampledFrom([]byte{1, 1, 1, 1, 2, 2, 3}).Draw(t, "wallet"))
	txn := "t" + decimal(rapid.Int64Range(0, 12).Draw(t, "txn"))
	amount := rapid.SampledFrom([]int64{-5, 0, 1, 10, 100, 500}).Draw(t, "amount")
	switch rapid.IntRange(-6, 15).Draw(t, "command") {
	case 14, 15:
		return releaseCommand(t)
	case 0:
		return &wallet.OpenWallet{Operator: operator, Currency: "EUR", Wallet: id}
	case 1, 2:
		return deposit(id, txn, amount)
	case 3, 4:
		return withdraw(id, txn, amount)
	case 5, 6:
		return reverse(id, "t"+decimal(rapid.Int64Range(0, 12).Draw(t, "reversal")), txn)
	case 7, 8:
		key := "k" + decimal(rapid.Int64Range(0, 7).Draw(t, "key"))
		return w.sessionOp(id, key, rapid.SampledFrom([]string{"lines", "spins"}).Draw(t, "game"))
	case 9:
		return closing(id, rapid.Uint64Range(1, 6).Draw(t, "session"))
	case 10:
		return resolve(id, rapid.Uint64Range(1, 12).Draw(t, "round"), rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "who"),
			rapid.SampledFrom([]wallet.Resolution{wallet.Refund, wallet.PayWinSoFar}).Draw(t, "how"))
	case 11:
		return w.incident(request(t, w, id))
	case 12:
		c := catalogue(rapid.SampledFrom([]string{"lines", "spins"}).Draw(t, "game"), gameDigest)
		if c.Game == "spins" {
			c.Digest = otherDigest
		}
		c.Reason = rapid.SampledFrom([]string{"fixed", ""}).Draw(t, "reason")
		return c
	case 13:
		return &wallet.Read{Wallet: id}
	}
	req := request(t, w, id)
	o := outcome{win: rapid.SampledFrom([]int64{0, 0, 5, 40, 300}).Draw(t, "win")}
	if rapid.IntRange(0, 2).Draw(t, "more") == 0 {
		o.next, o.state = 1, rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "state")
		if len(o.state) == 0 {
			o.state = nil
		}
	}
	return w.play(req, o)
}

// request draws a step: usually the next one of an open session.
func request(t *rapid.T, w *world, id wallet.ID) wallet.PlayRequest {
	number, step, open := rapid.Uint64Range(1, 7).Draw(t, "session"), uint64(1), false
	if v, ok := w.s.View(id); ok && len(v.Sessions) > 0 && rapid.IntRange(0, 9).Draw(t, "unknown") < 9 {
		ses := v.Sessions[rapid.IntRange(0, len(v.Sessions)-1).Draw(t, "which")]
		number, step, open = ses.Session, ses.NextStep, ses.Round != nil
	}
	if back := rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 1, 6, 2, -1}).Draw(t, "back"); int64(step)-back >= 1 {
		step -= uint64(back)
	}
	if open && rapid.IntRange(0, 9).Draw(t, "stake anyway") < 8 {
		return further(id, number, step)
	}
	req := spin(id, number, step, rapid.SampledFrom([]int64{10, 10, 50, 100, 500, 5, 0}).Draw(t, "stake"))
	req.Mode = rapid.SampledFrom([]string{"base", "base", "base", "ante", "turbo"}).Draw(t, "mode")
	return req
}
