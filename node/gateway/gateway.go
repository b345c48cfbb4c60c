// Package gateway is the public face of a node: it verifies tokens, holds
// limits, and routes each call to the leader of its shard.
//
// It promises that nothing but a verified token of the right owner and role
// reaches a shard, and that every error says its effect. It decides nothing
// about money: a limit that could refuse a retry is passed on, so that the key
// is looked up first.
//
// # Concurrency
//
// A Gateway is safe for concurrent use.
package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/api/token"
	"github.com/edgereel/edgereel/node/leader"
	"github.com/edgereel/edgereel/node/router"
	"github.com/edgereel/edgereel/wallet"
)

// Router brings calls to the leaders of their shards.
type Router interface {
	// Call fills res with the leader's answer; its errors carry their effect.
	Call(ctx context.Context, shard router.Shard, procedure string, call leader.Call, res proto.Message) error
	// Slots is the map wallets are routed by.
	Slots() *router.SlotMap
}

// Replica is this node's copy of a shard, for labelled stale reads.
type Replica interface {
	View(fn func(*wallet.Shard))
}

// Directory gives the keyed digest a player's wallet is found by.
type Directory interface {
	Lookup(operator, player, currency string) [32]byte
}

// Metrics counts what callers are told.
type Metrics interface {
	// Refused is told of every call that ends in an error.
	Refused(code, effect string)
}

// Config is what a gateway is made of.
type Config struct {
	Node   string
	Router Router
	Tokens token.Verifier
	// Issuer and Directory are nil on a node that does not hold their keys; it
	// then issues no tokens and opens no wallets.
	Issuer    *token.Issuer
	Directory Directory
	// Games describes what the modules of this node offer.
	Games func() []Game
	// Replica gives this node's copy of a shard, nil where it has none.
	Replica func(shard uint32) Replica
	// Audit and Cluster answer what concerns this node itself.
	Audit   edgereelv1connect.AuditServiceHandler
	Cluster edgereelv1connect.ClusterServiceHandler
	// Studio takes modules in and releases them; nil answers that this node
	// does not serve it.
	Studio        edgereelv1connect.StudioServiceHandler
	RatePerSecond float64
	Burst         int
	Now           func() time.Time
	Rand          io.Reader
	Metrics       Metrics
	Logger        *slog.Logger
}

// Gateway answers players and operators.
type Gateway struct {
	cfg   Config
	rates *rates
}

// New makes a gateway.
func New(cfg Config) *Gateway {
	return &Gateway{cfg: cfg, rates: newRates(cfg.RatePerSecond, cfg.Burst, cfg.Now)}
}

// Handler serves the public services.
func (g *Gateway) Handler() http.Handler {
	server := connect.NewServer(g.count, api.Effects(), g.survive)
	edgereelv1connect.RegisterPlayerServiceHandler(server, &players{g})
	edgereelv1connect.RegisterOperatorServiceHandler(server, &operators{g})
	edgereelv1connect.RegisterAuditServiceHandler(server, &auditors{g, g.cfg.Audit})
	edgereelv1connect.RegisterClusterServiceHandler(server, &watchers{g, g.cfg.Cluster})
	if g.cfg.Studio != nil {
		edgereelv1connect.RegisterStudioServiceHandler(server, &studios{g, g.cfg.Studio})
	}
	return g.authenticate(api.Handler(server))
}

// count tells the metrics of every call that ends in an error.
func (g *Gateway) count(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		err := next(ctx, spec, stream)
		if err != nil {
			d := api.DetailOf(err)
			g.cfg.Metrics.Refused(d.GetCode(), api.EffectWord(d.GetEffect()))
		}
		return err
	}
}

// survive answers a call whose handler panicked: its effect is unknown, and the
// node goes on.
func (g *Gateway) survive(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
		defer func() {
			if cause := recover(); cause != nil {
				g.cfg.Logger.ErrorContext(ctx, "a call panicked", "procedure", spec.Procedure, "cause", cause, "stack", string(debug.Stack()))
				err = fmt.Errorf("panic: %v", cause)
			}
		}()
		return next(ctx, spec, stream)
	}
}

// absent is for what this node has no keys for and another node may do.
func absent(what string) error {
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "not_here", connect.CodeUnavailable,
		"Repeat the request at another node.", "this node holds no key to %s", what)
}

// route brings a call on a wallet to its shard's leader.
func (g *Gateway) route(ctx context.Context, a admitted, walletID, procedure string, req, res proto.Message) error {
	id, err := wallet.ParseID(walletID)
	if err != nil {
		return leader.APIError(&wallet.Refusal{Effect: wallet.NotApplied, Code: wallet.CodeInvalid, Detail: err.Error()})
	}
	return g.routeTo(ctx, a, g.cfg.Router.Slots().Of(id.Slot()), procedure, req, res)
}

func (g *Gateway) routeTo(ctx context.Context, a admitted, shard router.Shard, procedure string, req, res proto.Message) error {
	return g.cfg.Router.Call(ctx, shard, procedure, leader.Call{Principal: a.principal, Request: req, UnlessDecided: a.unlessDecided}, res)
}
