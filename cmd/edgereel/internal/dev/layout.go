package dev

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/edgereel/edgereel/api/dsse"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/nodecmd"
	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/releases"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/transport"
)

// site is where one node is: the three regions of the demo.
type site struct {
	node, region, player string
}

var sites = [...]site{
	{"eu-west-1", "eu-west", "demo-eu"},
	{"us-east-1", "us-east", "demo-us"},
	{"ap-south-1", "ap-south", "demo-ap"},
}

const (
	operatorID = "demo"
	// studioID is who the games of the program belong to, so that a new version
	// of one can be pushed.
	studioID  = releases.BuiltinStudio
	studioKey = "studio.key"
	currency  = "EUR"
	host      = "127.0.0.1"
	stateFile = "dev.json"
	// certificateLife is long enough for any run; they are issued anew at
	// every start.
	certificateLife = 90 * 24 * time.Hour
	authorityLife   = 10 * 365 * 24 * time.Hour
)

// state is what a folder keeps between two runs.
type state struct {
	Version int     `json:"version"`
	Cluster string  `json:"cluster"`
	Ports   []ports `json:"ports"`
}

// ports are one node's: public on UDP and TCP, admin on TCP.
type ports struct {
	Public int `json:"public"`
	Admin  int `json:"admin"`
}

// layout is the folder of a cluster and what is in it.
type layout struct {
	dir   string
	state state
}

func (l layout) nodeDir(i int) string    { return filepath.Join(l.dir, "nodes", sites[i].node) }
func (l layout) configFile(i int) string { return filepath.Join(l.nodeDir(i), "node.yaml") }
func (l layout) logFile(i int) string    { return filepath.Join(l.nodeDir(i), "node.log") }
func (l layout) pidFile(i int) string    { return filepath.Join(l.nodeDir(i), "data", nodecmd.PIDFile) }
func (l layout) caFile() string          { return filepath.Join(l.dir, "ca", transport.CAFile) }
func (l layout) key(name string) string  { return filepath.Join(l.dir, "keys", name+".json") }
func (l layout) clusterFile() string     { return filepath.Join(l.dir, "cluster.json") }
func (l layout) studioKey() string       { return filepath.Join(l.dir, "keys", studioKey) }

func (l layout) public(i int) string { return address(l.state.Ports[i].Public) }
func (l layout) admin(i int) string  { return address(l.state.Ports[i].Admin) }

func address(port int) string { return host + ":" + strconv.Itoa(port) }

// prepare makes the folder complete: what is there stays, what is missing is
// made. basePort 0 keeps the ports, or chooses free ones the first time.
func prepare(dir string, basePort int, now time.Time) (layout, error) {
	l := layout{dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return l, fmt.Errorf("make data folder: %w", err)
	}
	if err := l.loadState(basePort); err != nil {
		return l, err
	}
	// A file of an earlier run would tell a script that the cluster is ready.
	if err := os.Remove(l.clusterFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("remove the last run's cluster.json: %w", err)
	}
	if err := l.makeKeys(now); err != nil {
		return l, err
	}
	authority, err := l.authority(now)
	if err != nil {
		return l, err
	}
	for i := range sites {
		if err := l.makeNode(i, authority, now); err != nil {
			return l, fmt.Errorf("prepare node %s: %w", sites[i].node, err)
		}
	}
	return l, nil
}

func (l *layout) loadState(basePort int) error {
	path := filepath.Join(l.dir, stateFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l.newState(path, basePort)
	case err != nil:
		return fmt.Errorf("read %s: %w", stateFile, err)
	}
	if err := json.Unmarshal(text, &l.state); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if l.state.Version != 1 || len(l.state.Ports) != len(sites) {
		return fmt.Errorf("%s is not of this build; start with --fresh to begin anew, which loses its balances", path)
	}
	if basePort != 0 {
		l.state.Ports = portsFrom(basePort)
		return l.saveState(path)
	}
	return nil
}

func (l *layout) newState(path string, basePort int) error {
	entries, err := os.ReadDir(filepath.Join(l.dir, "nodes"))
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s has nodes but no %s; name the folder of an earlier dev, or an empty one", l.dir, stateFile)
	}
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("name the cluster: %w", err)
	}
	l.state = state{Version: 1, Cluster: "dev-" + hex.EncodeToString(id[:])}
	if basePort != 0 {
		l.state.Ports = portsFrom(basePort)
	} else if l.state.Ports, err = freePorts(); err != nil {
		return err
	}
	return l.saveState(path)
}

func (l *layout) saveState(path string) error {
	text, err := json.MarshalIndent(l.state, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", stateFile, err)
	}
	return nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func (l *layout) makeKeys(now time.Time) error {
	if path := l.key("seeds"); missing(path) {
		ring, err := seeds.NewRing(nil, now)
		if err == nil {
			err = ring.Save(path)
		}
		if err != nil {
			return fmt.Errorf("make seed keys: %w", err)
		}
	}
	if path := l.key("tokens"); missing(path) {
		tokens, err := seeds.NewTokens(nil, now)
		if err == nil {
			err = tokens.Save(path)
		}
		if err != nil {
			return fmt.Errorf("make token keys: %w", err)
		}
	}
	if path := l.key("directory"); missing(path) {
		directory, err := seeds.NewDirectory(nil)
		if err == nil {
			err = directory.Save(path)
		}
		if err != nil {
			return fmt.Errorf("make directory keys: %w", err)
		}
	}
	return l.makeStudioKey()
}

// makeStudioKey makes the key that pushes are signed with where no flag names
// another one.
func (l *layout) makeStudioKey() error {
	path := l.studioKey()
	if !missing(path) {
		return nil
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err == nil {
		err = dsse.WritePrivate(path, private)
	}
	if err != nil {
		return fmt.Errorf("make the studio's key: %w", err)
	}
	return nil
}

func (l *layout) authority(now time.Time) (*transport.Authority, error) {
	dir := filepath.Join(l.dir, "ca")
	if !missing(l.caFile()) {
		authority, err := transport.LoadAuthority(dir)
		if err != nil {
			return nil, fmt.Errorf("load the authority: %w", err)
		}
		return authority, nil
	}
	authority, err := transport.NewAuthority(transport.AuthorityConfig{
		Cluster: l.state.Cluster, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLife),
	})
	if err == nil {
		err = authority.Save(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	return authority, nil
}

func (l *layout) makeNode(i int, authority *transport.Authority, now time.Time) error {
	dir := l.nodeDir(i)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make its folder: %w", err)
	}
	issued, err := authority.Issue(transport.IssueConfig{
		Identity: transport.Identity{
			Cluster: l.state.Cluster, Region: sites[i].region, Node: sites[i].node, Role: transport.RoleNode,
		},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
	})
	if err != nil {
		return fmt.Errorf("issue its certificate: %w", err)
	}
	if err := issued.Save(dir); err != nil {
		return fmt.Errorf("store its certificate: %w", err)
	}
	return l.nodeConfig(i).Write(l.configFile(i))
}

// nodeConfig is an ordinary node's configuration. Its paths are relative, so
// that the folder can be moved.
func (l *layout) nodeConfig(i int) config.Config {
	c := config.Config{
		Version: config.Version,
		Cluster: l.state.Cluster,
		Node:    sites[i].node,
		Region:  sites[i].region,
		Roles:   []config.Role{config.RoleEdge, config.RoleVoter},
		Data:    "data",
		Addresses: config.Addresses{
			Public: l.public(i), Admin: l.admin(i),
		},
		Identity: config.Identity{CA: transport.CAFile, Cert: transport.CertFile, Key: transport.KeyFile},
		Keys: config.Keys{ //nolint:gosec // names of files, not secrets
			Seeds: "../../keys/seeds.json", Tokens: "../../keys/tokens.json", Directory: "../../keys/directory.json",
		},
		Operators: []config.Operator{{ID: operatorID, Jurisdiction: "demo"}},
	}
	for j, s := range sites {
		c.Peers = append(c.Peers, config.Peer{Node: s.node, Region: s.region, Mesh: l.public(j), Public: l.public(j)})
	}
	for j, s := range sites {
		shard := config.Shard{ID: uint32(j + 1), Home: s.region}
		for _, voter := range sites {
			shard.Voters = append(shard.Voters, voter.node)
		}
		c.Shards = append(c.Shards, shard)
		c.Registry.Voters = append(c.Registry.Voters, s.node)
	}
	return c
}
