// Package token issues and verifies the signed tokens of players and
// operators: JWTs signed with EdDSA over Ed25519, and with nothing else.
//
// What it promises: [Verifier.Verify] returns claims only for a token that was
// signed by one of its keys, for its audience, and is valid at its clock. It
// does not decide what a role may do, and it cannot take a token back before
// it expires; removing its key refuses all tokens of that key.
//
// # Concurrency
//
// Issuer and Verifier are read-only after construction and safe for concurrent
// use. A new set of keys is a new Verifier.
//
// # Errors
//
// Every refusal is exactly one of the sentinels, so that a caller can tell a
// player to sign in again from an attack.
package token

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// What is wrong with a token.
var (
	// ErrMissing means the call carried no bearer token.
	ErrMissing = errors.New("no token")
	// ErrMalformed means the text is not a token of this form.
	ErrMalformed = errors.New("the token is malformed")
	// ErrForged means no known key signed exactly these claims.
	ErrForged = errors.New("the token's signature is not valid")
	// ErrExpired means the token was valid once.
	ErrExpired = errors.New("the token has expired")
	// ErrNotYetValid means the token begins to be valid later.
	ErrNotYetValid = errors.New("the token is not valid yet")
	// ErrWrongAudience means the token was made for another cluster.
	ErrWrongAudience = errors.New("the token is for another cluster")
)

const (
	issuer = "edgereel"
	// maxLength bounds the work an unauthenticated caller can cause.
	maxLength = 4 << 10
	// slack is how far the clock of the issuing node may be ahead of ours.
	slack = 10 * time.Second
)

// RolePlayer is the one role of a player's token.
const RolePlayer = "player"

// Claims is what a verified token says. Player and Wallet are empty in an
// operator's token.
type Claims struct {
	Operator string
	Player   string
	Wallet   string
	Roles    []string
	Expires  time.Time
}

// HasRole reports whether the token carries the role.
func (c Claims) HasRole(role string) bool { return slices.Contains(c.Roles, role) }

type privateClaims struct {
	Operator string   `json:"operator"`
	Player   string   `json:"player,omitempty"`
	Wallet   string   `json:"wallet,omitempty"`
	Roles    []string `json:"roles"`
}

// Issuer signs tokens. All fields but Now are required.
type Issuer struct {
	Key ed25519.PrivateKey
	// KeyID names the public key to verifiers.
	KeyID string
	// Audience is the cluster the tokens are good for.
	Audience string
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
}

// Player issues a token for one wallet of one player. ttl is counted from now
// and rounded down to seconds.
func (i Issuer) Player(operator, player, wallet string, ttl time.Duration) (string, error) {
	if player == "" || wallet == "" {
		return "", errors.New("issue player token: player and wallet are required")
	}
	return i.issue(privateClaims{Operator: operator, Player: player, Wallet: wallet, Roles: []string{RolePlayer}}, ttl)
}

// Operator issues a token for an operator's own staff or systems.
func (i Issuer) Operator(operator string, roles []string, ttl time.Duration) (string, error) {
	if len(roles) == 0 || slices.Contains(roles, RolePlayer) {
		return "", errors.New("issue operator token: at least one role and not the player's is required")
	}
	return i.issue(privateClaims{Operator: operator, Roles: roles}, ttl)
}

func (i Issuer) issue(claims privateClaims, ttl time.Duration) (string, error) {
	if len(i.Key) != ed25519.PrivateKeySize || i.KeyID == "" || i.Audience == "" {
		return "", errors.New("issue token: the issuer has no key, key id or audience")
	}
	if claims.Operator == "" || ttl < time.Second {
		return "", errors.New("issue token: an operator and at least one second to live are required")
	}
	now := clock(i.Now)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: i.Key, KeyID: i.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Claims(jwt.Claims{
		Issuer:    issuer,
		Audience:  jwt.Audience{i.Audience},
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		Expiry:    jwt.NewNumericDate(now.Add(ttl)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	return text, nil
}

// Verifier checks tokens. All fields but Now are required.
type Verifier struct {
	// Keys by key id. Keep an old key until its last token has expired.
	Keys map[string]ed25519.PublicKey
	// Audience is the cluster this verifier speaks for.
	Audience string
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
}

// Verify returns the claims of a valid token, or one of the package's errors.
// Beside ErrExpired it returns the claims too: their owner is known, and a key
// that was decided is answered even to a token that has expired since.
func (v Verifier) Verify(text string) (Claims, error) {
	if text == "" {
		return Claims{}, ErrMissing
	}
	if len(text) > maxLength {
		return Claims{}, ErrMalformed
	}
	// The list of algorithms is ours and never the token's: "none" or an HMAC
	// keyed with our public key must not verify.
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		if algorithm := (*jose.ErrUnexpectedSignatureAlgorithm)(nil); errors.As(err, &algorithm) {
			return Claims{}, ErrForged
		}
		return Claims{}, ErrMalformed
	}
	if len(parsed.Headers) != 1 {
		return Claims{}, ErrMalformed
	}
	key, ok := v.Keys[parsed.Headers[0].KeyID]
	if !ok || len(key) != ed25519.PublicKeySize {
		return Claims{}, ErrForged
	}
	var private privateClaims
	var public jwt.Claims
	if err := parsed.Claims(key, &private, &public); err != nil {
		// The library reads no claims before the signature has held.
		if errors.Is(err, jose.ErrCryptoFailure) {
			return Claims{}, ErrForged
		}
		return Claims{}, ErrMalformed
	}
	return v.accept(private, public)
}

func (v Verifier) accept(private privateClaims, public jwt.Claims) (Claims, error) {
	// An empty audience of ours must never match a token without one.
	if v.Audience == "" || !public.Audience.Contains(v.Audience) || public.Issuer != issuer {
		return Claims{}, ErrWrongAudience
	}
	if private.Operator == "" || len(private.Roles) == 0 || public.Expiry == nil || public.NotBefore == nil {
		return Claims{}, ErrMalformed
	}
	isPlayer := slices.Contains(private.Roles, RolePlayer)
	if isPlayer != (private.Player != "") || isPlayer != (private.Wallet != "") {
		return Claims{}, ErrMalformed
	}
	claims := Claims{
		Operator: private.Operator,
		Player:   private.Player,
		Wallet:   private.Wallet,
		Roles:    private.Roles,
		Expires:  public.Expiry.Time(),
	}
	now := clock(v.Now)
	if !now.Before(public.Expiry.Time()) {
		return claims, ErrExpired
	}
	if now.Add(slack).Before(public.NotBefore.Time()) {
		return Claims{}, ErrNotYetValid
	}
	return claims, nil
}

// Bearer takes the token out of an Authorization header: ErrMissing when the
// header is empty, ErrMalformed when it is of another scheme.
func Bearer(authorization string) (string, error) {
	if authorization == "" {
		return "", ErrMissing
	}
	scheme, text, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return "", ErrMalformed
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", ErrMissing
	}
	return text, nil
}

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}
