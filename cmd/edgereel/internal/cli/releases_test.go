package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
)

func exampleRelease() *edgereelv1.Release {
	return &edgereelv1.Release{
		Game: "comet-spins", Version: "1.1.0", Studio: "acme", KeyId: "fe812c12f3ab4ce6", State: "canary", CanaryShareX10000: 500,
		Module: exampleDigest, ModuleBytes: 5961, Envelope: exampleHash, ParSheet: exampleHash, Report: exampleHash, RegistrySeq: 14,
		Modes: []*edgereelv1.Mode{{Name: "base", CostX100: 100, Rtp: "0.958926400396", MaxWinX: 800}},
		History: []*edgereelv1.ReleaseStep{
			{State: "draft", Person: "ann", AtMs: 1795362368986},
			{State: "checked", Person: "ann", Reason: "all 24 checks passed", AtMs: 1795362389021},
			{State: "approved", Person: "ben", Reason: "read the report", AtMs: 1795362401754},
			{State: "canary", Person: "ben", Reason: "first look", AtMs: 1795362420333, ShareX10000: 500},
		},
	}
}

// releaseOutputs is one example of everything the verbs of releases print.
func releaseOutputs() map[string]any {
	shards := []*edgereelv1.ShardRelease{{
		Shard: 1, LiveVersion: "1.0.0", CanaryVersion: "1.1.0", CanaryShareX10000: 500, Enabled: true,
		Tallies: []*edgereelv1.ModeTally{{Version: "1.1.0", Mode: "base", Rounds: 210, ReturnX1000000: 201_345_000}},
	}}
	pushed := exampleRelease()
	pushed.State, pushed.CanaryShareX10000, pushed.History = "checked", 0, pushed.GetHistory()[:2]
	keys := newStudioReport(&edgereelv1.Studio{Studio: "acme", Keys: []*edgereelv1.StudioKey{
		{KeyId: "fe812c12f3ab4ce6", State: "revoked", Reason: "laptop lost", AddedAtMs: 1795362368986, RevokedAtMs: 1795362389021},
	}})
	return map[string]any{
		"studio-push":     newReleaseReport(pushed, nil),
		"studio-release":  newReleaseReport(exampleRelease(), shards),
		"studio-releases": []*releaseReport{newReleaseReport(exampleRelease(), nil)},
		"studio-keys":     []studioReport{keys},
		"studio-keys-new": studio.KeysNewReport{
			Schema: 1, KeyID: "fe812c12f3ab4ce6", PublicKey: exampleHash, PrivateFile: "acme.key", PublicFile: "acme.key.pub",
		},
	}
}

func TestShare(t *testing.T) {
	for text, want := range map[string]Share{"5%": 500, "0.01%": 1, "100%": 10_000, "12.34%": 1234} {
		var s Share
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want || s.String() != text {
			t.Errorf("%s: %v, %d, %s", text, err, s, s)
		}
	}
	for _, bad := range []string{"", "%", "5", "0.05", "0%", "-1%", "100.01%", "0.001%", "1e2%", "1/2%"} {
		var s Share
		if err := s.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is %d", bad, s)
		}
	}
}

// TestRelease_Usage: what cannot be asked is said before a cluster is looked
// for, and nothing is made twice.
func TestRelease_Usage(t *testing.T) {
	t.Setenv("EDGEREEL_CLUSTER", filepath.Join(t.TempDir(), "none.json"))
	for _, c := range []struct{ args, want string }{
		{"release comet-spins", "write GAME@VERSION"},
		{"canary comet-spins@1.0.0 --person ann", "--share"},
		{"canary comet-spins@1.0.0 --share 5 --person ann", "write it in percent"},
		{"push none.wasm --par none.json", "none.wasm"},
		{"keys add --studio acme --person ann", "--public"},
	} {
		code, _, errs := studioRun(t, strings.Fields(c.args)...)
		if code != ExitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%s ends with %d: %s", c.args, code, errs)
		}
	}
	code, _, errs := studioRun(t, "releases")
	if code != ExitFailed || !strings.Contains(errs, "none.json") {
		t.Errorf("without a cluster: %d, %s", code, errs)
	}
	key := filepath.Join(t.TempDir(), "acme.key")
	code, out, errs := studioRun(t, "keys", "new", "--out", key)
	if code != ExitOK || !strings.Contains(out, "key id") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	made, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs = studioRun(t, "keys", "new", "--out", key); code != ExitFailed {
		t.Errorf("a second key: %d, %s", code, errs)
	}
	if again, err := os.ReadFile(key); err != nil || string(again) != string(made) {
		t.Errorf("the first key changed: %v", err)
	}
}
