package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// MeshConfig describes a node's connections to its peers.
type MeshConfig struct {
	// Endpoint carries them. Its owner closes it, after the mesh.
	Endpoint *Endpoint
	// Resolve gives the mesh address (host:port) of a node by name. It must not
	// block: it is asked on every dial.
	Resolve func(node string) (addr string, err error)
	// OnDown, when set, hears that an accepted connection to a node ended, and
	// why. It must return soon; it is called from a goroutine of the mesh.
	OnDown func(node, alpn string, cause error)
}

// Mesh keeps one connection per peer node and protocol: dialed on demand, by
// one dial at a time, dropped when it dies. The peer's certificate must name
// the node asked for. The mutex guards groups and raftServed.
type Mesh struct {
	cfg   MeshConfig
	cache *connCache

	mu         sync.Mutex
	groups     map[uint32]*raftLayer
	raftServed bool
}

// NewMesh makes a mesh without connections.
func NewMesh(cfg MeshConfig) (*Mesh, error) {
	if cfg.Endpoint == nil || cfg.Resolve == nil {
		return nil, errors.New("open mesh: Endpoint and Resolve are required")
	}
	m := &Mesh{cfg: cfg, groups: map[uint32]*raftLayer{}}
	m.cache = newConnCache(m.dial, cfg.OnDown)
	return m, nil
}

// Conn is the connection to a node for a protocol, dialed if there is none.
// ctx bounds the wait, not the dial: others may be waiting for the same one.
func (m *Mesh) Conn(ctx context.Context, node, alpn string) (*Conn, error) {
	return m.cache.get(ctx, connKey{peer: node, alpn: alpn})
}

// RTT is the smoothed round-trip time to a node, from any live connection;
// false when there is none.
func (m *Mesh) RTT(node string) (time.Duration, bool) {
	for _, alpn := range MeshALPNs() {
		if conn := m.cache.live(connKey{peer: node, alpn: alpn}); conn != nil {
			return conn.RTT(), true
		}
	}
	return 0, false
}

// Close ends the connections this mesh dialed and every open Raft layer.
func (m *Mesh) Close() error {
	m.mu.Lock()
	layers := make([]*raftLayer, 0, len(m.groups))
	for _, layer := range m.groups {
		layers = append(layers, layer)
	}
	m.mu.Unlock()
	for _, layer := range layers {
		_ = layer.Close()
	}
	m.cache.close()
	return nil
}

func (m *Mesh) dial(ctx context.Context, key connKey) (*Conn, error) {
	addr, err := m.cfg.Resolve(key.peer)
	if err != nil {
		return nil, fmt.Errorf("resolve node %s: %w", key.peer, err)
	}
	return m.cfg.Endpoint.Dial(ctx, addr, key.alpn, WantNode(key.peer))
}

type connKey struct{ peer, alpn string }

// connCache keeps one live connection per key and lets concurrent callers share
// one dial. The mutex guards slots and closed; it is never held while dialing.
type connCache struct {
	dial   func(context.Context, connKey) (*Conn, error)
	onDown func(peer, alpn string, cause error)

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // dials and watchers; Add only while not closed

	mu     sync.Mutex
	slots  map[connKey]*connSlot
	closed bool
}

// connSlot is one dial and what came of it; conn and err are set before ready
// is closed and never after.
type connSlot struct {
	ready chan struct{}
	conn  *Conn
	err   error
}

func newConnCache(dial func(context.Context, connKey) (*Conn, error), onDown func(string, string, error)) *connCache {
	c := &connCache{dial: dial, onDown: onDown, slots: map[connKey]*connSlot{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func (c *connCache) get(ctx context.Context, key connKey) (*Conn, error) {
	slot, err := c.slot(key)
	if err != nil {
		return nil, err
	}
	select {
	case <-slot.ready:
		return slot.conn, slot.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for connection to %s: %w", key.peer, ctx.Err())
	}
}

// live is the connection of key if it is up now.
func (c *connCache) live(key connKey) *Conn {
	c.mu.Lock()
	slot := c.slots[key]
	c.mu.Unlock()
	if slot == nil || !slot.usable() {
		return nil
	}
	select {
	case <-slot.ready:
		return slot.conn
	default:
		return nil
	}
}

func (c *connCache) slot(key connKey) (*connSlot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("connect to %s: %w", key.peer, ErrClosed)
	}
	if slot := c.slots[key]; slot != nil && slot.usable() {
		return slot, nil
	}
	slot := &connSlot{ready: make(chan struct{})}
	c.slots[key] = slot
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		c.fill(key, slot)
	}()
	return slot, nil
}

// usable is true while the dial runs and while its connection lives.
func (s *connSlot) usable() bool {
	select {
	case <-s.ready:
	default:
		return true
	}
	if s.err != nil {
		return false
	}
	select {
	case <-s.conn.Done():
		return false
	default:
		return true
	}
}

// fill dials, then stays until the connection ends, to forget it.
func (c *connCache) fill(key connKey, slot *connSlot) {
	slot.conn, slot.err = c.dial(c.ctx, key)
	close(slot.ready)
	if slot.err == nil {
		select {
		case <-slot.conn.Done():
			if c.onDown != nil {
				c.onDown(key.peer, key.alpn, slot.conn.Err())
			}
		case <-c.ctx.Done():
			slot.conn.Close(codeClosing, "node is closing")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slots[key] == slot {
		delete(c.slots, key)
	}
}

func (c *connCache) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
}
