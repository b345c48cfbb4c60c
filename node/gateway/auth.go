package gateway

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/token"
	"github.com/edgereel/edgereel/node/leader"
)

// Roles of tokens beside a player's. Where several operators share a cluster,
// each holds RoleOperator alone: the others reach beyond its own wallets.
const (
	// RoleOperator: the operator's own wallets.
	RoleOperator = "operator"
	// RoleAuditor: every shard's journal, replay and the state of the cluster.
	RoleAuditor = "auditor"
	// RoleAdmin: switching games on and off for all operators, releasing them
	// and keeping the studios' keys.
	RoleAdmin = "admin"
	// RoleStudio: pushing modules; who signed them is another question.
	RoleStudio = "studio"
)

// AllRoles is what the one operator of a cluster of its own holds.
func AllRoles() []string { return []string{RoleOperator, RoleAuditor, RoleAdmin, RoleStudio} }

// caller is what a request's token said.
type caller struct {
	claims token.Claims
	err    error
}

type callerKey struct{}

// authenticate verifies the bearer token once, before anything is read.
func (g *Gateway) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c caller
		text, err := token.Bearer(r.Header.Get("Authorization"))
		if err == nil {
			c.claims, err = g.cfg.Tokens.Verify(text)
		}
		c.err = err
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, &c)))
	})
}

// admitted is a caller whose owner is known. unlessDecided is the code of what
// stands against the call, to be refused only where its key is undecided.
type admitted struct {
	principal     *edgereelv1.Principal
	unlessDecided string
}

// admit tells who calls. An expired token and an exhausted rate do not end a
// call here: its key is looked up first (PROTOCOL 9).
func (g *Gateway) admit(ctx context.Context, role string) (admitted, error) {
	c, ok := ctx.Value(callerKey{}).(*caller)
	if !ok {
		c = &caller{err: token.ErrMissing}
	}
	var a admitted
	switch {
	case errors.Is(c.err, token.ErrExpired):
		a.unlessDecided = string(leader.CodeTokenExpired)
	case c.err != nil:
		return admitted{}, tokenError(c.err)
	}
	if !c.claims.HasRole(role) {
		return admitted{}, denied("wrong_role", "the token has no role "+role)
	}
	a.principal = &edgereelv1.Principal{
		Operator: c.claims.Operator, Player: c.claims.Player, Wallet: c.claims.Wallet, Roles: c.claims.Roles,
	}
	// An expired token is held to its rate too: the rate's refusal is the
	// cheaper one, and it is the one a repeat may turn around.
	if !g.rates.allow(c.claims.Operator + "\x00" + c.claims.Player) {
		a.unlessDecided = string(leader.CodeRateLimited)
	}
	return a, nil
}

// admitPlayer admits a player to its own wallet.
func (g *Gateway) admitPlayer(ctx context.Context, wallet string) (admitted, error) {
	a, err := g.admit(ctx, token.RolePlayer)
	if err != nil {
		return admitted{}, err
	}
	if a.principal.GetWallet() != wallet {
		return admitted{}, denied("wrong_wallet", "the token is for another wallet")
	}
	return a, nil
}

// unkeyed refuses a call that has no key to be looked up and something standing
// against it.
func (a admitted) unkeyed() error {
	switch a.unlessDecided {
	case "":
		return nil
	case string(leader.CodeRateLimited):
		return api.DetailedError(&edgereelv1.ErrorDetail{
			Effect: edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, Code: a.unlessDecided,
			Hint: "Repeat the same request after a moment.", RetryAfterMs: 100,
		}, connect.CodeResourceExhausted, "too many requests with this token")
	}
	return tokenError(token.ErrExpired)
}

func denied(code, text string) error {
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, code, connect.CodePermissionDenied,
		"Use a token issued for this wallet and purpose.", "%s", text)
}

func tokenError(err error) error {
	code, hint := "token_invalid", "Sign in again; the same key then answers."
	switch {
	case errors.Is(err, token.ErrMissing):
		code, hint = "token_missing", "Send the header Authorization: Bearer <token>."
	case errors.Is(err, token.ErrExpired):
		code = string(leader.CodeTokenExpired)
	case errors.Is(err, token.ErrForged):
		code = "token_forged"
	case errors.Is(err, token.ErrWrongAudience):
		code, hint = "token_wrong_audience", "Use a token of this cluster."
	}
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, code, connect.CodeUnauthenticated, hint, "%s", err.Error())
}
