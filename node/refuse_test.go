package node_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/seeds"
)

// reply is an answer as curl shows it.
type reply struct {
	proto   string
	status  int
	body    string
	message string
	detail  *edgereelv1.ErrorDetail
}

// post sends JSON the way curl does and reads the error, if there is one.
func (c *cluster) post(t *testing.T, over http.RoundTripper, node int, procedure, token, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.configs[node].Addresses.Public+"/edgereel.v1."+procedure, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	res, err := over.RoundTrip(r)
	must(t, err)
	defer func() { must(t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	out := reply{proto: res.Proto, status: res.StatusCode, body: string(raw)}
	if res.StatusCode == http.StatusOK {
		return out
	}
	var failure struct {
		Message string `json:"message"`
		Details []struct{ Type, Value string }
	}
	must(t, json.Unmarshal(raw, &failure))
	out.message = failure.Message
	for _, d := range failure.Details {
		if d.Type != "edgereel.v1.ErrorDetail" {
			continue
		}
		packed, err := base64.RawStdEncoding.DecodeString(d.Value)
		must(t, err)
		out.detail = &edgereelv1.ErrorDetail{}
		must(t, proto.Unmarshal(packed, out.detail))
	}
	return out
}

// check compares an answer with what a refusal must look like.
func (r reply) check(t *testing.T, status int, effect, code string) {
	t.Helper()
	if r.status != status || r.detail == nil || api.EffectWord(r.detail.GetEffect()) != effect || r.detail.GetCode() != code {
		t.Fatalf("%s: status %d, detail %v, body %s; want %d %s %s", r.proto, r.status, r.detail, r.body, status, effect, code)
	}
	if !strings.HasPrefix(r.message, effect+": "+code+": ") || r.detail.GetHint() == "" {
		t.Errorf("message %q, hint %q", r.message, r.detail.GetHint())
	}
}

// bob is a player with something of everything: decided steps past the
// retained window, an open round, used keys, a tombstone.
type bob struct {
	player
	lines, comet string
	next         uint64
	first        *edgereelv1.PlayResponse
}

func (c *cluster) newBob(t *testing.T) bob {
	t.Helper()
	b := bob{player: c.newPlayer(t, "bob", "eu-west", 100_000)}
	b.lines = c.openSession(t, b.player, "harbor-lines", "lines")
	b.comet = c.openSession(t, b.player, "comet-spins", "comet")
	for range 6 {
		b.next++
		res, err := c.plays(0, b.player).Play(t.Context(), &edgereelv1.PlayRequest{
			Wallet: b.wallet, Session: b.lines, Step: b.next, Mode: "base", StakeMinor: 100,
		})
		must(t, err)
		if b.first == nil {
			b.first = res
		}
	}
	b.next++
	res, err := c.plays(0, b.player).Play(t.Context(), &edgereelv1.PlayRequest{Wallet: b.wallet, Session: b.comet, Step: 1, Mode: "buy", StakeMinor: 10})
	must(t, err)
	if !res.GetRoundOpen() {
		t.Fatal("a bought feature ended in its first step")
	}
	ops := edgereelv1connect.NewOperatorServiceClient(c.client(0, c.operator))
	reversed, err := ops.Reverse(t.Context(), &edgereelv1.ReverseRequest{Wallet: b.wallet, TransactionId: "undo", OriginalTransactionId: "late"})
	must(t, err)
	if !reversed.GetTombstone() {
		t.Fatal("reversing an unknown key left no tombstone")
	}
	return b
}

const maxInt64 = "9223372036854775807"

// refusal is one request and what it must be told.
type refusal struct {
	procedure, body string
	// token is an Authorization header; "" is the owner's own.
	token        string
	status       int
	effect, code string
}

// playerRefusals are what a player's own token meets.
func playerRefusals(b bob) map[string]refusal {
	const no = "not_applied"
	play := func(session string, step uint64, rest string) string {
		return fmt.Sprintf(`{"wallet":%q,"session":%q,"step":"%d"%s}`, b.wallet, session, step, rest)
	}
	open := func(game, key, seed string) string {
		return fmt.Sprintf(`{"wallet":%q,"game":%q,"key":%q,"clientSeed":%q}`, b.wallet, game, key, seed)
	}
	const base = `,"mode":"base","stakeMinor":`
	p := func(body string, status int, code string) refusal {
		return refusal{procedure: "PlayerService/Play", body: body, status: status, effect: no, code: code}
	}
	s := func(body string, status int, code string) refusal {
		return refusal{procedure: "PlayerService/OpenSession", body: body, status: status, effect: no, code: code}
	}
	already := p(play(b.lines, 1, base+`"100"`), 400, "already_decided")
	already.effect = "unknown"
	return map[string]refusal{
		"unknown game":                s(open("nope", "k9", ""), 404, "unknown_game"),
		"second session of a game":    s(open("harbor-lines", "k9", ""), 400, "session_exists"),
		"session key for other game":  s(open("comet-spins", "lines", "luck"), 409, "key_reused"),
		"session key for other seed":  s(open("harbor-lines", "lines", "other"), 409, "key_reused"),
		"session without a key":       s(open("harbor-lines", "", ""), 400, "invalid"),
		"session key too long":        s(open("nope", strings.Repeat("k", 65), ""), 400, "invalid"),
		"unknown mode":                p(play(b.lines, b.next, `,"mode":"turbo","stakeMinor":"100"`), 400, "unknown_mode"),
		"no mode":                     p(play(b.lines, b.next, `,"stakeMinor":"100"`), 400, "unknown_mode"),
		"stake of zero":               p(play(b.lines, b.next, base+`"0"`), 400, "bad_stake"),
		"negative stake":              p(play(b.lines, b.next, base+`"-100"`), 400, "bad_stake"),
		"stake below the limit":       p(play(b.lines, b.next, base+`"1"`), 400, "stake_limit"),
		"stake above the limit":       p(play(b.lines, b.next, base+`"1000100"`), 400, "stake_limit"),
		"stake above the balance":     p(play(b.lines, b.next, base+`"200000"`), 400, "insufficient_funds"),
		"stake is not a multiple":     p(play(b.lines, b.next, base+`"115"`), 400, "bad_stake"),
		"stake of int64's end":        p(play(b.lines, b.next, base+`"`+maxInt64+`"`), 400, "stake_limit"),
		"stake past int64":            p(play(b.lines, b.next, base+`"9223372036854775808"`), 400, "malformed_request"),
		"stake with a fraction":       p(play(b.lines, b.next, base+`"100.5"`), 400, "malformed_request"),
		"step with another body":      p(play(b.lines, b.next-1, base+`"200"`), 409, "key_reused"),
		"stale step":                  already,
		"future step":                 p(play(b.lines, b.next+1, base+`"100"`), 400, "future_step"),
		"step zero":                   p(play(b.lines, 0, base+`"100"`), 400, "invalid"),
		"action not allowed":          p(play(b.comet, 2, `,"action":9`), 400, "action_not_allowed"),
		"action past the mask":        p(play(b.comet, 2, `,"action":32`), 400, "action_not_allowed"),
		"stake on a further step":     p(play(b.comet, 2, `,"action":1,"stakeMinor":"10"`), 400, "bad_stake"),
		"other mode on further step":  p(play(b.comet, 2, `,"action":1,"mode":"base"`), 400, "unknown_mode"),
		"unknown session":             p(play(b.wallet+"-99", 1, base+`"100"`), 404, "unknown_session"),
		"session that is no session":  p(play("zzz", 1, base+`"100"`), 400, "invalid"),
		"session of another wallet":   p(play(strings.Repeat("0", 32)+"-1", 1, base+`"100"`), 404, "unknown_session"),
		"wallet of another player":    p(strings.Replace(play(b.lines, b.next, base+`"100"`), b.wallet, strings.Repeat("0", 32), 1), 403, "wrong_wallet"),
		"unknown field":               p(play(b.lines, b.next, base+`"100","bonus":1`), 400, "unknown_field"),
		"not JSON":                    p("stake=100", 400, "malformed_request"),
		"empty body":                  p("", 400, "malformed_request"),
		"cut JSON":                    p(strings.TrimSuffix(play(b.lines, b.next, base+`"100"`), "}"), 400, "malformed_request"),
		"body too large":              p(play(b.lines, b.next, `,"mode":"`+strings.Repeat("x", api.MaxRequestBytes)+`"`), 429, "request_too_large"),
		"unknown procedure":           {procedure: "PlayerService/Steal", body: `{}`, status: 501, effect: no, code: "unknown_procedure"},
		"unknown service":             {procedure: "CasinoService/Play", body: `{}`, status: 404, effect: no, code: "unknown_procedure"},
		"close with an open round":    {procedure: "PlayerService/CloseSession", body: fmt.Sprintf(`{"wallet":%q,"session":%q}`, b.wallet, b.comet), status: 400, effect: no, code: "round_open"},
		"look up an undecided step":   {procedure: "PlayerService/LookUpStep", body: play(b.lines, b.next, ""), status: 404, effect: no, code: "unknown_step"},
		"player's token, operator":    {procedure: "OperatorService/Deposit", body: fmt.Sprintf(`{"wallet":%q,"transactionId":"x","amountMinor":"5","currency":"EUR"}`, b.wallet), status: 403, effect: no, code: "wrong_role"},
		"player's token, audit":       {procedure: "AuditService/GetShards", body: `{}`, status: 403, effect: no, code: "wrong_role"},
		"player's token, cluster":     {procedure: "ClusterService/Status", body: `{}`, status: 403, effect: no, code: "wrong_role"},
		"player's token, own wallet?": {procedure: "OperatorService/GetWallet", body: fmt.Sprintf(`{"wallet":%q}`, b.wallet), status: 403, effect: no, code: "wrong_role"},
	}
}

// operatorRefusals are what an operator's own token meets.
func operatorRefusals(b bob) map[string]refusal {
	nobody := strings.Repeat("0", 31) + "7"
	cash := func(wallet, id, amount, currency string) string {
		return fmt.Sprintf(`{"wallet":%q,"transactionId":%q,"amountMinor":%q,"currency":%q}`, wallet, id, amount, currency)
	}
	o := func(procedure, body string, status int, code string) refusal {
		return refusal{procedure: procedure, body: body, status: status, effect: "not_applied", code: code}
	}
	const deposit, withdraw, open = "OperatorService/Deposit", "OperatorService/Withdraw", "OperatorService/OpenWallet"
	return map[string]refusal{
		"deposit to an unknown wallet":   o(deposit, cash(nobody, "n", "5", "EUR"), 404, "unknown_wallet"),
		"deposit to no wallet id":        o(deposit, cash("bob", "n", "5", "EUR"), 400, "invalid"),
		"deposit in another currency":    o(deposit, cash(b.wallet, "n", "5", "USD"), 400, "wrong_currency"),
		"deposit in no currency":         o(deposit, cash(b.wallet, "n", "5", "XQQ"), 400, "wrong_currency"),
		"deposit of nothing":             o(deposit, cash(b.wallet, "n", "0", "EUR"), 400, "invalid"),
		"negative deposit":               o(deposit, cash(b.wallet, "n", "-5", "EUR"), 400, "invalid"),
		"deposit past int64":             o(deposit, cash(b.wallet, "n", maxInt64, "EUR"), 400, "overflow"),
		"deposit without a key":          o(deposit, cash(b.wallet, "", "5", "EUR"), 400, "invalid"),
		"key with another body":          o(deposit, cash(b.wallet, "fund-bob", "5", "EUR"), 409, "key_reused"),
		"key of another kind":            o(withdraw, cash(b.wallet, "fund-bob", "100000", "EUR"), 409, "key_reused"),
		"deposit after its reversal":     o(deposit, cash(b.wallet, "late", "5", "EUR"), 400, "reversed"),
		"withdrawal above the balance":   o(withdraw, cash(b.wallet, "n", maxInt64, "EUR"), 400, "insufficient_funds"),
		"withdrawal of nothing":          o(withdraw, cash(b.wallet, "n", "0", "EUR"), 400, "invalid"),
		"reversal of nothing":            o("OperatorService/Reverse", fmt.Sprintf(`{"wallet":%q,"transactionId":"n"}`, b.wallet), 400, "invalid"),
		"wallet in an unknown currency":  o(open, `{"player":"eve","currency":"XQQ","homeRegion":"eu-west"}`, 400, "unknown_currency"),
		"wallet in an unknown region":    o(open, `{"player":"eve","currency":"EUR","homeRegion":"moon"}`, 400, "unknown_region"),
		"wallet of nobody":               o(open, `{"player":"","currency":"EUR","homeRegion":"eu-west"}`, 400, "invalid"),
		"reading an unknown wallet":      o("OperatorService/GetWallet", fmt.Sprintf(`{"wallet":%q}`, nobody), 404, "unknown_wallet"),
		"stale read of unknown wallet":   o("OperatorService/GetWallet", fmt.Sprintf(`{"wallet":%q,"stale":true}`, nobody), 404, "unknown_wallet"),
		"switching an unknown game":      o("OperatorService/SetGame", `{"game":"nope","enabled":false}`, 404, "unknown_game"),
		"resolving a round that is well": o("OperatorService/ResolveRound", fmt.Sprintf(`{"wallet":%q,"round":"%s-7","approver":"a","resolution":"RESOLUTION_REFUND","reason":"x"}`, b.wallet, b.wallet), 400, "round_not_frozen"),
		"token for no time":              o("OperatorService/IssuePlayerToken", fmt.Sprintf(`{"player":"bob","wallet":%q}`, b.wallet), 400, "invalid"),
		"token for nobody":               o("OperatorService/IssuePlayerToken", fmt.Sprintf(`{"wallet":%q,"ttlSeconds":"5"}`, b.wallet), 400, "invalid"),
		"token for an unknown wallet":    o("OperatorService/IssuePlayerToken", fmt.Sprintf(`{"player":"x","wallet":%q,"ttlSeconds":"5"}`, nobody), 404, "unknown_wallet"),
		"operator's token, player":       o("PlayerService/GetWallet", fmt.Sprintf(`{"wallet":%q}`, b.wallet), 403, "wrong_role"),
		"hash in an unknown shard":       o("AuditService/HashAt", `{"shard":9,"shardSeq":"1"}`, 404, "unknown_shard"),
		"hash past the journal":          o("AuditService/HashAt", `{"shard":1,"shardSeq":"99999999"}`, 404, "unknown_seq"),
		"hash before the journal":        o("AuditService/HashAt", `{"shard":1,"shardSeq":"0"}`, 404, "unknown_seq"),
	}
}

// tokenRefusals are one good request under every kind of bad token.
func (c *cluster) tokenRefusals(t *testing.T, b bob) map[string]refusal {
	t.Helper()
	text := func(text string, err error) string {
		t.Helper()
		must(t, err)
		return "Bearer " + text
	}
	mine := c.issuer(t, cluster1, 0)
	foreign, err := seeds.NewTokens(nil, time.Now())
	must(t, err)
	thief, err := foreign.Issuer(cluster1, nil)
	must(t, err)
	sameName := thief
	sameName.KeyID = mine.KeyID
	play := fmt.Sprintf(`{"wallet":%q,"session":%q,"step":"%d","mode":"base","stakeMinor":"100"}`, b.wallet, b.lines, b.next)
	p := func(authorization string, status int, code string) refusal {
		return refusal{procedure: "PlayerService/Play", body: play, token: authorization, status: status, effect: "not_applied", code: code}
	}
	rival := text(mine.Operator("rival", []string{gateway.RoleOperator}, time.Hour))
	o := func(procedure, body string) refusal {
		return refusal{procedure: procedure, body: body, token: rival, status: 403, effect: "not_applied", code: "wrong_operator"}
	}
	spliced := splice(text(mine.Player("acme", "bob", b.wallet, time.Hour)), text(mine.Player("acme", "eve", b.wallet, time.Hour)))
	return map[string]refusal{
		"no token":                      p("none", 401, "token_missing"),
		"another scheme":                p("Basic Ym9iOmJvYg==", 401, "token_invalid"),
		"no token after the scheme":     p("Bearer ", 401, "token_missing"),
		"malformed token":               p("Bearer abc.def", 401, "token_invalid"),
		"expired token":                 p(text(c.issuer(t, cluster1, -2*time.Hour).Player("acme", "bob", b.wallet, time.Hour)), 401, "token_expired"),
		"token of the future":           p(text(c.issuer(t, cluster1, time.Hour).Player("acme", "bob", b.wallet, time.Hour)), 401, "token_invalid"),
		"forged with another key":       p(text(thief.Player("acme", "bob", b.wallet, time.Hour)), 401, "token_forged"),
		"forged under a known key id":   p(text(sameName.Player("acme", "bob", b.wallet, time.Hour)), 401, "token_forged"),
		"forged from two tokens":        p(spliced, 401, "token_forged"),
		"of another cluster":            p(text(c.issuer(t, "other", 0).Player("acme", "bob", b.wallet, time.Hour)), 401, "token_wrong_audience"),
		"for another wallet":            p(text(mine.Player("acme", "eve", strings.Repeat("0", 32), time.Hour)), 403, "wrong_wallet"),
		"of another operator's player":  {procedure: "PlayerService/Play", body: play, token: text(mine.Player("rival", "bob", b.wallet, time.Hour)), status: 403, effect: "not_applied", code: "wrong_operator"},
		"operator without the role":     {procedure: "OperatorService/GetWallet", body: fmt.Sprintf(`{"wallet":%q}`, b.wallet), token: text(mine.Operator("acme", []string{"viewer"}, time.Hour)), status: 403, effect: "not_applied", code: "wrong_role"},
		"expired token, call sans key":  {procedure: "PlayerService/GetWallet", body: fmt.Sprintf(`{"wallet":%q}`, b.wallet), token: text(c.issuer(t, cluster1, -2*time.Hour).Player("acme", "bob", b.wallet, time.Hour)), status: 401, effect: "not_applied", code: "token_expired"},
		"rival reads the wallet":        o("OperatorService/GetWallet", fmt.Sprintf(`{"wallet":%q}`, b.wallet)),
		"operator audits the cluster":   {procedure: "AuditService/GetShards", body: `{}`, token: rival, status: 403, effect: "not_applied", code: "wrong_role"},
		"operator watches the cluster":  {procedure: "ClusterService/Status", body: `{}`, token: rival, status: 403, effect: "not_applied", code: "wrong_role"},
		"operator switches a game off":  {procedure: "OperatorService/SetGame", body: `{"game":"harbor-lines"}`, token: rival, status: 403, effect: "not_applied", code: "wrong_role"},
		"rival deposits":                o("OperatorService/Deposit", fmt.Sprintf(`{"wallet":%q,"transactionId":"r","amountMinor":"5","currency":"EUR"}`, b.wallet)),
		"rival repeats another's key":   o("OperatorService/Deposit", fmt.Sprintf(`{"wallet":%q,"transactionId":"fund-bob","amountMinor":"100000","currency":"EUR"}`, b.wallet)),
		"rival withdraws":               o("OperatorService/Withdraw", fmt.Sprintf(`{"wallet":%q,"transactionId":"r","amountMinor":"5","currency":"EUR"}`, b.wallet)),
		"rival reverses":                o("OperatorService/Reverse", fmt.Sprintf(`{"wallet":%q,"transactionId":"r","originalTransactionId":"fund-bob"}`, b.wallet)),
		"rival resolves":                o("OperatorService/ResolveRound", fmt.Sprintf(`{"wallet":%q,"round":"%s-7","approver":"a","resolution":"RESOLUTION_REFUND","reason":"x"}`, b.wallet, b.wallet)),
		"rival issues a player's token": o("OperatorService/IssuePlayerToken", fmt.Sprintf(`{"player":"bob","wallet":%q,"ttlSeconds":"5"}`, b.wallet)),
	}
}

// splice puts the claims of one token under the signature of another.
func splice(a, b string) string {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	return x[0] + "." + y[1] + "." + x[2]
}

// testRefusals sends everything bad over HTTP/3 to the node that leads the
// wallet's shard when all is well, and over HTTP/2 to one that forwards; each
// must be told its effect, and nothing may change.
func (c *cluster) testRefusals(t *testing.T) {
	b := c.newBob(t)
	owner := func() *edgereelv1.Wallet {
		t.Helper()
		res, err := c.plays(0, b.player).GetWallet(t.Context(), &edgereelv1.GetWalletRequest{Wallet: b.wallet})
		must(t, err)
		return res.GetWallet()
	}
	before := owner()
	groups := []struct {
		token string
		cases map[string]refusal
	}{{"Bearer " + b.token, playerRefusals(b)}, {"Bearer " + c.operator, operatorRefusals(b)}, {"", c.tokenRefusals(t, b)}}
	for _, g := range groups {
		for name, r := range g.cases {
			authorization := g.token
			switch {
			case r.token == "none":
				authorization = ""
			case r.token != "":
				authorization = r.token
			}
			t.Run(name, func(t *testing.T) {
				h3 := c.post(t, c.http, 0, r.procedure, authorization, r.body)
				h2 := c.post(t, c.tcp.Transport, 2, r.procedure, authorization, r.body)
				if h3.proto != "HTTP/3.0" || h2.proto != "HTTP/2.0" {
					t.Fatalf("answered over %s and %s", h3.proto, h2.proto)
				}
				h3.check(t, r.status, r.effect, r.code)
				h2.check(t, r.status, r.effect, r.code)
				if after := owner(); !proto.Equal(after, before) {
					t.Fatalf("the wallet is %v, was %v", after, before)
				}
			})
		}
	}
	t.Run("what left the window is looked up", func(t *testing.T) {
		for _, at := range []int{0, 2} {
			found, err := c.plays(at, b.player).LookUpStep(t.Context(), &edgereelv1.LookUpStepRequest{Wallet: b.wallet, Session: b.lines, Step: 1})
			must(t, err)
			if !sameAnswer(found, b.first) {
				t.Errorf("node %d found %v, the step was answered with %v", at, found, b.first)
			}
		}
	})
	t.Run("body above the node's own limit", func(t *testing.T) {
		body := `{"mode":"` + strings.Repeat("x", 4096) + `"}`
		for _, over := range []http.RoundTripper{c.http, c.tcp.Transport} {
			c.post(t, over, 1, "PlayerService/Play", "Bearer "+b.token, body).check(t, 429, "not_applied", "request_too_large")
		}
	})
	t.Run("errors of GET and other content", func(t *testing.T) { c.testNotRPC(t) })
}

// sameAnswer compares all of two answers but who gave them.
func sameAnswer(a, b *edgereelv1.PlayResponse) bool {
	x, okX := proto.Clone(a).(*edgereelv1.PlayResponse)
	y, okY := proto.Clone(b).(*edgereelv1.PlayResponse)
	x.Position.Node, y.Position.Node = "", ""
	return okX && okY && proto.Equal(x, y) && bytes.Equal(a.GetPresentation(), b.GetPresentation())
}

func (c *cluster) testNotRPC(t *testing.T) {
	t.Helper()
	url := "https://" + c.configs[0].Addresses.Public + edgereelv1connect.PlayerServicePlayProcedure
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
		must(t, err)
		r.Header.Set("Content-Type", "text/plain")
		res, err := c.http.RoundTrip(r)
		must(t, err)
		raw, err := io.ReadAll(res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(raw), `"message":"not_applied: wrong_`) {
			t.Errorf("%s answers %d %s", method, res.StatusCode, raw)
		}
	}
}
