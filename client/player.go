package client

import (
	"context"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// Player makes the calls of one player with one wallet. It belongs to one
// goroutine.
type Player struct {
	handle
	wallet string
}

// Player speaks for the holder of a player token.
func (c *Client) Player(token, wallet string) *Player {
	return &Player{handle: handle{c: c, token: token}, wallet: wallet}
}

// Wallet is the wallet the player plays with.
func (p *Player) Wallet() string { return p.wallet }

// GetWallet reads balance and open sessions: linearizable, or at once from the
// nearest replica when stale is set.
func (p *Player) GetWallet(ctx context.Context, stale bool) (*edgereelv1.GetWalletResponse, error) {
	request := &edgereelv1.GetWalletRequest{Wallet: p.wallet, Stale: stale}
	response, err := p.run(ctx, operation{
		kind: "read", request: request, read: true,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.player.GetWallet(ctx, request) },
	})
	return answer[*edgereelv1.GetWalletResponse](response, err)
}

// ListGames lists what can be played.
func (p *Player) ListGames(ctx context.Context) (*edgereelv1.ListGamesResponse, error) {
	request := &edgereelv1.ListGamesRequest{}
	response, err := p.run(ctx, operation{
		kind: "list_games", request: request, read: true,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.player.ListGames(ctx, request) },
	})
	return answer[*edgereelv1.ListGamesResponse](response, err)
}

// OpenSession starts a sitting at a game and commits its seed. The key makes it
// idempotent: keep it while the effect is unknown.
func (p *Player) OpenSession(ctx context.Context, game, key, clientSeed string) (*edgereelv1.OpenSessionResponse, error) {
	request := &edgereelv1.OpenSessionRequest{Wallet: p.wallet, Game: game, Key: key, ClientSeed: clientSeed}
	response, err := p.run(ctx, operation{
		kind: "open_session", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.player.OpenSession(ctx, request) },
	})
	return answer[*edgereelv1.OpenSessionResponse](response, err)
}

// Play settles one step. (session, step) is its key: calling again with the
// same request returns the first result. A step that left the retained window
// is looked up, and then answers whatever body decided it.
func (p *Player) Play(ctx context.Context, request *edgereelv1.PlayRequest) (*edgereelv1.PlayResponse, error) {
	request = proto.CloneOf(request)
	request.Wallet = p.wallet
	ask := &edgereelv1.LookUpStepRequest{Wallet: p.wallet, Session: request.GetSession(), Step: request.GetStep()}
	response, err := p.run(ctx, operation{
		kind: "play", request: request,
		send:   func(ctx context.Context, n *node) (proto.Message, error) { return n.player.Play(ctx, request) },
		lookUp: func(ctx context.Context, n *node) (proto.Message, error) { return n.player.LookUpStep(ctx, ask) },
	})
	played, err := answer[*edgereelv1.PlayResponse](response, err)
	if err == nil {
		p.inRound = played.GetRoundOpen()
	}
	return played, err
}

// LookUpStep reads the result of a decided step.
func (p *Player) LookUpStep(ctx context.Context, session string, step uint64) (*edgereelv1.PlayResponse, error) {
	request := &edgereelv1.LookUpStepRequest{Wallet: p.wallet, Session: session, Step: step}
	response, err := p.run(ctx, operation{
		kind: "look_up_step", request: request, read: true,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.player.LookUpStep(ctx, request) },
	})
	return answer[*edgereelv1.PlayResponse](response, err)
}

// CloseSession ends a session and reveals its seed; repeating it answers the
// same.
func (p *Player) CloseSession(ctx context.Context, session string) (*edgereelv1.CloseSessionResponse, error) {
	request := &edgereelv1.CloseSessionRequest{Wallet: p.wallet, Session: session}
	response, err := p.run(ctx, operation{
		kind: "close_session", request: request,
		send: func(ctx context.Context, n *node) (proto.Message, error) { return n.player.CloseSession(ctx, request) },
	})
	return answer[*edgereelv1.CloseSessionResponse](response, err)
}

// answer gives a response its type back.
func answer[T proto.Message](response proto.Message, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return response.(T), nil
}
