package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
)

// maxResponseBytes bounds one message of a node, a chunk of a journal included.
const maxResponseBytes = 16 << 20

// Client knows the nodes of a cluster and which of them is nearest. The mutex
// guards rank; everything else is set at the start.
type Client struct {
	cfg   Config
	nodes []*node

	cancel context.CancelFunc
	work   sync.WaitGroup
	probe  chan struct{} // asks for a ranking now

	mu   sync.Mutex
	rank *ranking
}

// node is one node with its service clients. It is immutable.
type node struct {
	Node
	index    int
	player   edgereelv1connect.PlayerServiceClient
	operator edgereelv1connect.OperatorServiceClient
	audit    edgereelv1connect.AuditServiceClient
	cluster  edgereelv1connect.ClusterServiceClient
	studio   edgereelv1connect.StudioServiceClient
}

// New ranks the nodes and returns when the nearest one is known, or after
// Config.ProbeWait. No node needs to answer: calls try them all.
func New(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open client: %w", err)
	}
	c := &Client{cfg: cfg, probe: make(chan struct{}, 1), rank: newRanking(len(cfg.Nodes))}
	doer := &http.Client{Transport: watcher{cfg.HTTP}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect could carry the token elsewhere
	}}
	for i, at := range cfg.Nodes {
		caller := connect.NewClient(connecthttp.NewTransport(doer, "https://"+at.Address,
			connecthttp.WithReadMaxBytes(maxResponseBytes)))
		c.nodes = append(c.nodes, &node{
			Node: at, index: i,
			player:   edgereelv1connect.NewPlayerServiceClient(caller),
			operator: edgereelv1connect.NewOperatorServiceClient(caller),
			audit:    edgereelv1connect.NewAuditServiceClient(caller),
			cluster:  edgereelv1connect.NewClusterServiceClient(caller),
			studio:   edgereelv1connect.NewStudioServiceClient(caller),
		})
	}
	background, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	first := make(chan struct{})
	c.work.Go(func() { c.watch(background, first) })
	wait := time.NewTimer(cfg.ProbeWait)
	defer wait.Stop()
	select {
	case <-first:
	case <-wait.C:
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("open client: %w", ctx.Err()), c.Close())
	}
	return c, nil
}

// Close ends the background work and all connections. Calls in flight end with
// the effect unknown.
func (c *Client) Close() error {
	c.cancel()
	c.work.Wait()
	return c.cfg.HTTP.Close()
}

// Nearest is the name of the node players are sent to, empty when none answered.
func (c *Client) Nearest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rank.preferred < 0 {
		return ""
	}
	return c.nodes[c.rank.preferred].Name
}

// NewKey makes an idempotency key or transaction id. Keep it until the call it
// is for has been answered.
func (c *Client) NewKey() (string, error) {
	var key [16]byte
	if _, err := io.ReadFull(c.cfg.Rand, key[:]); err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return hex.EncodeToString(key[:]), nil
}

// watch ranks the nodes again and again, sooner while one of them is suspect or
// seen nearer for the first time, and keeps the standby's connection open.
func (c *Client) watch(ctx context.Context, first chan<- struct{}) {
	c.measure(ctx)
	close(first)
	ranking := time.NewTimer(c.pause())
	defer ranking.Stop()
	warming := time.NewTimer(max(c.cfg.WarmEvery, 0))
	defer warming.Stop()
	if c.cfg.WarmEvery < 0 {
		warming.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.probe:
			c.measure(ctx)
		case <-ranking.C:
			c.measure(ctx)
		case <-warming.C:
			c.warm(ctx)
			warming.Reset(c.cfg.WarmEvery)
			continue
		}
		ranking.Reset(c.pause())
	}
}

// pause spreads the probes of many clients, so that they do not all measure
// each other's probes.
func (c *Client) pause() time.Duration {
	now := c.cfg.Now()
	c.mu.Lock()
	soon := c.rank.challenger >= 0 || slices.ContainsFunc(c.rank.suspectUntil, now.Before)
	c.mu.Unlock()
	base := c.cfg.ProbeEvery
	if soon {
		base = c.cfg.SuspectTime
	}
	return base - base/10 + rand.N(base/5+1) //nolint:gosec // spreads probes, guards nothing
}

// measure probes every node three times, all nodes at once.
func (c *Client) measure(ctx context.Context) {
	rtt := make([]time.Duration, len(c.nodes))
	var probes sync.WaitGroup
	for i, n := range c.nodes {
		probes.Go(func() { rtt[i] = c.nearest(ctx, n) })
	}
	probes.Wait()
	if ctx.Err() != nil {
		return
	}
	now := c.cfg.Now()
	c.mu.Lock()
	for i := range rtt {
		if rtt[i] > 0 {
			c.rank.suspectUntil[i] = time.Time{}
		} else {
			c.rank.suspectUntil[i] = now.Add(2 * c.cfg.SuspectTime)
		}
	}
	c.rank.measured(rtt)
	c.mu.Unlock()
}

// nearest is the best of three handshakes, 0 if the first one fails.
func (c *Client) nearest(ctx context.Context, n *node) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ProbeWait)
	defer cancel()
	var best time.Duration
	for range 3 {
		rtt, err := c.cfg.HTTP.Probe(ctx, n.Address)
		if err != nil {
			c.cfg.Logger.Debug("node did not answer a probe", "node", n.Name, "error", err)
			break
		}
		if best == 0 || rtt < best {
			best = max(rtt, 1)
		}
	}
	return best
}

// warm uses the connection to the next best node of another region, so that a
// failover finds it open.
func (c *Client) warm(ctx context.Context) {
	order := c.order()
	for _, i := range order[1:] {
		if c.nodes[i].Region == c.nodes[order[0]].Region {
			continue
		}
		if err := c.touch(ctx, c.nodes[i]); err != nil {
			c.cfg.Logger.Debug("standby did not answer", "node", c.nodes[i].Name, "error", err)
		}
		return
	}
}

// touch makes a request that any answer satisfies.
func (c *Client) touch(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ProbeWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+n.Address+"/", nil)
	if err != nil {
		return err
	}
	response, err := c.cfg.HTTP.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (c *Client) order() []int {
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rank.order(now)
}

// roundTrip is the node's last measured one, 0 when it did not answer.
func (c *Client) roundTrip(n *node) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rank.rtt[n.index]
}

// suspect moves a silent node to the end of the order until it answers a probe.
func (c *Client) suspect(n *node) {
	until := c.cfg.Now().Add(2 * c.cfg.SuspectTime)
	c.mu.Lock()
	c.rank.suspectUntil[n.index] = until
	c.mu.Unlock()
	select {
	case c.probe <- struct{}{}:
	default: // one is asked for already
	}
}

// healthy takes a node off the suspects because it answered.
func (c *Client) healthy(n *node) {
	c.mu.Lock()
	c.rank.suspectUntil[n.index] = time.Time{}
	c.mu.Unlock()
}
