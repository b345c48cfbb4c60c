package wallet

import (
	"fmt"
	"maps"
	"slices"
)

// View is a copy of a wallet for its owner; it holds no seed.
type View struct {
	Wallet       ID
	Operator     string
	Currency     Currency
	BalanceMinor int64
	HeldMinor    int64
	Seq          uint64
	Sessions     []SessionView
}

// SessionView is an open session of a View.
type SessionView struct {
	Session    uint64
	Game       string
	ClientSeed string
	Commitment Hash
	NextStep   uint64
	Rounds     uint64
	Round      *RoundView
}

// RoundView is the open round of a SessionView.
type RoundView struct {
	Round       uint64
	Digest      Hash
	Mode        string
	StakeMinor  int64
	WinMinor    int64
	NextActions uint32
	Frozen      bool
}

// Head is where a shard stands.
type Head struct {
	Cluster    string
	Shard      uint32
	Epoch      uint32
	Version    uint8
	Seq        uint64
	Hash       Hash
	TimeMS     int64
	Wallets    int
	OpenRounds int
}

// Head tells where the shard stands.
func (s *Shard) Head() Head {
	return Head{
		Cluster: s.cluster, Shard: s.number, Epoch: s.epoch, Version: s.version, Seq: s.seq, Hash: s.chain,
		TimeMS: s.nowMS, Wallets: len(s.accounts), OpenRounds: s.openRounds,
	}
}

// Sum adds up all accounts of one currency in minor units; it must be zero.
type Sum struct {
	Currency string
	SumMinor int64
}

// Sums adds up all accounts per currency, in order of currency.
func (s *Shard) Sums() ([]Sum, error) {
	// Totals have 128 bits: one side alone may leave 64, depending on the order
	// of a map, while both sides together are zero.
	totals := map[string]wide{}
	for _, a := range s.accounts {
		totals[a.currency.Code] = totals[a.currency.Code].add(a.balance)
	}
	for account, amount := range s.house {
		totals[account.currency] = totals[account.currency].add(amount)
	}
	sums := make([]Sum, 0, len(totals))
	for _, currency := range slices.Sorted(maps.Keys(totals)) {
		total, err := totals[currency].narrow()
		if err != nil {
			return nil, fmt.Errorf("sum up %s: %w", currency, err)
		}
		sums = append(sums, Sum{Currency: currency, SumMinor: total})
	}
	return sums, nil
}

// Checkpoints gives the retained checkpoint hashes in order of sequence.
func (s *Shard) Checkpoints() []Checkpoint { return slices.Clone(s.checkpoints) }

// OperatorProfile gives a copy of an operator's profile.
func (s *Shard) OperatorProfile(name string) (Operator, bool) {
	p := s.operators[name]
	if p == nil {
		return Operator{}, false
	}
	return *p, true
}

// Claimed gives the wallet a person was given, by the keyed lookup digest.
func (s *Shard) Claimed(lookup Hash) (ID, bool) {
	c := s.directory[lookup]
	if c == nil {
		return ID{}, false
	}
	return c.Wallet, true
}

// View copies one wallet for its owner; false where it does not exist.
func (s *Shard) View(id ID) (View, bool) {
	a := s.accounts[id]
	if a == nil {
		return View{}, false
	}
	v := View{Wallet: a.id, Operator: a.operator, Currency: a.currency, BalanceMinor: a.balance, HeldMinor: a.held, Seq: a.seq}
	for _, ses := range a.sessions {
		sv := SessionView{
			Session: ses.number, Game: ses.game, ClientSeed: ses.clientSeed, Commitment: ses.commitment,
			NextStep: ses.decided + 1, Rounds: ses.rounds,
		}
		if r := ses.round; r != nil {
			sv.Round = &RoundView{
				Round: r.number, Digest: r.digest, Mode: r.mode.Name, StakeMinor: r.stakeMinor, WinMinor: r.winMinor,
				NextActions: r.nextActions, Frozen: r.frozen,
			}
		}
		v.Sessions = append(v.Sessions, sv)
	}
	return v, true
}

func (s *Shard) read(o *Read) (*Result, error) {
	v, ok := s.View(o.Wallet)
	if !ok {
		return nil, refuse(CodeUnknownWallet, "no wallet %s", o.Wallet)
	}
	return &Result{
		Kind: KindRead, Effect: Applied, Epoch: s.epoch, Seq: s.seq, TimeMS: s.nowMS, Hash: s.chain,
		Wallet: v.Wallet, WalletSeq: v.Seq, Currency: v.Currency.Code,
		BalanceBeforeMinor: v.BalanceMinor, BalanceMinor: v.BalanceMinor, HeldMinor: v.HeldMinor, View: &v,
	}, nil
}
