package plain_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/consensus/plain"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/transport/simnet"
	"github.com/edgereel/edgereel/wallet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	group   = 0xFFFF_FF00
	cluster = "sim"
	port    = 7400
)

// words is a machine that keeps every word once, in order: a repeated one is
// refused. mu guards list for the test's reads.
type words struct {
	mu   sync.Mutex
	list []string
}

func (w *words) Apply(command []byte) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	word := string(command)
	if word == "broken" {
		return nil, errors.New("no replica can apply this")
	}
	if slices.Contains(w.list, word) {
		return []byte("refused"), nil
	}
	w.list = append(w.list, word)
	return fmt.Appendf(nil, "%d", len(w.list)), nil
}

func (w *words) Snapshot() ([]byte, error) { return []byte(strings.Join(w.read(), "\n")), nil }

func (w *words) Restore(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = strings.Split(string(b), "\n")
	return nil
}

func (w *words) read() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.list)
}

// world is three voters on a simulated network with files of their own.
type world struct {
	t     *testing.T
	net   *simnet.Network
	ca    *transport.Authority
	dir   string
	nodes map[string]*voter
}

type voter struct {
	name     string
	words    *words
	store    *storage.Store
	endpoint *transport.Endpoint
	mesh     *transport.Mesh
	group    *plain.Group
	served   chan error
	mu       sync.Mutex
	fatal    error
}

func names() []string { return []string{"a", "b", "c"} }

func newWorld(t *testing.T) *world {
	t.Helper()
	ca, err := transport.NewAuthority(transport.AuthorityConfig{Cluster: cluster, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour)})
	must(t, err)
	w := &world{t: t, ca: ca, dir: t.TempDir(), nodes: map[string]*voter{}, net: simnet.New(simnet.Config{
		Rand: rand.New(rand.NewPCG(1, 2)), Default: simnet.Path{Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond},
	})}
	t.Cleanup(func() { w.net.Close() })
	for _, name := range names() {
		w.net.AddHost(name)
	}
	for _, name := range names() {
		w.open(name)
	}
	t.Cleanup(func() {
		for _, name := range names() {
			w.close(name)
		}
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) open(name string) {
	w.t.Helper()
	v := &voter{name: name, words: &words{}, served: make(chan error, 1)}
	issued, err := w.ca.Issue(transport.IssueConfig{
		Identity:  transport.Identity{Region: "r-" + name, Node: name, Role: transport.RoleNode},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	})
	must(w.t, err)
	creds, err := issued.Credentials(nil)
	must(w.t, err)
	v.store, err = storage.Open(storage.Config{Dir: filepath.Join(w.dir, name), Cluster: cluster, Node: name, OnFatal: v.onFatal})
	must(w.t, err)
	snaps, err := raft.NewFileSnapshotStoreWithLogger(v.store.SnapshotDir(group), 2, hclog.NewNullLogger())
	must(w.t, err)
	conn, err := w.net.ListenPacket(name, port)
	must(w.t, err)
	v.endpoint, err = transport.NewEndpoint(transport.EndpointConfig{PacketConn: conn, Credentials: creds})
	must(w.t, err)
	v.mesh, err = transport.NewMesh(transport.MeshConfig{Endpoint: v.endpoint, Resolve: func(node string) (string, error) {
		return fmt.Sprintf("%s:%d", w.net.AddHost(node), port), nil
	}})
	must(w.t, err)
	timers := consensus.LAN()
	timers.SnapshotEntries, timers.SnapshotEvery, timers.TrailingEntries = 20, 2*time.Second, 5
	logs := v.store.Group(group)
	v.group, err = plain.Open(plain.Config{
		Name: "words", Node: name, Voters: names(), Timers: timers, Logs: logs, Stable: logs, Snapshots: snaps,
		Transport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: v.mesh.RaftLayer(group), MaxPool: 3, Timeout: time.Second, Logger: hclog.NewNullLogger(),
		}),
		Machine: v.words, Logger: slog.New(slog.DiscardHandler), OnFatal: v.onFatal,
	})
	must(w.t, err)
	go func() { v.served <- v.endpoint.Run(context.Background()) }()
	w.nodes[name] = v
}

func (v *voter) onFatal(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fatal = err
}

func (v *voter) failed() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fatal
}

func (w *world) close(name string) {
	w.t.Helper()
	v := w.nodes[name]
	if v == nil {
		return
	}
	delete(w.nodes, name)
	must(w.t, v.group.Close())
	must(w.t, v.group.Close())
	must(w.t, errors.Join(v.mesh.Close(), v.endpoint.Close(), <-v.served, v.store.Close()))
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); <-time.After(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// leader waits for one that says it leads, other than the named.
func (w *world) leader(except string) *voter {
	w.t.Helper()
	var found *voter
	eventually(w.t, "a leader", func() bool {
		for name, v := range w.nodes {
			if name != except && v.group.Leads() {
				found = v
				return true
			}
		}
		return false
	})
	return found
}

// say submits a word wherever it is taken, until it is answered.
func (w *world) say(word string) string {
	w.t.Helper()
	var answer []byte
	eventually(w.t, "an answer to "+word, func() bool {
		for _, v := range w.nodes {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			var err error
			answer, err = v.group.Submit(ctx, []byte(word))
			cancel()
			if err == nil {
				return true
			}
			var own *consensus.Error
			if !errors.As(err, &own) {
				w.t.Fatalf("an error without effect: %v", err)
			}
		}
		return false
	})
	return string(answer)
}

func (w *world) agree(want []string) {
	w.t.Helper()
	eventually(w.t, "all replicas hold the same", func() bool {
		for _, v := range w.nodes {
			if !slices.Equal(v.words.read(), want) {
				return false
			}
		}
		return true
	})
}

func TestGroup_AnswersAndRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if got := w.say("one") + w.say("two") + w.say("one"); got != "12refused" {
			t.Errorf("answers %q", got)
		}
		w.agree([]string{"one", "two"})
		leader := w.leader("")
		for _, v := range w.nodes {
			if v == leader {
				continue
			}
			_, err := v.group.Submit(t.Context(), []byte("three"))
			var own *consensus.Error
			if !errors.As(err, &own) || own.Effect != wallet.NotAppliedRetryable || own.Code != consensus.CodeNotLeader || own.Leader != leader.name {
				t.Errorf("a follower answered %v", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := leader.group.Submit(ctx, []byte("four"))
		var own *consensus.Error
		if err != nil && (!errors.As(err, &own) || own.Code != consensus.CodeDeadline) {
			t.Errorf("with a dead context: %v", err)
		}
	})
}

// TestGroup_LosesLeader: what a cut-off leader is told to do is unknown, not
// lost or refused, and the others go on.
func TestGroup_LosesLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.say("one")
		old := w.leader("")
		w.net.Isolate(old.name)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := old.group.Submit(ctx, []byte("ghost"))
		var own *consensus.Error
		if !errors.As(err, &own) || own.Effect != wallet.Unknown {
			t.Errorf("a cut-off leader answered %v", err)
		}
		next := w.leader(old.name)
		if _, err := next.group.Submit(ctx, []byte("two")); err != nil {
			t.Errorf("the next leader: %v", err)
		}
		w.net.Rejoin(old.name)
		w.agree([]string{"one", "two"})
		must(t, next.group.Resign())
		w.leader(next.name)
	})
}

// TestGroup_RestartAndInstall: a voter that was away gets a snapshot, and all
// come back from their files.
func TestGroup_RestartAndInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var want []string
		say := func(from, to int) {
			for i := from; i < to; i++ {
				want = append(want, fmt.Sprintf("word-%d", i))
				w.say(want[i])
			}
		}
		say(0, 5)
		away := w.leader("").name
		w.close(away)
		say(5, 60)
		for _, v := range w.nodes {
			must(t, v.group.Snapshot())
		}
		say(60, 70)
		w.open(away)
		w.agree(want)
		for _, name := range names() {
			w.close(name)
		}
		for _, name := range names() {
			w.open(name)
		}
		w.agree(want)
		say(70, 72)
		w.agree(want)
	})
}

// TestGroup_StopsWhereItCannotApply: the replica says so once and answers
// nothing more.
func TestGroup_StopsWhereItCannotApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader := w.leader("")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := leader.group.Submit(ctx, []byte("broken"))
		var own *consensus.Error
		if !errors.As(err, &own) || own.Effect != wallet.Unknown || leader.failed() == nil {
			t.Errorf("answered %v, fatal %v", err, leader.failed())
		}
		if _, err := leader.group.Submit(ctx, []byte("more")); !errors.As(err, &own) || own.Code != consensus.CodeUnavailable || leader.group.Leads() {
			t.Errorf("a stopped replica answered %v", err)
		}
	})
}
