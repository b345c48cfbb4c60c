package client

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/edgereel/edgereel/transport"
)

// Node is where one regional node serves players.
type Node struct {
	Name, Region string
	// Address is host:port, the same number on UDP and TCP.
	Address string
}

// HTTP carries requests to the nodes and measures how far they are. RoundTrip
// is an http.RoundTripper's; an error of it that is a *transport.HTTPError says
// whether the request surely never left. Probe measures the round trip to
// host:port by a fresh handshake and fails where nobody answers.
type HTTP interface {
	RoundTrip(request *http.Request) (*http.Response, error)
	Probe(ctx context.Context, address string) (time.Duration, error)
	Close() error
}

// Config describes a client.
type Config struct {
	// Nodes are the nodes to choose from, at least one.
	Nodes []Node
	// CA is the cluster's authority; nil trusts the system's.
	CA *x509.CertPool
	// HTTP reaches the nodes, and the client closes it; nil is HTTP/3 with a
	// fallback to HTTP/2.
	HTTP HTTP
	// AttemptTimeout bounds the first attempt of a call, on top of four round
	// trips to the node; each further attempt on a silent cluster may take half
	// as long again, up to 3 s. It should be below the time the cluster needs to
	// elect a leader, because the next node can then wait for the election.
	// 0 is 500 ms.
	AttemptTimeout time.Duration
	// Budget bounds a call with all of its attempts; 0 is 15 s.
	Budget time.Duration
	// ProbeEvery is the pause between two rankings of the nodes; 0 is 5 min. A
	// node that failed is probed again every SuspectTime; 0 is 2 s.
	ProbeEvery, SuspectTime time.Duration
	// ProbeWait bounds how long New waits for the first ranking; 0 is 1 s.
	ProbeWait time.Duration
	// WarmEvery is how often the standby's connection is used to keep it open;
	// 0 is 20 s, negative is never.
	WarmEvery time.Duration
	// Observe is told of every finished call, in the goroutine of the caller.
	Observe func(Call)
	// Now is the clock of the figures; nil is time.Now.
	Now func() time.Time
	// Rand gives keys and jitter; nil is the system's. It is read by several
	// goroutines at once.
	Rand io.Reader
	// Logger; nil is silent.
	Logger *slog.Logger
}

// withDefaults checks the configuration and fills what was left out.
func (cfg Config) withDefaults() (Config, error) {
	if len(cfg.Nodes) == 0 {
		return cfg, errors.New("a client needs at least one node")
	}
	seen := map[string]bool{}
	for _, node := range cfg.Nodes {
		if node.Name == "" || node.Address == "" || seen[node.Name] {
			return cfg, fmt.Errorf("node %q needs an address and a name of its own", node.Name)
		}
		seen[node.Name] = true
	}
	setDuration(&cfg.AttemptTimeout, 500*time.Millisecond)
	setDuration(&cfg.Budget, 15*time.Second)
	setDuration(&cfg.ProbeEvery, 5*time.Minute)
	setDuration(&cfg.SuspectTime, 2*time.Second)
	setDuration(&cfg.ProbeWait, time.Second)
	setDuration(&cfg.WarmEvery, 20*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.HTTP == nil {
		reach, err := transport.NewHTTPClient(transport.HTTPConfig{Roots: cfg.CA, Now: cfg.Now})
		if err != nil {
			return cfg, err
		}
		cfg.HTTP = reach
	}
	return cfg, nil
}

func setDuration(field *time.Duration, value time.Duration) {
	if *field == 0 {
		*field = value
	}
}
