package wallet

import "fmt"

// Limits of what one shard holds. They are part of the state machine's
// behaviour: changing one needs a new Version.
const (
	maxSessions      = 8
	maxRoundState    = 4096
	maxPresentation  = 16 << 10
	maxStateBudget   = 64 << 20
	maxKeyBytes      = 64
	maxNameBytes     = 64
	retainedResults  = 4
	retainedSessions = 4
	sessionRounds    = 10_000
	sessionAgeMS     = 24 * 60 * 60 * 1000
	clockSlackMS     = 250
	cashRetentionMS  = 124 * 24 * 60 * 60 * 1000
	keptCheckpoints  = 256
)

// Shard is the state of one wallet shard: everything that is replicated,
// snapshotted and needed to decide the next operation.
type Shard struct {
	cluster string
	number  uint32
	epoch   uint32
	version uint8

	// seq and chain stand at the last operation that changed the ledger.
	seq   uint64
	chain Hash
	// nowMS is shard time; anchorMS the median of the voters' last reading.
	nowMS    int64
	anchorMS int64

	operators map[string]*Operator
	games     map[string]*game
	accounts  map[ID]*account
	directory map[Hash]*Claim
	house     map[houseAccount]int64
	cash      map[cashKey]*cashRecord
	// cashOrder lists the keys of cash in order of time, for expiry.
	cashOrder   []cashKey
	expired     map[Hash]struct{}
	checkpoints []Checkpoint

	openRounds int
	stateBytes int
}

// Checkpoint is the chain hash after a sequence.
type Checkpoint struct {
	Seq  uint64
	Hash Hash
}

// game is a catalogue entry of this shard.
type game struct {
	Catalogue
	// quarantined is the digest an incident took out of play.
	quarantined Hash
}

func (g *game) mode(name string) (Mode, bool) {
	for _, m := range g.Modes {
		if m.Name == name {
			return m, true
		}
	}
	return Mode{}, false
}

// account is one wallet.
type account struct {
	id       ID
	operator string
	currency Currency
	balance  int64
	held     int64
	seq      uint64

	lastSession uint64
	lastRound   uint64
	lastRoundMS int64
	// sessions are the open ones in order of number; closed keeps the last few
	// that ended, so that a late retry still gets its answer.
	sessions []*session
	closed   []*session
}

// session is a sitting at a game. At most one per wallet and game is open.
type session struct {
	number     uint64
	key        string
	game       string
	clientSeed string
	commitment Hash
	sealed     []byte
	keyID      string
	algorithm  uint32
	openedMS   int64
	// decided is the last step with a result, nonce the last one consumed.
	decided uint64
	nonce   uint64
	rounds  uint64
	round   *round
	// recent holds the last results in order of step, with what was asked.
	recent []decidedStep
	opened Result
	// ended is set once the session is closed.
	ended *Result
}

type decidedStep struct {
	request Hash
	result  Result
}

// round is a paid game cycle that is still open.
type round struct {
	number      uint64
	digest      Hash
	mode        Mode
	stakeMinor  int64
	costMinor   int64
	winMinor    int64
	nextActions uint32
	state       []byte
	frozen      bool
	approver    string
	resolution  Resolution
}

// houseKind separates an operator's accounts.
type houseKind uint8

const (
	// houseCash is the counterpart of deposits and withdrawals.
	houseCash houseKind = 1
	// houseGame takes stakes and pays wins.
	houseGame houseKind = 2
	// houseEscrow holds stakes and wins of open rounds.
	houseEscrow houseKind = 3
)

type houseAccount struct {
	operator string
	currency string
	kind     houseKind
}

type cashKey struct {
	operator string
	id       string
}

// cashRecord is what a transaction id came to.
type cashRecord struct {
	request   Hash
	kind      Kind
	wallet    ID
	amount    int64
	tombstone bool
	reversed  bool
	timeMS    int64
	result    Result
}

// New gives an empty shard, before its Genesis.
func New() *Shard {
	return &Shard{
		version:   1,
		operators: map[string]*Operator{},
		games:     map[string]*game{},
		accounts:  map[ID]*account{},
		directory: map[Hash]*Claim{},
		house:     map[houseAccount]int64{},
		cash:      map[cashKey]*cashRecord{},
		expired:   map[Hash]struct{}{},
	}
}

// find gives the open session of a number, or one of the retained closed ones.
func (a *account) find(number uint64) (s *session, open bool) {
	for _, s := range a.sessions {
		if s.number == number {
			return s, true
		}
	}
	for _, s := range a.closed {
		if s.number == number {
			return s, false
		}
	}
	return nil, false
}

func (s *session) step(number uint64) *decidedStep {
	for i := range s.recent {
		if s.recent[i].result.Step == number {
			return &s.recent[i]
		}
	}
	return nil
}

// posting moves an amount on one account: a wallet's balance or a house account.
type posting struct {
	account *account
	house   houseAccount
	delta   int64
}

// post applies postings all or none. They must sum to zero: anything else is a
// fault of this program, and the replica has to stop.
func (s *Shard) post(postings ...posting) error {
	var sum int64
	after := make([]int64, len(postings))
	for i, p := range postings {
		total, err := Add(sum, p.delta)
		if err != nil {
			return refuse(CodeOverflow, "the postings leave the 64-bit range")
		}
		sum = total
		before := s.house[p.house]
		if p.account != nil {
			before = p.account.balance
		}
		if after[i], err = Add(before, p.delta); err != nil {
			return refuse(CodeOverflow, "an account would leave the 64-bit range")
		}
		if p.account != nil && after[i] < 0 {
			return refuse(CodeInsufficientFunds, "the balance is %d", p.account.balance)
		}
	}
	if sum != 0 {
		return fmt.Errorf("postings sum to %d instead of zero", sum)
	}
	for i, p := range postings {
		if p.account != nil {
			p.account.balance = after[i]
			continue
		}
		s.house[p.house] = after[i]
	}
	return nil
}

func (a *account) houseOf(kind houseKind) houseAccount {
	return houseAccount{operator: a.operator, currency: a.currency.Code, kind: kind}
}
