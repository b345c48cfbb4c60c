package wallet

// DecidedCash tells whether the key of a deposit, withdrawal or reversal is
// decided: its result, or the refusal its key gives, or neither.
func (s *Shard) DecidedCash(op Op) (*Result, error) {
	switch o := op.(type) {
	case *Deposit:
		return s.decidedCash(cashKey{o.Operator, o.TransactionID}, o.digest(KindDeposit))
	case *Withdraw:
		return s.decidedCash(cashKey{o.Operator, o.TransactionID}, o.digest(KindWithdraw))
	case *Reverse:
		return s.decidedCash(cashKey{o.Operator, o.TransactionID}, o.digest())
	}
	return nil, nil
}
