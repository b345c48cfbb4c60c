package wallet

import (
	"errors"
	"fmt"
	"slices"
)

// Outcome is what an entry came to: a result for every operation, in order,
// and a record for each that changed the ledger.
type Outcome struct {
	Results []Result
	Records []Record
}

// Apply applies one committed entry. An error means that this replica must
// stop before it diverges; refusals are results, never errors.
func (s *Shard) Apply(data []byte) (Outcome, error) {
	entry, err := DecodeEntry(data)
	if err != nil {
		return Outcome{}, err
	}
	if entry.Version > s.version {
		return Outcome{}, fmt.Errorf("entry of version %d before it was activated (active %d): %w",
			entry.Version, s.version, ErrUnsupported)
	}
	s.proposer = entry.Proposer
	s.advance(entry)
	out := Outcome{Results: make([]Result, len(entry.Ops))}
	for i, op := range entry.Ops {
		res, err := s.applyOp(op)
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			out.Results[i] = Result{Kind: op.Kind(), Effect: refusal.Effect, Code: refusal.Code, Detail: refusal.Detail}
			continue
		case err != nil:
			return Outcome{}, fmt.Errorf("apply %s: %w", op.Kind(), err)
		}
		if !res.Repeat && op.Kind() != KindRead {
			out.Records = append(out.Records, s.seal(op, res, LeafSalt(entry.Salt, i)))
		}
		out.Results[i] = *res
	}
	return out, nil
}

// advance moves shard time: never back, never past what the proposer's
// monotonic time since the last agreement of the voters' clocks allows. Only
// the proposer of that agreement measured such a time: a leader that comes
// back after another one would count from an agreement of its own, long past.
func (s *Shard) advance(e *Entry) {
	if s.anchorMS == 0 || e.Proposer != s.anchorBy || e.SinceAnchorMS < 0 || e.SinceAnchorMS > maxTimeMS {
		return
	}
	limit := s.anchorMS + e.SinceAnchorMS + clockSlackMS
	s.nowMS = max(s.nowMS, min(e.StampMS, limit, maxTimeMS))
}

// seal gives an applied operation its place in the chain.
func (s *Shard) seal(op Op, res *Result, salt Hash) Record {
	s.seq++
	res.Kind, res.Effect, res.Epoch, res.Seq, res.TimeMS = op.Kind(), Applied, s.epoch, s.seq, s.nowMS
	w := &writer{b: make([]byte, 0, 256)}
	res.encode(w)
	rec := Record{Epoch: s.epoch, Seq: s.seq, Prev: s.chain, Salt: salt, Input: journalInput(op), Result: w.b}
	rec.Leaf = Leaf(leafVersion, s.epoch, s.seq, Commitment(salt, rec.Input, rec.Result))
	s.chain = ChainHash(s.chain, rec.Leaf)
	res.Hash, res.Salt = s.chain, salt
	if s.seq%CheckpointEvery == 0 {
		s.checkpoints = append(s.checkpoints, Checkpoint{Seq: s.seq, Hash: s.chain})
		if len(s.checkpoints) > keptCheckpoints {
			s.checkpoints = slices.Delete(s.checkpoints, 0, len(s.checkpoints)-keptCheckpoints)
		}
	}
	s.remember(op, res)
	return rec
}

// remember keeps the sealed result where a repeat of its key will look.
func (s *Shard) remember(op Op, res *Result) {
	switch o := op.(type) {
	case *Deposit:
		s.cash[cashKey{o.Operator, o.TransactionID}].result = *res
	case *Withdraw:
		s.cash[cashKey{o.Operator, o.TransactionID}].result = *res
	case *Reverse:
		s.cash[cashKey{o.Operator, o.TransactionID}].result = *res
	case *OpenSession:
		ses, _ := s.accounts[o.Wallet].find(res.Session)
		ses.opened = *res
	case *Play:
		ses, _ := s.accounts[o.Wallet].find(o.Session)
		ses.keep(o.digest(), *res)
	case *Incident:
		ses, _ := s.accounts[o.Wallet].find(o.Session)
		ses.keep(o.digest(), *res)
	case *Resolve:
		ses, _ := s.accounts[o.Wallet].find(res.Session)
		if res.Resolved {
			ses.resolved.result = *res
		} else {
			ses.round.approval = *res
		}
	case *CloseSession:
		ses, _ := s.accounts[o.Wallet].find(o.Session)
		ended := *res
		ses.ended = &ended
	}
}

func (s *session) keep(request Hash, res Result) {
	s.recent = append(s.recent, decidedStep{request: request, result: res})
	if len(s.recent) > retainedResults {
		s.recent = slices.Delete(s.recent, 0, len(s.recent)-retainedResults)
	}
}

// applyOp decides one operation. A *Refusal means that nothing changed.
func (s *Shard) applyOp(op Op) (*Result, error) {
	if s.epoch == 0 && op.Kind() != KindGenesis {
		return nil, refuseRetryable(CodeNotInitialised, "the shard has no genesis yet")
	}
	if !keyed(op.Kind()) {
		if err := op.checkOrigin(); err != nil {
			return nil, err
		}
	}
	switch o := op.(type) {
	case *Genesis:
		return s.genesis(o)
	case *Clock:
		return s.clock(o)
	case *Activate:
		return s.activate(o)
	case *Operator:
		return s.operator(o)
	case *Catalogue:
		return s.catalogue(o)
	case *Claim:
		return s.claim(o)
	case *Erase:
		return s.erase(o)
	case *OpenWallet:
		return s.openWallet(o)
	case *Deposit:
		return s.deposit(o)
	case *Withdraw:
		return s.withdraw(o)
	case *Reverse:
		return s.reverse(o)
	case *OpenSession:
		return s.openSession(o)
	case *Play:
		return s.play(o)
	case *Incident:
		return s.incident(o)
	case *CloseSession:
		return s.closeSession(o)
	case *Resolve:
		return s.resolve(o)
	case *Read:
		return s.read(o)
	case *Release:
		return s.release(o)
	}
	return nil, fmt.Errorf("operation %s: %w", op.Kind(), ErrUnsupported)
}

func (s *Shard) genesis(o *Genesis) (*Result, error) {
	if s.epoch != 0 {
		return nil, refuse(CodeAlreadyInitialised, "the shard belongs to cluster %s", s.cluster)
	}
	if !validName(o.Cluster) || o.Epoch == 0 {
		return nil, refuse(CodeInvalid, "a genesis names a cluster in 1 to %d bytes and an epoch from 1", maxNameBytes)
	}
	s.cluster, s.number, s.epoch = o.Cluster, o.Shard, o.Epoch
	s.chain = Origin(o.Cluster, o.Shard, o.Epoch)
	return &Result{}, nil
}

// clock takes the lower median, so that half the voters running ahead cannot
// move the shard's time on their own.
func (s *Shard) clock(o *Clock) (*Result, error) {
	if len(o.ReadingsMS) == 0 || len(o.ReadingsMS) > 16 {
		return nil, refuse(CodeInvalid, "a clock anchor needs 1 to 16 readings, not %d", len(o.ReadingsMS))
	}
	readings := slices.Sorted(slices.Values(o.ReadingsMS))
	if readings[0] <= 0 || readings[len(readings)-1] > maxTimeMS || len(s.proposer) > maxNameBytes {
		return nil, refuse(CodeInvalid, "a clock reading is from 1 to %d ms, by a proposer of at most %d bytes", maxTimeMS, maxNameBytes)
	}
	s.anchorMS, s.anchorBy = readings[(len(readings)-1)/2], s.proposer
	s.nowMS = max(s.nowMS, s.anchorMS)
	return &Result{}, nil
}

func (s *Shard) activate(o *Activate) (*Result, error) {
	if o.Version > Version {
		return nil, fmt.Errorf("activate version %d: %w", o.Version, ErrUnsupported)
	}
	if o.Version <= s.version {
		return nil, refuse(CodeInvalid, "version %d is active already", s.version)
	}
	s.version = o.Version
	return &Result{}, nil
}

func (s *Shard) operator(o *Operator) (*Result, error) {
	if !validName(o.Operator) || len(o.Jurisdiction) > maxNameBytes || o.MinCycleMS < 0 || o.MinCycleMS > maxCycleMS {
		return nil, refuse(CodeInvalid, "an operator needs a name of 1 to %d bytes and a cycle time of 0 to %d ms", maxNameBytes, maxCycleMS)
	}
	profile := *o
	s.operators[o.Operator] = &profile
	return &Result{Jurisdiction: o.Jurisdiction}, nil
}

func (s *Shard) claim(o *Claim) (*Result, error) {
	if held := s.directory[o.Lookup]; held != nil {
		return &Result{
			Kind: KindClaim, Effect: Applied, Epoch: s.epoch, Seq: s.seq, TimeMS: s.nowMS, Hash: s.chain,
			Wallet: held.Wallet, Currency: held.Currency, Repeat: true,
		}, nil
	}
	if err := o.checkOrigin(); err != nil {
		return nil, err
	}
	if s.operators[o.Operator] == nil {
		return nil, refuse(CodeUnknownOperator, "operator %q is not set up", o.Operator)
	}
	if o.Lookup.IsZero() || o.Wallet.IsZero() || len(o.Identity) > 1024 || len(o.WrappedKey) > 1024 {
		return nil, refuse(CodeInvalid, "a claim needs a lookup and a wallet")
	}
	if _, ok := LookUpCurrency(o.Currency); !ok {
		return nil, refuse(CodeUnknownCurrency, "currency %.16q is not in the table", o.Currency)
	}
	held := *o
	s.directory[o.Lookup] = &held
	return &Result{Wallet: o.Wallet, Currency: o.Currency}, nil
}

func (s *Shard) erase(o *Erase) (*Result, error) {
	held := s.directory[o.Lookup]
	if held == nil || held.Wallet != o.Wallet {
		return nil, refuse(CodeUnknownWallet, "no person is recorded for this wallet")
	}
	delete(s.directory, o.Lookup)
	return &Result{Wallet: o.Wallet}, nil
}
