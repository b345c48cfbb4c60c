package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
)

// clusterGroup is `edgereel cluster`.
type clusterGroup struct {
	Status clusterStatus `cmd:"" help:"Show members, shards, leaders and lag."`
}

type clusterStatus struct{ reachFlags }

// Help is shown by --help.
func (*clusterStatus) Help() string {
	return `Asks every node of the cluster file. A node that does not answer is named.

Examples:
  edgereel cluster status
  edgereel cluster status --json | jq -r '.shards[] | "\(.shard) \(.leader)"'`
}

// statusReport is the line of --json.
type statusReport struct {
	Schema      int            `json:"schema"`
	Cluster     string         `json:"cluster"`
	Members     []memberReport `json:"members"`
	Shards      []shardReport  `json:"shards"`
	Registry    registryReport `json:"registry"`
	Nodes       []nodeReport   `json:"nodes"`
	Unreachable []string       `json:"unreachable"`
}

// registryReport is the registry of releases as the most advanced node sees it.
type registryReport struct {
	Leader      string   `json:"leader"`
	RegistrySeq uint64   `json:"registry_seq"`
	Voters      []string `json:"voters"`
}

type memberReport struct {
	Node        string   `json:"node"`
	Region      string   `json:"region"`
	Roles       []string `json:"roles"`
	State       string   `json:"state"`
	API         string   `json:"api"`
	Mesh        string   `json:"mesh"`
	Leads       []uint32 `json:"leads"`
	LoadPercent uint32   `json:"load_percent"`
}

// shardReport is a shard as its leader sees it, or else the most advanced node.
type shardReport struct {
	Shard      uint32   `json:"shard"`
	HomeRegion string   `json:"home_region"`
	Leader     string   `json:"leader"`
	Term       uint64   `json:"term"`
	ShardSeq   uint64   `json:"shard_seq"`
	Voters     []string `json:"voters"`
}

// nodeReport is what one node says of itself.
type nodeReport struct {
	Node    string      `json:"node"`
	Region  string      `json:"region"`
	Version string      `json:"version"`
	Lag     []lagReport `json:"lag"`
	// RegistrySeq is how much of the registry the node knows; Modules are the
	// games it has loaded, or cannot load.
	RegistrySeq uint64         `json:"registry_seq"`
	Modules     []moduleReport `json:"modules"`
}

// moduleReport is one game on one node. Trouble is empty where nothing is wrong.
type moduleReport struct {
	Digest   string `json:"digest"`
	Loaded   bool   `json:"loaded"`
	Trouble  string `json:"trouble"`
	Verified int64  `json:"verified_at_ms"`
}

type lagReport struct {
	Shard        uint32 `json:"shard"`
	AppliedIndex uint64 `json:"applied_index"`
	LastIndex    uint64 `json:"last_index"`
	Lag          uint64 `json:"lag"`
}

// Run shows the cluster.
func (s *clusterStatus) Run(ctx context.Context, std *streams) error {
	file, c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer closeClient(c)
	if err := needOperator(file); err != nil {
		return err
	}
	report, err := askAll(ctx, file, c)
	if err != nil {
		return err
	}
	if s.JSON {
		return printJSON(std.out, report)
	}
	return report.print(std.out)
}

// statusTime is what a node has to answer. A client's whole budget would make
// an operator wait for a frozen node when the answer is needed most.
const statusTime = 3 * time.Second

func askAll(ctx context.Context, file *clusterfile.File, c *client.Client) (*statusReport, error) {
	answers := make([]*edgereelv1.StatusResponse, len(file.Nodes))
	errs := make([]error, len(file.Nodes))
	var asking sync.WaitGroup
	for i, n := range file.Nodes {
		asking.Go(func() {
			within, cancel := context.WithTimeout(ctx, statusTime)
			defer cancel()
			node, err := c.Node(n.Node, file.OperatorToken)
			if err == nil {
				answers[i], err = node.Status(within)
			}
			errs[i] = err
		})
	}
	asking.Wait()
	report := &statusReport{
		Schema: 1, Members: []memberReport{}, Shards: []shardReport{}, Nodes: []nodeReport{}, Unreachable: []string{},
	}
	for i, answer := range answers {
		if errs[i] != nil {
			report.Unreachable = append(report.Unreachable, file.Nodes[i].Node)
			continue
		}
		report.add(answer)
	}
	if len(report.Nodes) == 0 {
		return nil, fmt.Errorf("no node answered: %w", errors.Join(errs...))
	}
	return report, nil
}

// add takes in one node's view. Members are those of the first node that
// answered; of a shard the view with the highest term counts.
func (r *statusReport) add(m *edgereelv1.StatusResponse) {
	r.Cluster = m.GetCluster()
	known := m.GetRegistry()
	node := nodeReport{
		Node: m.GetNode(), Region: m.GetRegion(), Version: m.GetVersion(), Lag: []lagReport{}, RegistrySeq: known.GetRegistrySeq(), Modules: []moduleReport{},
	}
	if r.Registry.Voters == nil || known.GetRegistrySeq() > r.Registry.RegistrySeq {
		r.Registry = registryReport{Leader: known.GetLeader(), RegistrySeq: known.GetRegistrySeq(), Voters: notNil(known.GetVoters())}
	}
	for _, x := range m.GetModules() {
		node.Modules = append(node.Modules, moduleReport{x.GetDigest(), x.GetLoaded(), x.GetTrouble(), x.GetVerifiedAtMs()})
	}
	if len(r.Nodes) == 0 {
		for _, x := range m.GetMembers() {
			r.Members = append(r.Members, memberReport{
				Node: x.GetNode(), Region: x.GetRegion(), Roles: notNil(x.GetRoles()), State: x.GetState(), API: x.GetApiAddress(),
				Mesh: x.GetMeshAddress(), Leads: notNil(x.GetLeads()), LoadPercent: x.GetLoadPercent(),
			})
		}
	}
	for _, x := range m.GetShards() {
		node.Lag = append(node.Lag, lagReport{x.GetShard(), x.GetAppliedIndex(), x.GetLastIndex(), x.GetLag()})
		r.addShard(shardReport{x.GetShard(), x.GetHomeRegion(), x.GetLeader(), x.GetTerm(), x.GetShardSeq(), notNil(x.GetVoters())})
	}
	r.Nodes = append(r.Nodes, node)
}

func (r *statusReport) addShard(seen shardReport) {
	for i := range r.Shards {
		if r.Shards[i].Shard != seen.Shard {
			continue
		}
		if seen.Term > r.Shards[i].Term || seen.Term == r.Shards[i].Term && seen.ShardSeq > r.Shards[i].ShardSeq {
			r.Shards[i] = seen
		}
		return
	}
	r.Shards = append(r.Shards, seen)
}

// notNil makes an empty list print as [] and not as null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (r *statusReport) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "cluster %s\n\nNODE\tREGION\tSTATE\tLEADS\tAPI\n", r.Cluster)
	for _, m := range r.Members {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.Node, m.Region, m.State, strings.Trim(fmt.Sprint(m.Leads), "[]"), m.API)
	}
	fmt.Fprintln(table, "\nSHARD\tHOME\tLEADER\tTERM\tSEQUENCE\tLAG")
	for _, s := range r.Shards {
		fmt.Fprintf(table, "%d\t%s\t%s\t%d\t%d\t%s\n", s.Shard, s.HomeRegion, s.Leader, s.Term, s.ShardSeq, r.lag(s.Shard))
	}
	leader := r.Registry.Leader
	if leader == "" {
		leader = "none"
	}
	fmt.Fprintf(table, "\nregistry of releases: leader %s, sequence %d\n", leader, r.Registry.RegistrySeq)
	for _, n := range r.Nodes {
		for _, m := range n.Modules {
			if m.Trouble != "" {
				fmt.Fprintf(table, "module %.12s on %s: %s\n", m.Digest, n.Node, strings.ReplaceAll(m.Trouble, "\n", "; "))
			}
		}
	}
	if len(r.Unreachable) > 0 {
		fmt.Fprintf(table, "\nnot reached: %s\n", strings.Join(r.Unreachable, ", "))
	}
	return table.Flush()
}

// lag lists the nodes that are behind in a shard.
func (r *statusReport) lag(shard uint32) string {
	var behind []string
	for _, n := range r.Nodes {
		for _, l := range n.Lag {
			if l.Shard == shard && l.Lag > 0 {
				behind = append(behind, fmt.Sprintf("%s %d", n.Node, l.Lag))
			}
		}
	}
	if len(behind) == 0 {
		return "none"
	}
	return strings.Join(behind, ", ")
}
