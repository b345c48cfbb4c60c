package wallet

import "fmt"

func (s *Shard) encodeHead(w *writer) {
	w.string(s.cluster)
	w.uint(uint64(s.number))
	w.uint(uint64(s.epoch))
	w.byte(s.version)
	w.uint(s.seq)
	w.hash(s.chain)
	w.int(s.nowMS)
	w.int(s.anchorMS)
	w.string(s.anchorBy)
	w.uint(uint64(len(s.checkpoints)))
	for _, c := range s.checkpoints {
		w.uint(c.Seq)
		w.hash(c.Hash)
	}
}

func (s *Shard) decodeHead(r *reader) {
	s.cluster, s.number, s.epoch, s.version = r.string(), r.uint32(), r.uint32(), r.byte()
	s.seq, s.chain, s.nowMS, s.anchorMS, s.anchorBy = r.uint(), r.hash(), r.int(), r.int(), r.string()
	for range r.items() {
		s.checkpoints = append(s.checkpoints, Checkpoint{Seq: r.uint(), Hash: r.hash()})
	}
	if r.err == nil && s.version > Version {
		r.fail(fmt.Errorf("behaviour of version %d: %w", s.version, ErrUnsupported))
	}
}

func (a *account) encode(w *writer) {
	w.id(a.id)
	w.string(a.operator)
	w.string(a.currency.Code)
	w.byte(a.currency.Exponent)
	w.int(a.balance)
	w.int(a.held)
	w.uint(a.seq)
	w.uint(a.lastSession)
	w.uint(a.lastRound)
	w.int(a.lastRoundMS)
	for _, list := range [][]*session{a.sessions, a.closed} {
		w.uint(uint64(len(list)))
		for _, ses := range list {
			ses.encode(w)
		}
	}
}

func (a *account) decode(r *reader) {
	a.id, a.operator = r.id(), r.string()
	a.currency = Currency{Code: r.string(), Exponent: r.byte()}
	a.balance, a.held, a.seq = r.int(), r.int(), r.uint()
	a.lastSession, a.lastRound, a.lastRoundMS = r.uint(), r.uint(), r.int()
	for _, list := range []*[]*session{&a.sessions, &a.closed} {
		for range r.items() {
			ses := &session{}
			ses.decode(r)
			*list = append(*list, ses)
		}
	}
}

func (s *session) encode(w *writer) {
	w.uint(s.number)
	w.string(s.key)
	w.string(s.game)
	w.string(s.clientSeed)
	w.hash(s.commitment)
	w.bytes(s.sealed)
	w.string(s.keyID)
	w.uint(uint64(s.algorithm))
	w.int(s.openedMS)
	w.uint(s.decided)
	w.uint(s.nonce)
	w.uint(s.rounds)
	w.bool(s.round != nil)
	if s.round != nil {
		s.round.encode(w)
	}
	w.uint(uint64(len(s.recent)))
	for _, d := range s.recent {
		w.hash(d.request)
		d.result.encodeSealed(w)
	}
	s.opened.encodeSealed(w)
	w.bool(s.ended != nil)
	if s.ended != nil {
		s.ended.encodeSealed(w)
	}
	w.bool(s.resolved != nil)
	if s.resolved != nil {
		w.uint(s.resolved.round)
		w.string(s.resolved.approvers[0])
		w.string(s.resolved.approvers[1])
		w.byte(byte(s.resolved.resolution))
		s.resolved.result.encodeSealed(w)
	}
}

func (s *session) decode(r *reader) {
	s.number, s.key, s.game, s.clientSeed = r.uint(), r.string(), r.string(), r.string()
	s.commitment, s.sealed, s.keyID, s.algorithm = r.hash(), r.bytes(), r.string(), r.uint32()
	s.openedMS, s.decided, s.nonce, s.rounds = r.int(), r.uint(), r.uint(), r.uint()
	if r.bool() {
		s.round = &round{}
		s.round.decode(r)
	}
	for range r.items() {
		d := decidedStep{request: r.hash()}
		d.result.decodeSealed(r)
		s.recent = append(s.recent, d)
	}
	s.opened.decodeSealed(r)
	if r.bool() {
		s.ended = &Result{}
		s.ended.decodeSealed(r)
	}
	if r.bool() {
		s.resolved = &resolved{round: r.uint(), approvers: [2]string{r.string(), r.string()}, resolution: Resolution(r.byte())}
		s.resolved.result.decodeSealed(r)
	}
}

func (o *round) encode(w *writer) {
	w.uint(o.number)
	w.hash(o.digest)
	w.uint(uint64(o.mode.ID))
	w.string(o.mode.Name)
	w.uint(uint64(o.mode.CostX100))
	w.uint(o.mode.MaxWinX)
	w.int(o.stakeMinor)
	w.int(o.costMinor)
	w.int(o.winMinor)
	w.uint(uint64(o.nextActions))
	w.bytes(o.state)
	w.bool(o.frozen)
	w.string(o.approver)
	w.byte(byte(o.resolution))
	if o.approver != "" {
		o.approval.encodeSealed(w)
	}
	if w.format >= versionReleases {
		w.uint(uint64(o.meter))
		w.uint(o.fuel)
	}
}

func (o *round) decode(r *reader) {
	o.number, o.digest = r.uint(), r.hash()
	o.mode = Mode{ID: r.uint32(), Name: r.string(), CostX100: r.uint32(), MaxWinX: r.uint()}
	o.stakeMinor, o.costMinor, o.winMinor = r.int(), r.int(), r.int()
	o.nextActions, o.state, o.frozen = r.uint32(), r.bytes(), r.bool()
	o.approver, o.resolution = r.string(), Resolution(r.byte())
	if o.approver != "" {
		o.approval.decodeSealed(r)
	}
	if r.format >= versionReleases {
		o.meter, o.fuel = r.uint16(), r.uint()
	}
}

// encode writes a game as the entry that set it: in format 1 a Catalogue.
func (g *game) encode(w *writer) {
	if w.format >= versionReleases {
		g.release.encode(w)
		w.bool(g.halted)
		return
	}
	c := g.catalogue()
	c.Enabled = !g.halted
	c.encode(w)
}

func (g *game) decode(r *reader) {
	if r.format >= versionReleases {
		g.release.decode(r)
		g.halted = r.bool()
		return
	}
	c := &Catalogue{}
	c.decode(r)
	*g = *gameOf(c)
}

func (t *tally) encode(w *writer) {
	w.hash(t.Digest)
	w.string(t.Mode)
	w.uint(t.Rounds)
	w.uint(t.Incidents)
	w.uint(t.ReturnX1000000)
	for _, n := range t.Counts {
		w.uint(n)
	}
	w.uint(t.lastSeq)
}

func (t *tally) decode(r *reader) {
	t.Digest, t.Mode = r.hash(), r.string()
	t.Rounds, t.Incidents, t.ReturnX1000000 = r.uint(), r.uint(), r.uint()
	for i := range t.Counts {
		t.Counts[i] = r.uint()
	}
	t.lastSeq = r.uint()
}

func (c *cashRecord) encode(w *writer, key cashKey) {
	w.string(key.operator)
	w.string(key.id)
	w.hash(c.request)
	w.byte(byte(c.kind))
	w.id(c.wallet)
	w.int(c.amount)
	w.bool(c.tombstone)
	w.bool(c.reversed)
	w.int(c.timeMS)
	c.result.encodeSealed(w)
}

func (c *cashRecord) decode(r *reader) cashKey {
	key := cashKey{operator: r.string(), id: r.string()}
	c.request, c.kind, c.wallet, c.amount = r.hash(), Kind(r.byte()), r.id(), r.int()
	c.tombstone, c.reversed, c.timeMS = r.bool(), r.bool(), r.int()
	c.result.decodeSealed(r)
	return key
}

// encodeSealed adds to a result where it stands in the chain.
func (r *Result) encodeSealed(w *writer) { r.encode(w); w.hash(r.Hash); w.hash(r.Salt) }

func (r *Result) decodeSealed(rd *reader) {
	r.decode(rd)
	r.Hash, r.Salt = rd.hash(), rd.hash()
}
