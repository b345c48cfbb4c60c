package check

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/wallet"
)

// world is a real shard with clients that overlap in time: it makes a journal
// and the history that goes with it.
type world struct {
	t       testing.TB
	rng     *rand.Rand
	shard   *wallet.Shard
	journal []wallet.Record
	records []history.Record
	now     int64
	keys    int
	seats   []*seat
}

// seat is one wallet with its open session.
type seat struct {
	id            wallet.ID
	session, step uint64
	open          bool
}

func (w *world) apply(op wallet.Op) wallet.Result {
	w.t.Helper()
	w.now += 1000
	entry := &wallet.Entry{Version: 1, Proposer: "n", StampMS: w.now, Salt: wallet.Hash{byte(w.now), byte(w.now >> 8), byte(w.now >> 16)}, Ops: []wallet.Op{op}}
	out, err := w.shard.Apply(entry.Encode())
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = append(w.journal, out.Records...)
	if refused := out.Results[0].Refusal(); refused != nil {
		w.t.Fatal(refused)
	}
	return out.Results[0]
}

var testDigest = wallet.Hash{9}

func newWorld(t testing.TB, seed uint64, wallets int) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 0)), shard: wallet.New()}
	w.apply(&wallet.Genesis{Cluster: "c", Shard: 3, Epoch: 1})
	w.apply(&wallet.Operator{Operator: "acme", Jurisdiction: "test"})
	w.apply(&wallet.Catalogue{
		Game: "g", Version: "1", Digest: testDigest, Enabled: true, MinStakeMinor: 1, MaxStakeMinor: 1000,
		Modes: []wallet.Mode{{Name: "base", CostX100: 100, MaxWinX: 50}},
	})
	for i := range wallets {
		s := &seat{id: wallet.ID{byte(i), byte(i >> 8), 1}}
		w.seats = append(w.seats, s)
		w.record(s, history.Record{Kind: history.KindOpenWallet, Key: s.id.String()}, w.apply(&wallet.OpenWallet{Operator: "acme", Currency: "EUR", Wallet: s.id}))
		w.deposit(s, 1_000_000)
		w.openSession(s)
	}
	return w
}

// record notes an operation as its client saw it: the call some time before
// the operation took effect, the return some time after.
func (w *world) record(s *seat, r history.Record, res wallet.Result) {
	r.Schema, r.Wallet, r.Effect, r.Attempts = history.Schema, s.id.String(), history.Applied, 1
	r.CallNS, r.ReturnNS = w.now-w.rng.Int64N(2500), w.now+w.rng.Int64N(2500)
	r.Shard, r.Epoch, r.ShardSeq, r.ShardHash, r.WalletSeq = 3, res.Epoch, res.Seq, res.Hash.String(), res.WalletSeq
	if r.Kind != history.KindOpenSession && r.Kind != history.KindCloseSession {
		r.BalanceMinor = res.BalanceMinor
	}
	if r.Kind == history.KindPlay {
		r.CostMinor, r.WinMinor, r.RoundWinMinor, r.RoundOpen = res.CostMinor, res.WinMinor, res.RoundWinMinor, res.RoundOpen
		r.Session, r.Step = wallet.Ref{Wallet: s.id, Number: res.Session}.String(), res.Step
		r.Round = wallet.Ref{Wallet: s.id, Number: res.Round}.String()
		r.ModuleDigest, r.DrawsDigest, r.Incident = res.Digest.String(), res.DrawsDigest.String(), res.Incident
	}
	// The client may have heard nothing: every 20th answer is lost.
	if r.Kind != history.KindOpenWallet && w.rng.IntN(20) == 0 {
		r = history.Record{
			Schema: history.Schema, Wallet: r.Wallet, Kind: r.Kind, Key: r.Key, StakeMinor: r.StakeMinor, AmountMinor: r.AmountMinor,
			Session: r.Session, Step: r.Step, CallNS: r.CallNS, ReturnNS: r.ReturnNS, Effect: history.Unknown, Attempts: 3,
		}
	}
	w.records = append(w.records, r)
}

func (w *world) deposit(s *seat, amount int64) {
	w.keys++
	id := fmt.Sprintf("t%d", w.keys)
	res := w.apply(&wallet.Deposit{Cash: wallet.Cash{Operator: "acme", Wallet: s.id, TransactionID: id, AmountMinor: amount, Currency: "EUR"}})
	w.record(s, history.Record{Kind: history.KindDeposit, Key: id, AmountMinor: amount}, res)
}

func (w *world) withdraw(s *seat, amount int64) {
	w.keys++
	id := fmt.Sprintf("t%d", w.keys)
	res := w.apply(&wallet.Withdraw{Cash: wallet.Cash{Operator: "acme", Wallet: s.id, TransactionID: id, AmountMinor: amount, Currency: "EUR"}})
	w.record(s, history.Record{Kind: history.KindWithdraw, Key: id, AmountMinor: amount}, res)
}

func seedOf(session uint64) [32]byte { return [32]byte{1, byte(session)} }

func (w *world) openSession(s *seat) {
	w.keys++
	id := fmt.Sprintf("k%d", w.keys)
	basis, _, err := w.shard.PrepareSession(s.id, id, "g")
	if err != nil {
		w.t.Fatal(err)
	}
	res := w.apply(&wallet.OpenSession{
		Wallet: s.id, Key: id, Game: "g", Session: basis.Session, Epoch: basis.Epoch, Algorithm: 1,
		Commitment: wallet.SeedCommitment(seedOf(basis.Session)), Sealed: []byte{1}, KeyID: "k",
	})
	s.session, s.step = basis.Session, 1
	w.record(s, history.Record{Kind: history.KindOpenSession, Key: id}, res)
}

func (w *world) reopen(s *seat) {
	name := wallet.Ref{Wallet: s.id, Number: s.session}.String()
	res := w.apply(&wallet.CloseSession{Wallet: s.id, Session: s.session, Seed: seedOf(s.session)})
	w.record(s, history.Record{Kind: history.KindCloseSession, Key: name}, res)
	w.openSession(s)
}

func (w *world) play(s *seat) {
	request := wallet.PlayRequest{Wallet: s.id, Session: s.session, Step: s.step}
	if !s.open {
		request.Mode, request.StakeMinor = "base", 1+w.rng.Int64N(500)
	}
	ev, _, err := w.shard.PreparePlay(request)
	if err != nil {
		w.t.Fatal(err)
	}
	op := &wallet.Play{PlayRequest: request, Basis: ev.Basis, WinMinor: w.rng.Int64N(900), Closed: w.rng.IntN(4) > 0, DrawsDigest: wallet.Hash{byte(w.rng.Int())}}
	op.WinMinor = min(op.WinMinor, ev.MaxWinMinor)
	if !op.Closed {
		op.NextActions, op.State = 1, []byte{1}
	}
	res := w.apply(op)
	key := stepKey(wallet.Ref{Wallet: s.id, Number: s.session}.String(), s.step)
	s.step, s.open = s.step+1, res.RoundOpen
	w.record(s, history.Record{Kind: history.KindPlay, Key: key, StakeMinor: request.StakeMinor, Mode: request.Mode}, res)
}

func (w *world) read(s *seat) {
	w.now += 1000
	view, _ := w.shard.View(s.id)
	w.record(s, history.Record{Kind: history.KindRead}, wallet.Result{WalletSeq: view.Seq, BalanceMinor: view.BalanceMinor})
	last := &w.records[len(w.records)-1]
	if last.Effect == history.Unknown {
		last.Effect = history.NotAppliedRetryable // a read is never unknown
	}
}

// refused notes an attempt that changed nothing, and one whose request was lost.
func (w *world) refused(s *seat) {
	w.keys++
	w.records = append(w.records,
		history.Record{
			Schema: history.Schema, Wallet: s.id.String(), Kind: history.KindWithdraw, Key: fmt.Sprintf("t%d", w.keys), AmountMinor: 1 << 40,
			CallNS: w.now, ReturnNS: w.now + 10, Effect: history.NotApplied, Code: "insufficient_funds", Attempts: 1,
		},
		history.Record{
			Schema: history.Schema, Wallet: s.id.String(), Kind: history.KindDeposit, Key: fmt.Sprintf("lost%d", w.keys), AmountMinor: 5,
			CallNS: w.now, ReturnNS: w.now + 10, Effect: history.Unknown, Attempts: 4,
		})
}

// run makes operations at random, wallet by wallet.
func (w *world) run(operations int) *world {
	for range operations {
		s := w.seats[w.rng.IntN(len(w.seats))]
		switch n := w.rng.IntN(20); {
		case n == 0:
			w.deposit(s, 1+w.rng.Int64N(1000))
		case n == 1:
			w.withdraw(s, 1+w.rng.Int64N(100))
		case n == 2:
			w.read(s)
		case n == 3:
			w.refused(s)
		case n == 4 && !s.open:
			w.reopen(s)
		default:
			w.play(s)
		}
	}
	return w
}

// ledger reads a journal through its chain.
func (w *world) ledger() *Ledger {
	w.t.Helper()
	l := NewLedger(nil)
	reader := NewChainReader(3, 1)
	for i := range w.journal {
		fact, err := reader.Read(&w.journal[i])
		if err != nil {
			w.t.Fatal(err)
		}
		l.Add(fact)
	}
	if seq, hash := reader.Head(); seq != w.shard.Head().Seq || hash != w.shard.Head().Hash {
		w.t.Fatalf("the journal ends at %d %s, the shard is at %+v", seq, hash, w.shard.Head())
	}
	return l
}

// verdict runs every checker, as the ledger's verification does.
func verdict(records []history.Record, l *Ledger, complete bool) []Problem {
	problems := append(Durable(records, l), SameResults(records)...)
	problems = append(problems, l.Problems()...)
	if complete {
		problems = append(problems, NoInvention(records, l)...)
	}
	settled := Settle(records, l)
	problems = append(problems, InOrder(settled)...)
	return append(problems, Linearizable(settled, LinearConfig{Complete: complete})...)
}
