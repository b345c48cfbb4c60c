package sim

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/edgereel/edgereel/node/config"
	"github.com/edgereel/edgereel/node/gateway"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/transport"
)

// Names and ports of a simulated cluster.
const (
	clusterName  = "sim"
	operatorName = "acme"
	meshPort     = 7400
	publicPort   = 7443
	// trust is how long certificates and operator tokens are good for, longer
	// than any run.
	trust = 30 * 24 * time.Hour
)

// layout writes what operators write before a cluster starts: authority, keys,
// and each node's identity and configuration.
func (c *Cluster) layout() error {
	now := time.Now()
	authority, err := transport.NewAuthority(transport.AuthorityConfig{
		Cluster: clusterName, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(2 * trust),
	})
	if err != nil {
		return fmt.Errorf("make the authority: %w", err)
	}
	keys, err := c.layoutKeys(now)
	if err != nil {
		return err
	}
	peers, shards := c.book()
	for i := range c.members {
		m := c.members[i]
		files := filepath.Join(c.cfg.Dir, m.Name)
		issued, err := authority.Issue(transport.IssueConfig{
			Identity: transport.Identity{
				Cluster: clusterName, Region: m.Region, Node: m.Name, Role: transport.RoleNode,
			},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(trust), IPs: []net.IP{c.network.AddHost(m.Name).AsSlice()},
		})
		if err != nil {
			return fmt.Errorf("issue the certificate of %s: %w", m.Name, err)
		}
		if err := issued.Save(files); err != nil {
			return fmt.Errorf("save the certificate of %s: %w", m.Name, err)
		}
		if m.config, err = writeConfig(files, config.Config{
			Version: config.Version, Cluster: clusterName, Node: m.Name, Region: m.Region,
			Roles: []config.Role{config.RoleEdge, config.RoleVoter}, Data: filepath.Join(files, "data"),
			Addresses: config.Addresses{Public: peers[i].Public, Mesh: peers[i].Mesh, Admin: "127.0.0.1:9"},
			Identity: config.Identity{
				CA: filepath.Join(files, transport.CAFile), Cert: filepath.Join(files, transport.CertFile), Key: filepath.Join(files, transport.KeyFile),
			},
			Keys: keys, Peers: peers, Shards: shards,
			Operators: []config.Operator{{ID: operatorName, Jurisdiction: "test"}},
			Raft:      c.cfg.Raft, Telemetry: config.Telemetry{LogLevel: c.cfg.LogLevel},
		}); err != nil {
			return fmt.Errorf("configure %s: %w", m.Name, err)
		}
	}
	credentials, err := transport.LoadCredentials(transport.LoadConfig{Dir: filepath.Join(c.cfg.Dir, c.members[0].Name)})
	if err != nil {
		return fmt.Errorf("read the authority: %w", err)
	}
	c.roots = credentials.Roots()
	return nil
}

func writeConfig(files string, cfg config.Config) (config.Config, error) {
	path := filepath.Join(files, "node.yaml")
	if err := cfg.Write(path); err != nil {
		return cfg, err
	}
	return config.LoadWith(path, nil)
}

// layoutKeys makes the secrets all nodes share, and the operator's token.
func (c *Cluster) layoutKeys(now time.Time) (config.Keys, error) {
	keys := config.Keys{
		Seeds: filepath.Join(c.cfg.Dir, "seeds.json"), Tokens: filepath.Join(c.cfg.Dir, "tokens.json"),
		Directory: filepath.Join(c.cfg.Dir, "directory.json"),
	}
	if err := os.MkdirAll(c.cfg.Dir, 0o700); err != nil {
		return keys, fmt.Errorf("make the cluster's folder: %w", err)
	}
	ring, err := seeds.NewRing(nil, now)
	if err != nil {
		return keys, fmt.Errorf("make seed keys: %w", err)
	}
	directory, err := seeds.NewDirectory(nil)
	if err != nil {
		return keys, fmt.Errorf("make the directory key: %w", err)
	}
	tokens, err := seeds.NewTokens(nil, now)
	if err != nil {
		return keys, fmt.Errorf("make token keys: %w", err)
	}
	for path, save := range map[string]func(string) error{keys.Seeds: ring.Save, keys.Directory: directory.Save, keys.Tokens: tokens.Save} {
		if err := save(path); err != nil {
			return keys, fmt.Errorf("save keys: %w", err)
		}
	}
	issuer, err := tokens.Issuer(clusterName, nil)
	if err != nil {
		return keys, fmt.Errorf("prepare the operator's token: %w", err)
	}
	if c.operatorToken, err = issuer.Operator(operatorName, gateway.AllRoles(), trust); err != nil {
		return keys, fmt.Errorf("issue the operator's token: %w", err)
	}
	return keys, nil
}

// book lists the nodes' addresses and one shard per region, which all vote in.
func (c *Cluster) book() ([]config.Peer, []config.Shard) {
	var peers []config.Peer
	var voters []string
	var shards []config.Shard
	for i, m := range c.members {
		ip := c.network.AddHost(m.Name)
		peers = append(peers, config.Peer{
			Node: m.Name, Region: m.Region, Mesh: netip.AddrPortFrom(ip, meshPort).String(), Public: netip.AddrPortFrom(ip, publicPort).String(),
		})
		voters = append(voters, m.Name)
		shards = append(shards, config.Shard{ID: uint32(i + 1), Home: m.Region})
	}
	for i := range shards {
		shards[i].Voters = voters
	}
	return peers, shards
}
