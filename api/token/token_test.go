package token_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgereel/edgereel/api/token"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return ed25519.PublicKey(key[32:]) }

func issuer() token.Issuer {
	return token.Issuer{Key: keyOf(1), KeyID: "k1", Audience: "cluster-a", Now: at(start)}
}

func verifier() token.Verifier {
	return token.Verifier{
		Keys:     map[string]ed25519.PublicKey{"k1": publicOf(keyOf(1)), "k2": publicOf(keyOf(2))},
		Audience: "cluster-a",
		Now:      at(start),
	}
}

func playerToken(t *testing.T) string {
	t.Helper()
	text, err := issuer().Player("op", "ann", "w1", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// craft builds a token from raw parts; sign may be nil for no signature.
func craft(header, claims map[string]any, sign func([]byte) []byte) string {
	encode := func(value any) string {
		raw, _ := json.Marshal(value)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	signed := encode(header) + "." + encode(claims)
	var signature []byte
	if sign != nil {
		signature = sign([]byte(signed))
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func goodClaims() map[string]any {
	return map[string]any{
		"iss": "edgereel", "aud": "cluster-a", "operator": "op", "player": "ann", "wallet": "w1",
		"roles": []string{"player"}, "nbf": start.Unix(), "exp": start.Add(time.Minute).Unix(),
	}
}

func signWith(key ed25519.PrivateKey) func([]byte) []byte {
	return func(message []byte) []byte { return ed25519.Sign(key, message) }
}

func TestVerify_Player(t *testing.T) {
	claims, err := verifier().Verify(playerToken(t))
	if err != nil {
		t.Fatal(err)
	}
	if claims.Operator != "op" || claims.Player != "ann" || claims.Wallet != "w1" ||
		!slices.Equal(claims.Roles, []string{token.RolePlayer}) || !claims.Expires.Equal(start.Add(time.Minute)) {
		t.Fatalf("claims %+v", claims)
	}
}

func TestVerify_Operator(t *testing.T) {
	text, err := issuer().Operator("op", []string{"cash", "audit"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verifier().Verify(text)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Player != "" || claims.Wallet != "" || !claims.HasRole("audit") || claims.HasRole(token.RolePlayer) {
		t.Fatalf("claims %+v", claims)
	}
}

func TestVerify_Refuses(t *testing.T) {
	header := map[string]any{"alg": "EdDSA", "kid": "k1", "typ": "JWT"}
	with := func(name string, value any) map[string]any {
		claims := goodClaims()
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
		return claims
	}
	signed := func(claims map[string]any) string { return craft(header, claims, signWith(keyOf(1))) }
	if _, err := verifier().Verify(signed(goodClaims())); err != nil {
		t.Fatalf("the crafted token these cases start from: %v", err)
	}
	hmacWithPublicKey := func(message []byte) []byte {
		mac := hmac.New(sha256.New, publicOf(keyOf(1)))
		mac.Write(message)
		return mac.Sum(nil)
	}
	valid := playerToken(t)
	parts := strings.Split(valid, ".")
	otherClaims := strings.Split(signed(with("wallet", "w2")), ".")[1]
	tests := map[string]struct {
		text string
		want error
	}{
		"nothing":                  {"", token.ErrMissing},
		"not a token":              {"hello", token.ErrMalformed},
		"two parts":                {parts[0] + "." + parts[1], token.ErrMalformed},
		"huge":                     {strings.Repeat("a", 1<<20), token.ErrMalformed},
		"algorithm none":           {craft(map[string]any{"alg": "none", "kid": "k1"}, goodClaims(), nil), token.ErrForged},
		"hmac with our public key": {craft(map[string]any{"alg": "HS256", "kid": "k1"}, goodClaims(), hmacWithPublicKey), token.ErrForged},
		"unknown key id":           {craft(map[string]any{"alg": "EdDSA", "kid": "k9"}, goodClaims(), signWith(keyOf(1))), token.ErrForged},
		"no key id":                {craft(map[string]any{"alg": "EdDSA"}, goodClaims(), signWith(keyOf(1))), token.ErrForged},
		"another key's id":         {craft(map[string]any{"alg": "EdDSA", "kid": "k2"}, goodClaims(), signWith(keyOf(1))), token.ErrForged},
		"another's key":            {craft(header, goodClaims(), signWith(keyOf(3))), token.ErrForged},
		"no signature":             {parts[0] + "." + parts[1] + ".", token.ErrForged},
		"claims exchanged":         {parts[0] + "." + otherClaims + "." + parts[2], token.ErrForged},
		"signature cut":            {valid[:len(valid)-4], token.ErrForged},
		"claims not an object":     {craft(header, nil, signWith(keyOf(1))), token.ErrWrongAudience},
		"expired":                  {signed(with("exp", start.Unix())), token.ErrExpired},
		"never expires":            {signed(with("exp", nil)), token.ErrMalformed},
		"no beginning":             {signed(with("nbf", nil)), token.ErrMalformed},
		"not yet valid":            {signed(with("nbf", start.Add(time.Minute/2).Unix())), token.ErrNotYetValid},
		"other cluster":            {signed(with("aud", "cluster-b")), token.ErrWrongAudience},
		"no audience":              {signed(with("aud", nil)), token.ErrWrongAudience},
		"other issuer":             {signed(with("iss", "casino")), token.ErrWrongAudience},
		"no operator":              {signed(with("operator", nil)), token.ErrMalformed},
		"no roles":                 {signed(with("roles", nil)), token.ErrMalformed},
		"player without wallet":    {signed(with("wallet", nil)), token.ErrMalformed},
		"wallet without player":    {signed(with("roles", []string{"cash"})), token.ErrMalformed},
		"roles of another type":    {signed(with("roles", "player")), token.ErrMalformed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			claims, err := verifier().Verify(test.text)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			// Only an expired token's owner is known, so that decided keys answer.
			if known := claims.Operator != ""; known != errors.Is(test.want, token.ErrExpired) {
				t.Fatalf("claims %+v of a refused token", claims)
			}
		})
	}
}

func TestVerify_NoFlippedBitChangesClaims(t *testing.T) {
	valid := playerToken(t)
	for i := range valid {
		changed := []byte(valid)
		changed[i] ^= 1
		claims, err := verifier().Verify(string(changed))
		// The last character of a part carries bits that base64 ignores;
		// such a text holds the same bytes and so the same claims.
		if err == nil && (claims.Wallet != "w1" || claims.Operator != "op") {
			t.Fatalf("flipping character %d gave claims %+v", i, claims)
		}
	}
}

func TestVerify_Clock(t *testing.T) {
	text := playerToken(t)
	for name, test := range map[string]struct {
		now  time.Time
		want error
	}{
		"issuer's clock a little ahead": {start.Add(-9 * time.Second), nil},
		"issuer's clock far ahead":      {start.Add(-11 * time.Second), token.ErrNotYetValid},
		"last moment":                   {start.Add(time.Minute - 1), nil},
		"first moment too late":         {start.Add(time.Minute), token.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			verifier := verifier()
			verifier.Now = at(test.now)
			if _, err := verifier.Verify(text); !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestVerify_NoAudienceConfigured(t *testing.T) {
	verifier := verifier()
	verifier.Audience = ""
	if _, err := verifier.Verify(playerToken(t)); !errors.Is(err, token.ErrWrongAudience) {
		t.Fatalf("error %v, want ErrWrongAudience", err)
	}
}

func TestIssue_Refuses(t *testing.T) {
	noKey := issuer()
	noKey.Key = nil
	for name, issue := range map[string]func() (string, error){
		"no key":          func() (string, error) { return noKey.Player("op", "ann", "w1", time.Minute) },
		"no wallet":       func() (string, error) { return issuer().Player("op", "ann", "", time.Minute) },
		"no operator":     func() (string, error) { return issuer().Player("", "ann", "w1", time.Minute) },
		"no time to live": func() (string, error) { return issuer().Player("op", "ann", "w1", 0) },
		"no role":         func() (string, error) { return issuer().Operator("op", nil, time.Minute) },
		"player's role":   func() (string, error) { return issuer().Operator("op", []string{token.RolePlayer}, time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := issue(); err == nil {
				t.Fatalf("issued %q", text)
			}
		})
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]struct {
		text string
		err  error
	}{
		"":           {"", token.ErrMissing},
		"Bearer":     {"", token.ErrMissing},
		"Bearer a.b": {"a.b", nil},
		"bearer a.b": {"a.b", nil},
		"Basic a.b":  {"", token.ErrMalformed},
		"a.b":        {"", token.ErrMalformed},
	} {
		text, err := token.Bearer(header)
		if text != want.text || !errors.Is(err, want.err) {
			t.Errorf("Bearer(%q) = %q, %v", header, text, err)
		}
	}
}
