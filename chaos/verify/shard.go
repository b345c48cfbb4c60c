package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/check"
	"github.com/edgereel/edgereel/wallet"
)

// replayMismatch is the check of outcomes that did not come out the same.
const replayMismatch = "replay_mismatch"

// shard verifies one shard at all replicas that were reached. A node that goes
// away meanwhile is left out and named.
func (v *verifier) shard(ctx context.Context, shard uint32, replicas []*replica) error {
	var holders []*replica
	for _, r := range replicas {
		if r.heads[shard] != nil {
			holders = append(holders, r)
		}
	}
	// The most advanced replica comes first: it is the one acknowledged
	// operations are looked for in.
	slices.SortStableFunc(holders, func(a, b *replica) int {
		return cmp.Compare(b.heads[shard].GetShardSeq(), a.heads[shard].GetShardSeq())
	})
	result := Shard{Shard: shard, ShardSeq: holders[len(holders)-1].heads[shard].GetShardSeq(), HashEqual: true, Replicas: len(holders)}
	result.SumMinor = worstSum(shard, holders)
	if gone := v.chains(ctx, shard, holders, &result); len(gone) > 0 {
		if len(gone) == len(holders) {
			return fmt.Errorf("read the journal of shard %d: %w: %w", shard, ErrNoNode, gone[holders[0]])
		}
		v.report.Unreachable = append(v.report.Unreachable, namesOf(gone)...)
		v.report.Nodes = slices.DeleteFunc(v.report.Nodes, func(name string) bool { return slices.Contains(namesOf(gone), name) })
		return v.shard(ctx, shard, slices.DeleteFunc(holders, func(r *replica) bool { return gone[r] != nil }))
	}
	v.report.Shards = append(v.report.Shards, result)
	if v.cfg.SkipReplay {
		return nil
	}
	return v.replay(ctx, shard, holders)
}

// worstSum is the sum furthest from zero; sums are never added to each other,
// so that two faults cannot hide one another.
func worstSum(shard uint32, holders []*replica) int64 {
	var worst int64
	for _, r := range holders {
		for _, sum := range r.heads[shard].GetSums() {
			if s := sum.GetSumMinor(); worst == 0 && s != 0 {
				worst = s
			}
		}
	}
	return worst
}

// journal is one replica's, read and recomputed.
type journal struct {
	facts  []*check.Fact
	inputs [][]byte // of game sessions, in order, with their sequences
	seqs   []uint64
	at     wallet.Hash // chain hash at the common sequence
	broken error       // what is wrong with it
	err    error       // why it could not be read
}

func namesOf(gone map[*replica]error) []string {
	var names []string
	for r := range gone {
		names = append(names, r.node.Name())
	}
	slices.Sort(names)
	return names
}

// chains reads the journal of every replica, recomputes its chain and compares
// the replicas at their common sequence. It returns the replicas it could not
// read, and then has reported nothing.
func (v *verifier) chains(ctx context.Context, shard uint32, holders []*replica, result *Shard) map[*replica]error {
	journals := make([]journal, len(holders))
	var reading sync.WaitGroup
	for i, r := range holders {
		reading.Go(func() { journals[i] = read(ctx, shard, r, result.ShardSeq, i == 0) })
	}
	reading.Wait()
	gone := map[*replica]error{}
	for i, j := range journals {
		if j.err != nil {
			gone[holders[i]] = j.err
		}
	}
	if len(gone) > 0 {
		return gone
	}
	for i, j := range journals {
		if j.broken != nil {
			v.fault(check.Chain, shard, result.ShardSeq, fmt.Sprintf("node %s: %v", holders[i].node.Name(), j.broken))
		}
		if j.broken != nil || j.at != journals[0].at {
			result.HashEqual = false
		}
	}
	for _, fact := range journals[0].facts {
		v.ledger.Add(fact)
	}
	v.first = journals[0]
	return nil
}

func (v *verifier) fault(kind string, shard uint32, seq uint64, detail string) {
	v.problems = append(v.problems, check.Problem{Check: kind, Shard: shard, Seq: seq, Detail: detail})
}

// read walks through a whole journal up to the replica's head.
func read(ctx context.Context, shard uint32, r *replica, common uint64, keep bool) journal {
	var j journal
	head := r.heads[shard]
	if head.GetShardSeq() == 0 {
		return j
	}
	if head.GetFirstSeq() > 1 {
		j.broken = fmt.Errorf("the journal begins at %d: what was before cannot be verified", head.GetFirstSeq())
		return j
	}
	chain := check.NewChainReader(shard, 1)
	last := head.GetShardSeq()
	j.err = r.node.ReadJournal(ctx, shard, 1, last, func(entry *edgereelv1.JournalEntry) error {
		if j.broken != nil {
			return nil //nolint:nilerr // what follows a fault proves nothing
		}
		var fact *check.Fact
		if fact, j.broken = readEntry(chain, entry); j.broken != nil {
			return nil //nolint:nilerr // a finding, not a failure to read
		}
		seq, hash := chain.Head()
		if seq == common {
			j.at = hash
		}
		if keep && fact != nil {
			j.facts = append(j.facts, fact)
			if fact.Session != "" {
				j.inputs, j.seqs = append(j.inputs, entry.GetInput()), append(j.seqs, seq)
			}
		}
		return nil
	})
	if j.err != nil || j.broken != nil {
		return j
	}
	switch seq, hash := chain.Head(); {
	case seq < last:
		j.broken = fmt.Errorf("the journal ends at %d, the replica is at %d", seq, last)
	case hash.String() != head.GetShardHash():
		j.broken = fmt.Errorf("the journal's chain gives %s at %d, the replica says %s", hash, last, head.GetShardHash())
	}
	return j
}

func readEntry(chain *check.ChainReader, entry *edgereelv1.JournalEntry) (*check.Fact, error) {
	record := &wallet.Record{Epoch: entry.GetEpoch(), Seq: entry.GetShardSeq(), Input: entry.GetInput(), Result: entry.GetResult()}
	for _, field := range []struct {
		to   *wallet.Hash
		from []byte
	}{{&record.Prev, entry.GetPrevHash()}, {&record.Leaf, entry.GetLeaf()}, {&record.Salt, entry.GetSalt()}} {
		if len(field.from) != len(field.to) {
			return nil, fmt.Errorf("entry %d has a digest of %d bytes", record.Seq, len(field.from))
		}
		copy(field.to[:], field.from)
	}
	return chain.Read(record)
}

// replay has the outcomes evaluated again by a replica that holds all of them,
// another one for each shard.
func (v *verifier) replay(ctx context.Context, shard uint32, holders []*replica) error {
	last := holders[0].heads[shard].GetShardSeq()
	able := slices.DeleteFunc(slices.Clone(holders), func(r *replica) bool { return r.heads[shard].GetShardSeq() < last })
	from := max(v.since[shard], 1)
	if last < from || len(v.cfg.History) > 0 && v.since[shard] == 0 {
		return nil
	}
	if err := v.evaluate(ctx, shard, from); err != nil {
		return err
	}
	asked := able[int(shard)%len(able)]
	answer, err := asked.node.Replay(ctx, shard, from, last)
	if err != nil {
		return fmt.Errorf("replay shard %d at %s: %w", shard, asked.node.Name(), err)
	}
	v.report.Replayed += int(answer.GetReplayed())
	v.report.Unrevealed += int(answer.GetUnrevealed())
	for _, m := range answer.GetMismatches() {
		v.fault(replayMismatch, shard, m.GetShardSeq(), fmt.Sprintf("node %s: %s", asked.node.Name(), m.GetDetail()))
	}
	return nil
}

// evaluate replays here what is revealed by now.
func (v *verifier) evaluate(ctx context.Context, shard uint32, from uint64) error {
	if len(v.first.inputs) == 0 {
		return nil
	}
	e, err := newEvaluator(ctx)
	if err != nil {
		return err
	}
	e.from = from
	e.fault = func(seq uint64, detail string) { v.fault(replayMismatch, shard, seq, "evaluated here: "+detail) }
	for i, input := range v.first.inputs {
		if err = e.next(ctx, v.first.seqs[i], input); err != nil {
			break
		}
	}
	v.report.Revealed += e.done
	return errors.Join(err, e.close())
}
