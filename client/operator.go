package client

import (
	"context"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// Operator makes the calls of an operator's back office. It belongs to one
// goroutine. The transaction id of a cash request is its key: keep it while the
// effect is unknown.
type Operator struct{ handle }

// Operator speaks for the holder of an operator token.
func (c *Client) Operator(token string) *Operator {
	return &Operator{handle: handle{c: c, token: token}}
}

// OpenWallet is idempotent per player and currency.
func (o *Operator) OpenWallet(ctx context.Context, request *edgereelv1.OpenWalletRequest) (*edgereelv1.OpenWalletResponse, error) {
	response, err := o.run(ctx, operation{
		kind: "open_wallet", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.operator.OpenWallet(ctx, request) },
	})
	return answer[*edgereelv1.OpenWalletResponse](response, err)
}

// GetWallet reads any wallet of the operator.
func (o *Operator) GetWallet(ctx context.Context, wallet string, stale bool) (*edgereelv1.OperatorGetWalletResponse, error) {
	request := &edgereelv1.OperatorGetWalletRequest{Wallet: wallet, Stale: stale}
	response, err := o.run(ctx, operation{
		kind: "read", request: request, read: true,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.operator.GetWallet(ctx, request) },
	})
	return answer[*edgereelv1.OperatorGetWalletResponse](response, err)
}

// Deposit credits a wallet.
func (o *Operator) Deposit(ctx context.Context, request *edgereelv1.DepositRequest) (*edgereelv1.CashResponse, error) {
	response, err := o.run(ctx, operation{
		kind: "deposit", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.operator.Deposit(ctx, request) },
	})
	return answer[*edgereelv1.CashResponse](response, err)
}

// Withdraw debits a wallet.
func (o *Operator) Withdraw(ctx context.Context, request *edgereelv1.WithdrawRequest) (*edgereelv1.CashResponse, error) {
	response, err := o.run(ctx, operation{
		kind: "withdraw", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.operator.Withdraw(ctx, request) },
	})
	return answer[*edgereelv1.CashResponse](response, err)
}

// Reverse undoes a deposit or withdrawal, or leaves a tombstone that refuses it
// when it arrives late.
func (o *Operator) Reverse(ctx context.Context, request *edgereelv1.ReverseRequest) (*edgereelv1.CashResponse, error) {
	response, err := o.run(ctx, operation{
		kind: "reverse", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.operator.Reverse(ctx, request) },
	})
	return answer[*edgereelv1.CashResponse](response, err)
}

// IssuePlayerToken makes a token for one wallet. It changes nothing in the
// ledger.
func (o *Operator) IssuePlayerToken(ctx context.Context, request *edgereelv1.IssuePlayerTokenRequest) (*edgereelv1.IssuePlayerTokenResponse, error) {
	response, err := o.run(ctx, operation{
		kind: "issue_player_token", request: request, read: true,
		send: func(ctx context.Context, n *node) (proto.Message, error) {
			return n.operator.IssuePlayerToken(ctx, request)
		},
	})
	return answer[*edgereelv1.IssuePlayerTokenResponse](response, err)
}

// SetGame enables or disables a game in every shard; repeating it is harmless.
func (o *Operator) SetGame(ctx context.Context, request *edgereelv1.SetGameRequest) (*edgereelv1.SetGameResponse, error) {
	response, err := o.run(ctx, operation{
		kind: "set_game", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.operator.SetGame(ctx, request) },
	})
	return answer[*edgereelv1.SetGameResponse](response, err)
}

// ResolveRound is one person's approval to end a frozen round.
func (o *Operator) ResolveRound(ctx context.Context, request *edgereelv1.ResolveRoundRequest) (*edgereelv1.ResolveRoundResponse, error) {
	response, err := o.run(ctx, operation{
		kind: "resolve", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) {
			return n.operator.ResolveRound(ctx, request)
		},
	})
	return answer[*edgereelv1.ResolveRoundResponse](response, err)
}
