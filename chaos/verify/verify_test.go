package verify

import (
	"errors"
	"slices"
	"testing"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// played is a world with one closed and one open session of five rounds each.
func played(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for range 2 {
		w.openSession()
		for range 5 {
			w.play(nil)
		}
		if w.session == 1 {
			w.closeSession()
		}
	}
	return w
}

func TestLedger_HonestCluster(t *testing.T) {
	w := played(t)
	r, err := w.verify()
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Acknowledged != 14 || r.Replayed != 10 || r.Revealed != 5 || r.Unrevealed != 5 || len(r.Problems) != 0 {
		t.Errorf("report %+v", r)
	}
	if len(r.Shards) != 1 || r.Shards[0].Replicas != 3 || !r.Shards[0].HashEqual || r.Shards[0].ShardSeq != w.copies["us"].shard.Head().Seq {
		t.Errorf("shards %+v", r.Shards)
	}
}

func TestLedger_NodesThatDoNotAnswer(t *testing.T) {
	w := played(t)
	w.down["us"] = true
	r, err := w.verify()
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || !slices.Equal(r.Unreachable, []string{"us"}) || !slices.Equal(r.Nodes, []string{"eu", "ap"}) || r.Shards[0].Replicas != 2 {
		t.Errorf("report %+v", r)
	}
	w.down["eu"], w.down["ap"] = true, true
	if r, err := w.verify(); err == nil {
		t.Errorf("nobody answers: %+v", r)
	}
	w.records = nil
	if _, err := w.verify(); !errors.Is(err, ErrNoNode) {
		t.Errorf("nobody answers, no history: %v", err)
	}
}

// TestLedger_ReplicaBehind must not take what a replica has not heard of yet
// for lost, nor a verdict from replicas that are all behind.
func TestLedger_ReplicaBehind(t *testing.T) {
	w := played(t)
	late := &copyOf{shard: wallet.New(), records: slices.Clone(w.copies["ap"].records[:6])}
	w.copies["ap"] = replayed(t, late)
	r, err := w.verify()
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Shards[0].ShardSeq != 6 {
		t.Errorf("report %+v", r)
	}
	w.down["eu"], w.down["us"] = true, true
	if r, err := w.verify(); err == nil {
		t.Errorf("the only replica is behind what was acknowledged: %+v", r)
	}
}

// replayed gives a copy the state its journal leads to.
func replayed(t *testing.T, c *copyOf) *copyOf {
	t.Helper()
	for i, r := range c.records {
		op, err := wallet.DecodeOp(r.Input)
		if err != nil {
			t.Fatal(err)
		}
		now := int64(i+1) * 1000
		entry := &wallet.Entry{Version: 1, Proposer: "n", StampMS: now, Salt: wallet.Hash{byte(now), byte(now >> 8)}, Ops: []wallet.Op{op}}
		if _, err := c.shard.Apply(entry.Encode()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestLedger_FindsPlanted changes one thing at one node or in the history.
func TestLedger_FindsPlanted(t *testing.T) {
	forge := func(r *storage.Record) {
		r.Leaf = wallet.Leaf(1, r.Epoch, r.Seq, wallet.Commitment(r.Salt, r.Input, r.Result))
	}
	tests := map[string]struct {
		plant func(w *world)
		found func(r *Report) bool
	}{
		"a node's journal is changed": {
			func(w *world) { w.copies["ap"].records[7].Salt[0] ^= 1 },
			func(r *Report) bool { return !r.Shards[0].HashEqual && r.Other > 0 },
		},
		"a node's journal is another one": {
			func(w *world) {
				last := len(w.copies["ap"].records) - 1
				w.copies["ap"].records[last].Salt[0] ^= 1
				forge(&w.copies["ap"].records[last])
			},
			func(r *Report) bool { return !r.Shards[0].HashEqual },
		},
		"the module was not asked": {
			func(w *world) {
				w.play(func(p *wallet.Play) { p.WinMinor++ })
			},
			func(r *Report) bool { return r.ReplayMismatch > 0 && r.Mismatched == 0 },
		},
		"other draws": {
			func(w *world) {
				w.play(func(p *wallet.Play) { p.DrawsDigest[0] ^= 1 })
			},
			func(r *Report) bool { return r.ReplayMismatch > 0 },
		},
		"other draws, seen from the revealed seed": {
			func(w *world) {
				w.play(func(p *wallet.Play) { p.DrawsDigest[0] ^= 1 })
				w.closeSession()
			},
			func(r *Report) bool { return r.ReplayMismatch == 2 }, // by the node, and here
		},
		"acknowledged but not there": {
			func(w *world) {
				lost := w.records[len(w.records)-1]
				lost.Kind, lost.Key, lost.CallNS = history.KindDeposit, "t9", lost.CallNS+1
				w.records = append(w.records, lost)
			},
			func(r *Report) bool { return r.Missing == 1 },
		},
		"another win": {
			func(w *world) { w.records[5].WinMinor += 5 },
			func(r *Report) bool { return r.Mismatched == 1 },
		},
		"two answers": {
			func(w *world) {
				again := w.records[5]
				again.WinMinor++
				w.records = append(w.records, again)
			},
			func(r *Report) bool { return r.ConflictingResults == 1 },
		},
		"nobody asked": {
			func(w *world) { w.records = slices.Delete(w.records, 5, 6) },
			func(r *Report) bool { return r.Other > 0 },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := played(t)
			test.plant(w)
			r, err := w.verify()
			if err != nil {
				t.Fatal(err)
			}
			if r.OK || !test.found(r) || len(r.Problems) == 0 && r.Shards[0].HashEqual {
				t.Errorf("report %+v", r)
			}
		})
	}
}
