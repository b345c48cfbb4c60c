package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/node/membership"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/wallet"
)

// Methods of the calls between nodes beside forwarding.
const (
	methodClock   = "clock"
	methodSegment = "segment"
	methodTallies = "tallies"
)

const (
	peerVersion  = 1
	segmentChunk = 1 << 20
)

// peers asks other nodes what a replica needs of them outside of Raft.
type peers struct {
	node    string
	rpc     *transport.RPC
	now     func() time.Time
	members *membership.Membership
}

var _ consensus.Peers = (*peers)(nil)

// Clocks reads the wall clocks of a majority of the voters, this node's first.
func (p *peers) Clocks(ctx context.Context, voters []string) ([]int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()
	answers := make(chan int64, len(voters))
	asked := 0
	for _, v := range voters {
		if v == p.node {
			continue
		}
		asked++
		calls.Go(func() {
			ms, err := p.clock(ctx, v)
			if err != nil {
				ms = 0
			}
			answers <- ms
		})
	}
	readings := []int64{p.now().UnixMilli()}
	for range asked {
		if len(readings) > len(voters)/2 {
			break
		}
		if ms := <-answers; ms != 0 {
			readings = append(readings, ms)
		}
	}
	if len(readings) <= len(voters)/2 {
		return nil, fmt.Errorf("only %d of %d voters told their clock", len(readings), len(voters))
	}
	return readings, nil
}

func (p *peers) clock(ctx context.Context, node string) (int64, error) {
	var reply edgereelv1.ClockReply
	if err := p.call(ctx, node, methodClock, &edgereelv1.ClockRequest{Version: peerVersion}, &reply); err != nil {
		return 0, err
	}
	return reply.GetUnixMs(), nil
}

// ledgerVersion asks a node for the newest version of the ledger its build
// knows.
func (p *peers) ledgerVersion(ctx context.Context, node string) (uint8, error) {
	var reply edgereelv1.ClockReply
	if err := p.call(ctx, node, methodClock, &edgereelv1.ClockRequest{Version: peerVersion}, &reply); err != nil {
		return 0, err
	}
	// A build that does not say knows the first one.
	return uint8(min(max(reply.GetLedgerVersion(), 1), math.MaxUint8)), nil
}

func (p *peers) call(ctx context.Context, node, method string, req, reply proto.Message) error {
	body, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	raw, err := p.rpc.Call(ctx, node, method, body)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(raw, reply); err != nil {
		return fmt.Errorf("read the answer to %s: %w", method, err)
	}
	return nil
}

// Segment fetches a sealed segment from the first voter that has it. Its digest
// is checked by whoever installs it.
func (p *peers) Segment(ctx context.Context, shard uint32, voters []string, ref storage.SegmentRef) (io.ReadCloser, error) {
	var failed error
	for _, v := range voters {
		if v == p.node {
			continue
		}
		data, err := p.segmentFrom(ctx, v, shard, ref)
		if err == nil {
			return io.NopCloser(bytes.NewReader(data)), nil
		}
		failed = errors.Join(failed, fmt.Errorf("from %s: %w", v, err))
	}
	return nil, errors.Join(errors.New("no voter delivered the segment"), failed)
}

func (p *peers) segmentFrom(ctx context.Context, node string, shard uint32, ref storage.SegmentRef) ([]byte, error) {
	var data []byte
	for {
		var reply edgereelv1.SegmentReply
		err := p.call(ctx, node, methodSegment, &edgereelv1.SegmentRequest{
			Version: peerVersion, Shard: shard, FirstSeq: ref.First, Digest: hex.EncodeToString(ref.Digest[:]), Offset: uint64(len(data)),
		}, &reply)
		if err != nil {
			return nil, err
		}
		data = append(data, reply.GetData()...)
		switch {
		case int64(len(data)) > ref.Bytes:
			return nil, fmt.Errorf("segment is longer than the %d bytes of its reference", ref.Bytes)
		case reply.GetLast():
			return data, nil
		case len(reply.GetData()) == 0:
			return nil, io.ErrUnexpectedEOF
		}
	}
}

// Healthy tells for how long a node has been alive without a break.
func (p *peers) Healthy(node string) time.Duration {
	m, ok := p.members.Member(node)
	if !ok || m.State != membership.StateAlive || m.Draining {
		return 0
	}
	return p.now().Sub(m.Since)
}

// servePeer answers the calls of other nodes.
func (n *Node) servePeer(ctx context.Context, peer transport.Identity, method string, body []byte) (_ []byte, err error) {
	defer func() {
		// One call's fault must not take this node's replicas down, nor be sent
		// on to bring down the next node.
		if cause := recover(); cause != nil {
			n.log.ErrorContext(ctx, "a call of a peer panicked", "peer", peer.Node, "method", method, "cause", cause, "stack", string(debug.Stack()))
			err = errors.New("the call panicked")
		}
	}()
	// The transport lets operators' certificates call too. These methods trust
	// what the caller says of principals and persons, so they are for nodes.
	if peer.Role != transport.RoleNode {
		return nil, &transport.CodeError{Code: transport.CodeNoHandler, Err: fmt.Errorf("method %q is not for a %s", method, peer.Role)}
	}
	switch method {
	case methodForward:
		return n.router.ServeForwarded(ctx, body)
	case methodClock:
		return proto.Marshal(&edgereelv1.ClockReply{Version: peerVersion, UnixMs: n.now().UnixMilli(), LedgerVersion: uint32(wallet.Version)})
	case registry.MethodCommand:
		return n.registry.ServeCommand(ctx, body)
	case registry.MethodState:
		return n.registry.ServeState(body)
	case methodTallies:
		var req edgereelv1.TalliesRequest
		if err := proto.Unmarshal(body, &req); err != nil {
			return nil, fmt.Errorf("read tallies request: %w", err)
		}
		return n.serveTallies(&req)
	case methodSegment:
		var req edgereelv1.SegmentRequest
		if err := proto.Unmarshal(body, &req); err != nil {
			return nil, fmt.Errorf("read segment request: %w", err)
		}
		return n.serveSegment(&req)
	}
	return nil, &transport.CodeError{Code: transport.CodeNoHandler, Err: fmt.Errorf("no method %q", method)}
}

func (n *Node) serveSegment(req *edgereelv1.SegmentRequest) ([]byte, error) {
	r := n.replicas[req.GetShard()]
	if r == nil {
		return nil, fmt.Errorf("no replica of shard %d", req.GetShard())
	}
	digest, err := wallet.ParseHash(req.GetDigest())
	if err != nil {
		return nil, err
	}
	for _, ref := range r.journal.Sealed() {
		if ref.First != req.GetFirstSeq() || ref.Digest != digest {
			continue
		}
		return readChunk(r.journal, ref, int64(req.GetOffset()))
	}
	return nil, fmt.Errorf("no sealed segment from sequence %d", req.GetFirstSeq())
}

func readChunk(j *storage.Journal, ref storage.SegmentRef, offset int64) ([]byte, error) {
	rc, err := j.OpenSegment(ref)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	if _, err := io.CopyN(io.Discard, rc, offset); err != nil {
		return nil, fmt.Errorf("segment ends before offset %d: %w", offset, err)
	}
	data, err := io.ReadAll(io.LimitReader(rc, segmentChunk))
	if err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	return proto.Marshal(&edgereelv1.SegmentReply{
		Version: peerVersion, Data: data, Last: offset+int64(len(data)) >= ref.Bytes,
	})
}
