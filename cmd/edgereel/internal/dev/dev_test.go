//go:build unix

package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/nodecmd"
	"github.com/edgereel/edgereel/node/config"
)

// The test binary is also the program that dev starts: a real node, or with
// EDGEREEL_TELEMETRY_TEST_NODE a process that fails in a given way. The prefix
// passes the filter of the nodes' environment.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "node" {
		os.Exit(m.Run())
	}
	switch os.Getenv(helperVariable) {
	case "fails":
		fmt.Println(`{"level":"ERROR","msg":"the disk is on fire"}`)
		os.Exit(3)
	case "silent":
		select {}
	default:
		os.Exit(nodecmd.ExitCode(nodecmd.Run(context.Background(), nodecmd.Options{Config: os.Args[3]})))
	}
}

const helperVariable = "EDGEREEL_TELEMETRY_TEST_NODE"

// screen is what a user sees.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func eventually(t *testing.T, limit time.Duration, cond func() bool, what func() string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what())
		}
	}
}

// running is a dev in this process.
type running struct {
	screen *screen
	stop   func() error
}

func runDev(t *testing.T, o Options) *running {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{screen: &screen{}}
	o.Out, o.Executable = r.screen, os.Args[0]
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// awaitFile waits for cluster.json, which says that the cluster is ready.
func (r *running) awaitFile(t *testing.T, dir string) *clusterfile.File {
	t.Helper()
	path := filepath.Join(dir, "cluster.json")
	eventually(t, 60*time.Second, func() bool { return !missing(path) }, r.screen.String)
	f, err := clusterfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func balance(t *testing.T, f *clusterfile.File) int64 {
	t.Helper()
	roots, err := f.Roots()
	if err != nil {
		t.Fatal(err)
	}
	var nodes []client.Node
	for _, n := range f.Nodes {
		nodes = append(nodes, client.Node{Name: n.Node, Region: n.Region, Address: n.API})
	}
	c, err := client.New(t.Context(), client.Config{Nodes: nodes, CA: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wallet, err := c.Player(f.Players[0].Token, f.Players[0].Wallet).GetWallet(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return wallet.GetWallet().GetBalanceMinor()
}

func TestRun_KillFreezeRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three processes, twice")
	}
	dir := t.TempDir()
	r := runDev(t, Options{Data: dir})
	first := r.awaitFile(t, dir)
	if len(first.Nodes) != 3 || len(first.Players) != 3 || first.OperatorToken == "" {
		t.Fatalf("cluster file %+v", first)
	}
	if got := balance(t, first); got != fundingMinor {
		t.Fatalf("balance %d, want %d", got, fundingMinor)
	}
	shows := func(want ...string) {
		t.Helper()
		eventually(t, 30*time.Second, func() bool {
			return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(r.screen.String(), w) })
		}, func() string { return fmt.Sprintf("%q in\n%s", want, r.screen.String()) })
	}
	shows("Three regions are up", "play --game", "kill -9", "eu-west-1   joined", "us-east-1   joined", "ap-south-1  joined", "leads shard")

	// A killed node is lost, and shown how to start again.
	us := first.Nodes[1]
	if err := syscall.Kill(us.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	shows(fmt.Sprintf("us-east-1   lost: process %d killed by signal 9", us.PID), "start it again: ")
	if got := balance(t, first); got != fundingMinor {
		t.Errorf("balance with a region lost: %d", got)
	}
	// Started by hand, it is taken over: listed, and stopped with the others.
	hand, err := os.StartProcess(os.Args[0], []string{os.Args[0], "node", "--config", filepath.Join(dir, "nodes", "us-east-1", "node.yaml")},
		&os.ProcAttr{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	handEnded := make(chan error, 1)
	go func() {
		_, err := hand.Wait()
		handEnded <- err
	}()
	shows(fmt.Sprintf("us-east-1   back (pid %d)", hand.Pid))
	eventually(t, 10*time.Second, func() bool {
		f, err := clusterfile.Read(filepath.Join(dir, "cluster.json"))
		return err == nil && f.Nodes[1].PID == hand.Pid
	}, func() string { return "cluster.json names the new process" })

	// A frozen one is lost too, and back when it thaws.
	eu := first.Nodes[0]
	if err := syscall.Kill(eu.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	shows("eu-west-1   lost: process", "kill -CONT")
	if err := syscall.Kill(eu.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	shows("eu-west-1   back")

	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-handEnded; err != nil {
		t.Error(err)
	}
	for _, n := range append(first.Nodes, clusterfile.Node{PID: hand.Pid}) {
		if alive(n.PID) {
			t.Errorf("process %d of %s is left", n.PID, n.Node)
		}
	}
	if !missing(filepath.Join(dir, "cluster.json")) {
		t.Error("cluster.json says that the stopped cluster is ready")
	}

	// The folder goes on: same wallets, funded once.
	again := runDev(t, Options{Data: dir})
	second := again.awaitFile(t, dir)
	if second.Players[0].Wallet != first.Players[0].Wallet || second.Nodes[0].API != first.Nodes[0].API {
		t.Errorf("after a restart: %+v\nbefore: %+v", second, first)
	}
	if got := balance(t, second); got != fundingMinor {
		t.Errorf("balance after a restart %d, want %d", got, fundingMinor)
	}
	if err := Run(t.Context(), Options{Data: dir, Out: io.Discard}); err == nil || !strings.Contains(err.Error(), "in use by another dev") {
		t.Errorf("second dev on the folder: %v", err)
	}
	if err := again.stop(); err != nil {
		t.Error(err)
	}
}

// Without a folder of its own a run leaves nothing behind, and with Restart a
// killed node comes back without a hand.
func TestRun_RestartsAndLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three processes")
	}
	r := runDev(t, Options{Restart: true})
	var dir string
	eventually(t, 60*time.Second, func() bool {
		_, rest, found := strings.Cut(r.screen.String(), " s, in ")
		dir, _, _ = strings.Cut(rest, "\n")
		return found && strings.Contains(r.screen.String(), "ap-south-1  joined")
	}, r.screen.String)
	f := r.awaitFile(t, dir)
	if err := syscall.Kill(f.Nodes[2].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() bool { return strings.Contains(r.screen.String(), "ap-south-1  back (pid ") }, r.screen.String)
	// A frozen node does not hear SIGTERM until it is thawed.
	if err := syscall.Kill(f.Nodes[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	last := r.awaitFile(t, dir)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if last.Nodes[2].PID == f.Nodes[2].PID {
		t.Error("cluster.json still names the killed process")
	}
	for _, n := range last.Nodes {
		if alive(n.PID) {
			t.Errorf("process %d of %s is left", n.PID, n.Node)
		}
	}
	if !missing(dir) {
		t.Errorf("the temporary folder %s is left", dir)
	}
	if strings.Contains(r.screen.String(), "is killed") {
		t.Errorf("a node did not stop as planned:\n%s", r.screen.String())
	}
}

func TestRun_PortInUse(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	base := listener.Addr().(*net.TCPAddr).Port
	err = Run(t.Context(), Options{Data: t.TempDir(), BasePort: base, Out: io.Discard, Executable: os.Args[0]})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d/tcp", base)) || !strings.Contains(err.Error(), "--base-port") {
		t.Errorf("port in use: %v", err)
	}
}

func TestRun_SaysWhyItCannot(t *testing.T) {
	t.Setenv(helperVariable, "fails")
	dir := t.TempDir()
	err := Run(t.Context(), Options{Data: dir, Out: io.Discard, Executable: os.Args[0]})
	if err == nil || !strings.Contains(err.Error(), "exit status 3 before it was ready") || !strings.Contains(err.Error(), "the disk is on fire") {
		t.Errorf("a node that fails: %v", err)
	}
	if !missing(filepath.Join(dir, "cluster.json")) {
		t.Error("cluster.json says that the failed cluster is ready")
	}
}

func TestRun_TimesOut(t *testing.T) {
	t.Setenv(helperVariable, "silent")
	err := Run(t.Context(), Options{Data: t.TempDir(), Out: io.Discard, Executable: os.Args[0], ReadyTimeout: 200 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "not within 200ms") || !strings.Contains(err.Error(), "eu-west-1: does not answer yet") {
		t.Errorf("nodes that never answer: %v", err)
	}
}

func TestPrepare_KeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	first, err := prepare(dir, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sites {
		cfg, err := config.LoadWith(first.configFile(i), nil)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Node != s.node || cfg.Cluster != first.state.Cluster || len(cfg.Votes()) != 3 || cfg.Shards[i].Home != s.region {
			t.Errorf("configuration of %s: %+v", s.node, cfg)
		}
	}
	secrets := func() string {
		var all []string
		for _, path := range []string{first.key("seeds"), first.key("tokens"), first.key("directory"), first.caFile()} {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(text))
		}
		return strings.Join(all, "\n")
	}
	before := secrets()
	second, err := prepare(dir, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	if second.state.Cluster != first.state.Cluster || !slices.Equal(second.state.Ports, first.state.Ports) || secrets() != before {
		t.Error("a second start makes another cluster")
	}
	moved, err := prepare(dir, 23450, now)
	if err != nil {
		t.Fatal(err)
	}
	if cfg, err := config.LoadWith(moved.configFile(2), nil); err != nil || cfg.Addresses.Public != "127.0.0.1:23454" {
		t.Errorf("with --base-port: %+v, %v", cfg.Addresses, err)
	}
	if err := empty(dir); err != nil {
		t.Fatal(err)
	}
	fresh, err := prepare(dir, 0, now)
	if err != nil || fresh.state.Cluster == first.state.Cluster {
		t.Errorf("--fresh keeps the cluster: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, stateFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := prepare(dir, 0, now); err == nil || !strings.Contains(err.Error(), "has nodes but no") {
		t.Errorf("a foreign folder: %v", err)
	}
}

func TestCheckPorts_NamesThePort(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	err = checkPorts([]ports{{Public: port, Admin: 70000}})
	for _, want := range []string{fmt.Sprintf("port %d/tcp, the public address of eu-west-1", port), "port 70000/tcp", "not between"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestSweep_RemovesOnlyWhatNobodyHolds(t *testing.T) {
	base := t.TempDir()
	for _, name := range []string{"run-old", "run-held", "run-young", "kept"} {
		if err := os.MkdirAll(filepath.Join(base, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	held, err := takeLock(filepath.Join(base, "run-held"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"run-old", "run-held", "kept"} {
		if err := os.Chtimes(filepath.Join(base, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	sweep(base, time.Now())
	for name, stays := range map[string]bool{"run-old": false, "run-held": true, "run-young": true, "kept": true} {
		if missing(filepath.Join(base, name)) == stays {
			t.Errorf("%s stays: %v, want %v", name, !stays, stays)
		}
	}
}

func TestNewest_BelievesTheHighestTerm(t *testing.T) {
	got := newest([]view{
		{1: {"eu-west-1", 4}, 2: {"us-east-1", 2}},
		nil,
		{1: {"ap-south-1", 5}, 2: {"", 9}, 3: {"ap-south-1", 1}},
	})
	if !slices.Equal(got["ap-south-1"], []uint32{1, 3}) || !slices.Equal(got["us-east-1"], []uint32{2}) || len(got) != 2 {
		t.Errorf("leads %v", got)
	}
}

func TestNodeEnvironment(t *testing.T) {
	got := nodeEnvironment([]string{"HOME=/", "EDGEREEL_NODE=x", "EDGEREEL_ADDRESSES_PUBLIC=y", "EDGEREEL_CLUSTER=z", "EDGEREEL_TELEMETRY_LOG_LEVEL=debug", "EDGEREEL_RAFT_HEARTBEAT_MS=500"})
	want := []string{"HOME=/", "EDGEREEL_TELEMETRY_LOG_LEVEL=debug", "EDGEREEL_RAFT_HEARTBEAT_MS=500"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOpenFolder_Temporary(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	f, err := openFolder(Options{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if missing(f.dir) {
		t.Fatal("there is no folder")
	}
	if err := f.close(false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the temporary folder is left")
	}
}
