package wallet

import (
	"crypto/sha256"
	"math"
)

func (s *Shard) openWallet(o *OpenWallet) (*Result, error) {
	profile := s.operators[o.Operator]
	if profile == nil {
		return nil, refuse(CodeUnknownOperator, "operator %q is not set up", o.Operator)
	}
	if a := s.accounts[o.Wallet]; a != nil {
		if a.operator != o.Operator || a.currency.Code != o.Currency {
			return nil, refuse(CodeWalletMismatch, "the wallet belongs to another operator or currency")
		}
		res := s.about(a)
		res.Kind, res.Effect, res.Seq, res.Repeat = KindOpenWallet, Applied, s.seq, true
		res.Epoch, res.Hash, res.TimeMS = s.epoch, s.chain, s.nowMS
		return res, nil
	}
	currency, ok := LookUpCurrency(o.Currency)
	if !ok {
		return nil, refuse(CodeUnknownCurrency, "currency %q is not in the table", o.Currency)
	}
	if o.Wallet.IsZero() {
		return nil, refuse(CodeInvalid, "a wallet needs a surrogate")
	}
	a := &account{id: o.Wallet, operator: o.Operator, currency: currency, seq: 1}
	s.accounts[o.Wallet] = a
	return s.about(a), nil
}

// about fills a result with the present state of a wallet.
func (s *Shard) about(a *account) *Result {
	res := &Result{
		Wallet: a.id, WalletSeq: a.seq, Currency: a.currency.Code,
		BalanceBeforeMinor: a.balance, BalanceMinor: a.balance, HeldMinor: a.held,
	}
	if profile := s.operators[a.operator]; profile != nil {
		res.Jurisdiction = profile.Jurisdiction
	}
	return res
}

// decidedCash looks up a transaction id: first of all checks, so that a retry
// is never told "refused" while its first copy is in the ledger.
func (s *Shard) decidedCash(key cashKey, request Hash) (*Result, error) {
	if rec := s.cash[key]; rec != nil {
		switch {
		case rec.tombstone:
			return nil, refuse(CodeReversed, "transaction %q was reversed before it arrived", key.id)
		case rec.request != request:
			return nil, refuse(CodeKeyReused, "transaction %q was used with another body", key.id)
		}
		res := rec.result
		res.Repeat = true
		return &res, nil
	}
	if _, old := s.expired[expiredKey(key)]; old {
		return nil, refuse(CodeKeyExpired, "transaction %q is older than the retention of keys", key.id)
	}
	return nil, nil
}

func expiredKey(key cashKey) Hash {
	w := &writer{}
	w.string(key.operator)
	w.string(key.id)
	return sha256.Sum256(w.b)
}

// cashAccount checks what deposits, withdrawals and reversals have in common.
func (s *Shard) cashAccount(operator string, wallet ID, id string) (*account, error) {
	if id == "" || len(id) > maxKeyBytes {
		return nil, refuse(CodeInvalid, "a transaction id has 1 to %d bytes", maxKeyBytes)
	}
	a := s.accounts[wallet]
	if a == nil {
		return nil, refuse(CodeUnknownWallet, "no wallet %s", wallet)
	}
	if a.operator != operator {
		return nil, refuse(CodeWrongOperator, "the wallet belongs to another operator")
	}
	return a, nil
}

func (s *Shard) checkCash(o *Cash) (*account, error) {
	a, err := s.cashAccount(o.Operator, o.Wallet, o.TransactionID)
	if err != nil {
		return nil, err
	}
	if err := o.checkOrigin(); err != nil {
		return nil, err
	}
	if len(o.Approver) > maxOriginBytes {
		return nil, refuse(CodeInvalid, "an approver has at most %d bytes", maxOriginBytes)
	}
	if o.AmountMinor <= 0 {
		return nil, refuse(CodeInvalid, "the amount is %d; it must be at least 1", o.AmountMinor)
	}
	if a.currency.Code != o.Currency {
		return nil, refuse(CodeWrongCurrency, "the wallet holds %s, not %q", a.currency.Code, o.Currency)
	}
	return a, nil
}

// needsSecond reports a missing second person where the operator demands one.
func (s *Shard) needsSecond(operator, actor, approver string) error {
	if p := s.operators[operator]; p != nil && p.SecondApprover && (actor == "" || approver == "" || approver == actor) {
		return refuse(CodeSecondApprover, "the operator's profile demands a second person")
	}
	return nil
}

// digest names the body of a cash request; who asked and why is not part of it.
func (o *Cash) digest(k Kind) Hash {
	w := &writer{}
	w.byte(byte(k))
	w.id(o.Wallet)
	w.int(o.AmountMinor)
	w.string(o.Currency)
	return requestDigest(w)
}

func (o *Reverse) digest() Hash {
	w := &writer{}
	w.byte(byte(KindReverse))
	w.id(o.Wallet)
	w.string(o.Original)
	return requestDigest(w)
}

func (s *Shard) deposit(o *Deposit) (*Result, error) {
	key := cashKey{o.Operator, o.TransactionID}
	if res, err := s.decidedCash(key, o.digest(KindDeposit)); res != nil || err != nil {
		return res, err
	}
	a, err := s.checkCash(&o.Cash)
	if err != nil {
		return nil, err
	}
	if o.AmountMinor > math.MaxInt64-a.balance-a.exposure() {
		return nil, refuse(CodeOverflow, "balance and open rounds would leave the 64-bit range")
	}
	return s.moveCash(a, o.AmountMinor, key, &cashRecord{request: o.digest(KindDeposit), kind: KindDeposit, amount: o.AmountMinor})
}

func (s *Shard) withdraw(o *Withdraw) (*Result, error) {
	key := cashKey{o.Operator, o.TransactionID}
	if res, err := s.decidedCash(key, o.digest(KindWithdraw)); res != nil || err != nil {
		return res, err
	}
	a, err := s.checkCash(&o.Cash)
	if err != nil {
		return nil, err
	}
	if err := s.needsSecond(o.Operator, o.Actor, o.Approver); err != nil {
		return nil, err
	}
	if a.balance < o.AmountMinor {
		return nil, refuse(CodeInsufficientFunds, "the balance is %d", a.balance)
	}
	return s.moveCash(a, -o.AmountMinor, key, &cashRecord{request: o.digest(KindWithdraw), kind: KindWithdraw, amount: o.AmountMinor})
}

// moveCash posts between a wallet and its operator's cash account and keeps
// the key.
func (s *Shard) moveCash(a *account, delta int64, key cashKey, rec *cashRecord) (*Result, error) {
	before := a.balance
	if delta != 0 {
		err := s.post(posting{account: a, delta: delta}, posting{house: a.houseOf(houseCash), delta: -delta})
		if err != nil {
			return nil, err
		}
	}
	a.seq++
	rec.wallet = a.id
	s.keepCash(key, rec)
	res := s.about(a)
	res.BalanceBeforeMinor = before
	if delta < 0 {
		res.CostMinor = -delta
	} else {
		res.WinMinor = delta
	}
	return res, nil
}

// keepCash records a key and lets the oldest ones expire: only their digest
// stays, so that they are refused as expired for ever.
func (s *Shard) keepCash(key cashKey, rec *cashRecord) {
	rec.timeMS = s.nowMS
	s.cash[key] = rec
	s.cashOrder = append(s.cashOrder, key)
	for range 4 {
		if len(s.cashOrder) == 0 || s.nowMS-s.cash[s.cashOrder[0]].timeMS <= cashRetentionMS {
			return
		}
		old := s.cashOrder[0]
		s.cashOrder = s.cashOrder[1:]
		delete(s.cash, old)
		s.expired[expiredKey(old)] = struct{}{}
	}
}

func (s *Shard) reverse(o *Reverse) (*Result, error) {
	key := cashKey{o.Operator, o.TransactionID}
	if res, err := s.decidedCash(key, o.digest()); res != nil || err != nil {
		return res, err
	}
	a, err := s.cashAccount(o.Operator, o.Wallet, o.TransactionID)
	if err != nil {
		return nil, err
	}
	if err := o.checkOrigin(); err != nil {
		return nil, err
	}
	if len(o.Approver) > maxOriginBytes {
		return nil, refuse(CodeInvalid, "an approver has at most %d bytes", maxOriginBytes)
	}
	if o.Original == "" || len(o.Original) > maxKeyBytes || o.Original == o.TransactionID {
		return nil, refuse(CodeInvalid, "a reversal names the transaction it undoes")
	}
	if err := s.needsSecond(o.Operator, o.Actor, o.Approver); err != nil {
		return nil, err
	}
	originalKey := cashKey{o.Operator, o.Original}
	if _, old := s.expired[expiredKey(originalKey)]; old {
		return nil, refuse(CodeKeyExpired, "transaction %q is older than the retention of keys", o.Original)
	}
	rec := &cashRecord{request: o.digest(), kind: KindReverse}
	original := s.cash[originalKey]
	if original == nil {
		res, err := s.moveCash(a, 0, key, rec)
		if err != nil {
			return nil, err
		}
		s.keepCash(originalKey, &cashRecord{tombstone: true, wallet: a.id})
		res.Tombstone = true
		return res, nil
	}
	switch {
	case original.tombstone, original.reversed:
		return nil, refuse(CodeAlreadyReversed, "transaction %q is reversed already", o.Original)
	case original.kind == KindReverse:
		return nil, refuse(CodeReversalOfReversal, "transaction %q is itself a reversal", o.Original)
	case original.wallet != o.Wallet:
		return nil, refuse(CodeWalletMismatch, "transaction %q belongs to another wallet", o.Original)
	}
	delta := original.amount
	if original.kind == KindDeposit {
		delta = -min(original.amount, a.balance)
	} else if delta > math.MaxInt64-a.balance-a.exposure() {
		return nil, refuse(CodeOverflow, "balance and open rounds would leave the 64-bit range")
	}
	res, err := s.moveCash(a, delta, key, rec)
	if err != nil {
		return nil, err
	}
	original.reversed = true
	if original.kind == KindDeposit {
		res.ShortfallMinor = original.amount + delta
	}
	return res, nil
}
