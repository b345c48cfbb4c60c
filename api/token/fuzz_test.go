package token_test

import (
	"testing"
	"time"
)

// No text that the issuer did not sign yields claims.
func FuzzVerify(f *testing.F) {
	valid, err := issuer().Player("op", "ann", "w1", time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add(craft(map[string]any{"alg": "EdDSA", "kid": "k1"}, goodClaims(), nil))
	f.Add(craft(map[string]any{"alg": "none"}, goodClaims(), nil))
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := verifier().Verify(text)
		if err == nil && (claims.Operator != "op" || claims.Player != "ann" || claims.Wallet != "w1") {
			t.Fatalf("%q gave claims %+v", text, claims)
		}
	})
}
