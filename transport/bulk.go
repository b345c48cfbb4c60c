package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Bulk moves blobs between nodes, in ranges striped over several connections:
// each has a congestion window of its own, so that a lost packet slows down one
// stripe and not the transfer, and none of it stands before Raft or gossip.
//
// It checks lengths only. Whoever takes the bytes verifies them by their digest.

// ErrNoBlob says that the asked node does not have the blob.
var ErrNoBlob = errors.New("the node does not have the blob")

// BulkSource opens blobs to be served. It is called from several goroutines.
type BulkSource interface {
	// OpenBulk gives a blob and its size in bytes; any error means that it is
	// not here.
	OpenBulk(digest [32]byte) (blob BulkBlob, size int64, err error)
}

// BulkBlob is an open blob.
type BulkBlob interface {
	io.ReaderAt
	io.Closer
}

// BulkConfig says how blobs travel. 0 stands for the default.
type BulkConfig struct {
	Mesh *Mesh
	// Source is what this node serves; nil serves nothing.
	Source BulkSource
	// Connections of one fetch; the default is 4.
	Connections int
	// RangeBytes is what one stream carries; the default is 512 KiB. A fetch
	// holds at most 16 ranges in memory.
	RangeBytes int
	// MaxServing bounds the ranges served at once, to all peers; the default
	// is 64. Past it a stream waits.
	MaxServing int
	Logger     *slog.Logger
}

const (
	bulkVersion = 1
	// bulkStreams is how many ranges of one fetch are under way, bulkWindow
	// how many may wait for an earlier one.
	bulkStreams = 8
	bulkWindow  = 16
	// maxRangeBytes is the most a peer may ask for at once.
	maxRangeBytes = 4 << 20
	bulkTries     = 4 // of one range
	bulkTimeout   = 30 * time.Second
	bulkRetry     = 100 * time.Millisecond

	bulkOK, bulkNone, bulkBad = 0, 1, 2
	bulkRequestBytes          = 1 + 32 + 8 + 4
	bulkReplyBytes            = 1 + 1 + 8 + 4
)

// Bulk serves and fetches blobs. It keeps no connection between fetches.
type Bulk struct {
	cfg   BulkConfig
	slots chan struct{}
}

// NewBulk begins to serve cfg.Source on the mesh's endpoint.
func NewBulk(cfg BulkConfig) (*Bulk, error) {
	if cfg.Mesh == nil {
		return nil, errors.New("open bulk transport: Mesh is required")
	}
	setDefault(&cfg.Connections, 4)
	setDefault(&cfg.RangeBytes, 512<<10)
	setDefault(&cfg.MaxServing, 64)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Connections < 1 || cfg.RangeBytes < 1 || cfg.RangeBytes > maxRangeBytes || cfg.MaxServing < 1 {
		return nil, fmt.Errorf("open bulk transport: %d connections, ranges of %d bytes and %d served at once are not possible",
			cfg.Connections, cfg.RangeBytes, cfg.MaxServing)
	}
	b := &Bulk{cfg: cfg, slots: make(chan struct{}, cfg.MaxServing)}
	if cfg.Source != nil {
		cfg.Mesh.cfg.Endpoint.Handle(ALPNBulk, b.serve)
	}
	return b, nil
}

func (b *Bulk) serve(ctx context.Context, conn *Conn) {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		work.Go(func() {
			select {
			case b.slots <- struct{}{}:
				defer func() { <-b.slots }()
			case <-ctx.Done():
				return
			}
			if err := b.serveRange(stream); err != nil {
				b.cfg.Logger.Debug("range of a blob not served", "peer", conn.Peer().Node, "error", err)
				stream.Abort(codeDone)
				return
			}
			_ = stream.Close()
		})
	}
}

// bulkRequest asks for length bytes of a blob; length 0 asks for its size.
type bulkRequest struct {
	digest [32]byte
	offset int64
	length int
}

func (r bulkRequest) encode() []byte {
	out := append(make([]byte, 0, bulkRequestBytes), bulkVersion)
	out = append(out, r.digest[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(r.offset))
	return binary.BigEndian.AppendUint32(out, uint32(r.length))
}

func readBulkRequest(in io.Reader) (bulkRequest, error) {
	var raw [bulkRequestBytes]byte
	if _, err := io.ReadFull(in, raw[:]); err != nil {
		return bulkRequest{}, fmt.Errorf("read request: %w", err)
	}
	if raw[0] != bulkVersion {
		return bulkRequest{}, fmt.Errorf("request of version %d", raw[0])
	}
	r := bulkRequest{offset: int64(binary.BigEndian.Uint64(raw[33:])), length: int(binary.BigEndian.Uint32(raw[41:]))}
	copy(r.digest[:], raw[1:])
	if r.offset < 0 || r.length > maxRangeBytes {
		return bulkRequest{}, fmt.Errorf("a range of %d bytes at %d", r.length, r.offset)
	}
	return r, nil
}

// serveRange answers with status, size of the blob and length of what follows.
func (b *Bulk) serveRange(stream *Stream) error {
	_ = stream.SetDeadline(time.Now().Add(bulkTimeout))
	req, err := readBulkRequest(stream)
	if err != nil {
		return err
	}
	blob, size, err := b.cfg.Source.OpenBulk(req.digest)
	if err != nil {
		_, werr := stream.Write(bulkReply(bulkNone, 0, 0))
		return werr
	}
	defer func() { _ = blob.Close() }()
	if req.offset > size || int64(req.length) > size-req.offset {
		_, werr := stream.Write(bulkReply(bulkBad, size, 0))
		return werr
	}
	if _, err := stream.Write(bulkReply(bulkOK, size, req.length)); err != nil {
		return err
	}
	_, err = io.Copy(stream, io.NewSectionReader(blob, req.offset, int64(req.length)))
	return err
}

func bulkReply(status byte, size int64, length int) []byte {
	out := append(make([]byte, 0, bulkReplyBytes), bulkVersion, status)
	out = binary.BigEndian.AppendUint64(out, uint64(size))
	return binary.BigEndian.AppendUint32(out, uint32(length))
}

func readBulkReply(in io.Reader, want int) (size int64, err error) {
	var raw [bulkReplyBytes]byte
	if _, err := io.ReadFull(in, raw[:]); err != nil {
		return 0, fmt.Errorf("read reply: %w", err)
	}
	size = int64(binary.BigEndian.Uint64(raw[2:]))
	length := binary.BigEndian.Uint32(raw[10:])
	switch {
	case raw[0] != bulkVersion:
		return 0, fmt.Errorf("reply of version %d", raw[0])
	case raw[1] == bulkNone:
		return 0, ErrNoBlob
	case raw[1] != bulkOK:
		return 0, fmt.Errorf("the node refused the range, its blob has %d bytes", size)
	case size < 0 || int64(length) != int64(want):
		return 0, fmt.Errorf("the node sends %d bytes instead of %d", length, want)
	}
	return size, nil
}

// Stat asks a node for the size of a blob. ErrNoBlob where it has none.
func (b *Bulk) Stat(ctx context.Context, node string, digest [32]byte) (int64, error) {
	l := &bulkLane{bulk: b, node: node}
	defer l.close()
	_, size, err := l.fetch(ctx, bulkRequest{digest: digest})
	if err != nil {
		return 0, fmt.Errorf("ask %s for a blob: %w", node, err)
	}
	return size, nil
}

// Fetch brings a blob from a node, from offset to its end. take gets its pieces
// in order, one call after another; what it was given counts as delivered, so a
// fetch that broke goes on at the next offset, from another node too. An error
// of take ends the fetch. ErrNoBlob where the node does not have the blob.
func (b *Bulk) Fetch(ctx context.Context, node string, digest [32]byte, offset int64, take func(size, offset int64, data []byte) error) error {
	if err := b.fetch(ctx, node, digest, offset, take); err != nil {
		return fmt.Errorf("fetch blob from %s: %w", node, err)
	}
	return nil
}

func (b *Bulk) fetch(ctx context.Context, node string, digest [32]byte, offset int64, take func(size, offset int64, data []byte) error) error {
	lanes := make([]*bulkLane, b.cfg.Connections)
	for i := range lanes {
		lanes[i] = &bulkLane{bulk: b, node: node}
		defer lanes[i].close()
	}
	_, size, err := lanes[0].fetch(ctx, bulkRequest{digest: digest})
	if err != nil {
		return err
	}
	if offset >= size {
		return take(size, size, nil)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel(nil)
	f := &bulkFetch{
		bulk: b, digest: digest, size: size, offset: offset,
		todo: make(chan bulkRequest), room: make(chan struct{}, bulkWindow), done: make(chan bulkPiece), fail: cancel,
	}
	work.Go(func() { f.plan(ctx) })
	for i := range max(bulkStreams, len(lanes)) {
		work.Go(func() { f.work(ctx, lanes[i%len(lanes)]) })
	}
	return f.deliver(ctx, take)
}

// bulkFetch is one transfer: plan hands out ranges, workers bring them, deliver
// puts them in order. room bounds what lies between plan and deliver.
type bulkFetch struct {
	bulk         *Bulk
	digest       [32]byte
	size, offset int64
	todo         chan bulkRequest
	room         chan struct{}
	done         chan bulkPiece
	fail         context.CancelCauseFunc
}

type bulkPiece struct {
	offset int64
	data   []byte
}

func (f *bulkFetch) plan(ctx context.Context) {
	defer close(f.todo)
	for at := f.offset; at < f.size; {
		r := bulkRequest{digest: f.digest, offset: at, length: int(min(int64(f.bulk.cfg.RangeBytes), f.size-at))}
		select {
		case f.room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case f.todo <- r:
		case <-ctx.Done():
			return
		}
		at += int64(r.length)
	}
}

func (f *bulkFetch) work(ctx context.Context, lane *bulkLane) {
	for r := range f.todo {
		data, size, err := lane.patiently(ctx, r)
		if err == nil && size != f.size {
			err = fmt.Errorf("the blob has %d bytes, and had %d before", size, f.size)
		}
		if err != nil {
			f.fail(err)
			return
		}
		select {
		case f.done <- bulkPiece{offset: r.offset, data: data}:
		case <-ctx.Done():
			return
		}
	}
}

func (f *bulkFetch) deliver(ctx context.Context, take func(size, offset int64, data []byte) error) error {
	early := map[int64][]byte{}
	for next := f.offset; next < f.size; {
		data, here := early[next]
		if !here {
			select {
			case p := <-f.done:
				early[p.offset] = p.data
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		delete(early, next)
		if err := take(f.size, next, data); err != nil {
			return err
		}
		next += int64(len(data))
		<-f.room
	}
	return nil
}

// bulkLane is one connection of a fetch, dialed when it is needed and anew
// after it broke. mu guards conn; dialing holds the token instead, so that one
// of the lane's workers dials and the others wait.
type bulkLane struct {
	bulk *Bulk
	node string

	once  sync.Once
	token chan struct{}
	mu    sync.Mutex
	conn  *Conn
}

// patiently asks again where a connection broke; what the node refuses is
// final.
func (l *bulkLane) patiently(ctx context.Context, r bulkRequest) ([]byte, int64, error) {
	var err error
	for range bulkTries {
		var data []byte
		var size int64
		if data, size, err = l.fetch(ctx, r); err == nil || errors.Is(err, ErrNoBlob) || ctx.Err() != nil {
			return data, size, err
		}
		again := time.NewTimer(bulkRetry)
		select {
		case <-again.C:
		case <-ctx.Done():
		}
		again.Stop()
	}
	return nil, 0, err
}

func (l *bulkLane) fetch(ctx context.Context, r bulkRequest) ([]byte, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, bulkTimeout)
	defer cancel()
	conn, err := l.dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	stream, err := conn.OpenStream(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = stream.Close() }()
	defer context.AfterFunc(ctx, func() { stream.Abort(codeDone) })()
	if _, err := stream.Write(r.encode()); err != nil {
		return nil, 0, errors.Join(ctx.Err(), fmt.Errorf("ask for a range: %w", err))
	}
	if err := stream.CloseWrite(); err != nil {
		return nil, 0, errors.Join(ctx.Err(), fmt.Errorf("ask for a range: %w", err))
	}
	size, err := readBulkReply(stream, r.length)
	if err != nil {
		return nil, 0, errors.Join(ctx.Err(), err)
	}
	data := make([]byte, r.length)
	if _, err := io.ReadFull(stream, data); err != nil {
		return nil, 0, errors.Join(ctx.Err(), fmt.Errorf("read a range: %w", err))
	}
	return data, size, nil
}

// dial gives the lane's connection.
func (l *bulkLane) dial(ctx context.Context) (*Conn, error) {
	l.once.Do(func() { l.token = make(chan struct{}, 1) })
	select {
	case l.token <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a connection to %s: %w", l.node, ctx.Err())
	}
	defer func() { <-l.token }()
	if conn := l.live(); conn != nil {
		return conn, nil
	}
	conn, err := l.bulk.cfg.Mesh.dial(ctx, connKey{peer: l.node, alpn: ALPNBulk})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	return conn, nil
}

func (l *bulkLane) live() *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.conn.Err() != nil {
		return nil
	}
	return l.conn
}

func (l *bulkLane) close() {
	if conn := l.live(); conn != nil {
		conn.Close(codeDone, "fetched")
	}
}
