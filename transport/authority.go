package transport

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// File names inside a folder of certificates.
const (
	CAFile    = "ca.pem"
	CAKeyFile = "ca-key.pem"
	CertFile  = "node.pem"
	KeyFile   = "node-key.pem"
)

// Authority is a cluster's private certificate authority (ECDSA P-256). It is
// immutable.
type Authority struct {
	cluster string
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
}

// AuthorityConfig describes a new authority.
type AuthorityConfig struct {
	Cluster             string
	NotBefore, NotAfter time.Time
}

// NewAuthority makes a new key and self-signed certificate.
func NewAuthority(cfg AuthorityConfig) (*Authority, error) {
	domain := url.URL{Scheme: "spiffe", Host: cfg.Cluster + trustDomainSuffix}
	if _, err := (Identity{Cluster: cfg.Cluster, Region: "r", Node: "n", Role: RoleNode}).URI(); err != nil {
		return nil, fmt.Errorf("create authority: %w", err)
	}
	if !cfg.NotAfter.After(cfg.NotBefore) {
		return nil, errors.New("create authority: NotAfter is not after NotBefore")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create authority: make key: %w", err)
	}
	template, err := newTemplate(cfg.Cluster+" edgereel CA", cfg.NotBefore, cfg.NotAfter)
	if err != nil {
		return nil, fmt.Errorf("create authority: %w", err)
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.URIs = []*url.URL{&domain}
	cert, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("create authority: %w", err)
	}
	return &Authority{cluster: cfg.Cluster, cert: cert, key: key}, nil
}

// Cluster is the name of the cluster the authority issues for.
func (a *Authority) Cluster() string { return a.cluster }

// CertPEM is the authority's certificate.
func (a *Authority) CertPEM() []byte { return encodeCert(a.cert.Raw) }

// Save writes ca.pem (0644) and ca-key.pem (0600) into dir, which it creates
// (0700). It does not overwrite an existing authority.
func (a *Authority) Save(dir string) error {
	keyPEM, err := encodeKey(a.key)
	if err != nil {
		return fmt.Errorf("save authority: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save authority: %w", err)
	}
	keyPath := filepath.Join(dir, CAKeyFile)
	if _, err := os.Stat(keyPath); err == nil {
		return fmt.Errorf("save authority: %s exists already; remove it only if no node of its cluster is left", keyPath)
	}
	if err := writeFile(keyPath, keyPEM, 0o600); err != nil {
		return fmt.Errorf("save authority key: %w", err)
	}
	if err := writeFile(filepath.Join(dir, CAFile), a.CertPEM(), 0o644); err != nil {
		return fmt.Errorf("save authority certificate: %w", err)
	}
	return nil
}

// LoadAuthority reads what Save wrote.
func LoadAuthority(dir string) (*Authority, error) {
	certPEM, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil {
		return nil, fmt.Errorf("load authority: %w", err)
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, CAKeyFile))
	if err != nil {
		return nil, fmt.Errorf("load authority: %w", err)
	}
	certs, err := decodeCerts(certPEM)
	if err != nil {
		return nil, fmt.Errorf("load authority: %s: %w", CAFile, err)
	}
	key, err := decodeKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("load authority: %s: %w", CAKeyFile, err)
	}
	cert := certs[0]
	if !cert.IsCA || len(cert.URIs) != 1 {
		return nil, fmt.Errorf("load authority: %s is no certificate authority of Edgereel", CAFile)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("load authority: %s does not belong to %s", CAKeyFile, CAFile)
	}
	host := cert.URIs[0].Host
	if len(host) <= len(trustDomainSuffix) {
		return nil, fmt.Errorf("load authority: %s has no trust domain", CAFile)
	}
	return &Authority{cluster: host[:len(host)-len(trustDomainSuffix)], cert: cert, key: key}, nil
}

// IssueConfig describes one certificate. The cluster of the identity is the
// authority's; leave it empty or give the same.
type IssueConfig struct {
	Identity            Identity
	NotBefore, NotAfter time.Time
	// DNSNames and IPs are the public names of a node, added to localhost,
	// 127.0.0.1 and ::1. Only a node gets any: other roles serve nothing.
	DNSNames []string
	IPs      []net.IP
}

// Issued is a certificate with its key, in PEM, and the authority's certificate.
type Issued struct {
	CAPEM, CertPEM, KeyPEM []byte
}

// Issue signs a certificate for a new key. A node's serves and dials; any other
// role's only dials.
func (a *Authority) Issue(cfg IssueConfig) (*Issued, error) {
	id := cfg.Identity
	if id.Cluster == "" {
		id.Cluster = a.cluster
	}
	if id.Cluster != a.cluster {
		return nil, fmt.Errorf("issue certificate: identity is of cluster %q, authority of %q", id.Cluster, a.cluster)
	}
	uri, err := id.URI()
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: make key: %w", err)
	}
	template, err := newTemplate(id.Node, cfg.NotBefore, cfg.NotAfter)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	template.URIs = []*url.URL{uri}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if id.Role == RoleNode {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames = append([]string{"localhost"}, cfg.DNSNames...)
		template.IPAddresses = append([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, cfg.IPs...)
	}
	cert, err := sign(template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return &Issued{CAPEM: a.CertPEM(), CertPEM: encodeCert(cert.Raw), KeyPEM: keyPEM}, nil
}

// Save writes ca.pem, node.pem and node-key.pem (0600) into dir, replacing
// what is there.
func (i *Issued) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save certificate: %w", err)
	}
	if err := writeFile(filepath.Join(dir, KeyFile), i.KeyPEM, 0o600); err != nil {
		return fmt.Errorf("save key: %w", err)
	}
	if err := writeFile(filepath.Join(dir, CertFile), i.CertPEM, 0o644); err != nil {
		return fmt.Errorf("save certificate: %w", err)
	}
	if err := writeFile(filepath.Join(dir, CAFile), i.CAPEM, 0o644); err != nil {
		return fmt.Errorf("save authority certificate: %w", err)
	}
	return nil
}

func newTemplate(name string, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Edgereel"}},
		NotBefore:    notBefore,
		NotAfter:     notAfter,
	}, nil
}

func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func decodeCerts(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate: %w", err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("no PEM certificate in it")
	}
	return certs, nil
}

func decodeKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM key in it")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key is %T, want ECDSA", key)
	}
	return ec, nil
}

// writeFile replaces a file whole, so that a crash leaves the old one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already once it was renamed
	if err := errors.Join(tmp.Chmod(mode), writeSync(tmp, data), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func writeSync(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
