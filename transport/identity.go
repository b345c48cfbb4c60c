package transport

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Role is what a certificate's holder may do on the mesh.
type Role string

const (
	// RoleNode is a member of the cluster: it serves and dials every mesh protocol.
	RoleNode Role = "node"
	// RoleOperator is a person or tool that administers the cluster by calls.
	RoleOperator Role = "operator"
	// RoleChaos injects faults; no ALPN admits it unless a config adds it.
	RoleChaos Role = "chaos"
)

// trustDomainSuffix keeps cluster names out of the public DNS.
const trustDomainSuffix = ".edgereel"

// Identity is a verified holder of a certificate. The zero value is a peer
// without a certificate (a player on h3).
type Identity struct {
	Cluster string // name of the cluster, the trust domain without ".edgereel"
	Region  string
	Node    string // unique in the cluster; for an operator the person or tool
	Role    Role
}

// URI is the SPIFFE id spiffe://<cluster>.edgereel/region/<r>/node/<n>/role/<role>.
// It errs when a part is empty or has a character that SPIFFE forbids
// (cluster: a-z 0-9 . - _, the others also A-Z).
func (id Identity) URI() (*url.URL, error) {
	domain, err := spiffeid.TrustDomainFromString(id.Cluster + trustDomainSuffix)
	if err != nil || id.Cluster == "" {
		return nil, fmt.Errorf("make trust domain of cluster %q: use a-z, 0-9, dot, dash or underscore", id.Cluster)
	}
	sid, err := spiffeid.FromSegments(domain,
		"region", id.Region, "node", id.Node, "role", string(id.Role))
	if err != nil {
		return nil, fmt.Errorf("make identity of region %q, node %q, role %q: %w", id.Region, id.Node, id.Role, err)
	}
	return sid.URL(), nil
}

// String is the SPIFFE id, or a readable form of an identity that has none.
func (id Identity) String() string {
	if id == (Identity{}) {
		return "anonymous"
	}
	if uri, err := id.URI(); err == nil {
		return uri.String()
	}
	return fmt.Sprintf("invalid identity (cluster %q, region %q, node %q, role %q)", id.Cluster, id.Region, id.Node, id.Role)
}

// ParseIdentity reads an identity from its SPIFFE id.
func ParseIdentity(uri string) (Identity, error) {
	sid, err := spiffeid.FromString(uri)
	if err != nil {
		return Identity{}, fmt.Errorf("parse identity: %w", err)
	}
	domain := sid.TrustDomain().Name()
	cluster := len(domain) - len(trustDomainSuffix)
	if cluster <= 0 || domain[cluster:] != trustDomainSuffix {
		return Identity{}, fmt.Errorf("parse identity %q: trust domain does not end in %s", uri, trustDomainSuffix)
	}
	id := Identity{Cluster: domain[:cluster]}
	parts := splitPath(sid.Path())
	if len(parts) != 6 || parts[0] != "region" || parts[2] != "node" || parts[4] != "role" {
		return Identity{}, fmt.Errorf("parse identity %q: want /region/<r>/node/<n>/role/<role>", uri)
	}
	id.Region, id.Node, id.Role = parts[1], parts[3], Role(parts[5])
	return id, nil
}

func splitPath(path string) []string {
	var parts []string
	for start := 1; start < len(path); {
		end := start
		for end < len(path) && path[end] != '/' {
			end++
		}
		parts = append(parts, path[start:end])
		start = end + 1
	}
	return parts
}

// certificateIdentity reads the one URI SAN a mesh certificate must have.
func certificateIdentity(cert *x509.Certificate) (Identity, error) {
	if len(cert.URIs) != 1 {
		return Identity{}, fmt.Errorf("certificate of %q has %d URI names, want exactly its SPIFFE id", cert.Subject.CommonName, len(cert.URIs))
	}
	return ParseIdentity(cert.URIs[0].String())
}

// IdentityError is a peer refused for who it is. Peer is zero when the
// certificate did not even say.
type IdentityError struct {
	Peer   Identity
	ALPN   string
	Reason string
	Err    error // cause, may be nil
}

func (e *IdentityError) Error() string {
	msg := fmt.Sprintf("refuse peer %s on %s: %s", e.Peer, e.ALPN, e.Reason)
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

func (e *IdentityError) Unwrap() error { return e.Err }

// Want decides whether an identity is the peer a dialer is looking for. It
// returns nil or why not.
type Want func(Identity) error

// WantNode accepts only the node of that name.
func WantNode(name string) Want {
	return func(id Identity) error {
		if id.Node != name {
			return fmt.Errorf("this is node %q, want %q: check the address or the certificate", id.Node, name)
		}
		return nil
	}
}

// AnyNode accepts every node of the cluster; for seeds known by address alone.
func AnyNode() Want { return func(Identity) error { return nil } }

var errNoCertificate = errors.New("no certificate presented")
