//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
)

// cluster is a running `edgereel dev`.
type cluster struct {
	t    *testing.T
	bin  string
	dir  string // the data folder
	home string // where the program keeps its notes
	// nodeEnv is what all nodes get besides.
	nodeEnv []string
	dev     *process
	file    *clusterfile.File
	// client reaches all nodes. nodes are its callers, by name.
	client *client.Client
	nodes  map[string]*client.NodeCaller
	// hand are the nodes that were started by startNode.
	hand map[string]*process
}

// startCluster runs dev in dir until the test ends, and returns when it is ready.
func startCluster(t *testing.T, dir string) *cluster {
	t.Helper()
	return startClusterWith(t, dir, nil)
}

// startClusterWith is startCluster with more in the environment of all nodes.
func startClusterWith(t *testing.T, dir string, env []string) *cluster {
	t.Helper()
	c := &cluster{t: t, bin: program(t), dir: dir, home: t.TempDir(), hand: map[string]*process{}}
	t.Cleanup(c.showLogs) // after dev has ended
	dev := c.command("dev", "--data", dir)
	dev.Env = append(dev.Env, env...)
	c.nodeEnv, c.dev = env, launch(t, dev, syscall.SIGINT)
	path := filepath.Join(dir, "cluster.json")
	eventually(t, time.Minute, func() string { return "dev is not ready: " + c.dev.stderr.String() }, func() bool {
		if c.dev.ended() {
			t.Fatalf("dev ended: %v\n%s", c.dev.err, c.dev.stderr.String())
		}
		_, err := os.Stat(path)
		return err == nil
	})
	c.file = c.readFile()
	c.client = c.reach()
	c.nodes = map[string]*client.NodeCaller{}
	for _, n := range c.file.Nodes {
		caller, err := c.client.Node(n.Node, c.file.OperatorToken)
		if err != nil {
			t.Fatal(err)
		}
		c.nodes[n.Node] = caller
	}
	return c
}

func (c *cluster) readFile() *clusterfile.File {
	c.t.Helper()
	file, err := clusterfile.Read(filepath.Join(c.dir, "cluster.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	return file
}

// reach opens a client of the named nodes, of all without a name.
func (c *cluster) reach(names ...string) *client.Client {
	c.t.Helper()
	roots, err := c.file.Roots()
	if err != nil {
		c.t.Fatal(err)
	}
	cfg := client.Config{CA: roots}
	for _, n := range c.file.Nodes {
		if len(names) == 0 || contains(names, n.Node) {
			cfg.Nodes = append(cfg.Nodes, client.Node{Name: n.Node, Region: n.Region, Address: n.API})
		}
	}
	opened, err := client.New(c.t.Context(), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			c.t.Errorf("close client: %v", err)
		}
	})
	return opened
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// command is a command line of the program.
func (c *cluster) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(c.t.Context()), c.bin, args...)
	cmd.Env = environment(c.home)
	cmd.Dir = c.home
	return cmd
}

// result is what a command line came to.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a verb against the cluster.
func (c *cluster) run(args ...string) result {
	c.t.Helper()
	return c.runAny(append(args, "--cluster", filepath.Join(c.dir, "cluster.json"))...)
}

// runAny runs a command line as it is.
func (c *cluster) runAny(args ...string) result {
	c.t.Helper()
	p := launch(c.t, c.command(args...), syscall.SIGKILL)
	if !p.await(2 * time.Minute) {
		c.t.Fatalf("edgereel %s does not end\n%s", strings.Join(args, " "), p.stderr.String())
	}
	return result{p.code(), p.stdout.String(), p.stderr.String()}
}

// ask runs a verb with --json that has to end with 0, and decodes its line.
func (c *cluster) ask(into any, args ...string) {
	c.t.Helper()
	r := c.run(append(args, "--json")...)
	if r.code != 0 {
		c.t.Fatalf("edgereel %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), into); err != nil {
		c.t.Fatalf("edgereel %s: %v in %q", strings.Join(args, " "), err, r.stdout)
	}
}

// node is a node of the cluster file by its name.
func (c *cluster) node(name string) clusterfile.Node {
	c.t.Helper()
	for _, n := range c.file.Nodes {
		if n.Node == name {
			return n
		}
	}
	c.t.Fatalf("no node %q", name)
	return clusterfile.Node{}
}

// startNode starts a node again as an operator does, with the output dev
// gives it.
func (c *cluster) startNode(name string, env ...string) {
	c.t.Helper()
	log, err := os.OpenFile(c.logFile(name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd := c.command("node", "--config", filepath.Join(c.dir, "nodes", name, "node.yaml"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(append(cmd.Env, c.nodeEnv...), env...)
	c.hand[name] = launch(c.t, cmd, syscall.SIGTERM)
}

// pidOf is the process that runs a node now, by its own note: dev needs a
// moment to see one that was started by hand.
func (c *cluster) pidOf(name string) int {
	c.t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, "nodes", name, "data", "node.pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(content), &pid); err != nil || pid < 2 {
		c.t.Fatalf("process of %s: %q", name, content)
	}
	return pid
}

func (c *cluster) logFile(name string) string { return filepath.Join(c.dir, "nodes", name, "node.log") }

// logTail is how much of each log a failing test shows.
const logTail = 25

// showLogs prints the ends of all logs of a failed test.
func (c *cluster) showLogs() {
	if !c.t.Failed() {
		return
	}
	c.t.Logf("dev printed:\n%s%s", c.dev.stdout.String(), c.dev.stderr.String())
	logs, _ := filepath.Glob(c.logFile("*"))
	for _, path := range logs {
		content, err := os.ReadFile(path)
		if err != nil {
			c.t.Log(err)
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		lines = lines[max(0, len(lines)-logTail):]
		for i := range lines {
			lines[i] = lines[i][:min(len(lines[i]), 400)]
		}
		c.t.Logf("the end of the log of %s:\n%s", filepath.Base(filepath.Dir(path)), strings.Join(lines, "\n"))
	}
}

// stop ends dev by Ctrl-C and checks that it left nothing behind.
func (c *cluster) stop() {
	c.t.Helper()
	last := c.readFile()
	signalPID(c.t, c.dev.pid(), syscall.SIGINT)
	if !c.dev.await(30 * time.Second) {
		c.t.Fatal("dev does not end on SIGINT")
	}
	if c.dev.code() != 0 {
		c.t.Errorf("dev ends with code %d\n%s", c.dev.code(), c.dev.stderr.String())
	}
	// It says so when a node did not stop within 10 s.
	if strings.Contains(c.dev.stdout.String(), "and is killed") {
		c.t.Error("a node did not stop as planned")
	}
	for _, n := range last.Nodes {
		if !gone(n.PID) {
			c.t.Errorf("process %d of %s is left", n.PID, n.Node)
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, "cluster.json")); !os.IsNotExist(err) {
		c.t.Errorf("cluster.json is left: %v", err)
	}
}

// lead is who leads a shard in which term.
type lead struct {
	node string
	term uint64
}

// leads asks the nodes given, all without one, and believes the highest term
// of each shard. A node that does not answer is left out.
func (c *cluster) leads(names ...string) map[uint32]lead {
	c.t.Helper()
	best := map[uint32]lead{}
	for name, caller := range c.nodes {
		if len(names) > 0 && !contains(names, name) {
			continue
		}
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		status, err := caller.Status(ctx)
		cancel()
		if err != nil {
			continue
		}
		for _, s := range status.GetShards() {
			if s.GetTerm() > best[s.GetShard()].term || s.GetTerm() == best[s.GetShard()].term && s.GetLeader() != "" {
				best[s.GetShard()] = lead{s.GetLeader(), s.GetTerm()}
			}
		}
	}
	return best
}

// awaitLeads waits until the nodes given know a leader among them for every
// shard.
func (c *cluster) awaitLeads(names ...string) map[uint32]lead {
	c.t.Helper()
	if len(names) == 0 {
		names = c.others("")
	}
	var leads map[uint32]lead
	eventually(c.t, 30*time.Second, func() string { return fmt.Sprintf("leaders %v among %v", leads, names) }, func() bool {
		leads = c.leads(names...)
		for _, l := range leads {
			if !contains(names, l.node) {
				return false
			}
		}
		return len(leads) == 3
	})
	return leads
}

// others are all nodes but one.
func (c *cluster) others(name string) []string {
	var names []string
	for _, n := range c.file.Nodes {
		if n.Node != name {
			names = append(names, n.Node)
		}
	}
	return names
}

// heads are the sequences a node's replicas have reached, nil when it does not
// answer.
func (c *cluster) heads(name string) map[uint32]uint64 {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	answer, err := c.nodes[name].GetShards(ctx)
	if err != nil {
		return nil
	}
	heads := map[uint32]uint64{}
	for _, head := range answer.GetShards() {
		heads[head.GetShard()] = head.GetShardSeq()
	}
	return heads
}

// awaitCaughtUp waits until a node has reached what the others have now.
func (c *cluster) awaitCaughtUp(name string) {
	c.t.Helper()
	goal := map[uint32]uint64{}
	for _, other := range c.others(name) {
		for shard, seq := range c.heads(other) {
			goal[shard] = max(goal[shard], seq)
		}
	}
	if len(goal) != 3 {
		c.t.Fatalf("the others know the sequences of %d shards", len(goal))
	}
	var heads map[uint32]uint64
	eventually(c.t, time.Minute, func() string { return fmt.Sprintf("%s has reached %v of %v", name, heads, goal) }, func() bool {
		if p := c.hand[name]; p != nil && p.ended() {
			c.t.Fatalf("%s has ended with code %d", name, p.code())
		}
		heads = c.heads(name)
		for shard, seq := range goal {
			if heads[shard] < seq {
				return false
			}
		}
		return true
	})
}

// status is what these tests read of `cluster status --json`.
type status struct {
	Shards []struct {
		Shard    uint32 `json:"shard"`
		Leader   string `json:"leader"`
		ShardSeq uint64 `json:"shard_seq"`
	} `json:"shards"`
	Nodes []struct {
		Node string `json:"node"`
		Lag  []struct {
			Shard uint32 `json:"shard"`
			Lag   uint64 `json:"lag"`
		} `json:"lag"`
	} `json:"nodes"`
	Unreachable []string `json:"unreachable"`
}

// awaitNoLag waits until `cluster status` reports three nodes without lag.
func (c *cluster) awaitNoLag() {
	c.t.Helper()
	var last string
	eventually(c.t, time.Minute, func() string { return "lag in " + last }, func() bool {
		r := c.run("cluster", "status", "--json")
		last = r.stdout + r.stderr
		var s status
		if r.code != 0 || json.Unmarshal([]byte(r.stdout), &s) != nil || len(s.Nodes) != 3 || len(s.Unreachable) != 0 || len(s.Shards) != 3 {
			return false
		}
		for _, n := range s.Nodes {
			for _, l := range n.Lag {
				if l.Lag != 0 {
					return false
				}
			}
		}
		return true
	})
}
