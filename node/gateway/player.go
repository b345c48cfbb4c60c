package gateway

import (
	"context"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/api/token"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/wallet"
)

// players answers PlayerService.
type players struct{ *Gateway }

var _ edgereelv1connect.PlayerServiceHandler = (*players)(nil)

// Game is a game as ListGames shows it.
type Game struct {
	ID, Version, Digest string
	Modes               []Mode
	Enabled             bool
}

// Mode is one bet mode of a Game.
type Mode struct {
	Name     string
	CostX100 uint32
	RTP      string
	MaxWinX  uint64
}

func (p *players) GetWallet(ctx context.Context, req *edgereelv1.GetWalletRequest) (*edgereelv1.GetWalletResponse, error) {
	a, err := p.admitPlayer(ctx, req.GetWallet())
	if err == nil {
		err = a.unkeyed()
	}
	if err != nil {
		return nil, err
	}
	res := &edgereelv1.GetWalletResponse{}
	if req.GetStale() {
		if w, pos := p.stale(a, req.GetWallet()); w != nil {
			return &edgereelv1.GetWalletResponse{Wallet: w, Position: pos, Stale: true}, nil
		}
	}
	return res, p.route(ctx, a, req.GetWallet(), "GetWallet", req, res)
}

// stale reads this node's replica, labelled with where it stands.
func (g *Gateway) stale(a admitted, text string) (*edgereelv1.Wallet, *edgereelv1.Position) {
	id, err := wallet.ParseID(text)
	if err != nil {
		return nil, nil
	}
	shard := g.cfg.Router.Slots().Of(id.Slot())
	replica := g.cfg.Replica(shard.ID)
	if replica == nil {
		return nil, nil
	}
	var v wallet.View
	var head wallet.Head
	var ok bool
	replica.View(func(sh *wallet.Shard) {
		v, ok = sh.View(id)
		head = sh.Head()
	})
	if !ok || v.Operator != a.principal.GetOperator() {
		return nil, nil
	}
	return leader.WalletMessage(&v), &edgereelv1.Position{
		Shard: shard.ID, Epoch: head.Epoch, ShardSeq: head.Seq, ShardHash: head.Hash.String(), WalletSeq: v.Seq,
		ShardTimeMs: head.TimeMS, Node: g.cfg.Node,
	}
}

func (p *players) ListGames(ctx context.Context, _ *edgereelv1.ListGamesRequest) (*edgereelv1.ListGamesResponse, error) {
	// Rules and returns are readable without a stake, by players and operators.
	a, err := p.admit(ctx, token.RolePlayer)
	if err != nil {
		if a, err = p.admit(ctx, RoleOperator); err != nil {
			return nil, err
		}
	}
	if err := a.unkeyed(); err != nil {
		return nil, err
	}
	res := &edgereelv1.ListGamesResponse{}
	for _, g := range p.cfg.Games() {
		m := &edgereelv1.Game{Id: g.ID, Version: g.Version, Digest: g.Digest, Enabled: g.Enabled}
		for i, mode := range g.Modes {
			if i == 0 {
				m.Rtp = mode.RTP
			}
			m.Modes = append(m.Modes, &edgereelv1.Mode{Name: mode.Name, CostX100: mode.CostX100, Rtp: mode.RTP, MaxWinX: mode.MaxWinX})
		}
		res.Games = append(res.Games, m)
	}
	return res, nil
}

func (p *players) OpenSession(ctx context.Context, req *edgereelv1.OpenSessionRequest) (*edgereelv1.OpenSessionResponse, error) {
	a, err := p.admitPlayer(ctx, req.GetWallet())
	if err != nil {
		return nil, err
	}
	res := &edgereelv1.OpenSessionResponse{}
	return res, p.route(ctx, a, req.GetWallet(), "OpenSession", req, res)
}

func (p *players) Play(ctx context.Context, req *edgereelv1.PlayRequest) (*edgereelv1.PlayResponse, error) {
	a, err := p.admitPlayer(ctx, req.GetWallet())
	if err != nil {
		return nil, err
	}
	res := &edgereelv1.PlayResponse{}
	return res, p.route(ctx, a, req.GetWallet(), "Play", req, res)
}

func (p *players) LookUpStep(ctx context.Context, req *edgereelv1.LookUpStepRequest) (*edgereelv1.PlayResponse, error) {
	a, err := p.admitPlayer(ctx, req.GetWallet())
	if err == nil {
		err = a.unkeyed()
	}
	if err != nil {
		return nil, err
	}
	res := &edgereelv1.PlayResponse{}
	return res, p.route(ctx, a, req.GetWallet(), "LookUpStep", req, res)
}

func (p *players) CloseSession(ctx context.Context, req *edgereelv1.CloseSessionRequest) (*edgereelv1.CloseSessionResponse, error) {
	a, err := p.admitPlayer(ctx, req.GetWallet())
	if err != nil {
		return nil, err
	}
	res := &edgereelv1.CloseSessionResponse{}
	return res, p.route(ctx, a, req.GetWallet(), "CloseSession", req, res)
}
