// Package oneshard is one replica of a wallet shard without a log or peers, for
// tests of what stands on a group: the real ledger, modules, seeds and
// directory, with entries applied at once and records kept in memory.
//
// # Concurrency
//
// A Shard's mutex guards its ledger and records. Prepare runs on the caller's
// goroutine, without the mutex, as it does on a proposer's.
package oneshard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/node/seeds"
	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/wallet"
)

// Number of the shard.
const Number = 1

// Operator is the brand every shard begins with; MinCycleMS is its cycle time.
const (
	Operator   = "acme"
	Rival      = "rival"
	Careful    = "careful"
	MinCycleMS = 3000
)

// Shard is a group, and a journal, of one.
type Shard struct {
	Host      *gamelogic.Host
	Ring      *seeds.Ring
	Directory *seeds.Directory
	Modules   []*gamelogic.Module

	mu      sync.Mutex
	ledger  *wallet.Shard
	records []storage.Record
	last    [32]byte
	// Entries counts what was applied.
	entries int
	// broken is what reading the journal fails with.
	broken error
	now    int64
}

// New founds a shard with both reference games.
func New(t *testing.T) *Shard {
	t.Helper()
	s := &Shard{ledger: wallet.New(), now: 1_700_000_000_000}
	all := games.All()
	var allow [][32]byte
	for _, g := range all {
		allow = append(allow, sha256.Sum256(g.Wasm))
	}
	var err error
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Host, err = gamelogic.NewHost(t.Context(), gamelogic.HostConfig{Allow: allow})
	check()
	t.Cleanup(func() {
		if err := s.Host.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Ring, err = seeds.NewRing(rand.Reader, time.Unix(1, 0))
	check()
	s.Directory, err = seeds.NewDirectory(rand.Reader)
	check()
	ops := []wallet.Op{
		&wallet.Genesis{Cluster: "test", Shard: Number, Epoch: 1}, &wallet.Clock{ReadingsMS: []int64{s.now}},
		&wallet.Operator{Operator: Operator, Jurisdiction: "test"}, &wallet.Operator{Operator: Rival, Jurisdiction: "test"},
		&wallet.Operator{Operator: Careful, Jurisdiction: "test", MinCycleMS: MinCycleMS},
	}
	for _, g := range all {
		m, err := s.Host.Load(t.Context(), g.Wasm)
		if err != nil {
			t.Fatal(err)
		}
		s.Modules = append(s.Modules, m)
		ops = append(ops, rounds.Catalogue(m, 100_000))
	}
	for _, op := range ops {
		if _, err := s.Apply(op); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Wallet opens a funded wallet and gives its id.
func (s *Shard) Wallet(t *testing.T, number byte, operator string, balanceMinor int64) wallet.ID {
	t.Helper()
	id := wallet.ID{number}
	for _, op := range []wallet.Op{
		&wallet.OpenWallet{Operator: operator, Currency: "EUR", Wallet: id},
		&wallet.Deposit{Cash: wallet.Cash{
			Operator: operator, Wallet: id, TransactionID: fmt.Sprintf("fund-%d", number), AmountMinor: balanceMinor, Currency: "EUR",
		}},
	} {
		if _, err := s.Apply(op); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// Advance moves the shard's time on.
func (s *Shard) Advance(t *testing.T, by time.Duration) {
	t.Helper()
	s.now += by.Milliseconds()
	if _, err := s.Apply(&wallet.Clock{ReadingsMS: []int64{s.now}}); err != nil {
		t.Fatal(err)
	}
}

// Apply applies one operation as an entry of its own.
func (s *Shard) Apply(op wallet.Op) (wallet.Result, error) {
	entry := wallet.Entry{Version: 1, Proposer: "n", StampMS: s.now, Ops: []wallet.Op{op}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := rand.Read(entry.Salt[:]); err != nil {
		return wallet.Result{}, fmt.Errorf("draw a salt: %w", err)
	}
	out, err := s.ledger.Apply(entry.Encode())
	if err != nil {
		return wallet.Result{}, fmt.Errorf("apply: %w", err)
	}
	s.entries++
	for _, r := range out.Records {
		s.records = append(s.records, asStored(r))
		s.last = wallet.ChainHash(r.Prev, r.Leaf)
	}
	res := out.Results[0]
	if refusal := res.Refusal(); refusal != nil {
		return wallet.Result{}, refusal
	}
	return res, nil
}

func asStored(r wallet.Record) storage.Record {
	return storage.Record{Epoch: r.Epoch, Seq: r.Seq, Prev: r.Prev, Leaf: r.Leaf, Salt: r.Salt, Input: r.Input, Result: r.Result}
}

// Submit prepares a task and applies what it gives.
func (s *Shard) Submit(ctx context.Context, task consensus.Task) (consensus.Answer, error) {
	op, repeat, err := task.Prepare(ctx, s.View)
	switch {
	case err != nil:
		return consensus.Answer{}, err //nolint:wrapcheck // the task's own, as a group gives it
	case repeat != nil:
		return consensus.Answer{Result: *repeat}, nil
	}
	res, err := s.Apply(op)
	return consensus.Answer{Result: res}, err
}

// View reads the ledger.
func (s *Shard) View(fn func(*wallet.Shard)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(s.ledger)
}

// Entries counts the entries applied so far.
func (s *Shard) Entries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries
}

// Break makes every read of the journal fail with err; nil mends it.
func (s *Shard) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// Tamper changes a record's input in place, as nobody should.
func (s *Shard) Tamper(seq uint64, change func(wallet.Op)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.records[seq-1]
	op, err := wallet.DecodeOp(r.Input)
	if err != nil {
		return fmt.Errorf("read record %d: %w", seq, err)
	}
	change(op)
	r.Input = wallet.EncodeOp(op)
	return nil
}

// Get gives one record.
func (s *Shard) Get(seq uint64) (storage.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return storage.Record{}, s.broken
	}
	if seq == 0 || seq > uint64(len(s.records)) {
		return storage.Record{}, storage.ErrNotFound
	}
	return s.records[seq-1], nil
}

// Scan calls fn for the records of a range in order.
func (s *Shard) Scan(from, to uint64, fn func(storage.Record) error) error {
	for seq := from; seq <= to; seq++ {
		rec, err := s.Get(seq)
		if err != nil {
			return err
		}
		if err := fn(rec); err != nil {
			return err
		}
	}
	return nil
}

// Last gives the last sequence and the chain hash after it.
func (s *Shard) Last() (uint64, [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.records)), s.last
}
