package wallet

import (
	"fmt"
	"slices"
)

// incident records a module's failure: the step is decided, the nonce used up,
// nothing debited, and the module takes no new rounds in this shard. The number
// of a round that failed to open is used up too, so that it names one thing.
func (s *Shard) incident(o *Incident) (*Result, error) {
	ev, repeat, err := s.PreparePlay(o.PlayRequest)
	if repeat != nil || err != nil {
		return repeat, err
	}
	if o.Basis != ev.Basis {
		return nil, refuseRetryable(CodeStaleEvaluation, "the step was evaluated on another state")
	}
	if err := o.checkOrigin(); err != nil {
		return nil, err
	}
	if !validName(o.Trap) {
		return nil, refuse(CodeInvalid, "an incident names what happened")
	}
	a := s.accounts[o.Wallet]
	ses, _ := a.find(o.Session)
	ses.decided, ses.nonce = o.Step, ev.Nonce
	s.quarantined[o.Digest] = struct{}{}
	s.countIncident(o.Digest, ev.mode.Name)
	a.seq++
	res := s.about(a)
	if r := ses.round; r != nil {
		r.frozen = true
		res.RoundWinMinor = r.winMinor
	} else {
		a.lastRound = ev.Round
	}
	res.Game, res.Session, res.Round, res.Step, res.Nonce = ses.game, ses.number, ev.Round, o.Step, ev.Nonce
	res.Digest, res.DrawsDigest, res.Incident, res.RoundOpen = ev.Digest, o.DrawsDigest, o.Trap, ses.round != nil
	return res, nil
}

// resolve ends a frozen round once two persons asked for the same.
func (s *Shard) resolve(o *Resolve) (*Result, error) {
	a := s.accounts[o.Wallet]
	if a == nil {
		return nil, refuse(CodeUnknownWallet, "no wallet %s", o.Wallet)
	}
	if res := a.decidedResolve(o); res != nil {
		return res, nil
	}
	if err := o.checkOrigin(); err != nil {
		return nil, err
	}
	ses := a.sessionOfRound(o.Round)
	switch {
	case ses == nil:
		return nil, refuse(CodeUnknownRound, "no open round %s", Ref{o.Wallet, o.Round})
	case !ses.round.frozen:
		return nil, refuse(CodeRoundNotFrozen, "round %s can still be played", Ref{o.Wallet, o.Round})
	case !validName(o.Approver) || o.Resolution != Refund && o.Resolution != PayWinSoFar:
		return nil, refuse(CodeInvalid, "a resolution needs a person and one of refund or pay_win_so_far")
	}
	r := ses.round
	res := s.about(a)
	res.Game, res.Session, res.Round = ses.game, ses.number, r.number
	if r.approver == "" || r.approver == o.Approver {
		// A person may change their mind; that never counts as a second one.
		r.approver, r.resolution = o.Approver, o.Resolution
		a.seq++
		res.WalletSeq, res.RoundOpen = a.seq, true
		return res, nil
	}
	if r.resolution != o.Resolution {
		return nil, refuse(CodeResolutionMismatch, "the first person asked for another resolution")
	}
	pay := r.costMinor
	if o.Resolution == PayWinSoFar {
		pay = r.winMinor
	}
	held := r.costMinor + r.winMinor
	err := s.post(posting{house: a.houseOf(houseEscrow), delta: -held}, posting{account: a, delta: pay},
		posting{house: a.houseOf(houseGame), delta: held - pay})
	if err != nil {
		return nil, fmt.Errorf("resolve round: %w", err)
	}
	a.held -= held
	s.dropRound(r)
	ses.round = nil
	ses.resolved = &resolved{round: r.number, approvers: [2]string{r.approver, o.Approver}, resolution: o.Resolution}
	a.seq++
	res.WalletSeq, res.BalanceMinor, res.HeldMinor, res.WinMinor, res.Resolved = a.seq, a.balance, a.held, pay, true
	return res, nil
}

// decidedResolve finds the answer an approval was given before: a person who
// asks again must not be told "refused" while the approval stands.
func (a *account) decidedResolve(o *Resolve) *Result {
	for _, ses := range slices.Concat(a.sessions, a.closed) {
		var found *Result
		if r := ses.round; r != nil && r.number == o.Round && r.approver != "" && r.approver == o.Approver && r.resolution == o.Resolution {
			found = &r.approval
		}
		if d := ses.resolved; d != nil && d.round == o.Round && d.resolution == o.Resolution && slices.Contains(d.approvers[:], o.Approver) {
			found = &d.result
		}
		if found != nil {
			res := *found
			res.Repeat = true
			return &res
		}
	}
	return nil
}

func (a *account) sessionOfRound(number uint64) *session {
	for _, ses := range a.sessions {
		if ses.round != nil && ses.round.number == number {
			return ses
		}
	}
	return nil
}
