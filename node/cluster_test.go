package node_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/node"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/transport"
)

// cluster is three nodes of three regions in this process, on loopback.
type cluster struct {
	t         *testing.T
	configs   []config.Config
	nodes     []*node.Node
	http      *transport.HTTPClient
	operator  string
	authority *transport.Authority
}

func regions() []string { return []string{"eu-west", "us-east", "ap-south"} }

// newCluster lays out files and keys and starts all nodes.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	ca, err := transport.NewAuthority(transport.AuthorityConfig{
		Cluster: "test", NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	})
	must(t, err)
	ring, err := seeds.NewRing(rand.Reader, time.Now())
	must(t, err)
	must(t, ring.Save(filepath.Join(dir, "seeds.json")))
	directory, err := seeds.NewDirectory(rand.Reader)
	must(t, err)
	must(t, directory.Save(filepath.Join(dir, "directory.json")))
	tokens, err := seeds.NewTokens(rand.Reader, time.Now())
	must(t, err)
	must(t, tokens.Save(filepath.Join(dir, "tokens.json")))
	issuer, err := tokens.Issuer("test", nil)
	must(t, err)
	c := &cluster{t: t, authority: ca}
	c.operator, err = issuer.Operator("acme", []string{gateway.RoleOperator}, time.Hour)
	must(t, err)

	var peers []config.Peer
	var shards []config.Shard
	var voters []string
	for i, region := range regions() {
		name := fmt.Sprintf("%s-1", region)
		voters = append(voters, name)
		peers = append(peers, config.Peer{Node: name, Region: region, Mesh: freeAddr(t), Public: freeAddr(t)})
		shards = append(shards, config.Shard{ID: uint32(i + 1), Home: region})
	}
	for i := range shards {
		shards[i].Voters = voters
	}
	for _, p := range peers {
		files := filepath.Join(dir, p.Node)
		issued, err := ca.Issue(transport.IssueConfig{Identity: transport.Identity{
			Cluster: "test", Region: p.Region, Node: p.Node, Role: transport.RoleNode,
		}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)})
		must(t, err)
		must(t, issued.Save(files))
		cfg := config.Config{
			Version: 1, Cluster: "test", Node: p.Node, Region: p.Region, Roles: []config.Role{config.RoleEdge, config.RoleVoter},
			Data:      filepath.Join(files, "data"),
			Addresses: config.Addresses{Public: p.Public, Mesh: p.Mesh, Admin: freeAddr(t)},
			Identity: config.Identity{
				CA: filepath.Join(files, transport.CAFile), Cert: filepath.Join(files, transport.CertFile), Key: filepath.Join(files, transport.KeyFile),
			},
			Keys: config.Keys{
				Seeds: filepath.Join(dir, "seeds.json"), Tokens: filepath.Join(dir, "tokens.json"), Directory: filepath.Join(dir, "directory.json"),
			},
			Peers: peers, Shards: shards, Operators: []config.Operator{{ID: "acme", Jurisdiction: "test"}},
		}
		path := filepath.Join(files, "node.yaml")
		must(t, cfg.Write(path))
		loaded, err := config.Load(path)
		must(t, err)
		c.configs = append(c.configs, loaded)
		c.nodes = append(c.nodes, nil)
	}
	creds, err := transport.LoadCredentials(transport.LoadConfig{Dir: filepath.Join(dir, "eu-west-1")})
	must(t, err)
	c.http, err = transport.NewHTTPClient(transport.HTTPConfig{Roots: creds.Roots()})
	must(t, err)
	t.Cleanup(func() { _ = c.http.Close() })
	for i := range c.nodes {
		c.start(i)
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freeAddr finds a port that is free for UDP and TCP.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	return l.Addr().String()
}

func (c *cluster) start(i int) {
	c.t.Helper()
	cfg := c.configs[i]
	tel, err := telemetry.New(telemetry.Config{
		Cluster: cfg.Cluster, Node: cfg.Node, Region: cfg.Region, Build: node.Version, LogOutput: logTo(c.t),
	})
	must(c.t, err)
	sockets, err := node.OpenSockets(cfg)
	must(c.t, err)
	n, err := node.New(c.t.Context(), node.Options{Config: cfg, Telemetry: tel, Sockets: sockets})
	must(c.t, err)
	c.nodes[i] = n
	c.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			c.t.Errorf("close %s: %v", cfg.Node, err)
		}
	})
}

// logTo shows the nodes' logs of a failed test.
func logTo(t *testing.T) io.Writer { return t.Output() }

// client calls a node's services with a token.
func (c *cluster) client(i int, token string) *connect.Client {
	httpClient := &http.Client{Transport: bearer{c.http, token}}
	return connect.NewClient(connecthttp.NewTransport(httpClient, "https://"+c.configs[i].Addresses.Public))
}

type bearer struct {
	next  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// eventually repeats a call until it succeeds or the test's patience ends.
func eventually[T any](t *testing.T, what string, call func(context.Context) (T, error)) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		res, err := call(ctx)
		if err == nil {
			return res
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: %v (%v)", what, err, api.DetailOf(err))
		}
	}
}

// TestNode_PlaysAcrossRegions opens a wallet at home in one region, plays it
// through another one's gateway, and checks that all replicas agree.
func TestNode_PlaysAcrossRegions(t *testing.T) {
	c := newCluster(t)
	ops := edgereelv1connect.NewOperatorServiceClient(c.client(0, c.operator))
	opened := eventually(t, "open wallet", func(ctx context.Context) (*edgereelv1.OpenWalletResponse, error) {
		return ops.OpenWallet(ctx, &edgereelv1.OpenWalletRequest{Player: "ann", Currency: "EUR", HomeRegion: "us-east"})
	})
	id := opened.GetWallet().GetWallet()
	again, err := ops.OpenWallet(t.Context(), &edgereelv1.OpenWalletRequest{Player: "ann", Currency: "EUR", HomeRegion: "eu-west"})
	must(t, err)
	if again.GetWallet().GetWallet() != id {
		t.Fatalf("the same player got a second wallet: %s and %s", id, again.GetWallet().GetWallet())
	}
	deposit := &edgereelv1.DepositRequest{Wallet: id, TransactionId: "t1", AmountMinor: 100_000, Currency: "EUR"}
	first, err := ops.Deposit(t.Context(), deposit)
	must(t, err)
	second, err := ops.Deposit(t.Context(), deposit)
	must(t, err)
	if first.GetBalanceMinor() != 100_000 || second.GetPosition().GetShardSeq() != first.GetPosition().GetShardSeq() {
		t.Fatalf("a repeated deposit: %v then %v", first, second)
	}
	issued, err := ops.IssuePlayerToken(t.Context(), &edgereelv1.IssuePlayerTokenRequest{Player: "ann", Wallet: id, TtlSeconds: 600})
	must(t, err)
	player := edgereelv1connect.NewPlayerServiceClient(c.client(2, issued.GetToken()))
	games, err := player.ListGames(t.Context(), &edgereelv1.ListGamesRequest{})
	must(t, err)
	for _, g := range games.GetGames() {
		ses, err := player.OpenSession(t.Context(), &edgereelv1.OpenSessionRequest{Wallet: id, Game: g.GetId(), Key: "k-" + g.GetId(), ClientSeed: "luck"})
		must(t, err)
		playRounds(t, player, id, ses.GetSession().GetSession(), 20)
		closed, err := player.CloseSession(t.Context(), &edgereelv1.CloseSessionRequest{Wallet: id, Session: ses.GetSession().GetSession()})
		must(t, err)
		if closed.GetCommitment() != ses.GetSession().GetCommitment() {
			t.Fatalf("%s: commitment changed", g.GetId())
		}
	}
	c.verify()
}

// playRounds plays whole rounds and repeats every step once.
func playRounds(t *testing.T, player edgereelv1connect.PlayerServiceClient, id, session string, rounds int) {
	t.Helper()
	step := uint64(0)
	for range rounds {
		for open := false; ; {
			step++
			req := &edgereelv1.PlayRequest{Wallet: id, Session: session, Step: step}
			if open {
				req.Action = 1
			} else {
				req.Mode, req.StakeMinor = "base", 100
			}
			res, err := player.Play(t.Context(), req)
			must(t, err)
			again, err := player.Play(t.Context(), req)
			must(t, err)
			if again.GetPosition().GetShardHash() != res.GetPosition().GetShardHash() || string(again.GetPresentation()) != string(res.GetPresentation()) ||
				again.GetWinMinor() != res.GetWinMinor() {
				t.Fatalf("step %d repeats as %v, was %v", step, again, res)
			}
			if open = res.GetRoundOpen(); !open {
				break
			}
		}
	}
}

// verify waits until all replicas stand at the same sequence, then compares
// them, checks the sums and evaluates every recorded outcome again on every
// node.
func (c *cluster) verify() {
	c.t.Helper()
	var audits []edgereelv1connect.AuditServiceClient
	for i := range c.nodes {
		audits = append(audits, edgereelv1connect.NewAuditServiceClient(c.client(i, c.operator)))
	}
	heads := eventually(c.t, "replicas at one sequence", func(ctx context.Context) ([]*edgereelv1.ShardHead, error) {
		var common []*edgereelv1.ShardHead
		for _, a := range audits {
			res, err := a.GetShards(ctx, &edgereelv1.GetShardsRequest{})
			if err != nil {
				return nil, err
			}
			for i, s := range res.GetShards() {
				if len(common) > i && s.GetShardSeq() != common[i].GetShardSeq() {
					return nil, fmt.Errorf("%s stands at %d, others at %d", res.GetNode(), s.GetShardSeq(), common[i].GetShardSeq())
				}
			}
			common = res.GetShards()
		}
		return common, nil
	})
	for _, head := range heads {
		for _, sum := range head.GetSums() {
			if sum.GetSumMinor() != 0 {
				c.t.Errorf("shard %d: %s sums to %d", head.GetShard(), sum.GetCurrency(), sum.GetSumMinor())
			}
		}
		for i, a := range audits {
			at, err := a.HashAt(c.t.Context(), &edgereelv1.HashAtRequest{Shard: head.GetShard(), ShardSeq: head.GetShardSeq()})
			must(c.t, err)
			if at.GetShardHash() != head.GetShardHash() {
				c.t.Errorf("node %d, shard %d: hash differs at %d", i, head.GetShard(), head.GetShardSeq())
			}
			replayed, err := a.Replay(c.t.Context(), &edgereelv1.ReplayRequest{Shard: head.GetShard()})
			must(c.t, err)
			for _, m := range replayed.GetMismatches() {
				c.t.Errorf("node %d, shard %d, sequence %d: %s", i, head.GetShard(), m.GetShardSeq(), m.GetDetail())
			}
		}
	}
}
