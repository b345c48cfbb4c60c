package wallet

import "fmt"

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
	// nowMS is shard time; anchorMS the median of the voters' last reading and
	// anchorBy the node that proposed it.
	nowMS    int64
	anchorMS int64
	anchorBy string

	operators map[string]*Operator
	games     map[string]*game
	// quarantined holds the digests an incident took out of play, under
	// whatever game they come back.
	quarantined map[Hash]struct{}
	accounts    map[ID]*account
	directory   map[Hash]*Claim
	house       map[houseAccount]int64
	cash        map[cashKey]*cashRecord
	// cashOrder lists the keys of cash in order of time, for expiry.
	cashOrder   []cashKey
	expired     map[Hash]struct{}
	checkpoints []Checkpoint

	// tallies count what rounds came to, from version 2 on.
	tallies map[tallyKey]*tally

	// openRounds, stateBytes and pins follow from accounts; pins has the builds
	// of the open rounds.
	openRounds int
	stateBytes int
	pins       map[Hash]pin
	// proposer is that of the entry being applied; it outlives no Apply.
	proposer string
}

// Checkpoint is the chain hash after a sequence.
type Checkpoint struct {
	Seq  uint64
	Hash Hash
}

func (b *Build) mode(name string) (Mode, bool) {
	for _, m := range b.Modes {
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
	// resolved is the last resolution of a frozen round, for its retries.
	resolved *resolved
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
	// meter and fuel are those of the build the round opened on.
	meter uint16
	fuel  uint64
	// approver asked for resolution; approval is the result of that.
	approver   string
	resolution Resolution
	approval   Result
}

// resolved is how a frozen round ended and who asked for it.
type resolved struct {
	round      uint64
	approvers  [2]string
	resolution Resolution
	result     Result
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
		version:     1,
		quarantined: map[Hash]struct{}{},
		operators:   map[string]*Operator{},
		games:       map[string]*game{},
		accounts:    map[ID]*account{},
		directory:   map[Hash]*Claim{},
		house:       map[houseAccount]int64{},
		cash:        map[cashKey]*cashRecord{},
		expired:     map[Hash]struct{}{},
		tallies:     map[tallyKey]*tally{},
		pins:        map[Hash]pin{},
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
