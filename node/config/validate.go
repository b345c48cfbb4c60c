package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a configuration: the key (or variable) and
// what to do.
type Problem struct{ Key, Text string }

func (p *Problem) Error() string {
	if p.Key == "" {
		return p.Text
	}
	return p.Key + ": " + p.Text
}

// Error lists everything wrong with the configuration in File.
type Error struct {
	File     string
	Problems []Problem
}

func (e *Error) Error() string {
	lines := []string{fmt.Sprintf("configuration %s cannot be used:", e.File)}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.Error())
	}
	return strings.Join(lines, "\n")
}

func problem(key, format string, args ...any) error {
	return &Problem{Key: key, Text: fmt.Sprintf(format, args...)}
}

// inFile gathers the problems joined in err.
func inFile(path string, err error) error {
	e := &Error{File: path}
	var collect func(error)
	collect = func(err error) {
		var p *Problem
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range joined.Unwrap() {
				collect(one)
			}
		} else if errors.As(err, &p) {
			e.Problems = append(e.Problems, *p)
		} else if err != nil {
			e.Problems = append(e.Problems, Problem{Text: err.Error()})
		}
	}
	collect(err)
	return e
}

// A node's name is part of a SPIFFE id, a metric label and a file name.
var (
	nodeName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)
	floorRTP    = regexp.MustCompile(`^(0(\.[0-9]{1,18})?|1(\.0{1,18})?)$`)
	clusterName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

const namesHint = "use letters, digits, - and _, at most 63"

// checks collects problems.
type checks struct{ problems []error }

func (v *checks) want(ok bool, key, format string, args ...any) {
	if !ok {
		v.problems = append(v.problems, problem(key, format, args...))
	}
}

// Validate checks a completed configuration for contradictions. The error
// joins one *Problem for each.
func (c Config) Validate() error {
	v := &checks{}
	v.want(c.Version == Version, "version", "is %d, this build reads version %d; write \"version: %d\" or use the build the file was made for", c.Version, Version, Version)
	v.want(clusterName.MatchString(c.Cluster), "cluster", "%q is not a cluster id; use a-z, 0-9 and -, at most 63", c.Cluster)
	v.want(nodeName.MatchString(c.Node), "node", "%q is not a name; %s", c.Node, namesHint)
	v.want(nodeName.MatchString(c.Region), "region", "%q is not a name; %s", c.Region, namesHint)
	v.want(c.Data != "", "data", "is missing; name a folder for the node's files")
	c.validateRoles(v)
	v.address("addresses.public", c.Addresses.Public)
	v.address("addresses.admin", c.Addresses.Admin)
	if c.Addresses.Mesh != "" {
		v.address("addresses.mesh", c.Addresses.Mesh)
	}
	v.want(c.Addresses.Admin == "" || c.Addresses.Admin != c.Addresses.Public, "addresses.admin", "is also addresses.public; metrics need a port of their own")
	c.validatePeers(v)
	c.validateShards(v)
	c.validateRegistry(v)
	c.validateOperators(v)
	c.validateNumbers(v)
	return errors.Join(v.problems...)
}

func (c Config) validateRoles(v *checks) {
	v.want(len(c.Roles) > 0, "roles", "is empty; list %s, %s or both", RoleEdge, RoleVoter)
	for i, r := range c.Roles {
		key := fmt.Sprintf("roles[%d]", i)
		v.want(r == RoleEdge || r == RoleVoter, key, "%q is not a role; use %s or %s", r, RoleEdge, RoleVoter)
		v.want(!slices.Contains(c.Roles[:i], r), key, "%q is listed twice", r)
	}
	votes := len(c.Votes()) > 0
	v.want(!c.HasRole(RoleVoter) || votes, "roles", "has %s, but no shard lists %q among its voters; add it there or drop the role", RoleVoter, c.Node)
	v.want(c.HasRole(RoleVoter) || !votes, "roles", "lacks %s, but a shard lists %q among its voters; add the role or take the node out", RoleVoter, c.Node)
}

func (v *checks) address(key, addr string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		v.want(false, key, "%q is not host:port", addr)
		return
	}
	v.want(host != "", key, "%q has no host; write 0.0.0.0 to listen on all", addr)
	n, err := strconv.Atoi(port)
	v.want(err == nil && n >= 1 && n <= 65535, key, "port %q is not between 1 and 65535", port)
}

func (c Config) validatePeers(v *checks) {
	seen := map[string]string{}
	for i, p := range c.Peers {
		key := fmt.Sprintf("peers[%d]", i)
		v.want(nodeName.MatchString(p.Node), key+".node", "%q is not a name; %s", p.Node, namesHint)
		v.want(nodeName.MatchString(p.Region), key+".region", "%q is not a name; %s", p.Region, namesHint)
		v.address(key+".mesh", p.Mesh)
		v.address(key+".public", p.Public)
		for _, id := range []string{"node " + p.Node, "mesh address " + p.Mesh, "public address " + p.Public} {
			v.want(seen[id] == "", key, "%s is already that of %s", id, seen[id])
			seen[id] = key
		}
	}
	self, ok := c.Peer(c.Node)
	v.want(ok, "peers", "does not list this node %q; the address book holds every node", c.Node)
	v.want(!ok || self.Region == c.Region, "region", "is %q, but peers lists %q in %q; make them the same", c.Region, c.Node, self.Region)
}

func (c Config) validateShards(v *checks) {
	v.want(len(c.Shards) > 0, "shards", "is empty; a cluster has at least one wallet shard")
	ids := map[uint32]bool{}
	for i, s := range c.Shards {
		key := fmt.Sprintf("shards[%d]", i)
		v.want(s.ID >= 1 && s.ID < 1<<24, key+".id", "must be 1 to 16777215")
		v.want(!ids[s.ID], key+".id", "%d is taken; every shard has its own", s.ID)
		ids[s.ID] = true
		v.want(len(s.Voters)%2 == 1, key+".voters", "has %d nodes; use an odd number, 3 or 5 in production", len(s.Voters))
		atHome := false
		for j, voter := range s.Voters {
			p, ok := c.Peer(voter)
			at := fmt.Sprintf("%s.voters[%d]", key, j)
			v.want(ok, at, "%q is not in peers; add it there or correct the name", voter)
			v.want(!slices.Contains(s.Voters[:j], voter), at, "%q is listed twice", voter)
			atHome = atHome || p.Region == s.Home
		}
		v.want(atHome, key+".home", "no voter is in region %q; choose the region of one of them", s.Home)
	}
}

func (c Config) validateRegistry(v *checks) {
	voters := c.Registry.Voters
	v.want(len(voters)%2 == 1 || len(c.Shards) == 0, "registry.voters", "has %d nodes; use an odd number, 3 or 5 in production", len(voters))
	for i, voter := range voters {
		at := fmt.Sprintf("registry.voters[%d]", i)
		_, ok := c.Peer(voter)
		v.want(ok, at, "%q is not in peers; add it there or correct the name", voter)
		v.want(!slices.Contains(voters[:i], voter), at, "%q is listed twice", voter)
	}
}

func (c Config) validateOperators(v *checks) {
	ids := map[string]bool{}
	for i, o := range c.Operators {
		key := fmt.Sprintf("operators[%d]", i)
		v.want(nodeName.MatchString(o.ID), key+".id", "%q is not a name; %s", o.ID, namesHint)
		v.want(!ids[o.ID], key+".id", "%q is listed twice", o.ID)
		ids[o.ID] = true
		v.want(o.Jurisdiction != "", key+".jurisdiction", "is missing")
		v.want(o.MinCycleMS >= 0, key+".min_cycle_ms", "is negative")
	}
}

func (c Config) validateNumbers(v *checks) {
	l, r, t := c.Limits, c.Raft, c.Telemetry
	v.want(l.MaxBodyBytes >= 1024, "limits.max_body_bytes", "is %d; the smallest useful limit is 1024", l.MaxBodyBytes)
	v.want(l.MaxStakeMinor > 0, "limits.max_stake_minor", "must be positive")
	v.want(l.RatePerSecond > 0, "limits.rate_per_second", "must be positive")
	v.want(l.Burst > 0, "limits.burst", "must be positive")
	v.want(l.Queue > 0, "limits.queue", "must be positive")
	v.want(l.MaxBlobBytes >= 1<<20, "limits.max_blob_bytes", "is %d; modules need at least 1048576", l.MaxBlobBytes)
	v.want(l.MaxUploads > 0, "limits.max_uploads", "must be positive")
	v.want(l.MaxUploadBytes >= l.MaxBlobBytes, "limits.max_upload_bytes", "is %d; one blob may announce %d already", l.MaxUploadBytes, l.MaxBlobBytes)
	v.want(l.FloorRTP == "" || floorRTP.MatchString(l.FloorRTP), "limits.floor_rtp", "%q is not a decimal between 0 and 1, such as 0.85", l.FloorRTP)
	v.want(r.HeartbeatMS >= minHeartbeatMS, "raft.heartbeat_ms", "is %d; below %d a busy machine loses its leaders", r.HeartbeatMS, minHeartbeatMS)
	v.want(r.ElectionMS >= r.HeartbeatMS, "raft.election_ms", "is %d; it may not be below heartbeat_ms (%d)", r.ElectionMS, r.HeartbeatMS)
	v.want(r.LeaseMS > 0 && r.LeaseMS <= r.HeartbeatMS, "raft.lease_ms", "is %d; it must be positive and at most heartbeat_ms (%d)", r.LeaseMS, r.HeartbeatMS)
	v.want(r.CommitMS > 0 && r.CommitMS <= r.HeartbeatMS, "raft.commit_ms", "is %d; it must be positive and at most heartbeat_ms (%d)", r.CommitMS, r.HeartbeatMS)
	v.want(r.SnapshotCheckMS > 0, "raft.snapshot_check_ms", "must be positive")
	v.want(slices.Contains([]string{"debug", "info", "warn", "error"}, t.LogLevel), "telemetry.log_level", "%q is not debug, info, warn or error", t.LogLevel)
	v.want(t.TraceRatio >= 0 && t.TraceRatio <= 1, "telemetry.trace_ratio", "is %v; it is a share between 0 and 1", t.TraceRatio)
	if t.OTLPEndpoint != "" {
		u, err := url.Parse(t.OTLPEndpoint)
		v.want(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "",
			"telemetry.otlp_endpoint", "%q is not a URL such as http://collector:4318", t.OTLPEndpoint)
	}
}

// checkFiles looks whether every file that must be there is.
func (c Config) checkFiles() error {
	v := &checks{}
	paths := c.paths()
	keys := make([]string, 0, len(paths))
	for key := range paths {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		path := *paths[key]
		voterOnly := key == "keys.seeds" || key == "keys.directory"
		switch {
		case key == "data", path == "" && voterOnly && !c.HasRole(RoleVoter):
		case path == "":
			v.want(false, key, "is missing; name the file")
		default:
			info, err := os.Stat(path)
			v.want(err == nil, key, "%v", err)
			v.want(err != nil || info.Mode().IsRegular(), key, "%s is not a file", path)
		}
	}
	if info, err := os.Stat(c.Data); err == nil {
		v.want(info.IsDir(), "data", "%s is not a folder", c.Data)
	}
	return errors.Join(v.problems...)
}
