package transport

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Credentials are what a process proves its identity with, and whom it trusts.
// They are immutable; rotation replaces them (Endpoint.SetCredentials).
type Credentials struct {
	identity Identity
	leaf     tls.Certificate
	roots    *x509.CertPool
	resetKey [32]byte
}

// LoadConfig names the files of the credentials and what they must be.
type LoadConfig struct {
	// Dir holds ca.pem, node.pem and node-key.pem; the three paths below
	// replace one each when not empty.
	Dir                       string
	CAFile, CertFile, KeyFile string
	// Cluster and Role, when not empty, must be those of the certificate.
	Cluster string
	Role    Role
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// LoadCredentials reads and checks credentials. Every error says which file is
// wrong and what to do about it.
func LoadCredentials(cfg LoadConfig) (*Credentials, error) {
	paths := [3]string{cfg.CAFile, cfg.CertFile, cfg.KeyFile}
	var contents [3][]byte
	for i, name := range [3]string{CAFile, CertFile, KeyFile} {
		if paths[i] == "" {
			paths[i] = filepath.Join(cfg.Dir, name)
		}
		data, err := os.ReadFile(paths[i])
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("load credentials: %s is missing: issue it with `edgereel ca issue`, or correct its path: %w", paths[i], err)
		}
		if err != nil {
			return nil, fmt.Errorf("load credentials: %w", err)
		}
		contents[i] = data
	}
	creds, err := newCredentials(paths, contents, cfg)
	if err != nil {
		return nil, fmt.Errorf("load credentials: %w", err)
	}
	return creds, nil
}

// Credentials checks what an authority issued, without files.
func (i *Issued) Credentials(now func() time.Time) (*Credentials, error) {
	return newCredentials([3]string{CAFile, CertFile, KeyFile},
		[3][]byte{i.CAPEM, i.CertPEM, i.KeyPEM}, LoadConfig{Now: now})
}

func newCredentials(paths [3]string, contents [3][]byte, cfg LoadConfig) (*Credentials, error) {
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	cas, err := decodeCerts(contents[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", paths[0], err)
	}
	leaf, err := tls.X509KeyPair(contents[1], contents[2])
	if err != nil {
		return nil, fmt.Errorf("%s and %s do not belong together (issue both again): %w", paths[1], paths[2], err)
	}
	c := &Credentials{leaf: leaf, roots: x509.NewCertPool()}
	for _, ca := range cas {
		c.roots.AddCert(ca)
	}
	if c.identity, err = certificateIdentity(leaf.Leaf); err != nil {
		return nil, fmt.Errorf("%s is no Edgereel certificate, issue one with `edgereel ca issue`: %w", paths[1], err)
	}
	if err := checkLeaf(paths, leaf.Leaf, c.roots, now()); err != nil {
		return nil, err
	}
	if cfg.Cluster != "" && c.identity.Cluster != cfg.Cluster {
		return nil, fmt.Errorf("%s is of cluster %q, this process of %q: give it a certificate of its own cluster", paths[1], c.identity.Cluster, cfg.Cluster)
	}
	if cfg.Role != "" && c.identity.Role != cfg.Role {
		return nil, fmt.Errorf("%s has role %q, this process needs %q: issue one with --role %s", paths[1], c.identity.Role, cfg.Role, cfg.Role)
	}
	// Peers notice a restart at once when the reset key outlives the process,
	// so it comes from the one secret that does.
	mac := hmac.New(sha256.New, contents[2])
	mac.Write([]byte("edgereel stateless reset 1"))
	mac.Sum(c.resetKey[:0])
	return c, nil
}

func checkLeaf(paths [3]string, leaf *x509.Certificate, roots *x509.CertPool, now time.Time) error {
	if now.Before(leaf.NotBefore) {
		return fmt.Errorf("%s is valid only from %s (it is now %s): check this machine's clock", paths[1], leaf.NotBefore.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	if now.After(leaf.NotAfter) {
		return fmt.Errorf("%s expired at %s (it is now %s): issue a new one with `edgereel ca issue`", paths[1], leaf.NotAfter.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return fmt.Errorf("%s is not signed by %s: use the certificate and the authority of the same cluster: %w", paths[1], paths[0], err)
	}
	return nil
}

// Identity is the holder's own.
func (c *Credentials) Identity() Identity { return c.identity }

// NotAfter is when the certificate expires.
func (c *Credentials) NotAfter() time.Time { return c.leaf.Leaf.NotAfter }

// Roots is a copy of the trusted authorities, as a client of the public
// address needs them.
func (c *Credentials) Roots() *x509.CertPool { return c.roots.Clone() }

// verify checks a peer's chain with this side's trust and returns who it is.
func (c *Credentials) verify(certs []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) (Identity, error) {
	if len(certs) == 0 {
		return Identity{}, errNoCertificate
	}
	id, err := certificateIdentity(certs[0])
	if err != nil {
		return Identity{}, err
	}
	intermediates := x509.NewCertPool()
	for _, cert := range certs[1:] {
		intermediates.AddCert(cert)
	}
	_, err = certs[0].Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return id, fmt.Errorf("verify chain: %w", err)
	}
	if id.Cluster != c.identity.Cluster {
		return id, fmt.Errorf("peer is of cluster %q, this is %q", id.Cluster, c.identity.Cluster)
	}
	return id, nil
}
