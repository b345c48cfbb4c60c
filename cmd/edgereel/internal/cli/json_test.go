package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/check"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/chaos/load"
	"github.com/edgereel/edgereel/chaos/verify"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	exampleWallet = "0cb30b8a8b7d663d33639ba1b41011ae"
	exampleHash   = "25fcecfd2227007ec2688f9a05a2049c86c6bfe257841e9f5fca90d5ebe2eee7"
	exampleDigest = "be4cfca150e5f0e1be4cfca150e5f0e1be4cfca150e5f0e1be4cfca150e5f0e1"
)

func exampleSession() *edgereelv1.Session {
	return &edgereelv1.Session{
		Session: exampleWallet + "-3", Game: "comet-spins", Commitment: exampleHash, ClientSeed: "mine", NextStep: 12, Rounds: 9,
		OpenRound: &edgereelv1.Round{
			Round: exampleWallet + "-41", ModuleDigest: exampleDigest, Mode: "base", StakeMinor: 100, WinSoFarMinor: 250, NextActions: 2,
		},
	}
}

// outputs is one example of everything a script can read.
func outputs() map[string]any {
	status := &statusReport{Schema: 1, Members: []memberReport{}, Shards: []shardReport{}, Nodes: []nodeReport{}, Unreachable: []string{"us-east-1"}}
	status.add(&edgereelv1.StatusResponse{
		Cluster: "dev-12953fd8", Node: "eu-west-1", Region: "eu-west", Version: "0.1.0",
		Members: []*edgereelv1.Member{{
			Node: "eu-west-1", Region: "eu-west", Roles: []string{"edge", "voter"}, State: "alive", ApiAddress: "127.0.0.1:26896",
			MeshAddress: "127.0.0.1:26896", Leads: []uint32{1}, LoadPercent: 3,
		}},
		Shards: []*edgereelv1.ShardStatus{{
			Shard: 1, HomeRegion: "eu-west", Leader: "eu-west-1", Term: 3, AppliedIndex: 230, LastIndex: 231, ShardSeq: 221, Lag: 1,
			Voters: []string{"eu-west-1", "us-east-1", "ap-south-1"},
		}},
		Modules: []*edgereelv1.ModuleStatus{
			{Digest: exampleDigest, Loaded: true, VerifiedAtMs: 1_790_000_000_000},
			{Digest: exampleHash, Trouble: "none of 2 nodes delivered the blob"},
		},
		Registry: &edgereelv1.RegistryStatus{Leader: "eu-west-1", RegistrySeq: 7, Voters: []string{"eu-west-1", "us-east-1", "ap-south-1"}},
	})
	return map[string]any{
		"play": playReport{Schema: 1, Result: load.Result{
			Rounds: 200, Steps: 210, Acknowledged: 212, StakeTotalMinor: 20000, WinTotalMinor: 24410,
			P50MS: 3.338, P99MS: 34.474, Failovers: 1, LongestGapMS: 749.47,
		}},
		"wallet-show": newWalletReport(&edgereelv1.OperatorGetWalletResponse{
			Wallet: &edgereelv1.Wallet{
				Wallet: exampleWallet, Currency: "EUR", Exponent: 2, BalanceMinor: 104410, HeldMinor: 350, WalletSeq: 214,
				Sessions: []*edgereelv1.Session{exampleSession()},
			},
			Position: &edgereelv1.Position{Shard: 1, Epoch: 1, ShardSeq: 221, ShardHash: exampleHash, Node: "eu-west-1"},
		}),
		"games": newGameReports(&edgereelv1.ListGamesResponse{Games: []*edgereelv1.Game{{
			Id: "comet-spins", Version: "1.0.0", Digest: exampleDigest, Rtp: "0.958926400396", Enabled: true,
			Modes: []*edgereelv1.Mode{
				{Name: "base", CostX100: 100, Rtp: "0.958926400396", MaxWinX: 800},
				{Name: "buy", CostX100: 7500, Rtp: "0.965029704384", MaxWinX: 800},
			},
		}}}),
		"cluster-status": status,
		"ledger-verify": &verify.Report{
			Schema: 1, Shards: []verify.Shard{{Shard: 1, ShardSeq: 221, HashEqual: true, Replicas: 2}},
			Acknowledged: 212, Missing: 1, Replayed: 210, Unrevealed: 4, Nodes: []string{"eu-west-1", "ap-south-1"}, Unreachable: []string{"us-east-1"},
			Problems: []check.Problem{{
				Check: check.Missing, Wallet: exampleWallet, Key: exampleWallet + "-3/7", Shard: 1, Seq: 97, Detail: "acknowledged, but not in the journal",
			}},
		},
		"history": history.Record{
			Schema: 1, CallNS: 1795362368986490842, ReturnNS: 1795362368991173642, Wallet: exampleWallet, Kind: history.KindPlay,
			Key: exampleWallet + "-3/7", Effect: history.Applied, StakeMinor: 100, CostMinor: 100, WinMinor: 250, RoundWinMinor: 250,
			BalanceMinor: 104410, WalletSeq: 214, Shard: 1, Epoch: 1, ShardSeq: 221, ShardHash: exampleHash, Mode: "base",
			Session: exampleWallet + "-3", Round: exampleWallet + "-41", Step: 7, ModuleDigest: exampleDigest, DrawsDigest: exampleHash,
			Node: "eu-west-1", Attempts: 1,
		},
	}
}

// TestJSON_Golden holds what scripts read: fields may be added, none may change
// or go.
func TestJSON_Golden(t *testing.T) {
	document, err := os.ReadFile("../../../../docs/cli-json.md")
	if err != nil {
		t.Fatal(err)
	}
	all := outputs()
	maps.Copy(all, studioOutputs())
	maps.Copy(all, benchOutputs())
	maps.Copy(all, roundOutputs())
	maps.Copy(all, resolveOutputs())
	maps.Copy(all, releaseOutputs())
	maps.Copy(all, tryOutputs())
	maps.Copy(all, importOutputs())
	for name, value := range all {
		var out bytes.Buffer
		if err := printJSON(&out, value); err != nil {
			t.Fatal(err)
		}
		if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Errorf("%s is not one line", name)
		}
		path := filepath.Join("../../testdata/json", name+".json")
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), golden) {
			t.Errorf("%s prints\n%s want\n%s", name, out.Bytes(), golden)
		}
		documented(t, name, string(document), golden)
	}
}

// documented fails for a field that docs/cli-json.md does not explain.
func documented(t *testing.T, name, document string, golden []byte) {
	t.Helper()
	_, section, found := strings.Cut(document, "\n## "+name+"\n")
	if !found {
		t.Errorf("docs/cli-json.md has no section %q", name)
		return
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var value any
	if err := json.Unmarshal(golden, &value); err != nil {
		t.Fatal(err)
	}
	if list, ok := value.([]any); ok {
		value = list[0]
	}
	fields, _ := value.(map[string]any)
	if fields["schema"] != float64(1) {
		t.Errorf("%s has no schema", name)
	}
	for field := range fields {
		if !strings.Contains(section, "`"+field+"`") {
			t.Errorf("docs/cli-json.md does not explain %s of %s", field, name)
		}
	}
}

func TestAmount(t *testing.T) {
	for _, test := range []struct {
		minor    int64
		exponent uint32
		want     string
	}{
		{12345, 2, "123.45 EUR"},
		{5, 2, "0.05 EUR"},
		{-5, 2, "-0.05 EUR"},
		{0, 2, "0.00 EUR"},
		{7, 0, "7 EUR"},
		{-9223372036854775808, 2, "-92233720368547758.08 EUR"},
		{1, 8, "0.00000001 EUR"},
	} {
		if got := amount(test.minor, test.exponent, "EUR"); got != test.want {
			t.Errorf("%d with %d: %q, want %q", test.minor, test.exponent, got, test.want)
		}
	}
}
