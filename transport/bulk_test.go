package transport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgereel/edgereel/transport/simnet"
)

// shelf serves blobs from memory.
type shelf struct {
	blobs map[[32]byte][]byte
}

type memoryBlob struct{ *bytes.Reader }

func (memoryBlob) Close() error { return nil }

func (s *shelf) OpenBulk(digest [32]byte) (BulkBlob, int64, error) {
	data, ok := s.blobs[digest]
	if !ok {
		return nil, 0, errors.New("not here")
	}
	return memoryBlob{bytes.NewReader(data)}, int64(len(data)), nil
}

func randomBlob(n int) ([]byte, [32]byte) {
	data := make([]byte, n)
	rng := rand.New(rand.NewPCG(5, uint64(n)))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data, sha256.Sum256(data)
}

// collect takes pieces in order and complains about any other.
type collect struct {
	t    testing.TB
	data []byte
}

func (c *collect) take(_, offset int64, data []byte) error {
	if offset != int64(len(c.data)) {
		c.t.Errorf("piece at %d, expected at %d", offset, len(c.data))
	}
	c.data = append(c.data, data...)
	return nil
}

// bulkPair is a server with a shelf and a client, on loopback.
func bulkPair(t *testing.T, s *shelf, cfg BulkConfig) (server *testNode, client *Bulk) {
	t.Helper()
	ca := newTestCA(t, "bulk")
	book := map[string]string{}
	resolve := func(node string) (string, error) { return book[node], nil }
	a := meshNode(t, ca, "a", nil, resolve)
	b := meshNode(t, ca, "b", nil, resolve)
	book["a"], book["b"] = a.endpoint.Addr().String(), b.endpoint.Addr().String()
	if _, err := NewBulk(BulkConfig{Mesh: a.mesh, Source: s}); err != nil {
		t.Fatal(err)
	}
	cfg.Mesh = b.mesh
	client, err := NewBulk(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, a.endpoint)
	run(t, b.endpoint)
	return a, client
}

func TestBulk_Fetch(t *testing.T) {
	big, bigDigest := randomBlob(5<<20 + 123)
	small, smallDigest := randomBlob(10)
	_, emptyDigest := randomBlob(0)
	s := &shelf{blobs: map[[32]byte][]byte{bigDigest: big, smallDigest: small, emptyDigest: {}}}
	_, client := bulkPair(t, s, BulkConfig{})
	ctx := testContext(t)
	for _, want := range [][]byte{big, small, {}} {
		got := &collect{t: t}
		if err := client.Fetch(ctx, "a", sha256.Sum256(want), 0, got.take); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.data, want) {
			t.Fatalf("%d other bytes came for %d", len(got.data), len(want))
		}
	}
	if size, err := client.Stat(ctx, "a", bigDigest); err != nil || size != int64(len(big)) {
		t.Errorf("stat: %d %v", size, err)
	}
	// It goes on where an earlier fetch ended.
	got := &collect{t: t, data: append([]byte(nil), big[:3<<20]...)}
	if err := client.Fetch(ctx, "a", bigDigest, 3<<20, got.take); err != nil || !bytes.Equal(got.data, big) {
		t.Errorf("resumed: %d bytes, %v", len(got.data), err)
	}
}

func TestBulk_Refuses(t *testing.T) {
	big, digest := randomBlob(5 << 20)
	_, client := bulkPair(t, &shelf{blobs: map[[32]byte][]byte{digest: big}}, BulkConfig{})
	ctx := testContext(t)
	none := func(int64, int64, []byte) error { return nil }
	if err := client.Fetch(ctx, "a", [32]byte{1}, 0, none); !errors.Is(err, ErrNoBlob) {
		t.Errorf("unknown blob: %v", err)
	}
	full := errors.New("disk is full")
	if err := client.Fetch(ctx, "a", digest, 0, func(int64, int64, []byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("a taker that fails: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	if err := client.Fetch(ended, "a", digest, 0, func(int64, int64, []byte) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
	if err := client.Fetch(ctx, "b", digest, 0, none); err == nil {
		t.Error("a node that serves nothing served")
	}
}

// TestBulk_OnlyNodes: blobs are not for operators' certificates.
func TestBulk_OnlyNodes(t *testing.T) {
	ca := newTestCA(t, "bulk")
	resolve := func(string) (string, error) { return "", errors.New("nobody") }
	a := meshNode(t, ca, "a", nil, resolve)
	if _, err := NewBulk(BulkConfig{Mesh: a.mesh, Source: &shelf{}}); err != nil {
		t.Fatal(err)
	}
	run(t, a.endpoint)
	operator := endpoint(t, EndpointConfig{Credentials: ca.credentials("ops", RoleOperator), Accept: []string{}})
	if conn, err := operator.Dial(testContext(t), a.endpoint.Addr().String(), ALPNBulk, WantNode("a")); err == nil {
		conn.Close(codeDone, "")
		t.Error("an operator's certificate reached the blobs")
	}
}

// TestBulk_Reconnects: connections that break in the middle cost a range, not
// the transfer.
func TestBulk_Reconnects(t *testing.T) {
	big, digest := randomBlob(6 << 20)
	s := &shelf{blobs: map[[32]byte][]byte{digest: big}}
	server, client := bulkPair(t, s, BulkConfig{RangeBytes: 256 << 10})
	got := &collect{t: t}
	broken := 0
	err := client.Fetch(testContext(t), "a", digest, 0, func(size, offset int64, data []byte) error {
		if broken < 2 && offset > int64(broken+1)<<20 {
			broken++
			server.endpoint.mu.Lock()
			var conns []*Conn
			for conn := range server.endpoint.conns {
				conns = append(conns, conn)
			}
			server.endpoint.mu.Unlock()
			for _, conn := range conns {
				conn.Close(codeDone, "broken by the test")
			}
		}
		return got.take(size, offset, data)
	})
	if err != nil || broken != 2 || !bytes.Equal(got.data, big) {
		t.Errorf("%d bytes after %d breaks: %v", len(got.data), broken, err)
	}
}

// TestBulk_StripesAgainstLoss measures the same transfer over one connection
// and over four, on a path of 40 ms round trip that loses 1 % of the packets.
// The ratio is told, not asserted.
func TestBulk_StripesAgainstLoss(t *testing.T) {
	took := map[int]time.Duration{}
	for _, connections := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(simnet.Config{
				Rand:    rand.New(rand.NewPCG(1, 2)),
				Default: simnet.Path{Delay: 20 * time.Millisecond, Jitter: time.Millisecond, Loss: 0.01},
			})
			t.Cleanup(func() { n.Close() })
			ca := newTestCA(t, "sim")
			nodes := map[string]*testNode{}
			for _, name := range []string{"a", "b"} {
				conn, err := n.ListenPacket(name, simPort)
				if err != nil {
					t.Fatal(err)
				}
				nodes[name] = meshNode(t, ca, name, conn, func(node string) (string, error) {
					return fmt.Sprintf("%s:%d", n.AddHost(node), simPort), nil
				})
			}
			data, digest := randomBlob(2 << 20)
			if _, err := NewBulk(BulkConfig{Mesh: nodes["a"].mesh, Source: &shelf{blobs: map[[32]byte][]byte{digest: data}}}); err != nil {
				t.Fatal(err)
			}
			client, err := NewBulk(BulkConfig{Mesh: nodes["b"].mesh, Connections: connections, RangeBytes: 128 << 10})
			if err != nil {
				t.Fatal(err)
			}
			run(t, nodes["a"].endpoint)
			run(t, nodes["b"].endpoint)
			start := time.Now()
			got := &collect{t: t}
			if err := client.Fetch(t.Context(), "a", digest, 0, got.take); err != nil {
				t.Fatal(err)
			}
			took[connections] = time.Since(start)
			if !bytes.Equal(got.data, data) {
				t.Errorf("%d other bytes over %d connections", len(got.data), connections)
			}
		})
	}
	t.Logf("2 MiB at 40 ms and 1 %% loss: %v over one connection, %v over four, ratio %.2f", took[1], took[4], took[1].Seconds()/took[4].Seconds())
}
