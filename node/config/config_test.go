package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/node/config"
)

const good = `
version: 1
cluster: dev
node: eu-west-1
region: eu-west
roles: [edge, voter]
data: data
addresses: {public: "127.0.0.1:7001", admin: "127.0.0.1:7101"}
identity: {ca: ca.pem, cert: node.pem, key: node-key.pem}
keys: {seeds: seeds.json, tokens: tokens.json, directory: directory.json}
peers:
  - {node: eu-west-1, region: eu-west, mesh: "127.0.0.1:7001", public: "127.0.0.1:7001"}
  - {node: us-east-1, region: us-east, mesh: "127.0.0.1:7002", public: "127.0.0.1:7002"}
  - {node: ap-south-1, region: ap-south, mesh: "127.0.0.1:7003", public: "127.0.0.1:7003"}
shards:
  - {id: 1, home: eu-west, voters: [eu-west-1, us-east-1, ap-south-1]}
operators:
  - {id: demo, jurisdiction: demo, min_cycle_ms: 0, second_approver: false}
`

// folder holds the configuration and the files it names.
func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ca.pem", "node.pem", "node-key.pem", "seeds.json", "tokens.json", "directory.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_CompletesAndResolves(t *testing.T) {
	path := folder(t, good)
	c, err := config.LoadWith(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(path), "data"); c.Data != want {
		t.Errorf("data = %s, want %s", c.Data, want)
	}
	if !c.SharesPort() || c.Raft.LeaseMS != config.DefaultHeartbeatMS || c.Limits.Queue != config.DefaultQueue {
		t.Errorf("defaults are missing: %+v", c)
	}
	if strings.Join(c.Registry.Voters, " ") != "eu-west-1 us-east-1 ap-south-1" || c.Limits.MaxUploads != config.DefaultMaxUploads {
		t.Errorf("the registry's defaults are missing: %+v", c)
	}
	if c.Self().Region != "eu-west" || len(c.Votes()) != 1 || !c.HasRole(config.RoleEdge) {
		t.Errorf("lookups: self %+v, votes %+v", c.Self(), c.Votes())
	}
	again := filepath.Join(t.TempDir(), "again.yaml")
	if err := c.Write(again); err != nil {
		t.Fatal(err)
	}
	read, err := config.LoadWith(again, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, read) {
		t.Errorf("written and read back:\n%+v\nwas\n%+v", read, c)
	}
	if info, _ := os.Stat(again); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestLoad_Environment(t *testing.T) {
	path := folder(t, strings.Replace(good, "admin: ", `mesh: "127.0.0.1:7201", admin: `, 1))
	c, err := config.LoadWith(path, []string{
		"EDGEREEL_TELEMETRY_LOG_LEVEL=debug", "EDGEREEL_TELEMETRY_TRACE_RATIO=0.5",
		"EDGEREEL_RAFT_HEARTBEAT_MS=700", "EDGEREEL_ADDRESSES_PUBLIC=127.0.0.1:9000", "EDGEREEL_DATA=/elsewhere",
		"EDGEREEL_ROLES=voter,edge",
		// Not keys of a node: the commands' own, and what Kubernetes sets.
		"EDGEREEL_CLUSTER=cluster.json", "EDGEREEL_SERVICE_HOST=10.0.0.1", "EDGEREEL_PORT=tcp://10.0.0.1:443", "HOME=/",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Telemetry.LogLevel != "debug" || c.Telemetry.TraceRatio != 0.5 || c.Raft.ElectionMS != 700 ||
		c.Addresses.Public != "127.0.0.1:9000" || c.SharesPort() || c.Data != "/elsewhere" || c.Roles[0] != config.RoleVoter {
		t.Errorf("the environment is not laid over: %+v", c)
	}
	for variable, want := range map[string]string{
		"EDGEREEL_TELEMETRY_LOGLEVEL=debug":   "EDGEREEL_TELEMETRY_LOGLEVEL: section",
		"EDGEREEL_RAFT_HEARTBEAT_MS=fast":     `"fast" is not a whole number`,
		"EDGEREEL_TELEMETRY_TRACE_RATIO=half": `"half" is not a number`,
	} {
		if _, err := config.LoadWith(path, []string{variable}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", variable, err, want)
		}
	}
}

func TestLoad_Refuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":        {"version: 1", "version: 1\nquorum: 2", "quorum: unknown key"},
		"unknown nested key": {"admin:", "admim:", "addresses.admim: unknown key"},
		"unknown list key":   {"home:", "hame:", "shards[0].hame: unknown key"},
		"not YAML":           {"version: 1", "version: [1", "not valid YAML"},
		"key twice":          {"version: 1", "version: 1\nversion: 1", "already defined"},
		"wrong type":         {"version: 1", "version: one", "version"},
		"fraction":           {"id: 1", "id: 1.5", "whole number"},
		"no version":         {"version: 1", "", "version: is 0"},
		"newer version":      {"version: 1", "version: 2", "version: is 2"},
		"bad cluster":        {"cluster: dev", "cluster: Dev Cluster", "cluster:"},
		"bad node":           {"node: eu-west-1\n", "node: a/b\n", `node: "a/b"`},
		"no role":            {"[edge, voter]", "[]", "roles: is empty"},
		"unknown role":       {"[edge, voter]", "[edge, voter, boss]", `"boss" is not a role`},
		"role twice":         {"[edge, voter]", "[edge, voter, edge]", "listed twice"},
		"voter without role": {"[edge, voter]", "[edge]", "roles: lacks voter"},
		"role without vote":  {"voters: [eu-west-1, us-east-1, ap-south-1]", "voters: [us-east-1]", "roles: has voter"},
		"no data":            {"data: data", `data: ""`, "data: is missing"},
		"no port":            {`public: "127.0.0.1:7001", admin`, `public: "127.0.0.1", admin`, "addresses.public:"},
		"port zero":          {`public: "127.0.0.1:7001", admin`, `public: "127.0.0.1:0", admin`, `port "0"`},
		"port too big":       {"127.0.0.1:7101", "127.0.0.1:70000", `port "70000"`},
		"no host":            {"127.0.0.1:7101", ":7101", "addresses.admin: \":7101\" has no host"},
		"same port":          {"127.0.0.1:7101", "127.0.0.1:7001", "addresses.admin: is also"},
		"bad peer address":   {`mesh: "127.0.0.1:7002"`, `mesh: "7002"`, "peers[1].mesh"},
		"peer address twice": {`public: "127.0.0.1:7003"`, `public: "127.0.0.1:7002"`, "peers[2]: public address"},
		"peer twice":         {"node: us-east-1", "node: ap-south-1", "peers[2]: node ap-south-1"},
		"not in peers":       {"node: eu-west-1\n", "node: eu-west-2\n", `peers: does not list this node "eu-west-2"`},
		"other region":       {"region: eu-west\n", "region: eu-north\n", `region: is "eu-north"`},
		"no shard":           {"  - {id: 1, home: eu-west, voters: [eu-west-1, us-east-1, ap-south-1]}", "", "shards: is empty"},
		"shard zero":         {"id: 1", "id: 0", "shards[0].id"},
		"even voters":        {", ap-south-1]", "]", "shards[0].voters: has 2"},
		"unknown voter":      {", ap-south-1]", ", ap-south-9]", `voters[2]: "ap-south-9"`},
		"voter twice":        {", ap-south-1]", ", us-east-1]", `voters[2]: "us-east-1"`},
		"foreign home":       {"home: eu-west", "home: sa-east", "shards[0].home"},
		"even registry":      {"operators:", "registry: {voters: [eu-west-1, us-east-1]}\noperators:", "registry.voters: has 2"},
		"foreign registry":   {"operators:", "registry: {voters: [eu-west-9]}\noperators:", `registry.voters[0]: "eu-west-9"`},
		"floor":              {"version: 1", "version: 1\nlimits: {floor_rtp: \"85\"}", "limits.floor_rtp"},
		"small blobs":        {"version: 1", "version: 1\nlimits: {max_blob_bytes: 10}", "limits.max_blob_bytes"},
		"no jurisdiction":    {"jurisdiction: demo", `jurisdiction: ""`, "operators[0].jurisdiction"},
		"negative cycle":     {"min_cycle_ms: 0", "min_cycle_ms: -1", "operators[0].min_cycle_ms"},
		"negative rate":      {"version: 1", "version: 1\nlimits: {rate_per_second: -1}", "limits.rate_per_second"},
		"small body":         {"version: 1", "version: 1\nlimits: {max_body_bytes: 10}", "limits.max_body_bytes"},
		"short heartbeat":    {"version: 1", "version: 1\nraft: {heartbeat_ms: 5}", "raft.heartbeat_ms"},
		"short election":     {"version: 1", "version: 1\nraft: {election_ms: 100}", "raft.election_ms"},
		"long lease":         {"version: 1", "version: 1\nraft: {lease_ms: 5000}", "raft.lease_ms"},
		"log level":          {"version: 1", "version: 1\ntelemetry: {log_level: loud}", "telemetry.log_level"},
		"trace ratio":        {"version: 1", "version: 1\ntelemetry: {trace_ratio: 2}", "telemetry.trace_ratio"},
		"otlp endpoint":      {"version: 1", "version: 1\ntelemetry: {otlp_endpoint: \"collector:4317\"}", "telemetry.otlp_endpoint"},
		"missing file":       {"seeds.json", "none.json", "keys.seeds:"},
		"unnamed file":       {"cert: node.pem", `cert: ""`, "identity.cert: is missing"},
		"folder for a file":  {"cert: node.pem", `cert: "."`, "is not a file"},
		"file for data":      {"data: data", "data: ca.pem", "is not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, c.old) {
				t.Fatalf("%q is not in the configuration", c.old)
			}
			path := folder(t, strings.Replace(good, c.old, c.new, 1))
			_, err := config.LoadWith(path, nil)
			var listed *config.Error
			if !errors.As(err, &listed) || listed.File != path {
				t.Fatalf("%v, want a *config.Error of the file", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
	if _, err := config.LoadWith(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing configuration: %v", err)
	}
}

func TestLoad_ListsEveryProblem(t *testing.T) {
	path := folder(t, strings.NewReplacer("cluster: dev", "cluster: X", "id: 1", "id: 0", "seeds.json", "none.json").Replace(good))
	_, err := config.LoadWith(path, nil)
	var listed *config.Error
	if !errors.As(err, &listed) || len(listed.Problems) != 3 {
		t.Fatalf("%v, want 3 problems", err)
	}
}

func TestLoad_EdgeNeedsNoSeeds(t *testing.T) {
	path := folder(t, strings.NewReplacer(
		"node: eu-west-1\n", "node: eu-west-2\n", "[edge, voter]", "[edge]",
		"seeds: seeds.json, ", "", ", directory: directory.json", "",
		"peers:", "peers:\n  - {node: eu-west-2, region: eu-west, mesh: \"127.0.0.1:7009\", public: \"127.0.0.1:7009\"}",
	).Replace(good))
	if _, err := config.LoadWith(path, nil); err != nil {
		t.Error(err)
	}
}
