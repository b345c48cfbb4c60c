package transport

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// The protocols an endpoint tells apart by ALPN. Each has connections of its
// own, because congestion control and flow control are per connection.
const (
	ALPNRaft   = "edgereel-raft/1"
	ALPNGossip = "edgereel-gossip/1"
	ALPNRPC    = "edgereel-rpc/1"
	// ALPNBulk carries blobs in ranges, striped over several connections.
	ALPNBulk = "edgereel-bulk/1"
	ALPNH3   = "h3"
)

// MeshALPNs are the protocols between nodes, all with certificates on both sides.
func MeshALPNs() []string { return []string{ALPNRaft, ALPNGossip, ALPNRPC, ALPNBulk} }

func isMesh(alpn string) bool { return alpn != ALPNH3 }

// defaultRoles says who may dial a protocol. What is not in it is refused.
func defaultRoles() map[string][]Role {
	return map[string][]Role{
		ALPNRaft:   {RoleNode},
		ALPNGossip: {RoleNode},
		ALPNRPC:    {RoleNode, RoleOperator},
		ALPNBulk:   {RoleNode},
	}
}

// serverTLS chooses the policy from what the client offers: one mesh protocol
// among the offers and the mesh policy holds, so that offering h3 beside it
// does not get a peer in without a certificate.
func (e *Endpoint) serverTLS() *tls.Config {
	mesh, public := e.meshServerTLS(), e.publicTLS()
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		Time:       e.cfg.Now,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			for _, offered := range hello.SupportedProtos {
				if slices.Contains(MeshALPNs(), offered) {
					return mesh, nil
				}
			}
			return public, nil
		},
	}
}

func (e *Endpoint) meshServerTLS() *tls.Config {
	protocols := slices.DeleteFunc(slices.Clone(e.cfg.Accept), func(a string) bool { return !isMesh(a) })
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             orNone(protocols),
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true, // no resumption: every connection proves itself anew
		Time:                   e.cfg.Now,
		GetCertificate:         e.certificate,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := e.verifyPeer(state, x509.ExtKeyUsageClientAuth, e.cfg.Roles[state.NegotiatedProtocol])
			if err != nil {
				e.refused.Add(1)
				e.cfg.Logger.Warn("refused a mesh peer", "error", err)
			}
			return err
		},
	}
}

// publicTLS asks for no client certificate: players have none.
func (e *Endpoint) publicTLS() *tls.Config {
	var protocols []string
	if slices.Contains(e.cfg.Accept, ALPNH3) {
		protocols = []string{ALPNH3}
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     orNone(protocols),
		Time:           e.cfg.Now,
		GetCertificate: e.certificate,
	}
}

// orNone keeps an empty list from meaning "any protocol" to crypto/tls.
func orNone(protocols []string) []string {
	if len(protocols) == 0 {
		return []string{"edgereel-none"}
	}
	return protocols
}

func (e *Endpoint) clientTLS(alpn string, want Want) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpn},
		ServerName:             "edgereel",
		SessionTicketsDisabled: true,
		Time:                   e.cfg.Now,
		// Nodes are known by SPIFFE id, not by host name: VerifyConnection
		// checks chain, cluster, role and name instead.
		InsecureSkipVerify: true, //nolint:gosec // verified above, more strictly
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &e.credentials.Load().leaf, nil
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			// Only a node serves the mesh, whoever may dial it.
			id, err := e.verifyPeer(state, x509.ExtKeyUsageServerAuth, []Role{RoleNode})
			if err != nil {
				return err
			}
			if err := want(id); err != nil {
				return &IdentityError{Peer: id, ALPN: alpn, Reason: "not the peer asked for", Err: err}
			}
			return nil
		},
	}
}

func (e *Endpoint) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &e.credentials.Load().leaf, nil
}

func (e *Endpoint) verifyPeer(state tls.ConnectionState, usage x509.ExtKeyUsage, roles []Role) (Identity, error) {
	return checkPeer(e.credentials.Load(), state, usage, roles, e.cfg)
}

func checkPeer(creds *Credentials, state tls.ConnectionState, usage x509.ExtKeyUsage, roles []Role, cfg EndpointConfig) (Identity, error) {
	alpn := state.NegotiatedProtocol
	id, err := creds.verify(state.PeerCertificates, usage, cfg.Now())
	if err != nil {
		return Identity{}, &IdentityError{Peer: id, ALPN: alpn, Reason: "certificate is not trusted", Err: err}
	}
	if !slices.Contains(roles, id.Role) {
		return Identity{}, &IdentityError{Peer: id, ALPN: alpn, Reason: fmt.Sprintf("role %q is not admitted, only %v", id.Role, roles)}
	}
	return id, nil
}
