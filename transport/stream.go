package transport

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Stream is a reliable byte stream inside a connection. It is a net.Conn: Close
// may be called while a Read or Write is under way and ends both. Data written
// before Close still arrives, unless a Write was under way.
type Stream struct {
	conn   *Conn
	quic   *quic.Stream
	writer chan struct{} // holds one token; owner may write or finish the send side

	closeOnce sync.Once
	onClose   func() // set before the stream is shared, may be nil
}

var _ net.Conn = (*Stream)(nil)

func newStream(conn *Conn, stream *quic.Stream) *Stream {
	s := &Stream{conn: conn, quic: stream, writer: make(chan struct{}, 1)}
	s.writer <- struct{}{}
	return s
}

func (s *Stream) Read(p []byte) (int, error) { return s.quic.Read(p) }

func (s *Stream) Write(p []byte) (int, error) {
	<-s.writer
	defer func() { s.writer <- struct{}{} }()
	return s.quic.Write(p)
}

// CloseWrite ends the send side: the peer reads EOF after the data.
func (s *Stream) CloseWrite() error {
	select {
	case <-s.writer:
		defer func() { s.writer <- struct{}{} }()
		return s.quic.Close()
	default:
		// quic-go forbids Close beside a Write, and its Write may wait for a
		// dead peer; a reset is what is left.
		s.quic.CancelWrite(codeDone)
		return nil
	}
}

// Close ends both directions.
func (s *Stream) Close() error {
	var err error
	s.closeOnce.Do(func() {
		s.quic.CancelRead(codeDone)
		err = s.CloseWrite()
		s.closed()
	})
	return err
}

// Abort ends both directions at once; the peer's calls fail with code.
func (s *Stream) Abort(code uint64) {
	s.closeOnce.Do(func() {
		s.quic.CancelRead(quic.StreamErrorCode(code))
		s.quic.CancelWrite(quic.StreamErrorCode(code))
		s.closed()
	})
}

func (s *Stream) closed() {
	if s.onClose != nil {
		s.onClose()
	}
}

// Context ends when the peer gives up the stream, or the connection ends.
func (s *Stream) Context() context.Context { return s.quic.Context() }

// Peer is the verified other side.
func (s *Stream) Peer() Identity { return s.conn.peer }

// LocalAddr is the endpoint's address.
func (s *Stream) LocalAddr() net.Addr { return s.conn.endpoint.Addr() }

// RemoteAddr is where the peer's packets come from.
func (s *Stream) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error { return s.quic.SetDeadline(t) }

// SetReadDeadline bounds Read, also one under way.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.quic.SetReadDeadline(t) }

// SetWriteDeadline bounds Write, also one under way.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.quic.SetWriteDeadline(t) }
