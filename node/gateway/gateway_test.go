package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/api/token"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/router"
	"github.com/edgereel/edgereel/node/seeds"
)

// shards stands for all leaders: it keeps the calls and answers by answer.
type shards struct {
	slots  *router.SlotMap
	calls  []leader.Call
	asked  []string
	answer func(res proto.Message) error
}

func (s *shards) Slots() *router.SlotMap { return s.slots }

func (s *shards) Call(_ context.Context, shard router.Shard, procedure string, call leader.Call, res proto.Message) error {
	s.calls, s.asked = append(s.calls, call), append(s.asked, fmt.Sprintf("%s@%d", procedure, shard.ID))
	if s.answer != nil {
		return s.answer(res)
	}
	return nil
}

type refusals []string

func (r *refusals) Refused(code, effect string) { *r = append(*r, effect+" "+code) }

// door is a gateway of one node with a clock of its own.
type door struct {
	handler  http.Handler
	shards   *shards
	refusals refusals
	log      bytes.Buffer
	now      time.Time
	issuer   token.Issuer
}

func newDoor(t *testing.T, change func(*gateway.Config)) *door {
	t.Helper()
	slots, err := router.NewSlotMap([]router.Shard{{ID: 1, Home: "eu"}, {ID: 2, Home: "us"}})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{shards: &shards{slots: slots}, now: time.Unix(1_700_000_000, 0)}
	clock := func() time.Time { return d.now }
	keys, err := seeds.NewTokens(rand.Reader, d.now)
	if err != nil {
		t.Fatal(err)
	}
	if d.issuer, err = keys.Issuer("test", clock); err != nil {
		t.Fatal(err)
	}
	directory, err := seeds.NewDirectory(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cfg := gateway.Config{
		Node: "n", Router: d.shards, Tokens: keys.Verifier("test", clock), Issuer: &d.issuer, Directory: directory,
		Games: func() []gateway.Game { return []gateway.Game{{ID: "g", Enabled: true}} }, Replica: func(uint32) gateway.Replica { return nil },
		Audit: edgereelv1connect.UnimplementedAuditServiceHandler{}, Cluster: edgereelv1connect.UnimplementedClusterServiceHandler{},
		RatePerSecond: 1, Burst: 2, Now: clock, Rand: rand.Reader, Metrics: &d.refusals, Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	d.handler = gateway.New(cfg).Handler()
	return d
}

const (
	euWallet = "01000000000000000000000000000000"
	usWallet = "f1000000000000000000000000000000"
)

func (d *door) player(t *testing.T) string {
	t.Helper()
	text, err := d.issuer.Player("acme", "ann", euWallet, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (d *door) operator(t *testing.T) string {
	t.Helper()
	text, err := d.issuer.Operator("acme", []string{gateway.RoleOperator}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// post calls a procedure and gives status and body.
func (d *door) post(t *testing.T, procedure, token, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/edgereel.v1."+procedure, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

func (d *door) refuse(t *testing.T, procedure, token, body string, status int, begins string) {
	t.Helper()
	if got, text := d.post(t, procedure, token, body); got != status || !strings.Contains(text, `"message":"`+begins+": ") {
		t.Errorf("%s is told %d %s, want %d %s", procedure, got, text, status, begins)
	}
}

const playBody = `{"wallet":"` + euWallet + `","session":"` + euWallet + `-1","step":"1","mode":"base","stakeMinor":"5"}`

// TestAdmit_PassesTheOwnerOn gives the leader what the token says and nothing
// that the request says.
func TestAdmit_PassesTheOwnerOn(t *testing.T) {
	d := newDoor(t, nil)
	if status, text := d.post(t, "PlayerService/Play", d.player(t), playBody); status != http.StatusOK {
		t.Fatalf("told %d %s", status, text)
	}
	if status, text := d.post(t, "OperatorService/Deposit", d.operator(t), `{"wallet":"`+usWallet+`","transactionId":"t","amountMinor":"5"}`); status != http.StatusOK {
		t.Fatalf("told %d %s", status, text)
	}
	want := []*edgereelv1.Principal{
		{Operator: "acme", Player: "ann", Wallet: euWallet, Roles: []string{token.RolePlayer}}, {Operator: "acme", Roles: []string{gateway.RoleOperator}},
	}
	for i, call := range d.shards.calls {
		if !proto.Equal(call.Principal, want[i]) || call.UnlessDecided != "" {
			t.Errorf("call %d is %+v", i, call)
		}
	}
	if got := strings.Join(d.shards.asked, " "); got != "Play@1 Deposit@2" {
		t.Errorf("asked %s", got)
	}
	if len(d.refusals) != 0 {
		t.Errorf("counted %v", d.refusals)
	}
}

// TestAdmit_KeyedCallsPassGated: an expired token and an exhausted rate go to
// the leader, who knows the key; a call without a key ends here.
func TestAdmit_KeyedCallsPassGated(t *testing.T) {
	d := newDoor(t, nil)
	text := d.player(t)
	gates := func(want ...string) {
		t.Helper()
		d.shards.calls = nil
		for i, gate := range want {
			if status, text := d.post(t, "PlayerService/Play", text, playBody); status != http.StatusOK {
				t.Errorf("call %d is told %d %s", i, status, text)
			}
			if got := d.shards.calls[i].UnlessDecided; got != gate {
				t.Errorf("call %d is gated by %q, want %q", i, got, gate)
			}
		}
	}
	gates("", "", "rate_limited")
	d.refuse(t, "PlayerService/GetWallet", text, `{"wallet":"`+euWallet+`"}`, 429, "not_applied_retryable: rate_limited")
	d.refuse(t, "PlayerService/LookUpStep", text, `{"wallet":"`+euWallet+`"}`, 429, "not_applied_retryable: rate_limited")
	d.refuse(t, "PlayerService/ListGames", text, `{}`, 429, "not_applied_retryable: rate_limited")
	d.now = d.now.Add(time.Hour)
	gates("token_expired", "token_expired", "rate_limited")
	d.now = d.now.Add(time.Hour)
	d.refuse(t, "PlayerService/GetWallet", text, `{"wallet":"`+euWallet+`"}`, 401, "not_applied: token_expired")
	d.refuse(t, "PlayerService/ListGames", text, `{}`, 401, "not_applied: token_expired")
	if len(d.refusals) != 5 || d.refusals[3] != "not_applied token_expired" {
		t.Errorf("counted %v", d.refusals)
	}
}

// TestPanic is answered with an unknown effect; its cause stays in the log.
func TestPanic(t *testing.T) {
	d := newDoor(t, nil)
	d.shards.answer = func(proto.Message) error { panic("seed 0badc0de") }
	status, text := d.post(t, "PlayerService/Play", d.player(t), playBody)
	if status != http.StatusInternalServerError || !strings.Contains(text, `"message":"unknown: internal: `) || strings.Contains(text, "0badc0de") {
		t.Errorf("told %d %s", status, text)
	}
	if !strings.Contains(d.log.String(), "a call panicked") || !strings.Contains(d.log.String(), "PlayerService/Play") {
		t.Errorf("the log says %s", &d.log)
	}
	if len(d.refusals) != 1 || d.refusals[0] != "unknown internal" {
		t.Errorf("counted %v", d.refusals)
	}
}

func TestUnforeseenError_StaysHere(t *testing.T) {
	d := newDoor(t, nil)
	d.shards.answer = func(proto.Message) error { return errors.New("open /data/secret-place: denied") }
	status, text := d.post(t, "PlayerService/Play", d.player(t), playBody)
	if status != http.StatusInternalServerError || !strings.Contains(text, `"message":"unknown: internal: `) || strings.Contains(text, "secret-place") {
		t.Errorf("told %d %s", status, text)
	}
}

// TestWithoutKeys: a node that holds neither the directory's key nor a signing
// key sends callers elsewhere and asks no shard.
func TestWithoutKeys(t *testing.T) {
	d := newDoor(t, func(cfg *gateway.Config) { cfg.Issuer, cfg.Directory, cfg.Burst = nil, nil, 10 })
	d.refuse(t, "OperatorService/OpenWallet", d.operator(t), `{"player":"p","currency":"EUR","homeRegion":"eu"}`, 503, "not_applied_retryable: not_here")
	d.refuse(t, "OperatorService/IssuePlayerToken", d.operator(t), `{"player":"p","wallet":"`+euWallet+`","ttlSeconds":"5"}`, 503, "not_applied_retryable: not_here")
	if len(d.shards.asked) != 0 {
		t.Errorf("asked %v", d.shards.asked)
	}
}

// TestOpenWallet_DrawsAtHome: every surrogate lands in a slot of the region it
// was asked for, and what is opened is what the directory named.
func TestOpenWallet_DrawsAtHome(t *testing.T) {
	d := newDoor(t, func(cfg *gateway.Config) { cfg.RatePerSecond, cfg.Burst = 1e6, 1e6 })
	d.shards.answer = func(res proto.Message) error {
		if c, ok := res.(*edgereelv1.ClaimResponse); ok {
			c.Wallet = euWallet
		}
		return nil
	}
	for range 50 {
		if status, text := d.post(t, "OperatorService/OpenWallet", d.operator(t), `{"player":"p","currency":"EUR","homeRegion":"us"}`); status != http.StatusOK {
			t.Fatalf("told %d %s", status, text)
		}
	}
	seen := map[string]bool{}
	for i := 0; i < len(d.shards.calls); i += 2 {
		claim, _ := d.shards.calls[i].Request.(*edgereelv1.ClaimRequest)
		open, _ := d.shards.calls[i+1].Request.(*edgereelv1.OpenClaimedRequest)
		if claim.GetCandidate() < "80" || seen[claim.GetCandidate()] {
			t.Errorf("drew %s for the second half of the slots", claim.GetCandidate())
		}
		seen[claim.GetCandidate()] = true
		if open.GetWallet() != euWallet || d.shards.asked[i+1] != "OpenClaimed@1" {
			t.Errorf("opened %s by %s", open.GetWallet(), d.shards.asked[i+1])
		}
		if d.shards.asked[i] != d.shards.asked[0] {
			t.Errorf("one player was claimed at %s and at %s", d.shards.asked[0], d.shards.asked[i])
		}
	}
}
