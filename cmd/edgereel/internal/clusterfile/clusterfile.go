// Package clusterfile is cluster.json: what a client needs to reach a cluster.
// `edgereel dev` writes it, every other verb reads it. It holds tokens, so it
// is written readable by its owner alone.
package clusterfile

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Schema numbers the form of the file.
const Schema = 1

// EnvName names the file where no flag does.
const EnvName = "EDGEREEL_CLUSTER"

// File is one cluster as its clients see it.
type File struct {
	Schema int `json:"schema"`
	// CA is the path of the authority's certificate; a relative one starts at
	// the file's folder.
	CA            string   `json:"ca"`
	Nodes         []Node   `json:"nodes"`
	Players       []Player `json:"players"`
	OperatorToken string   `json:"operator_token"`
	// StudioToken is for a studio that is no operator; empty means that the
	// operator's serves.
	StudioToken string `json:"studio_token,omitempty"`
	// Studio is who signs where no flag says so, and StudioKey the file of its
	// private key; a relative one starts at the file's folder.
	Studio    string `json:"studio,omitempty"`
	StudioKey string `json:"studio_key,omitempty"`

	// Path is where the file was read from.
	Path string `json:"-"`
}

// Node is one node's public and admin address, host:port.
type Node struct {
	Node   string `json:"node"`
	Region string `json:"region"`
	PID    int    `json:"pid"`
	API    string `json:"api"`
	Admin  string `json:"admin"`
}

// Player is a demo player with a funded wallet.
type Player struct {
	Player string `json:"player"`
	Wallet string `json:"wallet"`
	Token  string `json:"token"`
}

// Read reads and checks a file. Fields it does not know are a newer build's and
// are ignored.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read cluster file: %w", err)
	}
	f := &File{Path: path}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("read cluster file %s: %w", path, err)
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("read cluster file %s: %w", path, err)
	}
	return f, nil
}

func (f *File) check() error {
	if f.Schema != Schema {
		return fmt.Errorf("schema is %d, this build reads %d", f.Schema, Schema)
	}
	if f.CA == "" || len(f.Nodes) == 0 {
		return errors.New("it needs a ca and at least one node")
	}
	seen := map[string]bool{}
	for i, n := range f.Nodes {
		if n.Node == "" || n.API == "" || seen[n.Node] {
			return fmt.Errorf("node %d needs a name of its own and an api address", i+1)
		}
		seen[n.Node] = true
	}
	return nil
}

// Roots are the authorities that vouch for the nodes.
func (f *File) Roots() (*x509.CertPool, error) {
	path := f.CA
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.Path), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the cluster's authority: %s holds no certificate", path)
	}
	return pool, nil
}

// StudioKeyFile is where StudioKey is, empty for none.
func (f *File) StudioKeyFile() string {
	if f.StudioKey == "" || filepath.IsAbs(f.StudioKey) {
		return f.StudioKey
	}
	return filepath.Join(filepath.Dir(f.Path), f.StudioKey)
}

// Write replaces the file in one step: a reader sees the old or the new one.
func Write(path string, f *File) error {
	out := *f
	out.Schema = Schema
	if err := out.check(); err != nil {
		return fmt.Errorf("write cluster file: %w", err)
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("write cluster file: %w", err)
	}
	if err := replace(path, append(text, '\n')); err != nil {
		return fmt.Errorf("write cluster file: %w", err)
	}
	return nil
}

func replace(path string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".cluster-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone after the rename
	if _, err := temporary.Write(text); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// ErrNone means that no cluster was named and no dev has run.
var ErrNone = errors.New("no cluster is named: give --cluster FILE, set EDGEREEL_CLUSTER, or start `edgereel dev`")

// Find says which file to use: the flag, else the environment, else the last
// dev's.
func Find(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if path := os.Getenv(EnvName); path != "" {
		return path, nil
	}
	note, err := lastDev()
	if err != nil {
		return "", ErrNone // without a home there is no last dev
	}
	text, err := os.ReadFile(note)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("find the last dev: %w", err)
	}
	path := strings.TrimSpace(string(text))
	if _, err := os.Stat(path); err != nil { //nolint:gosec // the owner's own note
		return "", fmt.Errorf("the last dev is gone (%s): start `edgereel dev` again, or give --cluster FILE", path)
	}
	return path, nil
}

// Remember makes a dev's file the one that Find falls back to.
func Remember(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("remember the cluster file: %w", err)
	}
	note, err := lastDev()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(note), 0o700)
	}
	if err == nil {
		err = replace(note, []byte(path+"\n"))
	}
	if err != nil {
		return fmt.Errorf("remember the cluster file: %w", err)
	}
	return nil
}

func lastDev() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "edgereel", "last-dev"), nil
}
