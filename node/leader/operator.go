package leader

import (
	"context"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/wallet"
)

func (s *Service) operatorGetWallet(ctx context.Context, call *Call, req *edgereelv1.OperatorGetWalletRequest) (proto.Message, error) {
	w, pos, err := s.readWallet(ctx, call, req.GetWallet())
	if err != nil {
		return nil, err
	}
	return &edgereelv1.OperatorGetWalletResponse{Wallet: w, Position: pos}, nil
}

// claim names the wallet of a player: this is the player's directory shard,
// chosen by the keyed digest of who it is. The first claim wins.
func (s *Service) claim(ctx context.Context, call *Call, req *edgereelv1.ClaimRequest) (proto.Message, error) {
	candidate, err := wallet.ParseID(req.GetCandidate())
	if err != nil {
		return nil, refuse(wallet.CodeInvalid, "%v", err)
	}
	operator := call.Principal.GetOperator()
	lookup := wallet.Hash(s.cfg.Directory.Lookup(operator, req.GetPlayer(), req.GetCurrency()))
	res, err := s.commit(ctx, call, wallet.ID(lookup[:16]), func(sh *wallet.Shard) (*wallet.Result, error) {
		if held, ok := sh.Claimed(lookup); ok {
			return &wallet.Result{Effect: wallet.Applied, Wallet: held, Repeat: true}, nil
		}
		return nil, nil
	}, func() (wallet.Op, error) {
		identity, wrapped, err := s.cfg.Directory.SealIdentity(candidate, req.GetPlayer())
		if err != nil {
			return nil, notReady(err)
		}
		return &wallet.Claim{
			Meta: meta(call, ""), Operator: operator, Currency: req.GetCurrency(), Wallet: candidate, Lookup: lookup,
			Identity: identity, WrappedKey: wrapped,
		}, nil
	})
	if err != nil {
		return nil, err
	}
	return &edgereelv1.ClaimResponse{Wallet: res.Wallet.String()}, nil
}

// openClaimed opens a claimed wallet in its own shard and reads it back.
func (s *Service) openClaimed(ctx context.Context, call *Call, req *edgereelv1.OpenClaimedRequest) (proto.Message, error) {
	id, err := wallet.ParseID(req.GetWallet())
	if err != nil {
		return nil, refuse(wallet.CodeInvalid, "%v", err)
	}
	op := &wallet.OpenWallet{Meta: meta(call, ""), Operator: call.Principal.GetOperator(), Currency: req.GetCurrency(), Wallet: id}
	if _, err := s.commit(ctx, call, id, undecided, func() (wallet.Op, error) { return op, nil }); err != nil {
		return nil, err
	}
	w, pos, err := s.readWallet(ctx, call, req.GetWallet())
	if err != nil {
		return nil, err
	}
	return &edgereelv1.OpenWalletResponse{Wallet: w, Position: pos}, nil
}

func (s *Service) deposit(ctx context.Context, call *Call, req *edgereelv1.DepositRequest) (proto.Message, error) {
	return s.cash(ctx, call, req.GetWallet(), func(id wallet.ID) wallet.Op {
		return &wallet.Deposit{Cash: wallet.Cash{
			Meta: meta(call, req.GetReason()), Operator: call.Principal.GetOperator(), Wallet: id,
			TransactionID: req.GetTransactionId(), AmountMinor: req.GetAmountMinor(), Currency: req.GetCurrency(),
		}}
	})
}

func (s *Service) withdraw(ctx context.Context, call *Call, req *edgereelv1.WithdrawRequest) (proto.Message, error) {
	return s.cash(ctx, call, req.GetWallet(), func(id wallet.ID) wallet.Op {
		return &wallet.Withdraw{Cash: wallet.Cash{
			Meta: meta(call, req.GetReason()), Operator: call.Principal.GetOperator(), Wallet: id,
			TransactionID: req.GetTransactionId(), AmountMinor: req.GetAmountMinor(), Currency: req.GetCurrency(),
		}}
	})
}

func (s *Service) reverse(ctx context.Context, call *Call, req *edgereelv1.ReverseRequest) (proto.Message, error) {
	return s.cash(ctx, call, req.GetWallet(), func(id wallet.ID) wallet.Op {
		return &wallet.Reverse{
			Meta: meta(call, req.GetReason()), Operator: call.Principal.GetOperator(), Wallet: id,
			TransactionID: req.GetTransactionId(), Original: req.GetOriginalTransactionId(),
		}
	})
}

// cash brings one cash operation through the log.
func (s *Service) cash(ctx context.Context, call *Call, text string, build func(wallet.ID) wallet.Op) (proto.Message, error) {
	id, err := wallet.ParseID(text)
	if err != nil {
		return nil, refuse(wallet.CodeInvalid, "%v", err)
	}
	op := build(id)
	res, err := s.commit(ctx, call, id, func(sh *wallet.Shard) (*wallet.Result, error) { return sh.DecidedCash(op) },
		func() (wallet.Op, error) { return op, nil })
	if err != nil {
		return nil, err
	}
	return &edgereelv1.CashResponse{
		BalanceMinor: res.BalanceMinor, Position: s.position(&res), Tombstone: res.Tombstone, ShortfallMinor: res.ShortfallMinor,
	}, nil
}

// setGame switches a game of this shard on or off.
func (s *Service) setGame(ctx context.Context, call *Call, req *edgereelv1.SetGameRequest) (proto.Message, error) {
	var entry *wallet.Catalogue
	res, err := s.commit(ctx, call, wallet.ID{}, func(sh *wallet.Shard) (*wallet.Result, error) {
		for _, g := range sh.Games() {
			if g.Game == req.GetGame() {
				entry = &g
				return nil, nil
			}
		}
		return nil, refuse(wallet.CodeUnknownGame, "no game %q", req.GetGame())
	}, func() (wallet.Op, error) {
		entry.Meta, entry.Enabled = meta(call, req.GetReason()), req.GetEnabled()
		return entry, nil
	})
	if err != nil {
		return nil, err
	}
	return &edgereelv1.SetGameResponse{Positions: []*edgereelv1.Position{s.position(&res)}}, nil
}

func (s *Service) resolveRound(ctx context.Context, call *Call, req *edgereelv1.ResolveRoundRequest) (proto.Message, error) {
	r, err := session(req.GetWallet(), req.GetRound())
	if err != nil {
		return nil, err
	}
	op := &wallet.Resolve{
		Meta: meta(call, req.GetReason()), Wallet: r.Wallet, Round: r.Number, Approver: req.GetApprover(),
		Resolution: wallet.Resolution(req.GetResolution()),
	}
	res, err := s.commit(ctx, call, r.Wallet,
		func(sh *wallet.Shard) (*wallet.Result, error) { return nil, own(sh, call.Principal, r.Wallet) },
		func() (wallet.Op, error) { return op, nil })
	if err != nil {
		return nil, err
	}
	return &edgereelv1.ResolveRoundResponse{Resolved: res.Resolved, BalanceMinor: res.BalanceMinor, Position: s.position(&res)}, nil
}
