package nodecmd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/nodecmd"
	"github.com/edgereel/edgereel/node"
	"github.com/edgereel/edgereel/node/config"
)

// oneNode writes the configuration of a cluster of one and the files it names.
func oneNode(t *testing.T) (path string, cfg config.Config) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ca", "cert", "key", "seeds", "tokens", "directory", "data/x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	admin, public := freeAddress(t), freeAddress(t)
	cfg = config.Config{
		Version: 1, Cluster: "dev", Node: "a", Region: "r", Data: "data",
		Roles:     []config.Role{config.RoleEdge, config.RoleVoter},
		Addresses: config.Addresses{Public: public, Admin: admin},
		Identity:  config.Identity{CA: "ca", Cert: "cert", Key: "key"},
		Keys:      config.Keys{Seeds: "seeds", Tokens: "tokens", Directory: "directory"},
		Peers:     []config.Peer{{Node: "a", Region: "r", Mesh: public, Public: public}},
		Shards:    []config.Shard{{ID: 1, Home: "r", Voters: []string{"a"}}},
	}
	path = filepath.Join(dir, "node.yaml")
	if err := cfg.Write(path); err != nil {
		t.Fatal(err)
	}
	return path, cfg
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// closeSockets does what a node does in the end.
func closeSockets(t *testing.T, o node.Options) {
	t.Helper()
	if o.Sockets.Admin != nil {
		t.Error("the node is given the admin address, which is served already")
	}
	if err := errors.Join(o.Sockets.Mesh.Close(), o.Sockets.PublicTCP.Close()); err != nil {
		t.Error(err)
	}
}

// given is the seam's far side: what Run does between open and close is given.
type given struct {
	run    func(ctx context.Context) error
	closed bool
}

func (n *given) Run(ctx context.Context) error { return n.run(ctx) }

func (n *given) Close() error {
	n.closed = true
	return nil
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestRun_AdminAnswersBeforeTheNodeIsOpen(t *testing.T) {
	path, cfg := oneNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := &given{}
	open := func(_ context.Context, o node.Options) (nodecmd.Node, error) {
		defer closeSockets(t, o)
		got, tel := o.Config, o.Telemetry
		if code, body := get(t, "http://"+cfg.Addresses.Admin+"/healthz/startup"); code != http.StatusServiceUnavailable {
			t.Errorf("startup before opening = %d: %s", code, body)
		}
		if code, _ := get(t, "http://"+cfg.Addresses.Admin+"/healthz/live"); code != http.StatusOK {
			t.Errorf("live before opening = %d", code)
		}
		n.run = func(ctx context.Context) error {
			tel.Health.Started()
			if code, body := get(t, "http://"+cfg.Addresses.Admin+"/healthz/ready"); code != http.StatusOK {
				t.Errorf("ready = %d: %s", code, body)
			}
			text, err := os.ReadFile(filepath.Join(got.Data, nodecmd.PIDFile))
			if err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(os.Getpid()) {
				t.Errorf("process id file: %q, %v", text, err)
			}
			cancel()
			<-ctx.Done()
			return nil
		}
		return n, nil
	}
	if err := nodecmd.RunWith(ctx, nodecmd.Options{Config: path}, open); err != nil {
		t.Fatal(err)
	}
	if !n.closed {
		t.Error("the node is not closed")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "data", nodecmd.PIDFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the process id file is left: %v", err)
	}
}

func TestRun_StopsOnASignal(t *testing.T) {
	path, _ := oneNode(t)
	open := func(_ context.Context, o node.Options) (nodecmd.Node, error) {
		defer closeSockets(t, o)
		return &given{run: func(ctx context.Context) error {
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			if err := self.Signal(os.Interrupt); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(10 * time.Second):
				return errors.New("the signal did not arrive")
			}
		}}, nil
	}
	if err := nodecmd.RunWith(t.Context(), nodecmd.Options{Config: path}, open); err != nil {
		t.Error(err)
	}
}

func TestRun_Fails(t *testing.T) {
	path, cfg := oneNode(t)
	broken := errors.New("disk is broken")
	fails := func(_ context.Context, o node.Options) (nodecmd.Node, error) {
		defer closeSockets(t, o)
		return &given{run: func(context.Context) error { return broken }}, nil
	}
	err := nodecmd.RunWith(t.Context(), nodecmd.Options{Config: path}, fails)
	if !errors.Is(err, broken) || nodecmd.ExitCode(err) != nodecmd.ExitFailed {
		t.Errorf("node that fails: %v, exit %d", err, nodecmd.ExitCode(err))
	}
	err = nodecmd.RunWith(t.Context(), nodecmd.Options{Config: path + ".none"}, fails)
	if nodecmd.ExitCode(err) != nodecmd.ExitUsage {
		t.Errorf("no configuration: %v, exit %d", err, nodecmd.ExitCode(err))
	}
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", cfg.Addresses.Admin)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = nodecmd.RunWith(t.Context(), nodecmd.Options{Config: path}, fails)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("addresses.admin %s", cfg.Addresses.Admin)) {
		t.Errorf("port in use: %v", err)
	}
}
