package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// groupHeaderTimeout bounds how long a new stream may be silent about its group.
	groupHeaderTimeout = 2 * time.Second
	// raftBacklog is how many streams may wait for a group's Accept.
	raftBacklog = 64
)

// RaftLayer is the stream layer of one Raft group. Addresses are node names.
// All groups share one QUIC connection per peer; a stream starts with the
// group's number, 4 bytes big-endian, and a stream for a group that is not open
// is reset. Closing the layer resets its streams and leaves the connection to
// the others. A group can be open once: a second layer for it fails every call
// with an error that says so.
func (m *Mesh) RaftLayer(group uint32) raft.StreamLayer {
	layer := &raftLayer{
		mesh: m, group: group,
		incoming: make(chan *Stream, raftBacklog), closed: make(chan struct{}),
		streams: map[*Stream]struct{}{},
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.groups[group] != nil {
		layer.broken = fmt.Errorf("raft group %d is open already on this node", group)
		return layer
	}
	m.groups[group] = layer
	if !m.raftServed {
		m.raftServed = true
		m.cfg.Endpoint.Handle(ALPNRaft, m.serveRaft)
	}
	return layer
}

// serveRaft hands a peer's streams to their groups.
func (m *Mesh) serveRaft(ctx context.Context, conn *Conn) {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		work.Go(func() { m.deliverRaft(stream) })
	}
}

func (m *Mesh) deliverRaft(stream *Stream) {
	var header [4]byte
	_ = stream.SetReadDeadline(time.Now().Add(groupHeaderTimeout))
	if _, err := io.ReadFull(stream, header[:]); err != nil {
		stream.Abort(codeNoHandler)
		return
	}
	_ = stream.SetReadDeadline(time.Time{})
	m.mu.Lock()
	layer := m.groups[binary.BigEndian.Uint32(header[:])]
	m.mu.Unlock()
	if layer == nil || !layer.track(stream) {
		stream.Abort(codeNoHandler)
		return
	}
	select {
	case layer.incoming <- stream:
	default:
		stream.Abort(codeOverload)
	}
}

// raftLayer implements raft.StreamLayer. The mutex guards streams and isClosed.
type raftLayer struct {
	mesh     *Mesh
	group    uint32
	broken   error // set at creation
	incoming chan *Stream
	closed   chan struct{}

	mu       sync.Mutex
	streams  map[*Stream]struct{}
	isClosed bool
}

var errGroupClosed = errors.New("raft group is closed")

func (l *raftLayer) Accept() (net.Conn, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	select {
	case stream := <-l.incoming:
		return stream, nil
	case <-l.closed:
		return nil, fmt.Errorf("accept stream of raft group %d: %w", l.group, errGroupClosed)
	}
}

func (l *raftLayer) Dial(node raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	ctx, cancel := context.WithCancel(context.Background())
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	conn, err := l.mesh.Conn(ctx, string(node), ALPNRaft)
	if err != nil {
		return nil, fmt.Errorf("dial raft group %d: %w", l.group, err)
	}
	stream, err := conn.OpenStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial raft group %d: %w", l.group, err)
	}
	if !l.track(stream) {
		stream.Abort(codeClosing)
		return nil, fmt.Errorf("dial raft group %d: %w", l.group, errGroupClosed)
	}
	if err := l.sendHeader(ctx, stream); err != nil {
		stream.Abort(codeDone)
		return nil, fmt.Errorf("dial raft group %d: %w", l.group, err)
	}
	return stream, nil
}

func (l *raftLayer) sendHeader(ctx context.Context, stream *Stream) error {
	if deadline, ok := ctx.Deadline(); ok {
		_ = stream.SetWriteDeadline(deadline)
	}
	var header [4]byte
	binary.BigEndian.PutUint32(header[:], l.group)
	if _, err := stream.Write(header[:]); err != nil {
		return err
	}
	return stream.SetWriteDeadline(time.Time{})
}

// track books a stream, so that Close can end it; false when already closed.
func (l *raftLayer) track(stream *Stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed {
		return false
	}
	stream.onClose = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.streams, stream)
	}
	l.streams[stream] = struct{}{}
	return true
}

// Close resets the group's streams, so that Raft's readers end at once.
func (l *raftLayer) Close() error {
	l.mu.Lock()
	if l.isClosed || l.broken != nil {
		l.mu.Unlock()
		return nil
	}
	l.isClosed = true
	streams := make([]*Stream, 0, len(l.streams))
	for stream := range l.streams {
		streams = append(streams, stream)
	}
	l.mu.Unlock()
	close(l.closed)
	for _, stream := range streams {
		stream.Abort(codeClosing)
	}
	l.mesh.mu.Lock()
	defer l.mesh.mu.Unlock()
	delete(l.mesh.groups, l.group)
	return nil
}

// Addr is this node's name, which is its Raft address.
func (l *raftLayer) Addr() net.Addr {
	return nodeAddr(l.mesh.cfg.Endpoint.Identity().Node)
}

// nodeAddr is a node name as a net.Addr.
type nodeAddr string

func (nodeAddr) Network() string  { return "edgereel" }
func (a nodeAddr) String() string { return string(a) }
