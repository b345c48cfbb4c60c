package verify

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/gamelogic/record"
	"github.com/edgereel/edgereel/wallet"
)

// ErrNoRound means that no journal that was read knows the round.
var ErrNoRound = errors.New("no such round")

// Round reads a round out of the journals, each shard's at the node that is
// furthest among those that answer, as a record that replays offline. Its seed
// is empty as long as the session is open. It reads whole journals: this is for
// one disputed round, not for many. ErrNoRound, ErrNoNode, or the error of a
// reference that is none.
func Round(ctx context.Context, cfg Config, ref string) (*record.Round, error) {
	want, err := wallet.ParseRef(ref)
	if err != nil {
		return nil, err
	}
	replicas, err := meetAll(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, shard := range shardsOf(replicas) {
		at := slices.MaxFunc(replicas, func(a, b *replica) int {
			return cmp.Compare(a.heads[shard].GetShardSeq(), b.heads[shard].GetShardSeq())
		})
		x := &extract{want: want}
		err := at.node.ReadJournal(ctx, shard, 1, at.heads[shard].GetShardSeq(), func(entry *edgereelv1.JournalEntry) error {
			return x.next(entry.GetShardSeq(), entry.GetInput(), entry.GetResult())
		})
		if err != nil {
			return nil, fmt.Errorf("read the journal of shard %d at %s: %w", shard, at.node.Name(), err)
		}
		if len(x.round.Steps) > 0 {
			return &x.round, nil
		}
	}
	return nil, fmt.Errorf("%w: %s is in no journal of %d nodes", ErrNoRound, ref, len(replicas))
}

// meetAll asks all nodes at once; one that answers is enough.
func meetAll(ctx context.Context, cfg Config) ([]*replica, error) {
	met, refused := make([]*replica, len(cfg.Nodes)), make([]error, len(cfg.Nodes))
	var asking sync.WaitGroup
	for i, name := range cfg.Nodes {
		asking.Go(func() { met[i], refused[i] = meet(ctx, cfg, name) })
	}
	asking.Wait()
	var replicas []*replica
	for i, r := range met {
		if refused[i] == nil {
			replicas = append(replicas, r)
		}
	}
	if len(replicas) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoNode, errors.Join(append(refused, errors.New("there is none to ask"))...))
	}
	return replicas, nil
}

// extract follows a journal and keeps what belongs to one round.
type extract struct {
	want     wallet.Ref
	sessions map[uint64]*wallet.OpenSession // of the wallet, by number
	session  uint64
	round    record.Round
}

func (x *extract) next(seq uint64, input, result []byte) error {
	op, err := wallet.DecodeOp(input)
	if err != nil {
		return fmt.Errorf("record %d: %w", seq, err)
	}
	switch o := op.(type) {
	case *wallet.OpenSession:
		if o.Wallet == x.want.Wallet {
			if x.sessions == nil {
				x.sessions = map[uint64]*wallet.OpenSession{}
			}
			x.sessions[o.Session] = o
		}
	case *wallet.Play:
		if o.Wallet == x.want.Wallet && o.Round == x.want.Number {
			x.play(seq, o)
		}
	case *wallet.Incident:
		if o.Wallet == x.want.Wallet && o.Round == x.want.Number {
			x.step(seq, o.PlayRequest, o.Basis, record.Step{Draws: o.Draws, DrawsDigest: o.DrawsDigest.String(), Incident: o.Trap})
		}
	case *wallet.Resolve:
		res, err := wallet.DecodeResult(result)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		if o.Wallet == x.want.Wallet && o.Round == x.want.Number && res.Resolved {
			x.round.Resolution = fmt.Sprint(o.Resolution)
		}
	case *wallet.CloseSession:
		if o.Wallet == x.want.Wallet && o.Session == x.session && len(x.round.Steps) > 0 {
			x.round.Seed = hex.EncodeToString(o.Seed[:])
		}
	}
	return nil
}

func (x *extract) play(seq uint64, o *wallet.Play) {
	x.step(seq, o.PlayRequest, o.Basis, record.Step{
		WinMinor: o.WinMinor, Closed: o.Closed, NextActions: o.NextActions, State: hex.EncodeToString(o.State),
		Draws: o.Draws, DrawsDigest: o.DrawsDigest.String(), Presentation: o.Presentation,
	})
	x.round.WinMinor += o.WinMinor
	x.round.Closed = o.Closed
}

// step adds a step; the first one tells whose round it is.
func (x *extract) step(seq uint64, req wallet.PlayRequest, basis wallet.Basis, s record.Step) {
	if len(x.round.Steps) == 0 {
		x.session = req.Session
		x.round = record.Round{
			Schema: record.Version, Kind: record.Kind, Round: x.want.String(), RoundID: basis.Round, Session: wallet.Ref{Wallet: req.Wallet, Number: req.Session}.String(),
			ModuleDigest: basis.Digest.String(), Mode: req.Mode, StakeMinor: req.StakeMinor,
		}
		if o := x.sessions[req.Session]; o != nil {
			x.round.Game, x.round.ClientSeed, x.round.Algorithm, x.round.Commitment = o.Game, o.ClientSeed, o.Algorithm, o.Commitment.String()
		}
	}
	s.ShardSeq, s.Step, s.Nonce, s.Action, s.Choice, s.StateHash = seq, req.Step, basis.Nonce, req.Action, req.Choice, basis.StateHash.String()
	x.round.Steps = append(x.round.Steps, s)
}
