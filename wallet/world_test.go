package wallet_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

// tb is what testing.T and rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a shard under test. Every apply ends in the same checks: records
// verify and link, sums are zero, and a restored snapshot is the same shard.
type world struct {
	t       tb
	s       *wallet.Shard
	entries uint64
	nowMS   int64
	// sinceMS is the proposer's monotonic time since its last Clock.
	sinceMS int64
	// chain and seq are followed from the records alone.
	chain   wallet.Hash
	seq     uint64
	records []wallet.Record
}

const (
	startMS  = int64(1_750_000_000_000)
	operator = "acme"
)

var (
	gameDigest  = wallet.Hash{0xd1}
	otherDigest = wallet.Hash{0xd2}
)

func walletID(n byte) wallet.ID { return wallet.ID{n, 0xaa, n} }

func seedOf(id wallet.ID, session uint64) [32]byte {
	return [32]byte{id[0], byte(session), 0x5e}
}

// newWorld founds a shard with two operators ("strict" demands a second
// person), two games and time at startMS.
func newWorld(t tb) *world {
	w := emptyWorld(t)
	w.must(&wallet.Genesis{Cluster: "c1", Shard: 3, Epoch: 1},
		&wallet.Clock{ReadingsMS: []int64{startMS, startMS + 5, startMS + 8*3600_000}},
		&wallet.Operator{Operator: operator, Jurisdiction: "mt"},
		&wallet.Operator{Operator: "strict", Jurisdiction: "de", SecondApprover: true, MinCycleMS: 5000},
		catalogue("lines", gameDigest), catalogue("spins", otherDigest))
	return w
}

func emptyWorld(t tb) *world {
	return &world{t: t, s: wallet.New(), nowMS: startMS, chain: wallet.Origin("c1", 3, 1)}
}

func catalogue(game string, digest wallet.Hash) *wallet.Catalogue {
	return &wallet.Catalogue{
		Game: game, Version: "1", Digest: digest, Enabled: true, MinStakeMinor: 10, MaxStakeMinor: 10_000,
		Modes: []wallet.Mode{{ID: 0, Name: "base", CostX100: 100, MaxWinX: 500}, {ID: 1, Name: "ante", CostX100: 125, MaxWinX: 500}},
	}
}

func (w *world) entry(ops ...wallet.Op) *wallet.Entry {
	w.entries++
	return &wallet.Entry{
		Version: 1, Proposer: "n1", StampMS: w.nowMS, SinceAnchorMS: w.sinceMS,
		Salt: wallet.Hash{byte(w.entries), byte(w.entries >> 8), 0x5a}, Ops: ops,
	}
}

func (w *world) apply(ops ...wallet.Op) []wallet.Result {
	w.t.Helper()
	return w.applyEntry(w.entry(ops...))
}

func (w *world) applyEntry(e *wallet.Entry) []wallet.Result {
	w.t.Helper()
	out, err := w.s.Apply(e.Encode())
	if err != nil {
		w.t.Fatalf("apply: %v", err)
	}
	if len(out.Results) != len(e.Ops) {
		w.t.Fatalf("%d results for %d operations", len(out.Results), len(e.Ops))
	}
	w.follow(out.Records)
	checkSums(w.t, w.s)
	return out.Results
}

// follow recomputes the chain from the records and compares it with the head.
func (w *world) follow(records []wallet.Record) {
	w.t.Helper()
	for i := range records {
		r := &records[i]
		if err := r.Verify(); err != nil {
			w.t.Fatalf("record %d: %v", r.Seq, err)
		}
		w.seq++
		if r.Seq != w.seq || r.Prev != w.chain {
			w.t.Fatalf("record %d does not follow %d: prev %s, chain %s", r.Seq, w.seq-1, r.Prev, w.chain)
		}
		w.chain = wallet.ChainHash(r.Prev, r.Leaf)
		w.records = append(w.records, *r)
	}
	if h := w.s.Head(); h.Seq != w.seq || h.Seq > 0 && h.Hash != w.chain {
		w.t.Fatalf("head is %d %s, the records say %d %s", h.Seq, h.Hash, w.seq, w.chain)
	}
}

func (w *world) must(ops ...wallet.Op) []wallet.Result {
	w.t.Helper()
	results := w.apply(ops...)
	for i, r := range results {
		if r.Effect != wallet.Applied {
			w.t.Fatalf("operation %d (%s) refused: %v", i, r.Kind, r.Refusal())
		}
	}
	return results
}

// one applies one operation and gives its result.
func (w *world) one(op wallet.Op) wallet.Result {
	w.t.Helper()
	return w.must(op)[0]
}

// refused applies operations of which the last must be refused, and checks
// that the refused one left no trace in the shard.
func (w *world) refused(effect wallet.Effect, code wallet.Code, ops ...wallet.Op) wallet.Result {
	w.t.Helper()
	last := len(ops) - 1
	if last > 0 {
		w.must(ops[:last]...)
	}
	before := w.s.Snapshot()
	res := w.apply(ops[last])[0]
	if res.Effect != effect || res.Code != code {
		w.t.Fatalf("got %s %q (%s), want %s %q", res.Effect, res.Code, res.Detail, effect, code)
	}
	if !bytes.Equal(w.s.Snapshot(), before) {
		w.t.Fatalf("refusal %q changed the state", code)
	}
	return res
}

// pass moves the proposer's clocks on, by an agreement of the voters.
func (w *world) pass(ms int64) {
	w.t.Helper()
	w.nowMS += ms
	w.must(&wallet.Clock{ReadingsMS: []int64{w.nowMS}})
}

func (w *world) open(n byte, depositMinor int64) wallet.ID {
	w.t.Helper()
	id := walletID(n)
	w.must(&wallet.OpenWallet{Operator: operator, Currency: "EUR", Wallet: id})
	if depositMinor > 0 {
		w.must(deposit(id, "fund-"+id.String()[:4], depositMinor))
	}
	return id
}

func cash(id wallet.ID, txn string, amount int64) wallet.Cash {
	return wallet.Cash{Operator: operator, Wallet: id, TransactionID: txn, AmountMinor: amount, Currency: "EUR"}
}

func deposit(id wallet.ID, txn string, amount int64) *wallet.Deposit {
	return &wallet.Deposit{Cash: cash(id, txn, amount)}
}

func withdraw(id wallet.ID, txn string, amount int64) *wallet.Withdraw {
	return &wallet.Withdraw{Cash: cash(id, txn, amount)}
}

func reverse(id wallet.ID, txn, original string) *wallet.Reverse {
	return &wallet.Reverse{Operator: operator, Wallet: id, TransactionID: txn, Original: original}
}

// sessionOp builds what a proposer would: the seed sealed for the number that
// PrepareSession foresees.
func (w *world) sessionOp(id wallet.ID, key, game string) *wallet.OpenSession {
	basis, _, _ := w.s.PrepareSession(id, key, game)
	return &wallet.OpenSession{
		Wallet: id, Key: key, Game: game, ClientSeed: "lucky", Session: basis.Session, Epoch: 1,
		Commitment: wallet.SeedCommitment(seedOf(id, basis.Session)), Sealed: []byte{1, 2, 3}, KeyID: "k1", Algorithm: 1,
	}
}

func (w *world) session(id wallet.ID, key, game string) uint64 {
	w.t.Helper()
	return w.one(w.sessionOp(id, key, game)).Session
}

// outcome is what a module said about a step.
type outcome struct {
	win   int64
	state []byte
	next  uint32
}

func spin(id wallet.ID, session, step uint64, stake int64) wallet.PlayRequest {
	return wallet.PlayRequest{Wallet: id, Session: session, Step: step, Mode: "base", StakeMinor: stake}
}

func further(id wallet.ID, session, step uint64) wallet.PlayRequest {
	return wallet.PlayRequest{Wallet: id, Session: session, Step: step}
}

// play builds an evaluated step; where it cannot be prepared, the basis is
// empty and apply has to find out by itself.
func (w *world) play(req wallet.PlayRequest, o outcome) *wallet.Play {
	ev, _, _ := w.s.PreparePlay(req)
	return &wallet.Play{
		PlayRequest: req, Basis: ev.Basis, WinMinor: o.win, Closed: o.next == 0, NextActions: o.next, State: o.state,
		DrawsDigest: wallet.Hash{byte(req.Step)}, Draws: 5, Presentation: []byte("reels"),
	}
}

func (w *world) incident(req wallet.PlayRequest) *wallet.Incident {
	ev, _, _ := w.s.PreparePlay(req)
	return &wallet.Incident{PlayRequest: req, Basis: ev.Basis, Trap: "trap", Draws: 2}
}

func closing(id wallet.ID, session uint64) *wallet.CloseSession {
	return &wallet.CloseSession{Wallet: id, Session: session, Seed: seedOf(id, session)}
}

func resolve(id wallet.ID, round uint64, approver string, how wallet.Resolution) *wallet.Resolve {
	return &wallet.Resolve{Wallet: id, Round: round, Approver: approver, Resolution: how}
}

func (w *world) view(id wallet.ID) wallet.View {
	w.t.Helper()
	v, ok := w.s.View(id)
	if !ok {
		w.t.Fatalf("no wallet %s", id)
	}
	return v
}

func checkSums(t tb, s *wallet.Shard) {
	t.Helper()
	sums, err := s.Sums()
	if err != nil {
		t.Fatalf("sums: %v", err)
	}
	for _, sum := range sums {
		if sum.SumMinor != 0 {
			t.Fatalf("%s sums to %d", sum.Currency, sum.SumMinor)
		}
	}
}

// restored gives the shard as a replica that got a snapshot would have it.
func restored(t tb, s *wallet.Shard) *wallet.Shard {
	t.Helper()
	snap := s.Snapshot()
	back, err := wallet.Restore(snap)
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	if back.Derived() != s.Derived() {
		t.Fatalf("open rounds and their bytes are %v, restored %v", s.Derived(), back.Derived())
	}
	if !bytes.Equal(back.Snapshot(), snap) || back.Head() != s.Head() || !slices.Equal(back.Checkpoints(), s.Checkpoints()) {
		t.Fatalf("a restored shard differs")
	}
	return back
}

func long(n int) string { return string(bytes.Repeat([]byte{'x'}, n)) }

var _ tb = (*testing.T)(nil)
