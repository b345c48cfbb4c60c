package wallet

import (
	"errors"
	"math"
	"slices"
)

// Evaluation is what the leader needs to evaluate a step: a copy of the state
// the outcome is a function of.
type Evaluation struct {
	Basis
	Game string
	// ModeID and StakeMinor are those of the round, on all of its steps.
	ModeID     uint32
	StakeMinor int64
	// CostMinor is debited by this step: 0 for later steps of a round.
	CostMinor int64
	// MaxWinMinor is what this step may win at most.
	MaxWinMinor int64
	// WonMinor is what the round's earlier steps won.
	WonMinor   int64
	State      []byte
	ClientSeed string
	Sealed     []byte
	KeyID      string
	Algorithm  uint32
	SessionRef Ref
	// MinCycleMS is the jurisdiction's minimum game cycle, for the admission
	// check against the node's own clock; 0 on later steps.
	MinCycleMS int64
	// MeterVersion and FuelPerStep are what the step must be held to; zero
	// leaves them to the node.
	MeterVersion uint16
	FuelPerStep  uint64

	mode Mode
}

// PreparePlay says what a step must be evaluated on, or that it is decided
// already (a result), or why it would be refused. Apply uses the same checks.
func (s *Shard) PreparePlay(req PlayRequest) (Evaluation, *Result, error) {
	a := s.accounts[req.Wallet]
	if a == nil {
		return Evaluation{}, nil, refuse(CodeUnknownWallet, "no wallet %s", req.Wallet)
	}
	ses, repeat, err := a.lookUpStep(&req)
	if repeat != nil || err != nil {
		return Evaluation{}, repeat, err
	}
	ev := Evaluation{
		Basis: Basis{Epoch: s.epoch, Nonce: ses.nonce + 1},
		Game:  ses.game, ClientSeed: ses.clientSeed, Sealed: slices.Clone(ses.sealed), KeyID: ses.keyID, Algorithm: ses.algorithm,
		SessionRef: Ref{a.id, ses.number},
	}
	if ses.round != nil {
		err = s.prepareStep(&ev, ses.round, &req)
	} else {
		err = s.prepareRound(&ev, a, ses, &req)
	}
	if err != nil {
		return Evaluation{}, nil, err
	}
	return ev, nil, nil
}

// lookUpStep finds the session of a step and whether the step is decided.
func (a *account) lookUpStep(req *PlayRequest) (*session, *Result, error) {
	ses, open := a.find(req.Session)
	if ses == nil {
		if req.Session != 0 && req.Session <= a.lastSession {
			return nil, nil, alreadyDecided(a.id, req.Session)
		}
		return nil, nil, refuse(CodeUnknownSession, "no session %s", Ref{a.id, req.Session})
	}
	if req.Step == 0 {
		return nil, nil, refuse(CodeInvalid, "steps are counted from 1")
	}
	if req.Step <= ses.decided {
		found := ses.step(req.Step)
		switch {
		case found == nil:
			return nil, nil, alreadyDecided(a.id, req.Session)
		case found.request != req.digest():
			return nil, nil, refuse(CodeKeyReused, "step %d was asked with another body", req.Step)
		}
		res := found.result
		res.Repeat = true
		return ses, &res, nil
	}
	if !open {
		return nil, nil, refuse(CodeUnknownSession, "session %s is closed", Ref{a.id, req.Session})
	}
	if req.Step != ses.decided+1 {
		return nil, nil, refuse(CodeFutureStep, "step %d is ahead: the next one is %d", req.Step, ses.decided+1)
	}
	return ses, nil, nil
}

// prepareStep is for a further step of the open round.
func (s *Shard) prepareStep(ev *Evaluation, r *round, req *PlayRequest) error {
	switch {
	case r.frozen:
		return refuse(CodeRoundFrozen, "round %s waits for its resolution", Ref{req.Wallet, r.number})
	case req.StakeMinor != 0:
		return refuse(CodeBadStake, "a further step of a round takes no stake")
	case req.Mode != "" && req.Mode != r.mode.Name:
		return refuse(CodeUnknownMode, "the open round is in mode %q", r.mode.Name)
	case req.Action >= 32 || r.nextActions&(1<<req.Action) == 0:
		return refuse(CodeActionNotAllowed, "action %d is not among the allowed ones (mask %#x)", req.Action, r.nextActions)
	}
	limit, err := Mul(r.stakeMinor, r.mode.MaxWinX)
	if err != nil {
		return refuse(CodeOverflow, "the greatest win leaves the 64-bit range")
	}
	ev.Round, ev.Digest, ev.ModeID, ev.StakeMinor = r.number, r.digest, r.mode.ID, r.stakeMinor
	ev.MaxWinMinor, ev.WonMinor = limit-r.winMinor, r.winMinor
	ev.MeterVersion, ev.FuelPerStep, ev.mode = r.meter, r.fuel, r.mode
	ev.State, ev.StateHash = append([]byte(nil), r.state...), StateHash(r.state)
	return nil
}

// prepareRound is for the first step of a new round.
func (s *Shard) prepareRound(ev *Evaluation, a *account, ses *session, req *PlayRequest) error {
	game := s.games[ses.game]
	build, g := s.buildFor(a.id, game), &game.release
	if build == nil {
		return refuse(CodeGameDisabled, "game %q takes no new rounds", ses.game)
	}
	mode, ok := build.mode(req.Mode)
	switch {
	case !ok:
		return refuse(CodeUnknownMode, "game %q has no mode %q", ses.game, req.Mode)
	case req.StakeMinor <= 0:
		return refuse(CodeBadStake, "the stake is %d; it must be at least 1", req.StakeMinor)
	case req.StakeMinor < g.MinStakeMinor || req.StakeMinor > g.MaxStakeMinor:
		return refuse(CodeStakeLimit, "the stake is %d; the game takes %d to %d", req.StakeMinor, g.MinStakeMinor, g.MaxStakeMinor)
	case ses.rounds >= sessionRounds || s.nowMS-ses.openedMS >= sessionAgeMS:
		return refuse(CodeSessionExpired, "the session's seed is due for rotation: close it and open a new one")
	case s.stateBytes+maxRoundState > maxStateBudget:
		return refuseRetryable(CodeStateBudget, "the shard holds too many open rounds")
	}
	cost, err := Cost(req.StakeMinor, mode.CostX100)
	if errors.Is(err, ErrOverflow) {
		return refuse(CodeOverflow, "the cost leaves the 64-bit range")
	}
	if err != nil {
		return refuse(CodeBadStake, "%v", err)
	}
	if cost > a.balance {
		return refuse(CodeInsufficientFunds, "the round costs %d, the balance is %d", cost, a.balance)
	}
	limit, err := Mul(req.StakeMinor, mode.MaxWinX)
	if err != nil || !s.hasRoom(a, cost, limit) {
		return refuse(CodeOverflow, "the greatest win leaves the 64-bit range")
	}
	if p := s.operators[a.operator]; p != nil && p.MinCycleMS > 0 {
		ev.MinCycleMS = p.MinCycleMS
		if a.lastRoundMS != 0 && s.nowMS-a.lastRoundMS < p.MinCycleMS {
			return refuseRetryable(CodeTooFast, "a game cycle lasts at least %d ms", p.MinCycleMS)
		}
	}
	ev.Round, ev.Digest, ev.ModeID, ev.StakeMinor = a.lastRound+1, build.Digest, mode.ID, req.StakeMinor
	ev.CostMinor, ev.MaxWinMinor = cost, limit
	ev.MeterVersion, ev.FuelPerStep, ev.mode = build.MeterVersion, build.FuelPerStep, mode
	return nil
}

// exposure is the most that the open rounds of a wallet can still come to, held
// stakes included: a credit that fails after its outcome is known would be a
// free look at it.
func (a *account) exposure() int64 {
	var total int64
	for _, ses := range a.sessions {
		if r := ses.round; r != nil {
			// Checked when the round opened.
			limit, _ := Mul(r.stakeMinor, r.mode.MaxWinX)
			total += r.costMinor + limit
		}
	}
	return total
}

// hasRoom says whether a wallet, and the house accounts it plays against, can
// take a new round's greatest win on top of all they may come to already. The
// round's cost, at most the balance, stays within that total.
func (s *Shard) hasRoom(a *account, cost, limit int64) bool {
	if limit > math.MaxInt64-a.balance-a.exposure() {
		return false
	}
	_, gameErr := Sub(s.house[a.houseOf(houseGame)], limit)
	_, escrowErr := Add(s.house[a.houseOf(houseEscrow)], cost+limit)
	return gameErr == nil && escrowErr == nil
}

// play settles one evaluated step.
func (s *Shard) play(o *Play) (*Result, error) {
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
	if err := checkOutcome(o, &ev); err != nil {
		return nil, err
	}
	a := s.accounts[o.Wallet]
	ses, _ := a.find(o.Session)
	before, game, escrow := a.balance, a.houseOf(houseGame), a.houseOf(houseEscrow)
	r := ses.round
	opens := r == nil
	if opens {
		r = &round{
			number: ev.Round, digest: ev.Digest, mode: ev.mode, stakeMinor: o.StakeMinor, costMinor: ev.CostMinor,
			meter: ev.MeterVersion, fuel: ev.FuelPerStep,
		}
	}
	switch {
	case opens && o.Closed:
		net := o.WinMinor - ev.CostMinor
		err = s.post(posting{account: a, delta: net}, posting{house: game, delta: -net})
	case opens:
		err = s.post(posting{account: a, delta: -ev.CostMinor}, posting{house: escrow, delta: ev.CostMinor + o.WinMinor},
			posting{house: game, delta: -o.WinMinor})
	case o.Closed:
		held := r.costMinor + r.winMinor
		err = s.post(posting{house: escrow, delta: -held}, posting{account: a, delta: r.winMinor + o.WinMinor},
			posting{house: game, delta: r.costMinor - o.WinMinor})
	default:
		err = s.post(posting{house: escrow, delta: o.WinMinor}, posting{house: game, delta: -o.WinMinor})
	}
	if err != nil {
		return nil, err
	}
	s.moveRound(a, ses, r, o, opens)
	if o.Closed {
		s.countRound(r)
	}
	ses.decided, ses.nonce = o.Step, ev.Nonce
	a.seq++
	res := s.about(a)
	res.BalanceBeforeMinor, res.CostMinor, res.WinMinor, res.RoundWinMinor = before, ev.CostMinor, o.WinMinor, r.winMinor
	res.Game, res.Session, res.Round, res.Step, res.Nonce = ses.game, ses.number, r.number, o.Step, ev.Nonce
	res.RoundOpen, res.NextActions, res.Digest, res.DrawsDigest = !o.Closed, r.nextActions, ev.Digest, o.DrawsDigest
	return res, nil
}

// checkOutcome is the host's word for what a module may do; the leader checked
// it too, so a failure here is a fault, not a player's.
func checkOutcome(o *Play, ev *Evaluation) error {
	switch {
	case o.WinMinor < 0 || o.WinMinor > ev.MaxWinMinor:
		return refuse(CodeInvalid, "a win of %d is outside 0 to %d", o.WinMinor, ev.MaxWinMinor)
	case len(o.State) > maxRoundState || o.Closed && len(o.State) != 0:
		return refuse(CodeInvalid, "a round's state has at most %d bytes and none once it is closed", maxRoundState)
	case len(o.Presentation) > maxPresentation:
		return refuse(CodeInvalid, "a presentation has at most %d bytes", maxPresentation)
	case !o.Closed && o.NextActions == 0:
		return refuse(CodeInvalid, "an open round needs an action to go on with")
	}
	return nil
}

// moveRound opens, continues or ends the round of a session.
func (s *Shard) moveRound(a *account, ses *session, r *round, o *Play, opens bool) {
	heldBefore := int64(0)
	if opens {
		a.lastRound, a.lastRoundMS = r.number, s.nowMS
		ses.rounds++
	} else {
		heldBefore = r.costMinor + r.winMinor
		s.dropRound(r)
	}
	r.winMinor += o.WinMinor
	r.nextActions, r.state = o.NextActions, o.State
	if o.Closed {
		r.nextActions, ses.round = 0, nil
		a.held -= heldBefore
		return
	}
	ses.round = r
	a.held += r.costMinor + r.winMinor - heldBefore
	s.holdRound(r)
}

// holdRound and dropRound keep what follows from the open rounds.
func (s *Shard) holdRound(r *round) {
	s.stateBytes += len(r.state)
	s.openRounds++
	p := s.pins[r.digest]
	p.rounds++
	p.meter, p.fuel = max(p.meter, r.meter), max(p.fuel, r.fuel)
	s.pins[r.digest] = p
}

func (s *Shard) dropRound(r *round) {
	s.stateBytes -= len(r.state)
	s.openRounds--
	p := s.pins[r.digest]
	if p.rounds--; p.rounds == 0 {
		delete(s.pins, r.digest)
		return
	}
	s.pins[r.digest] = p
}
