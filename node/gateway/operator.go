package gateway

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/wallet"
)

// maxTokenTTL bounds how long a player's token is good for.
const maxTokenTTL = 24 * time.Hour

// operators answers OperatorService.
type operators struct{ *Gateway }

var _ edgereelv1connect.OperatorServiceHandler = (*operators)(nil)

func invalid(format string, args ...any) error {
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "invalid", connect.CodeInvalidArgument, "Correct the request.", format, args...)
}

// OpenWallet claims a surrogate for the player in its directory shard, then
// opens that wallet at home. Both steps are idempotent, so a call that ends in
// between is finished by its repeat.
func (o *operators) OpenWallet(ctx context.Context, req *edgereelv1.OpenWalletRequest) (*edgereelv1.OpenWalletResponse, error) {
	a, err := o.admit(ctx, RoleOperator)
	if err == nil {
		err = a.unkeyed()
	}
	if err != nil {
		return nil, err
	}
	if o.cfg.Directory == nil {
		return nil, absent("the directory of players")
	}
	if req.GetPlayer() == "" || len(req.GetPlayer()) > 128 {
		return nil, invalid("a player id has 1 to 128 bytes")
	}
	if _, ok := wallet.LookUpCurrency(req.GetCurrency()); !ok {
		return nil, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, string(wallet.CodeUnknownCurrency), connect.CodeInvalidArgument,
			"Use an ISO 4217 code.", "currency %q is not in the table", req.GetCurrency())
	}
	slots := o.cfg.Router.Slots()
	candidate, err := o.surrogate(slots.Home(req.GetHomeRegion()), req.GetHomeRegion())
	if err != nil {
		return nil, err
	}
	lookup := o.cfg.Directory.Lookup(a.principal.GetOperator(), req.GetPlayer(), req.GetCurrency())
	claimed := &edgereelv1.ClaimResponse{}
	claim := &edgereelv1.ClaimRequest{Player: req.GetPlayer(), Currency: req.GetCurrency(), Candidate: candidate.String()}
	if err := o.routeTo(ctx, a, slots.Of(int(lookup[0])), "Claim", claim, claimed); err != nil {
		return nil, err
	}
	res := &edgereelv1.OpenWalletResponse{}
	open := &edgereelv1.OpenClaimedRequest{Wallet: claimed.GetWallet(), Currency: req.GetCurrency()}
	return res, o.route(ctx, a, claimed.GetWallet(), "OpenClaimed", open, res)
}

// surrogate draws a wallet id whose slot is at home in the region.
func (o *operators) surrogate(slots []int, region string) (wallet.ID, error) {
	if len(slots) == 0 {
		return wallet.ID{}, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "unknown_region", connect.CodeInvalidArgument,
			"Name a region that is home to a shard.", "no shard is at home in %q", region)
	}
	var id wallet.ID
	if _, err := io.ReadFull(o.cfg.Rand, id[:]); err != nil {
		return wallet.ID{}, fmt.Errorf("draw a wallet id: %w", err)
	}
	// The bias of a 128-bit number modulo at most 256 slots is beyond notice.
	pick := new(big.Int).Mod(new(big.Int).SetBytes(id[:]), big.NewInt(int64(len(slots))))
	id[0] = byte(slots[pick.Int64()])
	return id, nil
}

func (o *operators) GetWallet(ctx context.Context, req *edgereelv1.OperatorGetWalletRequest) (*edgereelv1.OperatorGetWalletResponse, error) {
	a, err := o.admit(ctx, RoleOperator)
	if err == nil {
		err = a.unkeyed()
	}
	if err != nil {
		return nil, err
	}
	if req.GetStale() {
		if w, pos := o.stale(a, req.GetWallet()); w != nil {
			return &edgereelv1.OperatorGetWalletResponse{Wallet: w, Position: pos, Stale: true}, nil
		}
	}
	res := &edgereelv1.OperatorGetWalletResponse{}
	return res, o.route(ctx, a, req.GetWallet(), "OperatorGetWallet", req, res)
}

// keyed routes a cash call, whose key is looked up before anything refuses it.
func (o *operators) keyed(ctx context.Context, walletID, procedure string, req, res proto.Message) error {
	a, err := o.admit(ctx, RoleOperator)
	if err != nil {
		return err
	}
	return o.route(ctx, a, walletID, procedure, req, res)
}

func (o *operators) Deposit(ctx context.Context, req *edgereelv1.DepositRequest) (*edgereelv1.CashResponse, error) {
	res := &edgereelv1.CashResponse{}
	return res, o.keyed(ctx, req.GetWallet(), "Deposit", req, res)
}

func (o *operators) Withdraw(ctx context.Context, req *edgereelv1.WithdrawRequest) (*edgereelv1.CashResponse, error) {
	res := &edgereelv1.CashResponse{}
	return res, o.keyed(ctx, req.GetWallet(), "Withdraw", req, res)
}

func (o *operators) Reverse(ctx context.Context, req *edgereelv1.ReverseRequest) (*edgereelv1.CashResponse, error) {
	res := &edgereelv1.CashResponse{}
	return res, o.keyed(ctx, req.GetWallet(), "Reverse", req, res)
}

// IssuePlayerToken signs a token for a wallet of the calling operator.
func (o *operators) IssuePlayerToken(ctx context.Context, req *edgereelv1.IssuePlayerTokenRequest) (*edgereelv1.IssuePlayerTokenResponse, error) {
	a, err := o.admit(ctx, RoleOperator)
	if err == nil {
		err = a.unkeyed()
	}
	if err != nil {
		return nil, err
	}
	switch {
	case o.cfg.Issuer == nil:
		return nil, absent("sign tokens")
	case req.GetTtlSeconds() <= 0 || req.GetTtlSeconds() > int64(maxTokenTTL/time.Second):
		return nil, invalid("ttl_seconds is %d; it must be 1 to %d", req.GetTtlSeconds(), int64(maxTokenTTL/time.Second))
	case req.GetPlayer() == "":
		return nil, invalid("a token names its player")
	}
	// Reading the wallet proves that it exists and is the operator's.
	read := &edgereelv1.OperatorGetWalletRequest{Wallet: req.GetWallet()}
	if err := o.route(ctx, a, req.GetWallet(), "OperatorGetWallet", read, &edgereelv1.OperatorGetWalletResponse{}); err != nil {
		return nil, err
	}
	ttl := time.Duration(req.GetTtlSeconds()) * time.Second
	text, err := o.cfg.Issuer.Player(a.principal.GetOperator(), req.GetPlayer(), req.GetWallet(), ttl)
	if err != nil {
		return nil, fmt.Errorf("sign a player token: %w", err)
	}
	return &edgereelv1.IssuePlayerTokenResponse{Token: text, ExpiresAtMs: o.cfg.Now().Add(ttl).UnixMilli()}, nil
}

// SetGame switches a game in every shard. It repeats harmlessly where some
// shards did not answer.
func (o *operators) SetGame(ctx context.Context, req *edgereelv1.SetGameRequest) (*edgereelv1.SetGameResponse, error) {
	a, err := o.admit(ctx, RoleAdmin)
	if err == nil {
		err = a.unkeyed()
	}
	if err != nil {
		return nil, err
	}
	all := &edgereelv1.SetGameResponse{}
	for _, shard := range o.cfg.Router.Slots().Shards() {
		res := &edgereelv1.SetGameResponse{}
		if err := o.routeTo(ctx, a, shard, "SetGame", req, res); err != nil {
			return nil, err
		}
		all.Positions = append(all.Positions, res.GetPositions()...)
	}
	return all, nil
}

func (o *operators) ResolveRound(ctx context.Context, req *edgereelv1.ResolveRoundRequest) (*edgereelv1.ResolveRoundResponse, error) {
	a, err := o.admit(ctx, RoleOperator)
	if err == nil {
		err = a.unkeyed()
	}
	if err != nil {
		return nil, err
	}
	res := &edgereelv1.ResolveRoundResponse{}
	return res, o.route(ctx, a, req.GetWallet(), "ResolveRound", req, res)
}
