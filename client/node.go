package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// longCall bounds calls that walk through a journal.
const longCall = 2 * time.Minute

// NodeCaller asks one chosen node for what its own replica holds, and never
// another one. It belongs to one goroutine.
type NodeCaller struct{ handle }

// Node addresses one node with an operator token.
func (c *Client) Node(name, token string) (*NodeCaller, error) {
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.Name == name })
	if i < 0 {
		return nil, &Error{Effect: NotApplied, Code: CodeNoNode, Err: fmt.Errorf("no node %q among the client's", name)}
	}
	return &NodeCaller{handle: handle{c: c, token: token, at: c.nodes[i]}}, nil
}

// Name is the node's name.
func (n *NodeCaller) Name() string { return n.at.Name }

// Status is what the node knows of the cluster.
func (n *NodeCaller) Status(ctx context.Context) (*edgereelv1.StatusResponse, error) {
	request := &edgereelv1.StatusRequest{}
	response, err := n.ask(ctx, "status", 0, request, func(ctx context.Context, at *node) (proto.Message, error) {
		return at.cluster.Status(ctx, request)
	})
	return answer[*edgereelv1.StatusResponse](response, err)
}

// GetShards tells where the node's replicas stand.
func (n *NodeCaller) GetShards(ctx context.Context) (*edgereelv1.GetShardsResponse, error) {
	request := &edgereelv1.GetShardsRequest{}
	response, err := n.ask(ctx, "get_shards", 0, request, func(ctx context.Context, at *node) (proto.Message, error) {
		return at.audit.GetShards(ctx, request)
	})
	return answer[*edgereelv1.GetShardsResponse](response, err)
}

// HashAt is the chain hash after a sequence, from the node's journal.
func (n *NodeCaller) HashAt(ctx context.Context, shard uint32, seq uint64) (string, error) {
	request := &edgereelv1.HashAtRequest{Shard: shard, ShardSeq: seq}
	response, err := n.ask(ctx, "hash_at", 0, request, func(ctx context.Context, at *node) (proto.Message, error) {
		return at.audit.HashAt(ctx, request)
	})
	found, err := answer[*edgereelv1.HashAtResponse](response, err)
	return found.GetShardHash(), err
}

// Replay evaluates the recorded game steps of a range again on the node.
func (n *NodeCaller) Replay(ctx context.Context, shard uint32, fromSeq, toSeq uint64) (*edgereelv1.ReplayResponse, error) {
	request := &edgereelv1.ReplayRequest{Shard: shard, FromSeq: fromSeq, ToSeq: toSeq}
	response, err := n.ask(ctx, "replay", longCall, request, func(ctx context.Context, at *node) (proto.Message, error) {
		return at.audit.Replay(ctx, request)
	})
	return answer[*edgereelv1.ReplayResponse](response, err)
}

// ReadJournal hands every operation of a range to visit, in order; toSeq 0 is
// the head. It stops with visit's error. A broken stream is an error after the
// entries that arrived: ask again from there.
func (n *NodeCaller) ReadJournal(ctx context.Context, shard uint32, fromSeq, toSeq uint64, visit func(*edgereelv1.JournalEntry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer "+n.token)
	fail := func(err error) error {
		p := &progress{attempts: 1, last: classify(err)}
		return p.fail(NotAppliedRetryable)
	}
	stream, err := n.at.audit.ReadJournal(ctx, &edgereelv1.ReadJournalRequest{Shard: shard, FromSeq: fromSeq, ToSeq: toSeq})
	if err != nil {
		return fail(err)
	}
	defer func() { _ = stream.Close() }() // abandoned or at its end already
	for {
		stall := time.AfterFunc(n.c.cfg.Budget, cancel)
		chunk, err := stream.Receive()
		stall.Stop()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fail(err)
		}
		for _, entry := range chunk.GetEntries() {
			if err := visit(entry); err != nil {
				return err
			}
		}
	}
}

func (n *NodeCaller) ask(ctx context.Context, kind string, timeout time.Duration, request proto.Message,
	send func(context.Context, *node) (proto.Message, error),
) (proto.Message, error) {
	return n.run(ctx, operation{kind: kind, request: request, read: true, pinned: true, timeout: timeout, send: send})
}
