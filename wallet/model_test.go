package wallet_test

import (
	"maps"
	"slices"

	"github.com/edgereel/edgereel/wallet"
)

// model is the naive opposite of a Shard: maps of balances and keys, no chain,
// no codec, no escrow account. It is written from PROTOCOL, not from the code.
type model struct {
	wallets    map[wallet.ID]*modelWallet
	keys       map[string]*modelKey
	quarantine map[wallet.Hash]bool
	games      map[string]*modelGame
	version    uint8
	tallies    map[string]*wallet.Tally
}

type modelWallet struct {
	balance, seq           int64
	lastSession, lastRound uint64
	sessions               map[uint64]*modelSession
	// closed lists the sessions that ended, oldest first.
	closed []uint64
}

type modelSession struct {
	key, game      string
	decided, nonce uint64
	ended          bool
	round          *modelRound
	steps          map[uint64]wallet.PlayRequest
	resolved       string
}

type modelRound struct {
	number    uint64
	digest    wallet.Hash
	cost, win int64
	state     string
	mode      string
	frozen    bool
	approver  string
	how       wallet.Resolution
}

type modelKey struct {
	body      string
	kind      wallet.Kind
	wallet    wallet.ID
	amount    int64
	tombstone bool
	reversed  bool
}

// answer is what the model expects of one operation. key names the first
// result that a repeat must give again.
type answer struct {
	code   wallet.Code
	repeat bool
	key    string
}

const (
	keptResults  = 4
	keptSessions = 4
	openAtOnce   = 8
)

func newModel() *model {
	return &model{
		wallets: map[wallet.ID]*modelWallet{}, keys: map[string]*modelKey{}, quarantine: map[wallet.Hash]bool{}, version: 1,
		games:   map[string]*modelGame{"lines": {enabled: true, live: gameDigest}, "spins": {enabled: true, live: otherDigest}},
		tallies: map[string]*wallet.Tally{},
	}
}

func (w *modelWallet) held() int64 {
	var sum int64
	for _, s := range w.sessions {
		if s.round != nil {
			sum += s.round.cost + s.round.win
		}
	}
	return sum
}

func (m *model) apply(op wallet.Op) answer {
	switch o := op.(type) {
	case *wallet.OpenWallet:
		if m.wallets[o.Wallet] != nil {
			return answer{repeat: true}
		}
		m.wallets[o.Wallet] = &modelWallet{seq: 1, sessions: map[uint64]*modelSession{}}
		return answer{}
	case *wallet.Deposit:
		return m.cash(wallet.KindDeposit, &o.Cash)
	case *wallet.Withdraw:
		return m.cash(wallet.KindWithdraw, &o.Cash)
	case *wallet.Reverse:
		return m.reverse(o)
	case *wallet.OpenSession:
		return m.openSession(o)
	case *wallet.Play:
		return m.play(o.PlayRequest, o.Basis, o)
	case *wallet.Incident:
		return m.play(o.PlayRequest, o.Basis, nil)
	case *wallet.CloseSession:
		return m.closeSession(o)
	case *wallet.Resolve:
		return m.resolve(o)
	case *wallet.Catalogue:
		return m.catalogue(o)
	case *wallet.Release:
		return m.release(o)
	case *wallet.Activate:
		if o.Version <= m.version {
			return answer{code: wallet.CodeInvalid}
		}
		m.version = o.Version
		return answer{}
	case *wallet.Read:
		if m.wallets[o.Wallet] == nil {
			return answer{code: wallet.CodeUnknownWallet}
		}
		return answer{}
	}
	return answer{}
}

// decided answers from a key, nil where the key is new.
func (m *model) decided(id, body string) *answer {
	k := m.keys[id]
	switch {
	case k == nil:
		return nil
	case k.tombstone:
		return &answer{code: wallet.CodeReversed}
	case k.body != body:
		return &answer{code: wallet.CodeKeyReused}
	}
	return &answer{repeat: true, key: "cash " + id}
}

func (m *model) cash(kind wallet.Kind, c *wallet.Cash) answer {
	body := kind.String() + c.Wallet.String() + decimal(c.AmountMinor)
	if a := m.decided(c.TransactionID, body); a != nil {
		return *a
	}
	w := m.wallets[c.Wallet]
	switch {
	case w == nil:
		return answer{code: wallet.CodeUnknownWallet}
	case c.AmountMinor <= 0:
		return answer{code: wallet.CodeInvalid}
	case kind == wallet.KindWithdraw && w.balance < c.AmountMinor:
		return answer{code: wallet.CodeInsufficientFunds}
	}
	delta := c.AmountMinor
	if kind == wallet.KindWithdraw {
		delta = -delta
	}
	w.balance += delta
	w.seq++
	m.keys[c.TransactionID] = &modelKey{body: body, kind: kind, wallet: c.Wallet, amount: c.AmountMinor}
	return answer{key: "cash " + c.TransactionID}
}

func (m *model) reverse(o *wallet.Reverse) answer {
	body := "reverse" + o.Wallet.String() + o.Original
	if a := m.decided(o.TransactionID, body); a != nil {
		return *a
	}
	w := m.wallets[o.Wallet]
	if w == nil {
		return answer{code: wallet.CodeUnknownWallet}
	}
	if o.Original == o.TransactionID {
		return answer{code: wallet.CodeInvalid}
	}
	original := m.keys[o.Original]
	switch {
	case original == nil:
		m.keys[o.Original] = &modelKey{tombstone: true}
	case original.tombstone || original.reversed:
		return answer{code: wallet.CodeAlreadyReversed}
	case original.kind == wallet.KindReverse:
		return answer{code: wallet.CodeReversalOfReversal}
	case original.wallet != o.Wallet:
		return answer{code: wallet.CodeWalletMismatch}
	case original.kind == wallet.KindDeposit:
		w.balance = max(0, w.balance-original.amount)
		original.reversed = true
	default:
		w.balance += original.amount
		original.reversed = true
	}
	w.seq++
	m.keys[o.TransactionID] = &modelKey{body: body, kind: wallet.KindReverse, wallet: o.Wallet}
	return answer{key: "cash " + o.TransactionID}
}

// known are the sessions a shard still remembers.
func (w *modelWallet) known(number uint64) *modelSession {
	s := w.sessions[number]
	if s != nil && s.ended && !slices.Contains(w.closed[max(0, len(w.closed)-keptSessions):], number) {
		return nil
	}
	return s
}

func (m *model) openSession(o *wallet.OpenSession) answer {
	w := m.wallets[o.Wallet]
	if w == nil {
		return answer{code: wallet.CodeUnknownWallet}
	}
	open, sameGame := 0, false
	for _, number := range slices.Sorted(maps.Keys(w.sessions)) {
		s := w.known(number)
		if s == nil {
			continue
		}
		if s.key == o.Key {
			if s.game != o.Game {
				return answer{code: wallet.CodeKeyReused}
			}
			return answer{repeat: true, key: sessionKey("open", o.Wallet, number)}
		}
		if !s.ended {
			open++
			sameGame = sameGame || s.game == o.Game
		}
	}
	switch {
	case m.choose(o.Wallet, o.Game).IsZero():
		return answer{code: wallet.CodeGameDisabled}
	case sameGame:
		return answer{code: wallet.CodeSessionExists}
	case open >= openAtOnce:
		return answer{code: wallet.CodeTooManySessions}
	case o.Session != w.lastSession+1:
		return answer{code: wallet.CodeStaleEvaluation}
	}
	w.lastSession++
	w.seq++
	w.sessions[w.lastSession] = &modelSession{key: o.Key, game: o.Game, steps: map[uint64]wallet.PlayRequest{}}
	return answer{key: sessionKey("open", o.Wallet, w.lastSession)}
}

// play expects a step, or an incident where outcome is nil.
func (m *model) play(req wallet.PlayRequest, basis wallet.Basis, outcome *wallet.Play) answer {
	w := m.wallets[req.Wallet]
	if w == nil {
		return answer{code: wallet.CodeUnknownWallet}
	}
	s := w.known(req.Session)
	if s == nil {
		if req.Session <= w.lastSession {
			return answer{code: wallet.CodeAlreadyDecided}
		}
		return answer{code: wallet.CodeUnknownSession}
	}
	key := sessionKey("step", req.Wallet, req.Session) + "/" + decimal(int64(req.Step))
	switch {
	case req.Step+keptResults <= s.decided:
		return answer{code: wallet.CodeAlreadyDecided}
	case req.Step <= s.decided && s.steps[req.Step] != req:
		return answer{code: wallet.CodeKeyReused}
	case req.Step <= s.decided:
		return answer{repeat: true, key: key}
	case s.ended:
		return answer{code: wallet.CodeUnknownSession}
	case req.Step > s.decided+1:
		return answer{code: wallet.CodeFutureStep}
	}
	if code := m.mayPlay(w, s, &req, basis); code != "" {
		return answer{code: code}
	}
	s.decided, s.nonce = req.Step, s.nonce+1
	s.steps[req.Step] = req
	w.seq++
	if outcome == nil {
		m.quarantine[basis.Digest] = true
		mode := req.Mode
		if s.round != nil {
			mode = s.round.mode
		}
		if t := m.tally(basis.Digest, mode); t != nil {
			t.Incidents++
		}
		if s.round != nil {
			s.round.frozen = true
		} else {
			w.lastRound++
		}
		return answer{key: key}
	}
	if s.round == nil {
		w.lastRound++
		cost := req.StakeMinor
		if req.Mode == "ante" {
			cost = req.StakeMinor * 125 / 100
		}
		w.balance -= cost
		s.round = &modelRound{number: w.lastRound, digest: basis.Digest, cost: cost, mode: req.Mode}
	}
	s.round.win += outcome.WinMinor
	s.round.state = string(outcome.State)
	if outcome.Closed {
		w.balance += s.round.win
		m.count(s.round)
		s.round = nil
	}
	return answer{key: key}
}

func (m *model) mayPlay(w *modelWallet, s *modelSession, req *wallet.PlayRequest, basis wallet.Basis) wallet.Code {
	round, digest := w.lastRound+1, m.choose(req.Wallet, s.game)
	if s.round != nil {
		round, digest = s.round.number, s.round.digest
		switch {
		case s.round.frozen:
			return wallet.CodeRoundFrozen
		case req.StakeMinor != 0:
			return wallet.CodeBadStake
		case req.Mode != "" && req.Mode != s.round.mode:
			return wallet.CodeUnknownMode
		}
	} else {
		cost := req.StakeMinor
		if req.Mode == "ante" {
			cost = req.StakeMinor * 125 / 100
		}
		switch {
		case digest.IsZero():
			return wallet.CodeGameDisabled
		case req.Mode != "base" && req.Mode != "ante":
			return wallet.CodeUnknownMode
		case req.StakeMinor <= 0:
			return wallet.CodeBadStake
		case req.StakeMinor < 10:
			return wallet.CodeStakeLimit
		case req.Mode == "ante" && req.StakeMinor*125%100 != 0:
			return wallet.CodeBadStake
		case cost > w.balance:
			return wallet.CodeInsufficientFunds
		}
	}
	state := ""
	if s.round != nil {
		state = s.round.state
	}
	if basis.Nonce != s.nonce+1 || basis.Round != round || basis.Digest != digest || basis.StateHash != wallet.StateHash([]byte(state)) {
		return wallet.CodeStaleEvaluation
	}
	return ""
}

func (m *model) closeSession(o *wallet.CloseSession) answer {
	w := m.wallets[o.Wallet]
	if w == nil {
		return answer{code: wallet.CodeUnknownWallet}
	}
	s := w.known(o.Session)
	switch {
	case s == nil && o.Session <= w.lastSession:
		return answer{code: wallet.CodeAlreadyDecided}
	case s == nil:
		return answer{code: wallet.CodeUnknownSession}
	case s.ended:
		return answer{repeat: true, key: sessionKey("close", o.Wallet, o.Session)}
	case s.round != nil:
		return answer{code: wallet.CodeRoundOpen}
	}
	s.ended = true
	w.closed = append(w.closed, o.Session)
	w.seq++
	return answer{key: sessionKey("close", o.Wallet, o.Session)}
}

func (m *model) resolve(o *wallet.Resolve) answer {
	w := m.wallets[o.Wallet]
	if w == nil {
		return answer{code: wallet.CodeUnknownWallet}
	}
	key := sessionKey("resolve "+o.Approver+decimal(int64(o.Resolution)), o.Wallet, o.Round)
	var s *modelSession
	for _, number := range slices.Sorted(maps.Keys(w.sessions)) {
		known := w.known(number)
		if known != nil && known.resolved == key {
			return answer{repeat: true, key: key}
		}
		if known != nil && known.round != nil && known.round.number == o.Round {
			s = known
		}
	}
	switch {
	case s == nil:
		return answer{code: wallet.CodeUnknownRound}
	case !s.round.frozen:
		return answer{code: wallet.CodeRoundNotFrozen}
	case s.round.approver == o.Approver && s.round.how == o.Resolution:
		return answer{repeat: true, key: key}
	case s.round.approver == "" || s.round.approver == o.Approver:
		s.round.approver, s.round.how = o.Approver, o.Resolution
		w.seq++
		return answer{key: key}
	case s.round.how != o.Resolution:
		return answer{code: wallet.CodeResolutionMismatch}
	}
	if o.Resolution == wallet.Refund {
		w.balance += s.round.cost
	} else {
		w.balance += s.round.win
	}
	s.round, s.resolved = nil, key
	w.seq++
	return answer{key: key}
}
