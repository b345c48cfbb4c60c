package seeds_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/wallet"
)

var (
	day    = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	canary = [seeds.SeedBytes]byte([]byte("canary-canary-canary-canary-1234"))
	owner  = wallet.ID{1, 2, 3}
)

func newRing(t *testing.T) *seeds.Ring {
	t.Helper()
	ring, err := seeds.NewRing(nil, day)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestRing_OpensOnlyForItsSession(t *testing.T) {
	ring := newRing(t)
	sealed, key, err := ring.Seal(canary, owner, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ring.Open(sealed, key, owner, 7, 1); err != nil || got != canary {
		t.Fatalf("Open = %v", err)
	}
	again, _, _ := ring.Seal(canary, owner, 7, 1)
	if string(again) == string(sealed) {
		t.Error("two seals of one seed are equal: the nonce repeats")
	}
	altered := append([]byte(nil), sealed...)
	altered[len(altered)-1] ^= 1
	later := append([]byte(nil), sealed...)
	later[0] = 9
	for name, open := range map[string]func() error{
		"other wallet":  func() error { _, err := ring.Open(sealed, key, wallet.ID{9}, 7, 1); return err },
		"other session": func() error { _, err := ring.Open(sealed, key, owner, 8, 1); return err },
		"other epoch":   func() error { _, err := ring.Open(sealed, key, owner, 7, 2); return err },
		"altered":       func() error { _, err := ring.Open(altered, key, owner, 7, 1); return err },
		"short":         func() error { _, err := ring.Open(sealed[:10], key, owner, 7, 1); return err },
		"empty":         func() error { _, err := ring.Open(nil, key, owner, 7, 1); return err },
	} {
		if err := open(); !errors.Is(err, seeds.ErrSealBroken) {
			t.Errorf("%s: %v, want ErrSealBroken", name, err)
		}
	}
	if _, err := ring.Open(sealed, "other", owner, 7, 1); !errors.Is(err, seeds.ErrUnknownKey) {
		t.Errorf("unknown key: %v", err)
	}
	if _, err := ring.Open(later, key, owner, 7, 1); err == nil || !strings.Contains(err.Error(), "form 9") {
		t.Errorf("form of a newer build: %v", err)
	}
}

func TestRing_RotationKeepsOpening(t *testing.T) {
	first := newRing(t)
	sealed, key, _ := first.Seal(canary, owner, 1, 1)
	second, err := first.Rotate(day.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "seeds.json")
	if err := second.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := seeds.LoadRing(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := loaded.Open(sealed, key, owner, 1, 1); err != nil || got != canary {
		t.Fatalf("open with the rotated ring: %v", err)
	}
	_, fresh, _ := loaded.Seal(canary, owner, 2, 1)
	if fresh == key || fresh != loaded.KeyIDs()[1] {
		t.Errorf("sealed with %q, want the new key of %q", fresh, loaded.KeyIDs())
	}
}

// A plain seed or a key must not leave through an error, a log line or a
// printed value.
func TestRing_TellsNoSecret(t *testing.T) {
	dir := t.TempDir()
	ring := newRing(t)
	sealed, key, _ := ring.Seal(canary, owner, 7, 1)
	path := filepath.Join(dir, "seeds.json")
	if err := ring.Save(path); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	secret := strings.Split(strings.SplitAfter(string(text), `"key": "`)[1], `"`)[0]
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, session := range []uint64{7, 8} {
		_, err := ring.Open(sealed, key, owner, session, 1)
		log.Info("open", "err", err, "ring", ring)
		fmt.Fprintf(&out, "%v %+v %#v %x %s", err, ring, ring, ring, *ring)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), `"state"`, `"stat"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = seeds.LoadRing(path, nil)
	fmt.Fprintf(&out, "%v", err)
	for _, plain := range [][]byte{canary[:], raw} {
		for _, form := range []string{
			string(plain), hex.EncodeToString(plain), base64.StdEncoding.EncodeToString(plain),
			strings.Trim(fmt.Sprint(plain[:8]), "[]"),
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("a secret is told as %q", form)
			}
		}
	}
}

func TestLoadRing_Refuses(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":      {`{`, "not valid JSON"},
		"newer version": {`{"version":2,"keys":[]}`, "version 2"},
		"unknown field": {`{"version":1,"keyz":[]}`, "keyz"},
		"no key":        {`{"version":1,"keys":[]}`, "no key is active"},
		"short key":     {`{"version":1,"keys":[{"id":"a","key":"AAAA","state":"active"}]}`, "3 bytes"},
		"bad state":     {`{"version":1,"keys":[{"id":"a","key":"` + key + `","state":"x"}]}`, `"x"`},
		"none active":   {`{"version":1,"keys":[{"id":"a","key":"` + key + `","state":"decrypt_only"}]}`, "no key is active"},
		"twice":         {`{"version":1,"keys":[{"id":"a","key":"` + key + `","state":"active"},{"id":"a","key":"` + key + `","state":"active"}]}`, "key 1"},
	} {
		path := filepath.Join(t.TempDir(), "seeds.json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seeds.LoadRing(path, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := seeds.LoadRing(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestKeyFiles_AreForTheirOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	ring := newRing(t)
	directory, err := seeds.NewDirectory(nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := seeds.NewTokens(nil, day)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]struct {
		save func(string) error
		load func(string) error
	}{
		"ring":      {ring.Save, func(p string) error { _, err := seeds.LoadRing(p, nil); return err }},
		"directory": {directory.Save, func(p string) error { _, err := seeds.LoadDirectory(p, nil); return err }},
		"tokens":    {tokens.Save, func(p string) error { _, err := seeds.LoadTokens(p); return err }},
	} {
		path := filepath.Join(dir, name)
		if err := file.save(path); err != nil {
			t.Fatal(err)
		}
		if err := file.load(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := file.load(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%s readable by others: %v", name, err)
		}
	}
}

func TestDirectory(t *testing.T) {
	directory, err := seeds.NewDirectory(nil)
	if err != nil {
		t.Fatal(err)
	}
	lookup := directory.Lookup("demo", "alice", "EUR")
	if lookup != directory.Lookup("demo", "alice", "EUR") {
		t.Error("the same player has two lookups")
	}
	other, _ := seeds.NewDirectory(nil)
	for name, l := range map[string][32]byte{
		"currency": directory.Lookup("demo", "alice", "USD"),
		"operator": directory.Lookup("demx", "alice", "EUR"),
		"shifted":  directory.Lookup("demoa", "lice", "EUR"),
		"key":      other.Lookup("demo", "alice", "EUR"),
	} {
		if l == lookup {
			t.Errorf("another %s gives the same lookup", name)
		}
	}
	identity, wrapped, err := directory.SealIdentity(owner, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if player, err := directory.OpenIdentity(owner, identity, wrapped); err != nil || player != "alice" {
		t.Errorf("OpenIdentity = %q, %v", player, err)
	}
	_, foreign, _ := directory.SealIdentity(owner, "alice")
	if _, err := directory.OpenIdentity(owner, identity, foreign); !errors.Is(err, seeds.ErrSealBroken) {
		t.Errorf("with another person's key: %v", err)
	}
	if _, err := directory.OpenIdentity(wallet.ID{9}, identity, wrapped); !errors.Is(err, seeds.ErrSealBroken) {
		t.Errorf("for another wallet: %v", err)
	}
	if strings.Contains(string(identity)+string(wrapped), "alice") {
		t.Error("the sealed identity shows the player")
	}
}

func TestTokens_IssueAndVerify(t *testing.T) {
	tokens, err := seeds.NewTokens(nil, day)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := tokens.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := seeds.LoadTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return day }
	issuer, err := loaded.Issuer("dev", now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := issuer.Operator("demo", []string{"operator"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := tokens.Verifier("dev", now).Verify(text); err != nil || claims.Operator != "demo" {
		t.Errorf("Verify = %+v, %v", claims, err)
	}
	if _, err := tokens.Verifier("other", now).Verify(text); err == nil {
		t.Error("a token of one cluster is good for another")
	}
	stored, _ := os.ReadFile(path)
	halves := strings.Split(string(stored), `"private": "`)
	public := halves[0] + halves[1][strings.Index(halves[1], `",`)+2:]
	if err := os.WriteFile(path, []byte(public), 0o600); err != nil {
		t.Fatal(err)
	}
	verifying, err := seeds.LoadTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifying.Issuer("dev", now); err == nil {
		t.Error("a node without the private half issues tokens")
	}
	if _, err := verifying.Verifier("dev", now).Verify(text); err != nil {
		t.Errorf("verify with the public half: %v", err)
	}
}
