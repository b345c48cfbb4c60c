package verify

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/audit"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// copyOf is one node's copy of the shard: a real state machine and a journal in
// memory.
type copyOf struct {
	shard   *wallet.Shard
	records []storage.Record
}

func (c *copyOf) View(fn func(*wallet.Shard)) { fn(c.shard) }

func (c *copyOf) Get(seq uint64) (storage.Record, error) {
	if seq == 0 || seq > uint64(len(c.records)) {
		return storage.Record{}, storage.ErrNotFound
	}
	return c.records[seq-1], nil
}

func (c *copyOf) Scan(from, to uint64, fn func(storage.Record) error) error {
	for seq := from; seq <= to; seq++ {
		if err := fn(c.records[seq-1]); err != nil {
			return err
		}
	}
	return nil
}

func (c *copyOf) Last() (uint64, [32]byte) {
	if len(c.records) == 0 {
		return 0, [32]byte{}
	}
	last := c.records[len(c.records)-1]
	return last.Seq, wallet.ChainHash(last.Prev, last.Leaf)
}

// openSeeds holds seeds in the clear, by session.
type openSeeds map[uint64][32]byte

func (s openSeeds) Open(_ []byte, _ string, _ [16]byte, session uint64, _ uint32) ([32]byte, error) {
	seed, ok := s[session]
	if !ok {
		return seed, fmt.Errorf("no seed of session %d", session)
	}
	return seed, nil
}

// modules gives the audit service what it replays with.
type modules map[wallet.Hash]*gamelogic.Module

func (m modules) Game(digest [32]byte) gamelogic.Game {
	if g := m[digest]; g != nil {
		return g
	}
	return nil
}

// world is a cluster of three nodes with one shard and one wallet, played for
// real. It makes the history that goes with it.
type world struct {
	t       *testing.T
	games   *evaluator
	module  *gamelogic.Module
	copies  map[string]*copyOf
	down    map[string]bool
	records []history.Record
	id      wallet.ID
	seeds   openSeeds
	now     int64
	session uint64
	step    uint64
	mu      sync.Mutex // guards down
}

var nodeNames = []string{"eu", "us", "ap"}

func newWorld(t *testing.T) *world {
	t.Helper()
	games, err := newEvaluator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := games.close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{
		t: t, games: games, copies: map[string]*copyOf{}, down: map[string]bool{}, id: wallet.ID{5, 1}, seeds: openSeeds{},
	}
	for _, name := range nodeNames {
		w.copies[name] = &copyOf{shard: wallet.New()}
	}
	for _, module := range games.modules {
		if module.Manifest().ID == "harbor-lines" {
			w.module = module
		}
	}
	mode := w.module.Manifest().Modes[0]
	w.apply(&wallet.Genesis{Cluster: "c", Shard: 1, Epoch: 1})
	w.apply(&wallet.Operator{Operator: "acme", Jurisdiction: "test"})
	w.apply(&wallet.Catalogue{
		Game: "harbor-lines", Version: "1", Digest: w.module.Digest(), Enabled: true, MinStakeMinor: 1, MaxStakeMinor: 100_000,
		Modes: []wallet.Mode{{ID: mode.ID, Name: mode.Name, CostX100: uint32(mode.CostX100), MaxWinX: uint64(mode.MaxWinX)}},
	})
	w.apply(&wallet.OpenWallet{Operator: "acme", Currency: "EUR", Wallet: w.id})
	res := w.apply(&wallet.Deposit{Cash: wallet.Cash{Operator: "acme", Wallet: w.id, TransactionID: "t1", AmountMinor: 1_000_000, Currency: "EUR"}})
	w.record(history.Record{Kind: history.KindDeposit, Key: "t1", AmountMinor: 1_000_000}, res)
	return w
}

// apply commits an operation at every node.
func (w *world) apply(op wallet.Op) wallet.Result {
	w.t.Helper()
	w.now += 1000
	entry := &wallet.Entry{Version: 1, Proposer: "n", StampMS: w.now, Salt: wallet.Hash{byte(w.now), byte(w.now >> 8)}, Ops: []wallet.Op{op}}
	var res wallet.Result
	for _, name := range nodeNames {
		c := w.copies[name]
		out, err := c.shard.Apply(entry.Encode())
		if err != nil {
			w.t.Fatal(err)
		}
		if refused := out.Results[0].Refusal(); refused != nil {
			w.t.Fatal(refused)
		}
		for _, r := range out.Records {
			c.records = append(c.records, storage.Record{Epoch: r.Epoch, Seq: r.Seq, Prev: r.Prev, Leaf: r.Leaf, Salt: r.Salt, Input: r.Input, Result: r.Result})
		}
		res = out.Results[0]
	}
	return res
}

func (w *world) record(r history.Record, res wallet.Result) {
	r.Schema, r.Wallet, r.Effect, r.CallNS, r.ReturnNS = history.Schema, w.id.String(), history.Applied, w.now, w.now+500
	r.Shard, r.Epoch, r.ShardSeq, r.ShardHash, r.WalletSeq = 1, res.Epoch, res.Seq, res.Hash.String(), res.WalletSeq
	if r.Kind == history.KindPlay || r.Kind == history.KindDeposit {
		r.BalanceMinor = res.BalanceMinor
	}
	w.records = append(w.records, r)
}

func (w *world) openSession() {
	w.session++
	w.step = 1
	seed := [32]byte{7, byte(w.session)}
	w.seeds[w.session] = seed
	key := fmt.Sprintf("k%d", w.session)
	res := w.apply(&wallet.OpenSession{
		Wallet: w.id, Key: key, Game: "harbor-lines", ClientSeed: "mine", Session: w.session, Epoch: 1, Algorithm: 1,
		Commitment: wallet.SeedCommitment(seed), Sealed: []byte{1}, KeyID: "k",
	})
	w.record(history.Record{Kind: history.KindOpenSession, Key: key}, res)
}

// play makes one round; change may falsify the outcome before it is committed.
func (w *world) play(change func(*wallet.Play)) {
	w.t.Helper()
	stake := w.module.Manifest().StakeMultipleMinor
	request := wallet.PlayRequest{Wallet: w.id, Session: w.session, Step: w.step, Mode: w.module.Manifest().Modes[0].Name, StakeMinor: stake}
	ev, _, err := w.copies["eu"].shard.PreparePlay(request)
	if err != nil {
		w.t.Fatal(err)
	}
	draws, err := gamelogic.NewDraws(w.seeds[w.session], gamelogic.DrawContext{
		Algorithm: 1, ClientSeed: []byte("mine"), Module: w.module.Digest(), RoundID: ev.Round, StepNonce: ev.Nonce,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.module.Play(w.t.Context(), gamelogic.Step{Mode: request.Mode, Action: w.module.Manifest().Actions[0].Name, StakeMinor: stake, Draws: draws})
	if err != nil || !out.Closed {
		w.t.Fatal(err, "the game of this test has rounds of one step")
	}
	op := &wallet.Play{
		PlayRequest: request, Basis: ev.Basis, WinMinor: out.WinMinor, Closed: true, DrawsDigest: out.DrawsDigest,
		Draws: uint32(out.DrawCount), Presentation: out.Presentation,
	}
	if change != nil {
		change(op)
	}
	res := w.apply(op)
	session := wallet.Ref{Wallet: w.id, Number: w.session}.String()
	w.record(history.Record{
		Kind: history.KindPlay, Key: fmt.Sprintf("%s/%d", session, w.step), StakeMinor: stake, CostMinor: res.CostMinor, WinMinor: res.WinMinor,
		RoundWinMinor: res.RoundWinMinor, Session: session, Round: wallet.Ref{Wallet: w.id, Number: res.Round}.String(), Step: w.step,
		ModuleDigest: res.Digest.String(), DrawsDigest: res.DrawsDigest.String(),
	}, res)
	w.step++
}

func (w *world) closeSession() {
	res := w.apply(&wallet.CloseSession{Wallet: w.id, Session: w.session, Seed: w.seeds[w.session]})
	w.record(history.Record{Kind: history.KindCloseSession, Key: wallet.Ref{Wallet: w.id, Number: w.session}.String()}, res)
}

// gateway answers the barrier's read, as the leader would.
type gateway struct {
	edgereelv1connect.UnimplementedOperatorServiceHandler
	w *world
}

func (g gateway) GetWallet(context.Context, *edgereelv1.OperatorGetWalletRequest) (*edgereelv1.OperatorGetWalletResponse, error) {
	return &edgereelv1.OperatorGetWalletResponse{Position: &edgereelv1.Position{Shard: 1, ShardSeq: g.w.copies["eu"].shard.Head().Seq}}, nil
}

// RoundTrip hands a request to the node its address names.
func (w *world) RoundTrip(request *http.Request) (*http.Response, error) {
	name := request.URL.Hostname()
	w.mu.Lock()
	down := w.down[name]
	w.mu.Unlock()
	if down {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	server := connect.NewServer(api.Effects())
	edgereelv1connect.RegisterOperatorServiceHandler(server, gateway{w: w})
	edgereelv1connect.RegisterAuditServiceHandler(server, &audit.Service{
		Node: name, Modules: modules(w.games.modules), Seeds: w.seeds,
		Replicas: []audit.Replica{{Shard: 1, State: w.copies[name], Journal: w.copies[name]}},
	})
	body := &bytes.Buffer{}
	if request.Body != nil {
		if _, err := body.ReadFrom(request.Body); err != nil {
			return nil, err
		}
	}
	inner := httptest.NewRequestWithContext(request.Context(), request.Method, request.URL.Path, body)
	inner.Header = request.Header
	inner.ProtoMajor, inner.ProtoMinor = 2, 0
	recorder := httptest.NewRecorder()
	api.Handler(server).ServeHTTP(recorder, inner)
	return recorder.Result(), nil
}

func (w *world) Probe(context.Context, string) (time.Duration, error) { return time.Millisecond, nil }
func (w *world) Close() error                                         { return nil }

// verify asks the world's nodes.
func (w *world) verify() (*Report, error) {
	w.t.Helper()
	cfg := client.Config{HTTP: w, Budget: 500 * time.Millisecond, AttemptTimeout: 100 * time.Millisecond}
	for _, name := range nodeNames {
		cfg.Nodes = append(cfg.Nodes, client.Node{Name: name, Region: name, Address: name + ":1"})
	}
	c, err := client.New(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	return Ledger(w.t.Context(), Config{
		Client: c, Nodes: nodeNames, Token: "t", History: w.records, Complete: true, CatchUp: 300 * time.Millisecond,
	})
}
