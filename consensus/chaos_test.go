package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// operation is one client's operation from its first attempt to its decision.
// Times are places in the order of all events, so that equal times cannot hide
// which came first.
type operation struct {
	client    int
	wallet    wallet.ID
	kind      wallet.Kind
	key       string
	amount    int64
	call, end int64
	// unknown is set once an attempt was; a refusal then decides nothing.
	unknown bool
	result  *wallet.Result
	refusal *wallet.Refusal
}

// history collects what clients saw.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []*operation
}

func (h *history) begin(client int, id wallet.ID, kind wallet.Kind, key string, amount int64) *operation {
	op := &operation{client: client, wallet: id, kind: kind, key: key, amount: amount, call: h.clock.Add(1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
	return op
}

// chaosClient works on one wallet against whatever node it believes in.
type chaosClient struct {
	c       *cluster
	h       *history
	number  int
	wallet  wallet.ID
	rand    *rand.Rand
	target  int
	session uint64
	step    uint64
	keys    int
	stop    <-chan struct{}
}

// decide tries an operation with the same key until it is decided.
func (cl *chaosClient) decide(op *operation, task Task) {
	for {
		n := cl.c.nodes[cl.c.names[cl.target]]
		a, err := cl.try(n, task)
		var refusal *wallet.Refusal
		var failed *Error
		switch {
		case err == nil:
			op.end, op.result = cl.h.clock.Add(1), &a.Result
			return
		case errors.As(err, &refusal):
			op.end, op.refusal = cl.h.clock.Add(1), refusal
			return
		case !errors.As(err, &failed):
			cl.c.t.Errorf("an error without effect: %v", err)
			return
		case failed.Effect == wallet.Unknown:
			op.unknown = true
		}
		cl.target = (cl.target + 1) % len(cl.c.names)
		for i, name := range cl.c.names {
			if failed != nil && failed.Leader == name {
				cl.target = i
			}
		}
		settle(time.Duration(20+cl.rand.IntN(60)) * time.Millisecond)
	}
}

func (cl *chaosClient) try(n *simNode, task Task) (Answer, error) {
	if !cl.c.alive(n) {
		return Answer{}, &Error{Effect: wallet.NotAppliedRetryable, Code: CodeUnavailable}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(50+cl.rand.IntN(950))*time.Millisecond)
	defer cancel()
	return n.group.Submit(ctx, task)
}

func (cl *chaosClient) run() {
	for {
		select {
		case <-cl.stop:
			return
		default:
		}
		if cl.session != 0 {
			cl.play()
		} else {
			cl.money()
		}
		settle(time.Duration(40+cl.rand.IntN(200)) * time.Millisecond)
	}
}

func (cl *chaosClient) money() {
	cl.keys++
	key := fmt.Sprintf("t%d-%d", cl.number, cl.keys)
	amount := int64(1 + cl.rand.IntN(60))
	switch cl.rand.IntN(4) {
	case 0:
		cl.decide(cl.h.begin(cl.number, cl.wallet, wallet.KindRead, "", 0), Propose(cl.wallet, &wallet.Read{Wallet: cl.wallet}))
	case 1:
		cl.decide(cl.h.begin(cl.number, cl.wallet, wallet.KindDeposit, key, amount), deposit(cl.wallet, key, amount))
	default:
		cl.decide(cl.h.begin(cl.number, cl.wallet, wallet.KindWithdraw, key, amount),
			Propose(cl.wallet, &wallet.Withdraw{Cash: cash(cl.wallet, key, amount)}))
	}
}

func (cl *chaosClient) play() {
	op := cl.h.begin(cl.number, cl.wallet, wallet.KindPlay, fmt.Sprintf("%s/%d/%d", cl.wallet, cl.session, cl.step), stakeMinor)
	cl.decide(op, playTask(cl.wallet, cl.session, cl.step))
	if op.result != nil {
		cl.step++
	}
}

// outcome stands for a module: a win that is a function of the nonce alone.
func outcome(nonce uint64) int64 { return int64(nonce * 2654435761 % 21) }

func playTask(id wallet.ID, session, step uint64) Task {
	req := wallet.PlayRequest{Wallet: id, Session: session, Step: step, Mode: "base", StakeMinor: stakeMinor}
	return Task{Wallet: id, Prepare: func(_ context.Context, view func(func(*wallet.Shard))) (op wallet.Op, repeat *wallet.Result, err error) {
		view(func(s *wallet.Shard) {
			var ev wallet.Evaluation
			if ev, repeat, err = s.PreparePlay(req); repeat == nil && err == nil {
				op = &wallet.Play{PlayRequest: req, Basis: ev.Basis, WinMinor: outcome(ev.Nonce), Closed: true}
			}
		})
		return op, repeat, err
	}}
}

func openSession(n *simNode, id wallet.ID, key string) uint64 {
	seed := [32]byte{id[1]}
	return n.must(Propose(id, &wallet.OpenSession{
		Wallet: id, Key: key, Game: testGame, Session: 1, Epoch: 1, Commitment: wallet.SeedCommitment(seed), Sealed: []byte{1}, KeyID: "k",
	})).Session
}

// nemesis does one harm and undoes it.
func (c *cluster) nemesis(r *rand.Rand, restarted map[string]int) {
	victim := c.names[r.IntN(len(c.names))]
	for _, name := range c.names {
		if r.IntN(3) > 0 && c.nodes[name].group.Leads() {
			victim = name
		}
	}
	down := time.Duration(300+r.IntN(3000)) * time.Millisecond
	switch kind := r.IntN(7); kind {
	case 0, 1:
		c.t.Logf("crash %s for %s", victim, down)
		c.crash(victim, int64(r.IntN(4000)))
		settle(down)
		c.restart(victim)
		restarted[victim]++
	case 2:
		c.t.Logf("isolate %s for %s", victim, down)
		c.net.Isolate(victim)
		settle(down)
		c.net.Rejoin(victim)
	case 3:
		// One way only: it hears the others, who do not hear it.
		c.t.Logf("mute %s for %s", victim, down)
		for _, name := range c.names {
			if name != victim {
				c.net.Cut(victim, name)
			}
		}
		settle(down)
		c.net.Rejoin(victim)
	case 4:
		c.t.Logf("skew %s", victim)
		c.mu.Lock()
		c.nodes[victim].skew = time.Duration(r.IntN(3600)-1800) * time.Second
		c.mu.Unlock()
		settle(down)
		c.mu.Lock()
		c.nodes[victim].skew = 0
		c.mu.Unlock()
	case 5:
		// Longer than an election takes: heartbeats do not notice.
		stall := time.Duration(50+r.IntN(900)) * time.Millisecond
		c.t.Logf("%s takes %s to write, for %s", victim, stall, down)
		c.slow(victim, stall)
		settle(down)
		c.slow(victim, 0)
	default:
		c.t.Logf("restart %s in order", victim)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if err := c.nodes[victim].group.Drain(ctx); err != nil {
			c.t.Logf("drain %s: %v", victim, err)
		}
		cancel()
		c.close(victim)
		settle(down)
		c.open(victim)
	}
}

func (c *cluster) slow(name string, stall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[name].stall = stall
}

// stalling makes a node's disk take its time.
func (c *cluster) stalling(name string) storage.CommitFunc {
	return func(abandoned <-chan struct{}, commit func() error) error {
		c.mu.Lock()
		stall := c.nodes[name].stall
		c.mu.Unlock()
		if stall > 0 {
			select {
			case <-time.After(stall):
			case <-abandoned:
			}
		}
		return commit()
	}
}

// TestChaos_History has clients work while nodes crash, are cut off, restart in
// order, have slow disks and bent clocks, and checks what they saw against each
// other and against what the replicas hold.
func TestChaos_History(t *testing.T) { histories(t, 1, 2, 3) }

// TestChaos_LongHistory is the same with many more seeds.
func TestChaos_LongHistory(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("minutes of faults: set EDGEREEL_LONG=1")
	}
	for s := range uint64(24) {
		histories(t, 100+s)
	}
}

func histories(t *testing.T, seeds ...uint64) {
	t.Helper()
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runChaos(t, seed) })
		})
	}
}

func runChaos(t *testing.T, seed uint64) {
	c, h := newCluster(t, seed), &history{}
	c.builds = map[string]uint8{"a": wallet.Version, "b": wallet.Version, "c": wallet.Version}
	c.home, c.fault = "a", c.stalling
	leader := c.start()
	r := rand.New(rand.NewPCG(seed, 4))
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for w := range 3 {
		id := wallet.ID{byte(w + 1), 1}
		leader.must(openWallet(id))
		session := openSession(leader, id, "s")
		for i := range 3 {
			cl := &chaosClient{
				c: c, h: h, number: 3*w + i, wallet: id, target: r.IntN(3), stop: stop,
				rand: rand.New(rand.NewPCG(seed, uint64(10+3*w+i))),
			}
			if i == 0 {
				cl.session, cl.step = session, 1
			}
			clients.Go(cl.run)
		}
	}
	restarted := map[string]int{}
	for range 7 {
		settle(time.Duration(r.IntN(2500)) * time.Millisecond)
		c.nemesis(r, restarted)
	}
	settle(time.Second)
	close(stop)
	clients.Wait()
	c.leader("")
	head := c.agree()
	checkFatal(t, c)
	checkJournals(t, c, h)
	checkLinear(t, h)
	h.report(t, head)
}

func checkFatal(t *testing.T, c *cluster) {
	t.Helper()
	for _, name := range c.names {
		for _, err := range c.nodes[name].fatals() {
			// A dropped store fails what was under way on it.
			if !errors.Is(err, storage.ErrClosed) {
				t.Errorf("%s stopped: %v", name, err)
			}
		}
	}
}

// checkJournals holds every decided operation against every replica's journal,
// and takes from there what became of operations no client saw decided.
func checkJournals(t *testing.T, c *cluster, h *history) {
	t.Helper()
	for _, name := range c.names {
		found := map[string]*wallet.Result{}
		err := c.nodes[name].journal.Scan(1, 1<<62, func(r storage.Record) error {
			rec := WalletRecord(r)
			if err := rec.Verify(); err != nil {
				return err
			}
			op, err := wallet.DecodeOp(rec.Input)
			if err != nil {
				return err
			}
			res, err := wallet.DecodeResult(rec.Result)
			if err != nil {
				return err
			}
			key := ""
			switch o := op.(type) {
			case *wallet.Deposit:
				key = o.TransactionID
			case *wallet.Withdraw:
				key = o.TransactionID
			case *wallet.Play:
				key = fmt.Sprintf("%s/%d/%d", o.Wallet, o.Session, o.Step)
				if res.WinMinor != outcome(o.Nonce) || o.Nonce != o.Step {
					t.Errorf("%s: step %s was drawn again: nonce %d, win %d", name, key, o.Nonce, res.WinMinor)
				}
			default:
				return nil
			}
			if found[key] != nil {
				t.Errorf("%s: key %s is in the ledger twice", name, key)
			}
			res.Hash = storage.ChainHash(r.Prev, r.Leaf)
			found[key] = res
			return nil
		})
		if err != nil {
			t.Errorf("journal of %s: %v", name, err)
		}
		for _, op := range h.ops {
			res := found[op.key]
			switch {
			case op.kind == wallet.KindRead:
			case op.result != nil && res == nil:
				t.Errorf("%s: acknowledged %s is missing", name, op.key)
			case op.result != nil && (res.Seq != op.result.Seq || res.Hash != op.result.Hash || res.BalanceMinor != op.result.BalanceMinor):
				t.Errorf("%s: %s was acknowledged as %+v and is %+v", name, op.key, op.result, res)
			case op.refusal != nil && !op.unknown && res != nil && op.kind != wallet.KindPlay:
				t.Errorf("%s: %s was refused (%s) and is in the ledger", name, op.key, op.refusal.Code)
			}
		}
	}
}

// purse is the sequential model of one wallet.
type purse struct{ balance, seq int64 }

func purseModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return purse{0, -1} },
		Step: func(state, input, _ any) (bool, any) { return state.(purse).step(input.(*operation)) },
		DescribeOperation: func(input, _ any) string {
			op := input.(*operation)
			return fmt.Sprintf("%s %s %d: %+v %v", op.kind, op.key, op.amount, op.result, op.refusal)
		},
	}
}

func (p purse) step(op *operation) (bool, any) {
	if op.refusal != nil {
		return p.balance < op.amount, p
	}
	res := op.result
	next := purse{res.BalanceMinor, int64(res.WalletSeq)}
	if p.seq < 0 && op.kind != wallet.KindRead {
		// The first change was made before the history began.
		p.seq = next.seq - 1
	}
	switch op.kind {
	case wallet.KindRead:
		return p.balance == next.balance && (p.seq < 0 || p.seq == next.seq), next
	case wallet.KindDeposit:
		return p.balance+op.amount == next.balance && p.seq+1 == next.seq, next
	case wallet.KindWithdraw:
		return p.balance-op.amount == next.balance && p.seq+1 == next.seq, next
	default:
		return p.balance-res.CostMinor+res.WinMinor == next.balance && p.seq+1 == next.seq, next
	}
}

// checkLinear looks for an order of all that clients saw of a wallet.
func checkLinear(t *testing.T, h *history) {
	t.Helper()
	byWallet := map[wallet.ID][]porcupine.Operation{}
	for _, op := range h.ops {
		if op.refusal != nil && (op.unknown || op.refusal.Code != wallet.CodeInsufficientFunds) {
			if op.refusal.Code != wallet.CodeInsufficientFunds {
				t.Errorf("%s %s was refused: %v", op.kind, op.key, op.refusal)
			}
			continue
		}
		byWallet[op.wallet] = append(byWallet[op.wallet], porcupine.Operation{ClientId: op.client, Input: op, Call: op.call, Return: op.end})
	}
	for id, ops := range byWallet {
		if !porcupine.CheckOperations(purseModel(), ops) {
			t.Errorf("wallet %s: no order explains what its clients saw", id)
		}
	}
}

func (h *history) report(t *testing.T, head wallet.Head) {
	kinds := map[string]int{}
	unknown := 0
	for _, op := range h.ops {
		word := op.kind.String()
		if op.refusal != nil {
			word += " refused"
		}
		kinds[word]++
		if op.unknown {
			unknown++
		}
	}
	t.Logf("%d operations, %d with an unknown attempt, shard at %d: %s", len(h.ops), unknown, head.Seq,
		strings.TrimPrefix(fmt.Sprint(kinds), "map"))
	if kinds["play"] == 0 || kinds["read"] == 0 || kinds["withdraw refused"] == 0 {
		t.Error("the run did not exercise what it is for")
	}
}
