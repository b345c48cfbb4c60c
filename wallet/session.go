package wallet

import "slices"

// SessionBasis is what a proposer needs to know before it seals a seed.
type SessionBasis struct {
	Session uint64
	Epoch   uint32
}

// PrepareSession says what an OpenSession must carry, or that the key is
// decided already (a result), or why it would be refused.
func (s *Shard) PrepareSession(wallet ID, key, game string) (SessionBasis, *Result, error) {
	a := s.accounts[wallet]
	if a == nil {
		return SessionBasis{}, nil, refuse(CodeUnknownWallet, "no wallet %s", wallet)
	}
	if key == "" || len(key) > maxKeyBytes {
		return SessionBasis{}, nil, refuse(CodeInvalid, "a session key has 1 to %d bytes", maxKeyBytes)
	}
	for _, ses := range slices.Concat(a.sessions, a.closed) {
		if ses.key != key {
			continue
		}
		if ses.game != game {
			return SessionBasis{}, nil, refuse(CodeKeyReused, "key %q opened a session of another game", key)
		}
		res := ses.opened
		res.Repeat = true
		return SessionBasis{}, &res, nil
	}
	g := s.games[game]
	if g == nil {
		return SessionBasis{}, nil, refuse(CodeUnknownGame, "no game %q", game)
	}
	if s.buildFor(a.id, g) == nil {
		return SessionBasis{}, nil, refuse(CodeGameDisabled, "game %q takes no new rounds", game)
	}
	for _, ses := range a.sessions {
		if ses.game == game {
			return SessionBasis{}, nil, refuse(CodeSessionExists, "session %s of game %q is open: continue or close it",
				Ref{a.id, ses.number}, game)
		}
	}
	if len(a.sessions) >= maxSessions {
		return SessionBasis{}, nil, refuse(CodeTooManySessions, "the wallet has %d open sessions", len(a.sessions))
	}
	return SessionBasis{Session: a.lastSession + 1, Epoch: s.epoch}, nil, nil
}

func (s *Shard) openSession(o *OpenSession) (*Result, error) {
	basis, repeat, err := s.PrepareSession(o.Wallet, o.Key, o.Game)
	if repeat != nil || err != nil {
		return repeat, err
	}
	if err := o.checkOrigin(); err != nil {
		return nil, err
	}
	if o.Session != basis.Session || o.Epoch != basis.Epoch {
		return nil, refuseRetryable(CodeStaleEvaluation, "the seed was sealed for session %d of epoch %d", o.Session, o.Epoch)
	}
	if len(o.ClientSeed) > maxKeyBytes || len(o.Sealed) == 0 || len(o.Sealed) > 256 || o.Commitment.IsZero() || !validName(o.KeyID) {
		return nil, refuse(CodeInvalid, "a session needs a sealed seed, its commitment, and a client seed of at most %d bytes", maxKeyBytes)
	}
	a := s.accounts[o.Wallet]
	a.lastSession++
	a.seq++
	a.sessions = append(a.sessions, &session{
		number: o.Session, key: o.Key, game: o.Game, clientSeed: o.ClientSeed, commitment: o.Commitment,
		sealed: o.Sealed, keyID: o.KeyID, algorithm: o.Algorithm, openedMS: s.nowMS,
	})
	res := s.about(a)
	res.Game, res.Session, res.Commitment = o.Game, o.Session, o.Commitment
	return res, nil
}

// ClosingSession is what a proposer needs to reveal a seed.
type ClosingSession struct {
	Sealed     []byte
	KeyID      string
	Commitment Hash
}

// PrepareClose says what a CloseSession must reveal, or that the session is
// closed already (a result), or why it would be refused.
func (s *Shard) PrepareClose(wallet ID, number uint64) (ClosingSession, *Result, error) {
	a := s.accounts[wallet]
	if a == nil {
		return ClosingSession{}, nil, refuse(CodeUnknownWallet, "no wallet %s", wallet)
	}
	ses, open := a.find(number)
	switch {
	case ses != nil && !open:
		res := *ses.ended
		res.Repeat = true
		return ClosingSession{}, &res, nil
	case ses == nil && number != 0 && number <= a.lastSession:
		return ClosingSession{}, nil, alreadyDecided(wallet, number)
	case ses == nil:
		return ClosingSession{}, nil, refuse(CodeUnknownSession, "no session %s", Ref{wallet, number})
	case ses.round != nil:
		return ClosingSession{}, nil, refuse(CodeRoundOpen, "round %s is open: finish it first", Ref{wallet, ses.round.number})
	}
	return ClosingSession{Sealed: slices.Clone(ses.sealed), KeyID: ses.keyID, Commitment: ses.commitment}, nil, nil
}

func (s *Shard) closeSession(o *CloseSession) (*Result, error) {
	_, repeat, err := s.PrepareClose(o.Wallet, o.Session)
	if repeat != nil || err != nil {
		return repeat, err
	}
	if err := o.checkOrigin(); err != nil {
		return nil, err
	}
	a := s.accounts[o.Wallet]
	ses, _ := a.find(o.Session)
	if SeedCommitment(o.Seed) != ses.commitment {
		return nil, refuse(CodeBadSeed, "the revealed seed does not match its commitment")
	}
	a.sessions = slices.DeleteFunc(a.sessions, func(x *session) bool { return x == ses })
	ses.sealed = nil
	a.closed = append(a.closed, ses)
	if len(a.closed) > retainedSessions {
		a.closed = slices.Delete(a.closed, 0, len(a.closed)-retainedSessions)
	}
	a.seq++
	res := s.about(a)
	res.Game, res.Session, res.Commitment, res.Seed = ses.game, ses.number, ses.commitment, o.Seed
	return res, nil
}

// alreadyDecided is the answer for keys that left the retained window: they
// are looked up in the journal, never executed again.
func alreadyDecided(wallet ID, session uint64) error {
	return &Refusal{
		Effect: Unknown, Code: CodeAlreadyDecided,
		Detail: "session " + Ref{wallet, session}.String() + " decided this step before: look it up",
	}
}
