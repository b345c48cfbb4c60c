package audit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/node/audit"
	"github.com/edgereel/edgereel/node/internal/oneshard"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

type silent struct{}

func (silent) Step(string, string, string, bool, int64, int64) {}
func (silent) Incident(string)                                 {}
func (silent) Evaluated(string, time.Duration)                 {}

// played is a shard with a journal of sessions and steps: one session is
// closed, the other still open in the middle of a feature.
type played struct {
	*oneshard.Shard
	audit *audit.Service
	// steps are the sequences of game steps, in order; bought that of a step
	// that left its round open.
	steps  []uint64
	bought uint64
	last   uint64
}

func newPlayed(t *testing.T) *played {
	t.Helper()
	p := &played{Shard: oneshard.New(t)}
	p.audit = &audit.Service{
		Node: "n", Modules: rounds.Hosted{Host: p.Host}, Seeds: p.Ring, Replicas: []audit.Replica{{Shard: oneshard.Number, State: p.Shard, Journal: p.Shard}},
	}
	id := p.Wallet(t, 1, oneshard.Operator, 1_000_000).String()
	service := leader.New(leader.Config{
		Node: "n", Shard: oneshard.Number, Group: p.Shard, Journal: p.Shard, Modules: rounds.Hosted{Host: p.Host}, Seeds: p.Ring, Directory: p.Directory,
		Metrics: silent{}, Now: time.Now, Rand: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	})
	who := &edgereelv1.Principal{Operator: oneshard.Operator, Wallet: id}
	session := func(game string) string {
		res, err := service.Serve(t.Context(), leader.Call{Principal: who, Request: &edgereelv1.OpenSessionRequest{Wallet: id, Game: game, Key: game}})
		if err != nil {
			t.Fatal(err)
		}
		opened, _ := res.(*edgereelv1.OpenSessionResponse)
		return opened.GetSession().GetSession()
	}
	play := func(req *edgereelv1.PlayRequest) {
		t.Helper()
		req.Wallet = id
		res, err := service.Serve(t.Context(), leader.Call{Principal: who, Request: req})
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := res.(*edgereelv1.PlayResponse)
		p.last = answer.GetPosition().GetShardSeq()
		p.steps = append(p.steps, p.last)
		if answer.GetRoundOpen() && p.bought == 0 {
			p.bought = p.last
		}
	}
	lines, comet := session("harbor-lines"), session("comet-spins")
	for step := range uint64(10) {
		play(&edgereelv1.PlayRequest{Session: lines, Step: step + 1, Mode: "base", StakeMinor: 100})
	}
	play(&edgereelv1.PlayRequest{Session: comet, Step: 1, Mode: "buy", StakeMinor: 10})
	play(&edgereelv1.PlayRequest{Session: comet, Step: 2, Action: 1})
	if _, err := service.Serve(t.Context(), leader.Call{Principal: who, Request: &edgereelv1.CloseSessionRequest{Wallet: id, Session: lines}}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *played) replay(t *testing.T, from, to uint64) *edgereelv1.ReplayResponse {
	t.Helper()
	res, err := p.audit.Replay(t.Context(), &edgereelv1.ReplayRequest{Shard: oneshard.Number, FromSeq: from, ToSeq: to})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestReplay_Clean evaluates everything again; what is not revealed is counted,
// also for a range that begins in the middle of a round.
func TestReplay_Clean(t *testing.T) {
	p := newPlayed(t)
	for _, tc := range []struct {
		from, to             uint64
		replayed, unrevealed uint64
	}{
		{0, 0, 12, 2}, {p.steps[3], p.steps[5], 3, 0}, {p.steps[11], p.steps[11], 1, 1}, {p.last + 1, 0, 0, 0}, {1, 1, 0, 0}, {0, 1 << 60, 12, 2},
	} {
		res := p.replay(t, tc.from, tc.to)
		if len(res.GetMismatches()) != 0 || res.GetReplayed() != tc.replayed {
			t.Errorf("%d to %d: %v, want %d replayed", tc.from, tc.to, res, tc.replayed)
		}
		if tc.to == 0 && res.GetUnrevealed() != tc.unrevealed {
			t.Errorf("from %d: %d unrevealed, want %d", tc.from, res.GetUnrevealed(), tc.unrevealed)
		}
	}
}

// TestReplay_FindsWhatWasTampered changes one decided thing at a time.
func TestReplay_FindsWhatWasTampered(t *testing.T) {
	play := func(change func(*wallet.Play)) func(wallet.Op) {
		return func(op wallet.Op) {
			if p, ok := op.(*wallet.Play); ok {
				change(p)
			}
		}
	}
	tests := map[string]struct {
		says   string
		open   bool // tamper with the step that left its round open
		change func(wallet.Op)
	}{
		"win":              {says: "the win is", change: play(func(p *wallet.Play) { p.WinMinor += 100 })},
		"draws":            {says: "the draws differ", change: play(func(p *wallet.Play) { p.DrawsDigest[3] ^= 1 })},
		"presentation":     {says: "the presentation differs", change: play(func(p *wallet.Play) { p.Presentation = append(p.Presentation, 1) })},
		"state":            {says: "the round's state differs", open: true, change: play(func(p *wallet.Play) { p.State[0] ^= 1 })},
		"next actions":     {says: "the round's state differs", open: true, change: play(func(p *wallet.Play) { p.NextActions ^= 4 })},
		"round":            {says: "the draws differ", change: play(func(p *wallet.Play) { p.Round++ })},
		"nonce":            {says: "the draws differ", change: play(func(p *wallet.Play) { p.Nonce++ })},
		"state it was on":  {says: "not the one the step was evaluated on", open: true, change: play(func(p *wallet.Play) { p.StateHash[0] ^= 1 })},
		"module":           {says: "does not evaluate again", change: play(func(p *wallet.Play) { p.Digest[0] ^= 1 })},
		"number of draws":  {says: "the draws differ", change: play(func(p *wallet.Play) { p.Draws++ })},
		"stake, not legal": {says: "does not evaluate again", change: play(func(p *wallet.Play) { p.StakeMinor = 7 })},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlayed(t)
			seq := p.steps[4]
			if tc.open {
				seq = p.bought
			}
			if err := p.Tamper(seq, tc.change); err != nil {
				t.Fatal(err)
			}
			res := p.replay(t, 0, 0)
			if len(res.GetMismatches()) == 0 || res.GetMismatches()[0].GetShardSeq() != seq || !strings.Contains(res.GetMismatches()[0].GetDetail(), tc.says) {
				t.Errorf("found %v, want sequence %d: %s", res.GetMismatches(), seq, tc.says)
			}
		})
	}
}

// TestReplay_AnotherSeed: a node with other keys says so instead of agreeing.
func TestReplay_AnotherSeed(t *testing.T) {
	p := newPlayed(t)
	other, err := seeds.NewRing(rand.Reader, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	p.audit.Seeds = other
	res := p.replay(t, 0, 0)
	if len(res.GetMismatches()) != 12 || !strings.Contains(res.GetMismatches()[0].GetDetail(), "seed does not open") {
		t.Errorf("found %v", res)
	}
}

func TestReplay_EndsWithItsCaller(t *testing.T) {
	p := newPlayed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.audit.Replay(ctx, &edgereelv1.ReplayRequest{Shard: oneshard.Number}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestHashAt(t *testing.T) {
	p := newPlayed(t)
	last, hash := p.Last()
	at, err := p.audit.HashAt(t.Context(), &edgereelv1.HashAtRequest{Shard: oneshard.Number, ShardSeq: last})
	if err != nil || at.GetShardHash() != wallet.Hash(hash).String() {
		t.Errorf("the hash at the end is %v, %v", at, err)
	}
	shards, err := p.audit.GetShards(t.Context(), &edgereelv1.GetShardsRequest{})
	if err != nil || len(shards.GetShards()) != 1 {
		t.Fatalf("shards: %v, %v", shards, err)
	}
	head := shards.GetShards()[0]
	if head.GetShardHash() != at.GetShardHash() || head.GetShardSeq() != last || head.GetFirstSeq() != 1 || head.GetOpenRounds() != 1 || head.GetWallets() != 1 {
		t.Errorf("the head is %v", head)
	}
	for _, sum := range head.GetSums() {
		if sum.GetSumMinor() != 0 {
			t.Errorf("%s sums to %d", sum.GetCurrency(), sum.GetSumMinor())
		}
	}
	for _, req := range []*edgereelv1.HashAtRequest{{Shard: oneshard.Number, ShardSeq: last + 1}, {Shard: oneshard.Number}, {Shard: 9, ShardSeq: 1}} {
		if _, err := p.audit.HashAt(t.Context(), req); api.DetailOf(err).GetEffect() != edgereelv1.Effect_EFFECT_NOT_APPLIED {
			t.Errorf("%v is told %v", req, err)
		}
	}
}

// TestReadJournal reads ranges over HTTP, where each entry must verify and
// continue the one before.
func TestReadJournal(t *testing.T) {
	p := newPlayed(t)
	server := connect.NewServer(api.Effects())
	edgereelv1connect.RegisterAuditServiceHandler(server, p.audit)
	listener := httptest.NewServer(api.Handler(server))
	defer listener.Close()
	client := edgereelv1connect.NewAuditServiceClient(connect.NewClient(connecthttp.NewTransport(listener.Client(), listener.URL)))
	end, _ := p.Last()
	for _, tc := range []struct{ from, to, first, last uint64 }{
		{0, 0, 1, end}, {1, 1, 1, 1}, {3, 5, 3, 5}, {end, end + 50, end, end}, {end + 1, 0, 0, 0}, {5, 3, 0, 0},
	} {
		entries := readAll(t, client, tc.from, tc.to)
		if tc.first == 0 {
			if len(entries) != 0 {
				t.Errorf("%d to %d gives %d entries", tc.from, tc.to, len(entries))
			}
			continue
		}
		if uint64(len(entries)) != tc.last-tc.first+1 || entries[0].GetShardSeq() != tc.first {
			t.Fatalf("%d to %d gives %d entries from %d", tc.from, tc.to, len(entries), entries[0].GetShardSeq())
		}
		for i, e := range entries {
			rec := wallet.Record{
				Epoch: e.GetEpoch(), Seq: e.GetShardSeq(), Prev: wallet.Hash(e.GetPrevHash()), Leaf: wallet.Hash(e.GetLeaf()),
				Salt: wallet.Hash(e.GetSalt()), Input: e.GetInput(), Result: e.GetResult(),
			}
			if err := rec.Verify(); err != nil {
				t.Error(err)
			}
			if i > 0 && rec.Prev != wallet.ChainHash(wallet.Hash(entries[i-1].GetPrevHash()), wallet.Hash(entries[i-1].GetLeaf())) {
				t.Errorf("sequence %d does not continue the one before", rec.Seq)
			}
		}
	}
}

func readAll(t *testing.T, client edgereelv1connect.AuditServiceClient, from, to uint64) []*edgereelv1.JournalEntry {
	t.Helper()
	stream, err := client.ReadJournal(t.Context(), &edgereelv1.ReadJournalRequest{Shard: oneshard.Number, FromSeq: from, ToSeq: to})
	if err != nil {
		t.Fatal(err)
	}
	var entries []*edgereelv1.JournalEntry
	for {
		batch, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, batch.GetEntries()...)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	return entries
}

// TestReplay_OtherBudget: a verifier that would hold a module to another meter
// or fuel than the shard says so, instead of finding fault with the rounds.
func TestReplay_OtherBudget(t *testing.T) {
	p := newPlayed(t)
	for fuel, want := range map[uint64]string{0: "", 1: "another budget"} {
		r := audit.NewReplayer(rounds.Hosted{Host: p.Host}, p.Ring)
		release := &wallet.Release{}
		checks, told := 0, ""
		err := p.Scan(1, p.last, func(rec storage.Record) error {
			if checks == 0 {
				// Before the first step the registry speaks of every module.
				for _, m := range p.Modules {
					release.Live = rounds.Build(m)
					release.Live.FuelPerStep += fuel
					if _, err := r.Next(rec.Seq, wallet.EncodeOp(release), rec.Result); err != nil {
						return err
					}
				}
			}
			check, err := r.Next(rec.Seq, rec.Input, rec.Result)
			if err != nil || check == nil {
				return err
			}
			checks++
			told = check(t.Context())
			if (told == "") != (want == "") || !strings.Contains(told, want) {
				t.Errorf("fuel +%d: record %d: %q, want %q", fuel, rec.Seq, told, want)
			}
			return nil
		})
		if err != nil || checks == 0 {
			t.Errorf("%d checks, %v", checks, err)
		}
	}
}
