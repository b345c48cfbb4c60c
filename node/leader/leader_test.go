package leader_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/node/internal/oneshard"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/wallet"
)

// counts is what the metrics heard.
type counts struct {
	steps, rounds, evaluated, incidents int
	stake, win                          int64
}

func (c *counts) Step(_, _, _ string, opened bool, stakeMinor, winMinor int64) {
	c.steps++
	if opened {
		c.rounds++
	}
	c.stake, c.win = c.stake+stakeMinor, c.win+winMinor
}
func (c *counts) Incident(string)                 { c.incidents++ }
func (c *counts) Evaluated(string, time.Duration) { c.evaluated++ }

// bench is a service on one shard, with a clock and a wallet of its own.
type bench struct {
	*oneshard.Shard
	service *leader.Service
	metrics *counts
	log     *bytes.Buffer
	now     time.Time
	wallet  wallet.ID
	who     *edgereelv1.Principal
}

func newBench(t *testing.T, operator string, change func(*leader.Config)) *bench {
	t.Helper()
	b := &bench{Shard: oneshard.New(t), metrics: &counts{}, log: &bytes.Buffer{}, now: time.Unix(1_700_000_000, 0)}
	b.wallet = b.Wallet(t, 1, operator, 100_000)
	b.who = &edgereelv1.Principal{Operator: operator, Player: "ann", Wallet: b.wallet.String(), Roles: []string{"player"}}
	cfg := leader.Config{
		Node: "n", Shard: oneshard.Number, Group: b.Shard, Journal: b.Shard, Modules: rounds.Hosted{Host: b.Host}, Seeds: b.Ring, Directory: b.Directory,
		Metrics: b.metrics, Now: func() time.Time { return b.now }, Rand: rand.Reader, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	b.service = leader.New(cfg)
	return b
}

func serve[R proto.Message](b *bench, req proto.Message, gate string) (R, error) {
	var none R
	res, err := b.service.Serve(context.Background(), leader.Call{Principal: b.who, Request: req, UnlessDecided: gate})
	if err != nil {
		return none, err
	}
	answer, ok := res.(R)
	if !ok {
		return none, fmt.Errorf("answered with %T", res)
	}
	return answer, nil
}

func (b *bench) open(t *testing.T) string {
	t.Helper()
	const game = "harbor-lines"
	res, err := serve[*edgereelv1.OpenSessionResponse](b, &edgereelv1.OpenSessionRequest{Wallet: b.wallet.String(), Game: game, Key: game, ClientSeed: "luck"}, "")
	if err != nil {
		t.Fatal(err)
	}
	return res.GetSession().GetSession()
}

func (b *bench) play(session string, step uint64, gate string) (*edgereelv1.PlayResponse, error) {
	return serve[*edgereelv1.PlayResponse](b, &edgereelv1.PlayRequest{
		Wallet: b.wallet.String(), Session: session, Step: step, Mode: "base", StakeMinor: 100,
	}, gate)
}

// refused checks an error's effect and code.
func refused(t *testing.T, err error, effect edgereelv1.Effect, code string) {
	t.Helper()
	if d := api.DetailOf(err); err == nil || d.GetEffect() != effect || d.GetCode() != code {
		t.Errorf("told %v (%v), want %v %s", err, api.DetailOf(err), effect, code)
	}
}

const (
	noEffect  = edgereelv1.Effect_EFFECT_NOT_APPLIED
	retryable = edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE
	unknown   = edgereelv1.Effect_EFFECT_UNKNOWN
)

// TestPlay_RepeatIsByteEqual repeats every step: the answer comes from the
// journal, no entry is written and nothing is evaluated or counted twice.
func TestPlay_RepeatIsByteEqual(t *testing.T) {
	b := newBench(t, oneshard.Operator, nil)
	session := b.open(t)
	presented := false
	for step := range uint64(20) {
		first, err := b.play(session, step+1, "")
		if err != nil {
			t.Fatal(err)
		}
		presented = presented || len(first.GetPresentation()) > 0
		entries, was := b.Entries(), *b.metrics
		for _, gate := range []string{"", "token_expired", "rate_limited"} {
			again, err := b.play(session, step+1, gate)
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(again, first) {
				t.Errorf("step %d repeats as %v, was %v", step+1, again, first)
			}
		}
		if b.Entries() != entries || *b.metrics != was {
			t.Errorf("repeats of step %d wrote %d entries, counted %+v, was %+v", step+1, b.Entries()-entries, *b.metrics, was)
		}
	}
	if !presented {
		t.Error("no step showed anything: equal presentations say nothing")
	}
	if m := b.metrics; m.steps != 20 || m.rounds != 20 || m.evaluated != 20 || m.stake != 2000 {
		t.Errorf("counted %+v", m)
	}
}

// TestGate refuses what is not decided without writing an entry.
func TestGate(t *testing.T) {
	b := newBench(t, oneshard.Operator, nil)
	session := b.open(t)
	id := b.wallet.String()
	calls := map[string]proto.Message{
		"play":    &edgereelv1.PlayRequest{Wallet: id, Session: session, Step: 1, Mode: "base", StakeMinor: 100},
		"session": &edgereelv1.OpenSessionRequest{Wallet: id, Game: "comet-spins", Key: "k"},
		"close":   &edgereelv1.CloseSessionRequest{Wallet: id, Session: session},
		"deposit": &edgereelv1.DepositRequest{Wallet: id, TransactionId: "d", AmountMinor: 1, Currency: "EUR"},
		"reverse": &edgereelv1.ReverseRequest{Wallet: id, TransactionId: "r", OriginalTransactionId: "fund-1"},
	}
	entries := b.Entries()
	for name, req := range calls {
		_, err := serve[proto.Message](b, req, "token_expired")
		refused(t, err, noEffect, "token_expired")
		_, err = serve[proto.Message](b, req, "rate_limited")
		refused(t, err, retryable, "rate_limited")
		if b.Entries() != entries || b.metrics.evaluated != 0 {
			t.Fatalf("%s: %d entries, %d evaluations", name, b.Entries()-entries, b.metrics.evaluated)
		}
	}
}

// TestPlay_JournalUnreadable answers a repeat that cannot be shown with an
// unknown effect, and tells the log why but not the caller.
func TestPlay_JournalUnreadable(t *testing.T) {
	b := newBench(t, oneshard.Operator, nil)
	session := b.open(t)
	first, err := b.play(session, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	b.Break(errors.New("read /data/secret-place: I/O error"))
	_, err = b.play(session, 1, "")
	if d := api.DetailOf(err); err == nil || d.GetEffect() != unknown {
		t.Errorf("told %v", err)
	}
	if packed := api.ToForwarded(err, ""); strings.Contains(packed.String(), "secret-place") || packed.GetDetail().GetCode() != "internal" {
		t.Errorf("sent on as %v", packed)
	}
	if !strings.Contains(b.log.String(), "secret-place") {
		t.Errorf("the log does not say why: %s", b.log)
	}
	_, err = serve[*edgereelv1.PlayResponse](b, &edgereelv1.LookUpStepRequest{Wallet: b.wallet.String(), Session: session, Step: 1}, "")
	if d := api.DetailOf(err); err == nil || d.GetEffect() != unknown {
		t.Errorf("looking the step up is told %v", err)
	}
	b.Break(nil)
	if again, err := b.play(session, 1, ""); err != nil || !proto.Equal(again, first) {
		t.Errorf("after the journal is back: %v, %v", again, err)
	}
}

// TestCycle holds the minimum game cycle against this node's own clock, where a
// restart counts as a round, and against the shard's.
func TestCycle(t *testing.T) {
	b := newBench(t, oneshard.Careful, nil)
	session := b.open(t)
	pass := func(node, shard time.Duration) {
		b.now = b.now.Add(node)
		b.Advance(t, shard)
	}
	const cycle = oneshard.MinCycleMS * time.Millisecond
	_, err := b.play(session, 1, "")
	refused(t, err, retryable, "too_fast") // just started
	pass(cycle, cycle)
	if _, err := b.play(session, 1, ""); err != nil {
		t.Fatal(err)
	}
	pass(cycle-time.Millisecond, 2*cycle) // the shard's time runs ahead
	_, err = b.play(session, 2, "")
	refused(t, err, retryable, "too_fast")
	if _, err := b.play(session, 1, ""); err != nil {
		t.Errorf("a repeat waits for the cycle: %v", err)
	}
	pass(time.Millisecond, 0)
	if _, err := b.play(session, 2, ""); err != nil {
		t.Fatal(err)
	}
	pass(2*cycle, 0) // the shard's time stands still
	_, err = b.play(session, 3, "")
	refused(t, err, retryable, "too_fast")
	pass(0, cycle)
	if _, err := b.play(session, 3, ""); err != nil {
		t.Error(err)
	}
}

// TestLookUpStep finds a step that left the retained window, and gives up with
// its caller.
func TestLookUpStep(t *testing.T) {
	b := newBench(t, oneshard.Operator, nil)
	session := b.open(t)
	var first *edgereelv1.PlayResponse
	for step := range uint64(8) {
		res, err := b.play(session, step+1, "")
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = res
		}
	}
	_, err := b.play(session, 1, "")
	refused(t, err, unknown, "already_decided")
	req := &edgereelv1.LookUpStepRequest{Wallet: b.wallet.String(), Session: session, Step: 1}
	found, err := serve[*edgereelv1.PlayResponse](b, req, "")
	if err != nil || !proto.Equal(found, first) {
		t.Errorf("found %v, %v; the step was answered with %v", found, err, first)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.service.Serve(ctx, leader.Call{Principal: b.who, Request: req})
	refused(t, err, retryable, "deadline")
	req.Step = 9
	_, err = serve[*edgereelv1.PlayResponse](b, req, "")
	refused(t, err, noEffect, "unknown_step")
	b.who.Operator = oneshard.Rival
	_, err = serve[*edgereelv1.PlayResponse](b, req, "")
	refused(t, err, noEffect, "wrong_operator")
}

// TestSeedKeys: a node that lacks a key refuses for now and writes nothing.
func TestSeedKeys(t *testing.T) {
	other, err := seeds.NewRing(rand.Reader, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, oneshard.Operator, nil)
	session := b.open(t)
	own := b.service
	b.service = leader.New(leader.Config{
		Node: "n", Shard: oneshard.Number, Group: b.Shard, Journal: b.Shard, Modules: rounds.Hosted{Host: b.Host}, Seeds: other, Directory: b.Directory,
		Metrics: b.metrics, Now: time.Now, Rand: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	})
	entries := b.Entries()
	_, err = b.play(session, 1, "")
	refused(t, err, retryable, "not_ready")
	_, err = serve[*edgereelv1.CloseSessionResponse](b, &edgereelv1.CloseSessionRequest{Wallet: b.wallet.String(), Session: session}, "")
	refused(t, err, retryable, "not_ready")
	if b.Entries() != entries {
		t.Errorf("%d entries were written", b.Entries()-entries)
	}
	b.service = own
	if _, err := b.play(session, 1, ""); err != nil {
		t.Error(err)
	}
}

func TestOpenSession_NoEntropy(t *testing.T) {
	b := newBench(t, oneshard.Operator, func(cfg *leader.Config) { cfg.Rand = io.LimitReader(rand.Reader, 31) })
	_, err := serve[*edgereelv1.OpenSessionResponse](b, &edgereelv1.OpenSessionRequest{Wallet: b.wallet.String(), Game: "harbor-lines", Key: "k"}, "")
	refused(t, err, retryable, "not_ready")
}

// TestSession_RevealsWhatItCommittedTo plays a session to its end.
func TestSession_RevealsWhatItCommittedTo(t *testing.T) {
	b := newBench(t, oneshard.Operator, nil)
	session := b.open(t)
	if _, err := b.play(session, 1, ""); err != nil {
		t.Fatal(err)
	}
	closing := &edgereelv1.CloseSessionRequest{Wallet: b.wallet.String(), Session: session}
	closed, err := serve[*edgereelv1.CloseSessionResponse](b, closing, "")
	if err != nil {
		t.Fatal(err)
	}
	seed, err := wallet.ParseHash(closed.GetSeed())
	if err != nil || wallet.SeedCommitment(seed).String() != closed.GetCommitment() {
		t.Errorf("seed %s does not open commitment %s (%v)", closed.GetSeed(), closed.GetCommitment(), err)
	}
	again, err := serve[*edgereelv1.CloseSessionResponse](b, closing, "token_expired")
	if err != nil || !proto.Equal(again, closed) {
		t.Errorf("closing again answers %v, %v", again, err)
	}
	if strings.Contains(b.log.String(), closed.GetSeed()) {
		t.Error("the seed is in the log")
	}
}

func TestServe_UnknownRequest(t *testing.T) {
	b := newBench(t, oneshard.Operator, nil)
	_, err := serve[proto.Message](b, &edgereelv1.ClockRequest{}, "")
	refused(t, err, noEffect, "unknown_procedure")
}
