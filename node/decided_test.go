package node_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/node/gateway"
)

// testDecidedKeyAnswersFirst repeats decided keys under an expired token and an
// exhausted rate, which must give the first result, and tries undecided ones,
// which must not be applied.
func (c *cluster) testDecidedKeyAnswersFirst(t *testing.T) {
	p := c.newPlayer(t, "carl", "us-east", 10_000)
	session := c.openSession(t, p, "harbor-lines", "carl")
	decided := &edgereelv1.PlayRequest{Wallet: p.wallet, Session: session, Step: 1, Mode: "base", StakeMinor: 100}
	first, err := c.plays(0, p).Play(t.Context(), decided)
	must(t, err)
	ops := edgereelv1connect.NewOperatorServiceClient(c.client(0, c.operator))
	deposit := &edgereelv1.DepositRequest{Wallet: p.wallet, TransactionId: "carl-1", AmountMinor: 700, Currency: "EUR"}
	deposited, err := ops.Deposit(t.Context(), deposit)
	must(t, err)
	wallet := func() *edgereelv1.Wallet {
		t.Helper()
		res, err := ops.GetWallet(t.Context(), &edgereelv1.OperatorGetWalletRequest{Wallet: p.wallet})
		must(t, err)
		return res.GetWallet()
	}
	before := wallet()

	old := c.issuer(t, cluster1, -2*time.Hour)
	oldPlayer, err := old.Player("acme", p.name, p.wallet, time.Hour)
	must(t, err)
	oldOperator, err := old.Operator("acme", gateway.AllRoles(), time.Hour)
	must(t, err)
	// Node 1 gives nobody more than its burst.
	c.exhaust(t, p.token)
	c.exhaust(t, c.operator)

	cases := []struct {
		name             string
		node             int
		player, operator string
		status           int
		effect, code     string
	}{
		{name: "expired, beside the leader", node: 0, player: oldPlayer, operator: oldOperator, status: 401, effect: "not_applied", code: "token_expired"},
		{name: "expired, elsewhere", node: 2, player: oldPlayer, operator: oldOperator, status: 401, effect: "not_applied", code: "token_expired"},
		{name: "rate exhausted", node: 1, player: p.token, operator: c.operator, status: 429, effect: "not_applied_retryable", code: "rate_limited"},
		{name: "both", node: 1, player: oldPlayer, operator: oldOperator, status: 429, effect: "not_applied_retryable", code: "rate_limited"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			as := player{name: p.name, wallet: p.wallet, token: tc.player}
			again, err := c.plays(tc.node, as).Play(t.Context(), decided)
			must(t, err)
			if !sameAnswer(again, first) {
				t.Errorf("the decided step answers %v, first %v", again, first)
			}
			opened, err := c.plays(tc.node, as).OpenSession(t.Context(), &edgereelv1.OpenSessionRequest{
				Wallet: p.wallet, Game: "harbor-lines", Key: "carl", ClientSeed: "luck",
			})
			must(t, err)
			if opened.GetSession().GetSession() != session {
				t.Errorf("the session's key answers %v", opened)
			}
			paid, err := edgereelv1connect.NewOperatorServiceClient(c.client(tc.node, tc.operator)).Deposit(t.Context(), deposit)
			must(t, err)
			paid.Position.Node = deposited.GetPosition().GetNode()
			if !proto.Equal(paid, deposited) {
				t.Errorf("the decided deposit answers %v, first %v", paid, deposited)
			}
			for procedure, body := range map[string]string{
				"PlayerService/Play":         fmt.Sprintf(`{"wallet":%q,"session":%q,"step":"2","mode":"base","stakeMinor":"100"}`, p.wallet, session),
				"PlayerService/CloseSession": fmt.Sprintf(`{"wallet":%q,"session":%q}`, p.wallet, session),
				"PlayerService/OpenSession":  fmt.Sprintf(`{"wallet":%q,"game":"comet-spins","key":"new"}`, p.wallet),
				"PlayerService/GetWallet":    fmt.Sprintf(`{"wallet":%q}`, p.wallet),
			} {
				c.post(t, c.http, tc.node, procedure, "Bearer "+tc.player, body).check(t, tc.status, tc.effect, tc.code)
			}
			body := fmt.Sprintf(`{"wallet":%q,"transactionId":"carl-2","amountMinor":"5","currency":"EUR"}`, p.wallet)
			c.post(t, c.http, tc.node, "OperatorService/Deposit", "Bearer "+tc.operator, body).check(t, tc.status, tc.effect, tc.code)
			if after := wallet(); !proto.Equal(after, before) {
				t.Errorf("the wallet is %v, was %v", after, before)
			}
		})
	}
	// The same undecided key is good once nothing stands against it.
	_, err = ops.Deposit(t.Context(), &edgereelv1.DepositRequest{Wallet: p.wallet, TransactionId: "carl-2", AmountMinor: 5, Currency: "EUR"})
	must(t, err)
	if after := wallet(); after.GetBalanceMinor() != before.GetBalanceMinor()+5 || after.GetWalletSeq() != before.GetWalletSeq()+1 {
		t.Errorf("after the deposit the wallet is %v, was %v", after, before)
	}
}

// exhaust uses up what a token's owner may call at node 1.
func (c *cluster) exhaust(t *testing.T, token string) {
	t.Helper()
	for range smallBurst + 1 {
		if r := c.post(t, c.http, 1, "PlayerService/ListGames", "Bearer "+token, "{}"); r.status != 200 {
			r.check(t, 429, "not_applied_retryable", "rate_limited")
			return
		}
	}
	t.Fatalf("%d calls were all answered", smallBurst+1)
}
