package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/record"
)

func roundOutputs() map[string]any {
	return map[string]any{
		"ledger-round": &record.Round{
			Schema: record.Version, Kind: record.Kind, Round: exampleWallet + "-41", RoundID: 41, Session: exampleWallet + "-3", Game: "comet-spins",
			ModuleDigest: exampleDigest, Algorithm: 1, Commitment: exampleHash, ClientSeed: "mine", Seed: exampleHash, Mode: "base", StakeMinor: 100,
			WinMinor: 250, Closed: true, Resolution: "refund", Steps: []record.Step{{
				ShardSeq: 97, Step: 7, Nonce: 44, Action: 1, StateHash: strings.Repeat("0", 64), WinMinor: 250, Closed: true, Draws: 5, DrawsDigest: exampleHash,
				Presentation: []byte("shown"), Incident: "trap",
			}},
		},
		"studio-replay": &studio.ReplayReport{
			Schema: 1, Round: exampleWallet + "-41", ModuleDigest: exampleDigest, Mode: "base", StakeMinor: 100, WinMinor: 250,
			Problem: "step 1: the win is recorded as 240, it comes out as 250", Steps: []studio.ReplayStep{{
				Action: "spin", WinMinor: 250, Closed: true, Fuel: 4021, DrawsDigest: exampleHash, Draws: []studio.ReplayDraw{{Bound: 32, Value: 7}}, Presentation: []byte("shown"),
			}},
		},
	}
}

// choiceRound plays a round of two steps of the example module, as a ledger
// would record it: open, then take.
func choiceRound(t *testing.T) *record.Round {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(root, "gamelogic", "testdata", "published", "choice.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(wasm)
	host, err := gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: [][32]byte{digest}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	m, err := host.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	seed := [32]byte{1}
	commitment := gamelogic.Commitment(seed)
	r := &record.Round{
		Schema: record.Version, Kind: record.Kind, Round: exampleWallet + "-1", Session: exampleWallet + "-1", Game: "choice", ModuleDigest: hex.EncodeToString(digest[:]),
		Algorithm: 1, Commitment: hex.EncodeToString(commitment[:]), ClientSeed: "mine", Seed: hex.EncodeToString(seed[:]), Mode: "base", StakeMinor: 5,
	}
	for !r.Closed || len(r.Steps) < 2 { // until a round stays open
		r.RoundID++
		r.Steps, r.WinMinor, r.Closed = nil, 0, false
		at := gamelogic.Step{Mode: "base", Action: "spin", StakeMinor: 5}
		for _, action := range []uint32{0, 2} {
			nonce := 10*r.RoundID + uint64(len(r.Steps))
			draws, err := gamelogic.NewDraws(seed, gamelogic.DrawContext{Algorithm: 1, ClientSeed: []byte("mine"), Module: digest, RoundID: r.RoundID, StepNonce: nonce})
			if err != nil {
				t.Fatal(err)
			}
			at.Draws = draws
			out, err := m.Play(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			s := record.Step{
				ShardSeq: nonce, Step: nonce, Nonce: nonce, Action: action, StateHash: strings.Repeat("0", 64), WinMinor: out.WinMinor, Closed: out.Closed,
				State: hex.EncodeToString(out.State), Draws: uint32(out.DrawCount), DrawsDigest: hex.EncodeToString(out.DrawsDigest[:]), Presentation: out.Presentation,
			}
			for _, name := range out.NextActions {
				a, _ := m.Manifest().Action(name)
				s.NextActions |= 1 << a.ID
			}
			if len(at.State) > 0 {
				of := sha256.Sum256(append([]byte{6}, at.State...))
				s.StateHash = hex.EncodeToString(of[:])
			}
			r.Steps = append(r.Steps, s)
			r.WinMinor += out.WinMinor
			if r.Closed = out.Closed; out.Closed {
				break
			}
			at.Action, at.State, at.WonMinor = "take", out.State, at.WonMinor+out.WinMinor
		}
	}
	return r
}

var root = filepath.Join("..", "..", "..", "..")

func TestStudio_Replay(t *testing.T) {
	published := filepath.Join(root, "gamelogic", "testdata", "published")
	path := filepath.Join(published, "choice-round.json")
	r := choiceRound(t)
	want, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not the round that the module plays, -update writes it anew: %v", path, err)
	}
	choice, sizzling := filepath.Join(published, "choice.wasm"), filepath.Join(published, "sizzling.wasm")
	changed := func(name, from, to string) string {
		text := strings.Replace(string(want), from, to, 1)
		if text == string(want) {
			t.Fatalf("nothing to change for %s", name)
		}
		file := filepath.Join(t.TempDir(), name+".json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	sealed := changed("sealed", `"seed": "`+r.Seed, `"seed": "`)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--module " + choice + " --record " + path, ExitOK, "the same, bit for bit: it pays 5"},
		{"--module " + choice + " --record " + path, ExitOK, "draw 0    1 of 2"},
		{"--module " + choice + " --record " + path + " --json", ExitOK, `"same":true,"problem":""`},
		{"--module " + sizzling + " --record " + path, ExitVerdict, "another module"},
		{"--module " + choice + " --record " + sealed, ExitVerdict, "still sealed"},
		{"--module " + choice + " --record " + sealed + " --seed " + r.Seed, ExitOK, "the same"},
		{"--module " + choice + " --record " + path + " --seed " + strings.Repeat("00", 32), ExitVerdict, "does not open the commitment"},
		{"--module " + choice + " --record " + changed("win", `"win_minor": 5,
      "closed": true`, `"win_minor": 6,
      "closed": true`), ExitVerdict, "step 2: the win is recorded as 6, it comes out as 5"},
		{"--module " + choice + " --record " + changed("kind", "edgereel.round", "edgereel.spin"), ExitFailed, `kind is "edgereel.spin"`},
		{"--module " + choice, ExitUsage, "--record"},
		{"--module " + choice + " --record " + filepath.Join(published, "none.json"), ExitFailed, "open the record"},
	} {
		code, out, errs := studioRun(t, append([]string{"replay"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("studio replay %s ends with %d, want %d, and says\n%s%s want %q", c.args, code, c.code, out, errs, c.says)
		}
	}
}
