package wallet_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

var update = flag.Bool("update", false, "write golden files and histories instead of comparing with them")

// samples is one operation of each kind with every field set.
func samples() []wallet.Op { return append(samplesV1(), samplesV2()...) }

// samplesV2 are the operations that version 2 added.
func samplesV2() []wallet.Op {
	return []wallet.Op{
		&wallet.Release{
			Meta: wallet.Meta{Actor: "eu-west-1", Reason: "registry"}, Game: "lines", RegistrySeq: 77, Enabled: true,
			Live: wallet.Build{
				Version: "1.2.0", Digest: gameDigest, MeterVersion: 2, FuelPerStep: 1_000_000,
				Modes: []wallet.Mode{{ID: 1, Name: "base", CostX100: 100, MaxWinX: 5000}, {ID: 2, Name: "buy", CostX100: 7550, MaxWinX: 5000}},
			},
			Canary: &wallet.Build{
				Version: "1.3.0-rc.1", Digest: otherDigest, MeterVersion: 3, FuelPerStep: 10_000_000,
				Modes: []wallet.Mode{{ID: 1, Name: "base", CostX100: 100, MaxWinX: 6000}},
			},
			CanaryShareX10000: 250, MinStakeMinor: 10, MaxStakeMinor: 10_000,
		},
	}
}

// samplesV1 are the operations of version 1.
func samplesV1() []wallet.Op {
	id, meta := walletID(7), wallet.Meta{Actor: "spiffe://edgereel/op/acme", Reason: "ticket 42"}
	c := wallet.Cash{Meta: meta, Operator: operator, Wallet: id, TransactionID: "txn-1", AmountMinor: 12_345, Currency: "EUR", Approver: "ann"}
	req := wallet.PlayRequest{Wallet: id, Session: 3, Step: 17, Mode: "base", StakeMinor: 250, Action: 4, Choice: 2}
	basis := wallet.Basis{Epoch: 1, Round: 9, Nonce: 300, StateHash: wallet.Hash{1, 2}, Digest: gameDigest}
	return []wallet.Op{
		&wallet.Genesis{Meta: meta, Cluster: "c1", Shard: 3, Epoch: 1},
		&wallet.Clock{Meta: meta, ReadingsMS: []int64{startMS, startMS + 7, -1}},
		&wallet.Activate{Meta: meta, Version: 1},
		&wallet.Operator{Meta: meta, Operator: operator, Jurisdiction: "mt", MinCycleMS: 2500, SecondApprover: true},
		&wallet.Catalogue{
			Meta: meta, Game: "lines", Version: "1.2.0", Digest: gameDigest, Enabled: true, MinStakeMinor: 10, MaxStakeMinor: 10_000,
			Modes: []wallet.Mode{{ID: 1, Name: "base", CostX100: 100, MaxWinX: 5000}, {ID: 2, Name: "buy", CostX100: 7550, MaxWinX: 5000}},
		},
		&wallet.Claim{
			Meta: meta, Operator: operator, Currency: "EUR", Wallet: id, Lookup: wallet.Hash{3}, Identity: []byte{4, 5}, WrappedKey: []byte{6},
		},
		&wallet.Erase{Meta: meta, Wallet: id, Lookup: wallet.Hash{3}},
		&wallet.OpenWallet{Meta: meta, Operator: operator, Currency: "EUR", Wallet: id},
		&wallet.Deposit{Cash: c},
		&wallet.Withdraw{Cash: c},
		&wallet.Reverse{Meta: meta, Operator: operator, Wallet: id, TransactionID: "txn-2", Original: "txn-1", Approver: "ann"},
		&wallet.OpenSession{
			Meta: meta, Wallet: id, Key: "s-1", Game: "lines", ClientSeed: "lucky", Session: 3, Epoch: 1,
			Commitment: wallet.SeedCommitment(seedOf(id, 3)), Sealed: []byte{7, 8, 9}, KeyID: "k1", Algorithm: 1,
		},
		&wallet.Play{
			Meta: meta, PlayRequest: req, Basis: basis, WinMinor: 1000, Closed: true, NextActions: 5, State: []byte{1},
			DrawsDigest: wallet.Hash{8}, Draws: 15, Presentation: []byte{2, 3},
		},
		&wallet.Incident{Meta: meta, PlayRequest: req, Basis: basis, Trap: "bad_output", DrawsDigest: wallet.Hash{8}, Draws: 15},
		&wallet.CloseSession{Meta: meta, Wallet: id, Session: 3, Seed: seedOf(id, 3)},
		&wallet.Resolve{Meta: meta, Wallet: id, Round: 9, Approver: "ann", Resolution: wallet.PayWinSoFar},
		&wallet.Read{Meta: meta, Wallet: id},
	}
}

func sampleEntry() *wallet.Entry {
	return &wallet.Entry{
		Version: 1, Proposer: "eu-west-1", StampMS: startMS, SinceAnchorMS: 1234, Salt: wallet.Hash{0xaa, 0xbb}, Ops: samplesV1(),
	}
}

// unset names the fields of a value that hold nothing: a field added later has
// to be added to the samples, and so to the golden files of a new version.
func unset(v reflect.Value, path string) []string {
	switch v.Kind() {
	case reflect.Pointer:
		return unset(v.Elem(), path)
	case reflect.Struct:
		var names []string
		for i := range v.NumField() {
			names = append(names, unset(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
		return names
	default:
	}
	if v.IsZero() {
		return []string{path}
	}
	return nil
}

func TestSamples_AreComplete(t *testing.T) {
	kinds := map[wallet.Kind]bool{}
	for _, op := range samples() {
		kinds[op.Kind()] = true
		if names := unset(reflect.ValueOf(op), op.Kind().String()); names != nil {
			t.Errorf("fields without a sample: %v", names)
		}
	}
	for k := wallet.Kind(1); k != 0; k++ {
		if known := !strings.HasPrefix(k.String(), "kind("); known != kinds[k] {
			t.Errorf("kind %d (%s): has a sample %v", k, k, kinds[k])
		}
	}
}

// TestGolden_V1 reads bytes written by the first release of the format. The
// files under v1 are never written again: what is stored must stay readable.
func TestGolden_V1(t *testing.T) {
	goldenOps(t, "v1", samplesV1())
	b := golden(t, "v1", "entry", sampleEntry().Encode())
	entry, err := wallet.DecodeEntry(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(entry, sampleEntry()) || !bytes.Equal(entry.Encode(), b) {
		t.Errorf("the entry decodes to %+v", entry)
	}
}

// TestGolden_V2 does the same for what version 2 added.
func TestGolden_V2(t *testing.T) {
	goldenOps(t, "v2", samplesV2())
	w := releasedWorld(t)
	b := golden(t, "v2", "snapshot", w.s.Snapshot())
	s, err := wallet.Restore(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Snapshot(), b) {
		t.Error("the snapshot is encoded otherwise now")
	}
	if s.Head() != w.s.Head() || !reflect.DeepEqual(s.Tallies(), w.s.Tallies()) || !reflect.DeepEqual(s.Builds(), w.s.Builds()) {
		t.Errorf("the same operations lead elsewhere now: %+v, the file says %+v", w.s.Head(), s.Head())
	}
}

func goldenOps(t *testing.T, version string, ops []wallet.Op) {
	t.Helper()
	for _, op := range ops {
		name := "op_" + op.Kind().String()
		b := golden(t, version, name, wallet.EncodeOp(op))
		back, err := wallet.DecodeOp(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(back, op) {
			t.Errorf("%s decodes to\n%+v, want\n%+v", name, back, op)
		}
		if !bytes.Equal(wallet.EncodeOp(back), b) {
			t.Errorf("%s is encoded otherwise now", name)
		}
	}
}

func TestGolden_V1_ResultAndSnapshot(t *testing.T) {
	w := busyWorld(t)
	w.open(2, 500)
	ses := w.session(walletID(2), "k", "spins")
	w.must(w.play(spin(walletID(2), ses, 1, 10), outcome{win: 5, next: 3, state: []byte{1, 2, 3}}))
	play := w.records[len(w.records)-1]
	if got := golden(t, "v1", "result", play.Result); !bytes.Equal(got, play.Result) {
		t.Errorf("a step's result is encoded otherwise now")
	}
	res, err := wallet.DecodeResult(golden(t, "v1", "result", play.Result))
	if err != nil {
		t.Fatal(err)
	}
	if res.BalanceMinor != 490 || res.HeldMinor != 15 || res.Round != 1 || !res.RoundOpen || res.NextActions != 3 || res.Digest != otherDigest {
		t.Errorf("result %+v", res)
	}
	b := golden(t, "v1", "snapshot", w.s.Snapshot())
	s, err := wallet.Restore(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Snapshot(), b) {
		t.Error("the snapshot is encoded otherwise now")
	}
	if s.Head() != w.s.Head() {
		t.Errorf("the same operations lead elsewhere now: %+v, the file says %+v", w.s.Head(), s.Head())
	}
}

// golden gives the bytes of a file, which only -update writes, and only where
// there is none yet.
func golden(t *testing.T, version, name string, now []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", "golden", version, name+".hex")
	if _, err := os.Stat(path); *update && err != nil {
		if err := os.WriteFile(path, wrapHex(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return b
}

func wrapHex(b []byte) []byte {
	var out bytes.Buffer
	for text := hex.EncodeToString(b); text != ""; {
		n := min(len(text), 96)
		out.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return out.Bytes()
}
