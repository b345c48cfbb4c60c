package dsse_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/api/dsse"
)

var (
	studioKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	otherKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
	about     = dsse.Subject{Module: sha256.Sum256([]byte("module")), ParSheet: sha256.Sum256([]byte("sheet"))}
	release   = dsse.Release{Studio: "acme", Game: "comet-spins", Version: "1.2.0", Family: "comet", Variant: "96", MeterVersion: 1}
)

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func keys(id string) (dsse.Key, bool) {
	all := map[string]dsse.Key{dsse.KeyID(public(studioKey)): {Studio: "acme", Public: public(studioKey)}}
	k, ok := all[id]
	return k, ok
}

func sign(t *testing.T, r dsse.Release, s dsse.Subject, key ed25519.PrivateKey) []byte {
	t.Helper()
	text, err := dsse.Sign(r, s, key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPAE_Published is the example of the DSSE specification, and lengths that
// count bytes.
func TestPAE_Published(t *testing.T) {
	for _, c := range []struct{ kind, payload, want string }{
		{"http://example.com/HelloWorld", "hello world", "DSSEv1 29 http://example.com/HelloWorld 11 hello world"},
		{"", "", "DSSEv1 0  0 "},
		{"é", "a b", "DSSEv1 2 é 3 a b"},
	} {
		if got := string(dsse.PAE(c.kind, []byte(c.payload))); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestSign_Golden holds the form: what was signed once has to verify for ever.
func TestSign_Golden(t *testing.T) {
	const want = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"comet-spins@1.2.0","digest":{"sha256":` +
		`"120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9"}}],"predicateType":` +
		`"https://github.com/edgereel/edgereel/attestation/release/v1","predicate":{"studio":"acme","game":"comet-spins","version":"1.2.0",` +
		`"family":"comet","variant":"96","par_sheet":{"sha256":"78af7bdb5626eb0a046772b3edda705ca9e60ba7af0960eea89f7fa201d685a8"},"meter_version":1}}`
	text := sign(t, release, about, studioKey)
	var e struct {
		Payload, PayloadType string
		Signatures           []struct{ KeyID, Sig string }
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil || string(payload) != want {
		t.Errorf("%v, payload\n%s want\n%s", err, payload, want)
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	// The pre-authentication encoding is written out, so that this does not
	// lean on the function under test.
	signed := "DSSEv1 28 application/vnd.in-toto+json 458 " + want
	if err != nil || !ed25519.Verify(public(studioKey), []byte(signed), sig) {
		t.Errorf("%v: the signature is not over %s", err, signed)
	}
	if !bytes.Equal(text, sign(t, release, about, studioKey)) {
		t.Error("a second envelope of the same release differs")
	}
}

func TestVerify(t *testing.T) {
	v, err := dsse.Verify(sign(t, release, about, studioKey), about, keys)
	if err != nil {
		t.Fatal(err)
	}
	want := release
	want.ParSheet.SHA256 = "78af7bdb5626eb0a046772b3edda705ca9e60ba7af0960eea89f7fa201d685a8"
	if v.Statement.Predicate != want || v.KeyID != dsse.KeyID(public(studioKey)) || v.Statement.Subject[0].Name != "comet-spins@1.2.0" {
		t.Errorf("%+v", v)
	}
}

var sentinels = []error{
	dsse.ErrMalformed, dsse.ErrUnsigned, dsse.ErrPayloadType, dsse.ErrUnknownKey, dsse.ErrRevokedKey, dsse.ErrSignature,
	dsse.ErrWrongModule, dsse.ErrWrongSheet, dsse.ErrWrongStudio,
}

// refused fails unless an error is exactly the one sentinel.
func refused(t *testing.T, name string, err, want error) {
	t.Helper()
	for _, s := range sentinels {
		if errors.Is(err, s) != (s == want) { //nolint:errorlint // which of them
			t.Errorf("%s: %v, want exactly %v", name, err, want)
		}
	}
}

// TestVerify_Refused changes one thing at a time.
func TestVerify_Refused(t *testing.T) {
	id, otherID := dsse.KeyID(public(studioKey)), dsse.KeyID(public(otherKey))
	good := string(sign(t, release, about, studioKey))
	replace := func(old, changed string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the envelope has no %q", old)
		}
		return strings.Replace(good, old, changed, 1)
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(good), &e); err != nil {
		t.Fatal(err)
	}
	signature := e["signatures"].([]any)[0].(map[string]any)["sig"].(string)
	payload := e["payload"].(string)
	other := func(change func(*dsse.Release, *dsse.Subject)) string {
		r, s := release, about
		change(&r, &s)
		return string(sign(t, r, s, studioKey))
	}
	table := func(k dsse.Key) dsse.KeyFunc { return func(string) (dsse.Key, bool) { return k, true } }
	for _, c := range []struct {
		name, text string
		keys       dsse.KeyFunc
		want       error
	}{
		{"nothing", "", keys, dsse.ErrMalformed},
		{"no JSON", "wasm", keys, dsse.ErrMalformed},
		{"cut", good[:len(good)/2], keys, dsse.ErrMalformed},
		{"two documents", good + good, keys, dsse.ErrMalformed},
		{"too long", good + strings.Repeat(" ", dsse.MaxBytes), keys, dsse.ErrMalformed},
		{"no UTF-8", replace(id, "\xff"), keys, dsse.ErrMalformed},
		{"a list", "[" + good + "]", keys, dsse.ErrMalformed},
		{"unknown key of the envelope", replace(`{"payload"`, `{"more":1,"payload"`), keys, dsse.ErrMalformed},
		{"unknown key of the signature", replace(`{"keyid"`, `{"more":{},"keyid"`), keys, dsse.ErrMalformed},
		{"key in capitals", replace(`"payload"`, `"Payload"`), keys, dsse.ErrMalformed},
		{"key twice", replace(`{"payload":`, `{"payload":"","payload":`), keys, dsse.ErrMalformed},
		{"key missing", replace(`"keyid":"`+id+`",`, ""), keys, dsse.ErrMalformed},
		{"null", replace(`"`+id+`"`, "null"), keys, dsse.ErrMalformed},
		{"payload no base64", replace(payload[:4], "%%%%"), keys, dsse.ErrMalformed},
		{"signature short", replace(signature, signature[4:]), keys, dsse.ErrMalformed},
		{"two signatures", replace(`"signatures":[`, `"signatures":[{"keyid":"`+id+`","sig":"`+signature+`"},`), keys, dsse.ErrMalformed},
		{"key id of another form", replace(id, strings.ToUpper(id)), keys, dsse.ErrMalformed},
		{"no signatures", replace(`{"keyid":"`+id+`","sig":"`+signature+`"}`, ""), keys, dsse.ErrUnsigned},
		{"empty signature", replace(signature, ""), keys, dsse.ErrUnsigned},
		{"another payload type", replace("vnd.in-toto", "vnd.other"), keys, dsse.ErrPayloadType},
		{"somebody's key", string(sign(t, release, about, otherKey)), keys, dsse.ErrUnknownKey},
		{"no such key", good, func(string) (dsse.Key, bool) { return dsse.Key{}, false }, dsse.ErrUnknownKey},
		{"table with another key under the id", good, table(dsse.Key{Studio: "acme", Public: public(otherKey)}), dsse.ErrUnknownKey},
		{"table with half a key", good, table(dsse.Key{Studio: "acme", Public: public(studioKey)[:31]}), dsse.ErrUnknownKey},
		{"revoked", good, table(dsse.Key{Studio: "acme", Public: public(studioKey), Revoked: true}), dsse.ErrRevokedKey},
		{"signed by another key than named", strings.Replace(string(sign(t, release, about, otherKey)), otherID, id, 1), keys, dsse.ErrSignature},
		{"one bit of the signature", replace(signature[:1], flip(signature)), keys, dsse.ErrSignature},
		{"payload of another envelope", strings.Replace(good, payload, payloadOf(t, other(func(r *dsse.Release, _ *dsse.Subject) { r.Version = "9" })), 1), keys, dsse.ErrSignature},
		{"signed without the encoding", resign(t, payload, false, studioKey), keys, dsse.ErrSignature},
		{"signed nonsense", resign(t, base64.StdEncoding.EncodeToString([]byte(`{}`)), true, studioKey), keys, dsse.ErrMalformed},
		{"another module", other(func(_ *dsse.Release, s *dsse.Subject) { s.Module[0]++ }), keys, dsse.ErrWrongModule},
		{"another sheet", other(func(_ *dsse.Release, s *dsse.Subject) { s.ParSheet[0]++ }), keys, dsse.ErrWrongSheet},
		{"another studio", other(func(r *dsse.Release, _ *dsse.Subject) { r.Studio = "evil" }), keys, dsse.ErrWrongStudio},
	} {
		v, err := dsse.Verify([]byte(c.text), about, c.keys)
		if v != nil {
			t.Errorf("%s: gives %+v", c.name, v)
		}
		refused(t, c.name, err, c.want)
	}
}

// TestVerify_Statement: whatever the payload says otherwise than Sign would is
// malformed, though it is signed.
func TestVerify_Statement(t *testing.T) {
	good, err := base64.StdEncoding.DecodeString(payloadOf(t, string(sign(t, release, about, studioKey))))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1"},
		{"attestation/release/v1", "attestation/release/v2"},
		{`"name":"comet-spins@1.2.0"`, `"name":"comet-spins@1.3.0"`},
		{`"subject":[`, `"subject":[{"name":"x","digest":{"sha256":""}},`},
		{`"studio":"acme"`, `"studio":""`},
		{`"studio":"acme"`, `"studio":"acme\u0000"`},
		{`"variant":"96"`, `"variant":96`},
		{`"variant":"96"`, `"variant":"96","more":""`},
		{`"meter_version":1`, `"meter_version":-1`},
		{`"meter_version":1`, `"meter_version":1.5`},
		{`"sha256":"1`, `"sha256":"A`},
		{`"sha256":"78`, `"sha256":"8`},
	} {
		changed := strings.Replace(string(good), c[0], c[1], 1)
		if changed == string(good) {
			t.Fatalf("the payload has no %s", c[0])
		}
		_, err := dsse.Verify([]byte(resign(t, base64.StdEncoding.EncodeToString([]byte(changed)), true, studioKey)), about, keys)
		refused(t, c[1], err, dsse.ErrMalformed)
	}
}

func TestSign_Refuses(t *testing.T) {
	for name, r := range map[string]dsse.Release{
		"no studio": {Game: "g", Version: "1"}, "no game": {Studio: "s", Version: "1"}, "no version": {Studio: "s", Game: "g"},
		"an at sign": {Studio: "s", Game: "g@h", Version: "1"}, "a long name": {Studio: strings.Repeat("s", 65), Game: "g", Version: "1"},
	} {
		if text, err := dsse.Sign(r, about, studioKey); err == nil {
			t.Errorf("%s: signs %s", name, text)
		}
	}
	if _, err := dsse.Sign(release, about, nil); err == nil {
		t.Error("signs without a key")
	}
}

func flip(signature string) string {
	if signature[0] == 'A' {
		return "B"
	}
	return "A"
}

func payloadOf(t *testing.T, text string) string {
	t.Helper()
	var e struct{ Payload string }
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	return e.Payload
}

// resign makes an envelope by hand; whole says whether the signature is over
// the encoding, as it has to be, or over the payload alone.
func resign(t *testing.T, payload string, whole bool, key ed25519.PrivateKey) string {
	t.Helper()
	body, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	if whole {
		body = dsse.PAE(dsse.PayloadType, body)
	}
	return `{"payload":"` + payload + `","payloadType":"` + dsse.PayloadType + `","signatures":[{"keyid":"` + dsse.KeyID(public(key)) +
		`","sig":"` + base64.StdEncoding.EncodeToString(ed25519.Sign(key, body)) + `"}]}`
}

// No envelope that the studio did not sign verifies, and every refusal is one
// sentinel.
func FuzzVerify(f *testing.F) {
	valid, err := dsse.Sign(release, about, studioKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add([]byte(`{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"0123456789abcdef","sig":"AA=="}]}`))
	f.Add([]byte(`{"signatures":[[[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := dsse.Verify(text, about, keys)
		if err == nil {
			if r := v.Statement.Predicate; r.Studio != release.Studio || r.Game != release.Game || r.Version != release.Version {
				t.Fatalf("%q gives %+v", text, v)
			}
			return
		}
		n := 0
		for _, s := range sentinels {
			if errors.Is(err, s) {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%q is refused with %d sentinels: %v", text, n, err)
		}
	})
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	private, open := filepath.Join(dir, "studio.key"), filepath.Join(dir, "studio.pub")
	if err := errors.Join(dsse.WritePrivate(private, studioKey), dsse.WritePublic(open, public(studioKey))); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if k, err := dsse.ReadPrivate(private); err != nil || !k.Equal(studioKey) {
		t.Errorf("%v, another key", err)
	}
	if k, err := dsse.ReadPublic(open); err != nil || !k.Equal(public(studioKey)) {
		t.Errorf("%v, another key", err)
	}
	if err := dsse.WritePrivate(private, otherKey); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second key over the first: %v", err)
	}
	if _, err := dsse.ReadPrivate(open); err == nil {
		t.Error("a public key is read as a private one")
	}
	if err := os.Chmod(private, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := dsse.ReadPrivate(private); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	// An RSA key's PEM is PEM, but no Ed25519 key.
	odd := filepath.Join(dir, "odd.key")
	for _, text := range []string{"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"} {
		if err := os.WriteFile(odd, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := dsse.ReadPrivate(odd); !errors.Is(err, dsse.ErrKeyFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
