// Package audit answers what anybody may want to check of this node's own
// replicas: where they stand, what their journals hold, and whether recorded
// outcomes come out the same when they are evaluated again.
//
// It promises to answer from this node alone, so that replicas can be compared;
// it never asks a leader and repairs nothing.
package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// Limits of one answer.
const (
	batchEntries = 256
	batchBytes   = 1 << 20
)

// State reads a replica's present state.
type State interface {
	View(fn func(*wallet.Shard))
}

// Journal reads a replica's operations.
type Journal interface {
	Get(seq uint64) (storage.Record, error)
	Scan(from, to uint64, fn func(storage.Record) error) error
	Last() (seq uint64, hash [32]byte)
}

// Replica is one shard on this node.
type Replica struct {
	Shard   uint32
	State   State
	Journal Journal
}

// Seeds opens sealed session seeds.
type Seeds interface {
	Open(sealed []byte, keyID string, wallet [16]byte, session uint64, epoch uint32) ([32]byte, error)
}

// Service answers AuditService for this node's replicas.
type Service struct {
	Node     string
	Replicas []Replica
	Modules  rounds.Modules
	Seeds    Seeds
}

var _ edgereelv1connect.AuditServiceHandler = (*Service)(nil)

func (s *Service) replica(shard uint32) (Replica, error) {
	i := slices.IndexFunc(s.Replicas, func(r Replica) bool { return r.Shard == shard })
	if i < 0 {
		return Replica{}, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "unknown_shard", connect.CodeNotFound,
			"Ask a voter of the shard.", "node %s has no replica of shard %d", s.Node, shard)
	}
	return s.Replicas[i], nil
}

// GetShards tells where this node's replicas stand.
func (s *Service) GetShards(context.Context, *edgereelv1.GetShardsRequest) (*edgereelv1.GetShardsResponse, error) {
	res := &edgereelv1.GetShardsResponse{Node: s.Node}
	for _, r := range s.Replicas {
		var head wallet.Head
		var sums []wallet.Sum
		var err error
		r.State.View(func(sh *wallet.Shard) {
			head = sh.Head()
			sums, err = sh.Sums()
		})
		if err != nil {
			return nil, fmt.Errorf("sum shard %d: %w", r.Shard, err)
		}
		m := &edgereelv1.ShardHead{
			Shard: r.Shard, Epoch: head.Epoch, ShardSeq: head.Seq, ShardHash: head.Hash.String(),
			Wallets: uint64(head.Wallets), OpenRounds: uint64(head.OpenRounds),
		}
		if last, _ := r.Journal.Last(); last > 0 {
			m.FirstSeq = 1
		}
		for _, sum := range sums {
			m.Sums = append(m.Sums, &edgereelv1.CurrencySum{Currency: sum.Currency, SumMinor: sum.SumMinor})
		}
		res.Shards = append(res.Shards, m)
	}
	return res, nil
}

// HashAt gives the chain hash after a sequence.
func (s *Service) HashAt(_ context.Context, req *edgereelv1.HashAtRequest) (*edgereelv1.HashAtResponse, error) {
	r, err := s.replica(req.GetShard())
	if err != nil {
		return nil, err
	}
	rec, err := r.Journal.Get(req.GetShardSeq())
	if errors.Is(err, storage.ErrNotFound) {
		last, _ := r.Journal.Last()
		return nil, api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "unknown_seq", connect.CodeNotFound,
			"Ask for a sequence the journal holds.", "the journal of shard %d ends at %d", req.GetShard(), last)
	}
	if err != nil {
		return nil, fmt.Errorf("read sequence %d: %w", req.GetShardSeq(), err)
	}
	return &edgereelv1.HashAtResponse{ShardHash: wallet.ChainHash(rec.Prev, rec.Leaf).String()}, nil
}

// ReadJournal streams the stored operations of a range.
func (s *Service) ReadJournal(ctx context.Context, req *edgereelv1.ReadJournalRequest, stream edgereelv1connect.AuditServiceReadJournalServerStream) error {
	r, err := s.replica(req.GetShard())
	if err != nil {
		return err
	}
	from, to := bounds(r.Journal, req.GetFromSeq(), req.GetToSeq())
	batch, size := &edgereelv1.ReadJournalResponse{}, 0
	err = r.Journal.Scan(from, to, func(rec storage.Record) error {
		batch.Entries = append(batch.Entries, &edgereelv1.JournalEntry{
			Epoch: rec.Epoch, ShardSeq: rec.Seq, PrevHash: rec.Prev[:], Leaf: rec.Leaf[:], Salt: rec.Salt[:],
			Input: rec.Input, Result: rec.Result,
		})
		size += len(rec.Input) + len(rec.Result) + 128
		if len(batch.Entries) < batchEntries && size < batchBytes {
			return ctx.Err()
		}
		err := stream.Send(batch)
		batch, size = &edgereelv1.ReadJournalResponse{}, 0
		return err
	})
	if err == nil && len(batch.Entries) > 0 {
		err = stream.Send(batch)
	}
	if err != nil {
		return fmt.Errorf("stream the journal of shard %d: %w", req.GetShard(), err)
	}
	return nil
}

// bounds cuts a range to what the journal holds; to 0 means its end.
func bounds(j Journal, from, to uint64) (uint64, uint64) {
	last, _ := j.Last()
	if to == 0 || to > last {
		to = last
	}
	return max(from, 1), to
}
