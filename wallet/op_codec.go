package wallet

func (m *Meta) encode(w *writer) { w.string(m.Actor); w.string(m.Reason) }
func (m *Meta) decode(r *reader) { m.Actor = r.string(); m.Reason = r.string() }

func (o *Genesis) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Cluster)
	w.uint(uint64(o.Shard))
	w.uint(uint64(o.Epoch))
}

func (o *Genesis) decode(r *reader) {
	o.Meta.decode(r)
	o.Cluster, o.Shard, o.Epoch = r.string(), r.uint32(), r.uint32()
}

func (o *Clock) encode(w *writer) {
	o.Meta.encode(w)
	w.uint(uint64(len(o.ReadingsMS)))
	for _, ms := range o.ReadingsMS {
		w.int(ms)
	}
}

func (o *Clock) decode(r *reader) {
	o.Meta.decode(r)
	for range r.items() {
		o.ReadingsMS = append(o.ReadingsMS, r.int())
	}
}

func (o *Activate) encode(w *writer) { o.Meta.encode(w); w.byte(o.Version) }
func (o *Activate) decode(r *reader) { o.Meta.decode(r); o.Version = r.byte() }

func (o *Operator) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Operator)
	w.string(o.Jurisdiction)
	w.int(o.MinCycleMS)
	w.bool(o.SecondApprover)
}

func (o *Operator) decode(r *reader) {
	o.Meta.decode(r)
	o.Operator, o.Jurisdiction, o.MinCycleMS, o.SecondApprover = r.string(), r.string(), r.int(), r.bool()
}

func (o *Catalogue) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Game)
	w.string(o.Version)
	w.hash(o.Digest)
	w.bool(o.Enabled)
	encodeModes(w, o.Modes)
	w.int(o.MinStakeMinor)
	w.int(o.MaxStakeMinor)
}

func (o *Catalogue) decode(r *reader) {
	o.Meta.decode(r)
	o.Game, o.Version, o.Digest, o.Enabled = r.string(), r.string(), r.hash(), r.bool()
	o.Modes = decodeModes(r)
	o.MinStakeMinor, o.MaxStakeMinor = r.int(), r.int()
}

func encodeModes(w *writer, modes []Mode) {
	w.uint(uint64(len(modes)))
	for _, m := range modes {
		w.uint(uint64(m.ID))
		w.string(m.Name)
		w.uint(uint64(m.CostX100))
		w.uint(m.MaxWinX)
	}
}

func decodeModes(r *reader) (modes []Mode) {
	for range r.items() {
		modes = append(modes, Mode{ID: r.uint32(), Name: r.string(), CostX100: r.uint32(), MaxWinX: r.uint()})
	}
	return modes
}

func (b *Build) encode(w *writer) {
	w.string(b.Version)
	w.hash(b.Digest)
	encodeModes(w, b.Modes)
	w.uint(uint64(b.MeterVersion))
	w.uint(b.FuelPerStep)
}

func (b *Build) decode(r *reader) {
	b.Version, b.Digest, b.Modes = r.string(), r.hash(), decodeModes(r)
	b.MeterVersion, b.FuelPerStep = r.uint16(), r.uint()
}

func (o *Release) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Game)
	w.uint(o.RegistrySeq)
	w.bool(o.Enabled)
	o.Live.encode(w)
	w.bool(o.Canary != nil)
	if o.Canary != nil {
		o.Canary.encode(w)
	}
	w.uint(uint64(o.CanaryShareX10000))
	w.int(o.MinStakeMinor)
	w.int(o.MaxStakeMinor)
}

func (o *Release) decode(r *reader) {
	o.Meta.decode(r)
	o.Game, o.RegistrySeq, o.Enabled = r.string(), r.uint(), r.bool()
	o.Live.decode(r)
	if r.bool() {
		o.Canary = &Build{}
		o.Canary.decode(r)
	}
	o.CanaryShareX10000, o.MinStakeMinor, o.MaxStakeMinor = r.uint32(), r.int(), r.int()
}

func (o *Claim) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Operator)
	w.string(o.Currency)
	w.id(o.Wallet)
	w.hash(o.Lookup)
	w.bytes(o.Identity)
	w.bytes(o.WrappedKey)
}

func (o *Claim) decode(r *reader) {
	o.Meta.decode(r)
	o.Operator, o.Currency, o.Wallet = r.string(), r.string(), r.id()
	o.Lookup, o.Identity, o.WrappedKey = r.hash(), r.bytes(), r.bytes()
}

func (o *Erase) encode(w *writer) { o.Meta.encode(w); w.id(o.Wallet); w.hash(o.Lookup) }
func (o *Erase) decode(r *reader) { o.Meta.decode(r); o.Wallet, o.Lookup = r.id(), r.hash() }

func (o *OpenWallet) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Operator)
	w.string(o.Currency)
	w.id(o.Wallet)
}

func (o *OpenWallet) decode(r *reader) {
	o.Meta.decode(r)
	o.Operator, o.Currency, o.Wallet = r.string(), r.string(), r.id()
}

func (o *Cash) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Operator)
	w.id(o.Wallet)
	w.string(o.TransactionID)
	w.int(o.AmountMinor)
	w.string(o.Currency)
	w.string(o.Approver)
}

func (o *Cash) decode(r *reader) {
	o.Meta.decode(r)
	o.Operator, o.Wallet, o.TransactionID = r.string(), r.id(), r.string()
	o.AmountMinor, o.Currency, o.Approver = r.int(), r.string(), r.string()
}

func (o *Reverse) encode(w *writer) {
	o.Meta.encode(w)
	w.string(o.Operator)
	w.id(o.Wallet)
	w.string(o.TransactionID)
	w.string(o.Original)
	w.string(o.Approver)
}

func (o *Reverse) decode(r *reader) {
	o.Meta.decode(r)
	o.Operator, o.Wallet, o.TransactionID = r.string(), r.id(), r.string()
	o.Original, o.Approver = r.string(), r.string()
}

func (o *OpenSession) encode(w *writer) {
	o.Meta.encode(w)
	w.id(o.Wallet)
	w.string(o.Key)
	w.string(o.Game)
	w.string(o.ClientSeed)
	w.uint(o.Session)
	w.uint(uint64(o.Epoch))
	w.hash(o.Commitment)
	w.bytes(o.Sealed)
	w.string(o.KeyID)
	w.uint(uint64(o.Algorithm))
}

func (o *OpenSession) decode(r *reader) {
	o.Meta.decode(r)
	o.Wallet, o.Key, o.Game, o.ClientSeed = r.id(), r.string(), r.string(), r.string()
	o.Session, o.Epoch, o.Commitment = r.uint(), r.uint32(), r.hash()
	o.Sealed, o.KeyID, o.Algorithm = r.bytes(), r.string(), r.uint32()
}

func (o *PlayRequest) encode(w *writer) {
	w.id(o.Wallet)
	w.uint(o.Session)
	w.uint(o.Step)
	w.string(o.Mode)
	w.int(o.StakeMinor)
	w.uint(uint64(o.Action))
	w.uint(uint64(o.Choice))
}

func (o *PlayRequest) decode(r *reader) {
	o.Wallet, o.Session, o.Step, o.Mode = r.id(), r.uint(), r.uint(), r.string()
	o.StakeMinor, o.Action, o.Choice = r.int(), r.uint32(), r.uint32()
}

func (o *Basis) encode(w *writer) {
	w.uint(uint64(o.Epoch))
	w.uint(o.Round)
	w.uint(o.Nonce)
	w.hash(o.StateHash)
	w.hash(o.Digest)
}

func (o *Basis) decode(r *reader) {
	o.Epoch, o.Round, o.Nonce, o.StateHash, o.Digest = r.uint32(), r.uint(), r.uint(), r.hash(), r.hash()
}

func (o *Play) encode(w *writer) {
	o.Meta.encode(w)
	o.PlayRequest.encode(w)
	o.Basis.encode(w)
	w.int(o.WinMinor)
	w.bool(o.Closed)
	w.uint(uint64(o.NextActions))
	w.bytes(o.State)
	w.hash(o.DrawsDigest)
	w.uint(uint64(o.Draws))
	w.bytes(o.Presentation)
}

func (o *Play) decode(r *reader) {
	o.Meta.decode(r)
	o.PlayRequest.decode(r)
	o.Basis.decode(r)
	o.WinMinor, o.Closed, o.NextActions, o.State = r.int(), r.bool(), r.uint32(), r.bytes()
	o.DrawsDigest, o.Draws, o.Presentation = r.hash(), r.uint32(), r.bytes()
}

func (o *Incident) encode(w *writer) {
	o.Meta.encode(w)
	o.PlayRequest.encode(w)
	o.Basis.encode(w)
	w.string(o.Trap)
	w.hash(o.DrawsDigest)
	w.uint(uint64(o.Draws))
}

func (o *Incident) decode(r *reader) {
	o.Meta.decode(r)
	o.PlayRequest.decode(r)
	o.Basis.decode(r)
	o.Trap, o.DrawsDigest, o.Draws = r.string(), r.hash(), r.uint32()
}

func (o *CloseSession) encode(w *writer) {
	o.Meta.encode(w)
	w.id(o.Wallet)
	w.uint(o.Session)
	w.hash(o.Seed)
}

func (o *CloseSession) decode(r *reader) {
	o.Meta.decode(r)
	o.Wallet, o.Session, o.Seed = r.id(), r.uint(), r.hash()
}

func (o *Resolve) encode(w *writer) {
	o.Meta.encode(w)
	w.id(o.Wallet)
	w.uint(o.Round)
	w.string(o.Approver)
	w.byte(byte(o.Resolution))
}

func (o *Resolve) decode(r *reader) {
	o.Meta.decode(r)
	o.Wallet, o.Round, o.Approver, o.Resolution = r.id(), r.uint(), r.string(), Resolution(r.byte())
}

func (o *Read) encode(w *writer) { o.Meta.encode(w); w.id(o.Wallet) }
func (o *Read) decode(r *reader) { o.Meta.decode(r); o.Wallet = r.id() }

// digest names the body of a step's request: what a retry must repeat.
func (o *PlayRequest) digest() Hash {
	w := &writer{}
	o.encode(w)
	return requestDigest(w)
}
