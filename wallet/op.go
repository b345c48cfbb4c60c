package wallet

import "fmt"

// Kind numbers the operations. Values are written into the log and never
// change or come back with another meaning.
type Kind uint8

// Kinds of operations.
const (
	KindGenesis      Kind = 1
	KindClock        Kind = 2
	KindActivate     Kind = 3
	KindOperator     Kind = 4
	KindCatalogue    Kind = 5
	KindClaim        Kind = 6
	KindErase        Kind = 7
	KindOpenWallet   Kind = 8
	KindDeposit      Kind = 9
	KindWithdraw     Kind = 10
	KindReverse      Kind = 11
	KindOpenSession  Kind = 12
	KindPlay         Kind = 13
	KindIncident     Kind = 14
	KindCloseSession Kind = 15
	KindResolve      Kind = 16
	KindRead         Kind = 17
	KindRelease      Kind = 18
)

// String gives the kind's name as reports and metrics show it.
func (k Kind) String() string {
	names := [...]string{
		"", "genesis", "clock", "activate", "operator", "catalogue", "claim", "erase", "open_wallet",
		"deposit", "withdraw", "reverse", "open_session", "play", "incident", "close_session", "resolve", "read",
		"release",
	}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Meta is what every operation says about its origin.
type Meta struct {
	// Actor is who asked: a token's subject, never a player's own id.
	Actor string
	// Reason is a person's or a rule's, where one is due.
	Reason string
}

// Op is one operation of an entry: one of the structs of this file.
type Op interface {
	Kind() Kind
	checkOrigin() error
	encode(w *writer)
	decode(r *reader)
}

// Genesis founds a shard: the first operation of its log.
type Genesis struct {
	Meta
	Cluster string
	Shard   uint32
	Epoch   uint32
}

// Clock anchors shard time: the wall clocks a majority of voters just reported,
// in milliseconds since 1970. The median counts, so that one clock that runs
// hours ahead cannot carry the shard along.
type Clock struct {
	Meta
	ReadingsMS []int64
}

// Activate raises the version whose behaviour Apply follows.
type Activate struct {
	Meta
	Version uint8
}

// Operator sets the profile of an operator (a casino brand).
type Operator struct {
	Meta
	Operator     string
	Jurisdiction string
	// MinCycleMS is the shortest time between two rounds of a wallet.
	MinCycleMS int64
	// SecondApprover demands a second person for withdrawals and reversals.
	SecondApprover bool
}

// Mode is one way to bet on a game.
type Mode struct {
	ID   uint32
	Name string
	// CostX100 is the cost of a round in hundredths of the stake.
	CostX100 uint32
	// MaxWinX bounds a round's win, in multiples of the stake.
	MaxWinX uint64
}

// Catalogue sets what this shard runs under a game's name. It is part of the
// shard, so that no retry can meet another module than its first attempt.
type Catalogue struct {
	Meta
	Game          string
	Version       string
	Digest        Hash
	Enabled       bool
	Modes         []Mode
	MinStakeMinor int64
	MaxStakeMinor int64
}

// Build is one version of a game as a shard runs it.
type Build struct {
	Version string
	Digest  Hash
	Modes   []Mode
	// MeterVersion and FuelPerStep are what its steps are held to: which steps
	// end as exhausted, and so what a replay gives, depends on both. Zero leaves
	// them to the node, as version 1 did.
	MeterVersion uint16
	FuelPerStep  uint64
}

// Release sets what this shard runs under a game's name, by order of the
// registry of releases. It needs version 2.
type Release struct {
	Meta
	Game string
	// RegistrySeq is the registry's sequence the order was read at: one that is
	// older than the last one taken is refused.
	RegistrySeq uint64
	Enabled     bool
	// Live is the build of most wallets; without a digest there is none.
	Live Build
	// Canary is the build of a share of the wallets, in ten-thousandths; nil for
	// none.
	Canary            *Build
	CanaryShareX10000 uint32
	MinStakeMinor     int64
	MaxStakeMinor     int64
}

// Claim binds (operator, player, currency) to a wallet surrogate, once. Lookup
// is a keyed digest of the three; Identity is the player's id sealed under a
// key of its own, which is WrappedKey. Neither Lookup nor WrappedKey reaches
// the journal, so that destroying them erases the person.
type Claim struct {
	Meta
	Operator   string
	Currency   string
	Wallet     ID
	Lookup     Hash
	Identity   []byte
	WrappedKey []byte
}

// Erase destroys the directory entry of a person.
type Erase struct {
	Meta
	Wallet ID
	Lookup Hash
}

// OpenWallet creates a wallet in its home shard; repeating it changes nothing.
type OpenWallet struct {
	Meta
	Operator string
	Currency string
	Wallet   ID
}

// Cash is the body of a deposit or a withdrawal.
type Cash struct {
	Meta
	Operator      string
	Wallet        ID
	TransactionID string
	AmountMinor   int64
	Currency      string
	// Approver is the second person, where the profile demands one.
	Approver string
}

// Deposit credits a wallet from the operator's cash account.
type Deposit struct{ Cash }

// Withdraw debits a wallet to the operator's cash account.
type Withdraw struct{ Cash }

// Reverse undoes a deposit or withdrawal of the same wallet. What a reversed
// deposit cannot take back because it was spent is reported as shortfall.
type Reverse struct {
	Meta
	Operator      string
	Wallet        ID
	TransactionID string
	Original      string
	Approver      string
}

// OpenSession starts a sitting at a game and commits to its seed.
type OpenSession struct {
	Meta
	Wallet     ID
	Key        string
	Game       string
	ClientSeed string
	// Session is the number the proposer foresaw and sealed the seed for.
	Session    uint64
	Epoch      uint32
	Commitment Hash
	Sealed     []byte
	KeyID      string
	Algorithm  uint32
}

// PlayRequest is the part of a step that the player decides; together with
// (session, step) it is what a retry must repeat.
type PlayRequest struct {
	Wallet     ID
	Session    uint64
	Step       uint64
	Mode       string
	StakeMinor int64
	Action     uint32
	Choice     uint32
}

// Basis is the state a step was evaluated on; Apply refuses any other.
type Basis struct {
	Epoch     uint32
	Round     uint64
	Nonce     uint64
	StateHash Hash
	Digest    Hash
}

// Play is one evaluated step: stake, outcome and new round state in one
// operation, so that a half-settled spin cannot exist.
type Play struct {
	Meta
	PlayRequest
	Basis
	WinMinor     int64
	Closed       bool
	NextActions  uint32
	State        []byte
	DrawsDigest  Hash
	Draws        uint32
	Presentation []byte
}

// Incident records that the module failed at a step. Nothing is debited for a
// round not yet open; an open round freezes until it is resolved.
type Incident struct {
	Meta
	PlayRequest
	Basis
	// Trap names what the module did, e.g. "trap" or "bad_output".
	Trap        string
	DrawsDigest Hash
	Draws       uint32
}

// CloseSession ends a session and reveals its seed.
type CloseSession struct {
	Meta
	Wallet  ID
	Session uint64
	Seed    [32]byte
}

// Resolution says how a frozen round ends.
type Resolution uint8

// Resolutions. Values are written into the log.
const (
	// Refund gives the stake back and voids the wins.
	Refund Resolution = 1
	// PayWinSoFar pays what the round has won.
	PayWinSoFar Resolution = 2
)

// Resolve is one person's approval to end a frozen round; the second person's
// approval of the same resolution executes it.
type Resolve struct {
	Meta
	Wallet     ID
	Round      uint64
	Approver   string
	Resolution Resolution
}

// Read answers with a view of a wallet at its place in the log. It changes
// nothing and is not journaled.
type Read struct {
	Meta
	Wallet ID
}

func (*Genesis) Kind() Kind      { return KindGenesis }
func (*Clock) Kind() Kind        { return KindClock }
func (*Activate) Kind() Kind     { return KindActivate }
func (*Operator) Kind() Kind     { return KindOperator }
func (*Catalogue) Kind() Kind    { return KindCatalogue }
func (*Claim) Kind() Kind        { return KindClaim }
func (*Erase) Kind() Kind        { return KindErase }
func (*OpenWallet) Kind() Kind   { return KindOpenWallet }
func (*Deposit) Kind() Kind      { return KindDeposit }
func (*Withdraw) Kind() Kind     { return KindWithdraw }
func (*Reverse) Kind() Kind      { return KindReverse }
func (*OpenSession) Kind() Kind  { return KindOpenSession }
func (*Play) Kind() Kind         { return KindPlay }
func (*Incident) Kind() Kind     { return KindIncident }
func (*CloseSession) Kind() Kind { return KindCloseSession }
func (*Resolve) Kind() Kind      { return KindResolve }
func (*Read) Kind() Kind         { return KindRead }
func (*Release) Kind() Kind      { return KindRelease }

// newOp gives an empty operation of a kind, nil for an unknown one.
func newOp(k Kind) Op {
	switch k {
	case KindGenesis:
		return &Genesis{}
	case KindClock:
		return &Clock{}
	case KindActivate:
		return &Activate{}
	case KindOperator:
		return &Operator{}
	case KindCatalogue:
		return &Catalogue{}
	case KindClaim:
		return &Claim{}
	case KindErase:
		return &Erase{}
	case KindOpenWallet:
		return &OpenWallet{}
	case KindDeposit:
		return &Deposit{}
	case KindWithdraw:
		return &Withdraw{}
	case KindReverse:
		return &Reverse{}
	case KindOpenSession:
		return &OpenSession{}
	case KindPlay:
		return &Play{}
	case KindIncident:
		return &Incident{}
	case KindCloseSession:
		return &CloseSession{}
	case KindResolve:
		return &Resolve{}
	case KindRead:
		return &Read{}
	case KindRelease:
		return &Release{}
	}
	return nil
}
