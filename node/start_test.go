package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgereel/edgereel/node"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/telemetry"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
)

// loner is a cluster of one node, on one port, that has been used and stopped:
// what a damaged or misconfigured node starts from.
type loner struct {
	*layout
	cfg config.Config
}

func newLoner(t *testing.T) *loner {
	t.Helper()
	l := newLayout(t, func(i int, cfg *config.Config) {
		if i > 0 {
			return
		}
		self := cfg.Peers[0]
		self.Mesh = self.Public
		cfg.Addresses.Mesh = self.Public
		cfg.Peers = []config.Peer{self}
		cfg.Shards = []config.Shard{{ID: 1, Home: cfg.Region, Voters: []string{cfg.Node}}}
	})
	lone := &loner{layout: l, cfg: l.configs[0]}
	n, _, err := lone.start(t, lone.cfg)
	must(t, err)
	lone.ready(t, n)
	must(t, n.Close())
	return lone
}

// logBuffer takes log lines of several goroutines. The mutex guards text.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start tries to start a node and returns its log.
func (l *loner) start(t *testing.T, cfg config.Config) (*node.Node, *logBuffer, error) {
	t.Helper()
	log := &logBuffer{}
	tel, err := telemetry.New(telemetry.Config{Cluster: cfg.Cluster, Node: cfg.Node, Region: cfg.Region, LogOutput: log})
	must(t, err)
	t.Cleanup(func() { must(t, tel.Close(context.Background())) })
	sockets, err := node.OpenSockets(cfg)
	if err != nil {
		return nil, log, err
	}
	n, err := node.New(t.Context(), node.Options{Config: cfg, Telemetry: tel, Sockets: sockets})
	return n, log, err
}

// ready waits until a node has founded its shard.
func (l *loner) ready(t *testing.T, n *node.Node) {
	t.Helper()
	eventually(t, "the shard is founded", func(ctx context.Context) (any, error) {
		st, err := n.Status(ctx, nil)
		if err == nil && st.GetShards()[0].GetShardSeq() < 3 {
			err = fmt.Errorf("the shard stands at %d", st.GetShards()[0].GetShardSeq())
		}
		return nil, err
	})
}

// free checks that a failed start left none of its sockets open.
func (l *loner) free(t *testing.T) {
	t.Helper()
	udp, err := transport.ListenUDP(l.cfg.Addresses.Public)
	must(t, err)
	must(t, udp.Close())
	for _, addr := range []string{l.cfg.Addresses.Public, l.cfg.Addresses.Admin} {
		tcp, err := net.Listen("tcp", addr)
		must(t, err)
		must(t, tcp.Close())
	}
}

// find gives the one file below the data folder that ends like this.
func find(t *testing.T, dir, suffix string) string {
	t.Helper()
	var found []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return err
	}))
	if len(found) != 1 {
		t.Fatalf("%d files end in %s below %s: %v", len(found), suffix, dir, found)
	}
	return found[0]
}

// rewrite changes a file's bytes in place.
func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	must(t, os.Chmod(path, 0o600))
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, change(b), 0o600))
}

func flip(at func([]byte) int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at(b)] ^= 0x40
		return b
	}
}

func isDamage(err error) bool {
	var damage *storage.DamageError
	return errors.As(err, &damage)
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

// badStart is a way to spoil a node's start and what its error must say.
type badStart struct {
	spoil func(t *testing.T, l *loner, cfg *config.Config)
	says  []string
	kind  func(error) bool
}

func (l *loner) reissue(t *testing.T, cfg *config.Config, ca *transport.Authority, id transport.Identity, life time.Duration) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "identity")
	l.issue(t, ca, dir, id, life)
	cfg.Identity.Cert, cfg.Identity.Key = filepath.Join(dir, transport.CertFile), filepath.Join(dir, transport.KeyFile)
}

func copied(t *testing.T, path string, mode os.FileMode, change func([]byte) []byte) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	must(t, os.WriteFile(to, change(b), mode))
	must(t, os.Chmod(to, mode))
	return to
}

func badStarts() map[string]badStart {
	self := func(cfg *config.Config) transport.Identity {
		return transport.Identity{Cluster: cluster1, Region: cfg.Region, Node: cfg.Node, Role: transport.RoleNode}
	}
	same := func(b []byte) []byte { return b }
	damaged := func(suffix string, change func([]byte) []byte) func(*testing.T, *loner, *config.Config) {
		return func(t *testing.T, _ *loner, cfg *config.Config) { rewrite(t, find(t, cfg.Data, suffix), change) }
	}
	return map[string]badStart{
		"data of another cluster": {
			spoil: func(_ *testing.T, _ *loner, cfg *config.Config) { cfg.Cluster = "other" },
			says:  []string{"data folder", "other"}, kind: is(storage.ErrForeignCluster),
		},
		"data of another node": {
			spoil: func(_ *testing.T, _ *loner, cfg *config.Config) { cfg.Node = "us-east-1" },
			says:  []string{"data folder", "us-east-1"}, kind: is(storage.ErrForeignNode),
		},
		"node file lost": {
			spoil: func(t *testing.T, _ *loner, cfg *config.Config) { must(t, os.Remove(find(t, cfg.Data, "node.db"))) },
			says:  []string{"node.db"}, kind: is(storage.ErrMissing),
		},
		"node file overwritten": {spoil: damaged("node.db", func(b []byte) []byte { clear(b[:8192]); return b }), says: []string{"node.db"}, kind: isDamage},
		"journal damaged":       {spoil: damaged(".seg", flip(func(b []byte) int { return len(b) / 2 })), says: []string{".seg", "damaged", "offset"}, kind: isDamage},
		"journal cut":           {spoil: damaged(".seg", func(b []byte) []byte { return b[:len(b)/2] }), says: []string{".seg", "missing"}, kind: isDamage},
		"no certificate": {
			spoil: func(_ *testing.T, _ *loner, cfg *config.Config) { cfg.Identity.Cert += ".gone" },
			says:  []string{"node.pem.gone", "missing", "issue"},
		},
		"certificate of a foreign authority": {
			spoil: func(t *testing.T, l *loner, cfg *config.Config) {
				l.reissue(t, cfg, newAuthority(t), self(cfg), time.Hour)
			},
			says: []string{"not signed by", transport.CAFile},
		},
		"certificate expired": {
			spoil: func(t *testing.T, l *loner, cfg *config.Config) {
				l.reissue(t, cfg, l.authority, self(cfg), -time.Minute)
			},
			says: []string{"expired at", "issue a new one"},
		},
		"certificate of the wrong role": {
			spoil: func(t *testing.T, l *loner, cfg *config.Config) {
				id := self(cfg)
				id.Role = transport.RoleOperator
				l.reissue(t, cfg, l.authority, id, time.Hour)
			},
			says: []string{`role "operator"`, `needs "node"`},
		},
		"certificate of another node": {
			spoil: func(t *testing.T, l *loner, cfg *config.Config) {
				id := self(cfg)
				id.Node = "us-east-1"
				l.reissue(t, cfg, l.authority, id, time.Hour)
			},
			says: []string{"is for node us-east-1", "issue one for eu-west-1"},
		},
		"key of another certificate": {
			spoil: func(t *testing.T, l *loner, cfg *config.Config) {
				own := cfg.Identity.Cert
				l.reissue(t, cfg, l.authority, self(cfg), time.Hour)
				cfg.Identity.Cert = own
			},
			says: []string{"do not belong together"},
		},
		"seed keys lost": {
			spoil: func(_ *testing.T, _ *loner, cfg *config.Config) { cfg.Keys.Seeds += ".gone" },
			says:  []string{"seed keys", "seeds.json.gone"}, kind: is(fs.ErrNotExist),
		},
		"seed keys open to others": {
			spoil: func(t *testing.T, _ *loner, cfg *config.Config) {
				cfg.Keys.Seeds = copied(t, cfg.Keys.Seeds, 0o644, same)
			},
			says: []string{"seeds.json", "0644", "chmod 600"},
		},
		"seed keys damaged": {
			spoil: func(t *testing.T, _ *loner, cfg *config.Config) {
				cfg.Keys.Seeds = copied(t, cfg.Keys.Seeds, 0o600, func(b []byte) []byte { return b[:len(b)/2] })
			},
			says: []string{"seeds.json", "not valid JSON"},
		},
		"token keys open to others": {
			spoil: func(t *testing.T, _ *loner, cfg *config.Config) {
				cfg.Keys.Tokens = copied(t, cfg.Keys.Tokens, 0o640, same)
			},
			says: []string{"token keys", "chmod 600"},
		},
		"directory key is another file": {
			spoil: func(_ *testing.T, _ *loner, cfg *config.Config) { cfg.Keys.Directory = cfg.Keys.Seeds },
			says:  []string{"directory key", "seeds.json"},
		},
		"mesh port in use":  {spoil: occupy("udp", func(a config.Addresses) string { return a.Mesh }), says: []string{"addresses.mesh", "another port"}},
		"https port in use": {spoil: occupy("tcp", func(a config.Addresses) string { return a.Public }), says: []string{"addresses.public", "another port"}},
		"admin port in use": {spoil: occupy("tcp", func(a config.Addresses) string { return a.Admin }), says: []string{"addresses.admin", "another port"}},
	}
}

// occupy holds one address of the configuration until the case ends; the
// others move, so that free can look at them.
func occupy(network string, pick func(config.Addresses) string) func(*testing.T, *loner, *config.Config) {
	return func(t *testing.T, _ *loner, cfg *config.Config) {
		addrs := freeAddrs(t, 2)
		cfg.Addresses.Public, cfg.Addresses.Admin = addrs[0], addrs[1]
		cfg.Addresses.Mesh = cfg.Addresses.Public
		if network == "udp" {
			c, err := transport.ListenUDP(pick(cfg.Addresses))
			must(t, err)
			t.Cleanup(func() { must(t, c.Close()) })
			return
		}
		c, err := net.Listen(network, pick(cfg.Addresses))
		must(t, err)
		t.Cleanup(func() { must(t, c.Close()) })
	}
}

// TestStart_Refuses spoils one thing at a time. The error names it, and nothing
// stays open: the package's leak check sees goroutines, free the sockets.
func TestStart_Refuses(t *testing.T) {
	l := newLoner(t)
	for name, bad := range badStarts() {
		t.Run(name, func(t *testing.T) {
			cfg := l.cfg
			cfg.Data = filepath.Join(t.TempDir(), "data")
			must(t, os.CopyFS(cfg.Data, os.DirFS(l.cfg.Data)))
			bad.spoil(t, l, &cfg)
			n, _, err := l.start(t, cfg)
			if err == nil {
				must(t, n.Close())
				t.Fatal("the node started")
			}
			for _, want := range bad.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if bad.kind != nil && !bad.kind(err) {
				t.Errorf("the error is of another kind: %v", err)
			}
			l.free(t)
		})
	}
	t.Run("a torn tail is cut off and told", func(t *testing.T) { l.testTornTail(t) })
}

// testTornTail appends half a frame, as a crash in the middle of a write does.
func (l *loner) testTornTail(t *testing.T) {
	cfg := l.cfg
	cfg.Data = filepath.Join(t.TempDir(), "data")
	must(t, os.CopyFS(cfg.Data, os.DirFS(l.cfg.Data)))
	segment := find(t, cfg.Data, ".seg")
	rewrite(t, segment, func(b []byte) []byte { return append(b, b[len(b)-40:]...) })
	n, log, err := l.start(t, cfg)
	must(t, err)
	l.ready(t, n)
	must(t, n.Close())
	if text := log.String(); !strings.Contains(text, "torn unsynced tail of the journal truncated") || !strings.Contains(text, filepath.Base(segment)) {
		t.Errorf("the log does not tell of the torn tail:\n%s", text)
	}
}

// TestStart_UnknownKey is refused when the file is read, before anything opens.
func TestStart_UnknownKey(t *testing.T) {
	l := newLayout(t, nil)
	path := filepath.Join(l.dir, "eu-west-1", "node.yaml")
	rewrite(t, path, func(b []byte) []byte { return append(b, "shardz: []\n"...) })
	_, err := config.Load(path)
	if err == nil || !strings.Contains(err.Error(), "shardz: unknown key") || !strings.Contains(err.Error(), path) {
		t.Errorf("the error is %v", err)
	}
}

// TestStart_EdgeWithoutSecrets starts a node that votes in no shard and holds
// nothing but the public halves of the token keys.
func TestStart_EdgeWithoutSecrets(t *testing.T) {
	l := newLayout(t, func(i int, cfg *config.Config) {
		cfg.Shards = []config.Shard{{ID: 1, Home: "us-east", Voters: []string{"us-east-1"}}}
		if i != 1 {
			cfg.Roles, cfg.Keys.Seeds, cfg.Keys.Directory = []config.Role{config.RoleEdge}, "", ""
		}
	})
	lone := &loner{layout: l, cfg: l.configs[0]}
	lone.cfg.Keys.Tokens = copied(t, lone.cfg.Keys.Tokens, 0o600, func(b []byte) []byte {
		return regexp.MustCompile(`(?m)^\s*"private": .*\n`).ReplaceAll(b, nil)
	})
	n, log, err := lone.start(t, lone.cfg)
	must(t, err)
	must(t, n.Close())
	lone.free(t)
	if !strings.Contains(log.String(), "verifies tokens and issues none") {
		t.Errorf("the log does not tell that tokens are not issued:\n%s", log)
	}
}

// TestRun_EndsWithTheReason: a node that may not go on stops serving, tells why,
// and closes as a whole.
func TestRun_EndsWithTheReason(t *testing.T) {
	l := newLoner(t)
	n, log, err := l.start(t, l.cfg)
	must(t, err)
	l.ready(t, n)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(t.Context()) }()
	n.Fatal(errors.New("fsync node.db: input/output error"))
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the node must stop: fsync node.db") {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(log.String(), "fsync node.db") {
		t.Error("the log does not say why")
	}
	l.free(t)
	if err := n.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}
