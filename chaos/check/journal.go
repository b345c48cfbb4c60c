package check

import (
	"fmt"

	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/wallet"
)

// Fact is what one journaled operation says about one wallet.
type Fact struct {
	Shard, Epoch uint32
	Seq          uint64
	Hash         string
	Kind         wallet.Kind
	Wallet       string
	// Class and Key name the idempotency key; Operator scopes a cash key.
	Class, Key, Operator string

	StakeMinor, AmountMinor     int64
	CostMinor, WinMinor         int64
	RoundWinMinor               int64
	RoundOpen, Resolved         bool
	BalanceBeforeMinor, HeldNow int64
	BalanceMinor                int64
	WalletSeq                   uint64
	Session, Round              string
	Step                        uint64
	ModuleDigest, DrawsDigest   string
	Incident                    string
	Currency, Actor             string
	ShardTimeMS                 int64
}

// Classes of keys: what shares one name space within a wallet.
const (
	classWallet = "wallet"
	classCash   = "cash"
	classOpen   = "open_session"
	classStep   = "step"
	classClose  = "close_session"
)

// ChainReader follows the journal of one shard and recomputes its chain. It
// belongs to one goroutine.
type ChainReader struct {
	shard uint32
	next  uint64
	epoch uint32
	hash  wallet.Hash
	known bool // hash is that of sequence next-1
}

// NewChainReader reads from the given sequence, which is 1 for a whole journal.
func NewChainReader(shard uint32, fromSeq uint64) *ChainReader {
	return &ChainReader{shard: shard, next: max(fromSeq, 1)}
}

// Head is the last sequence read and the chain hash after it.
func (c *ChainReader) Head() (uint64, wallet.Hash) { return c.next - 1, c.hash }

// Read checks the next record against the chain and decodes it. After an error
// the journal is not to be trusted any further. The fact is nil for operations
// that concern no wallet.
func (c *ChainReader) Read(r *wallet.Record) (*Fact, error) {
	if r.Seq != c.next {
		return nil, fmt.Errorf("sequence %d follows %d", r.Seq, c.next-1)
	}
	if c.known && r.Prev != c.hash {
		return nil, fmt.Errorf("record %d continues another chain: %s, not %s", r.Seq, r.Prev, c.hash)
	}
	if c.epoch != 0 && r.Epoch != c.epoch {
		return nil, fmt.Errorf("record %d is of epoch %d in a journal of epoch %d", r.Seq, r.Epoch, c.epoch)
	}
	if err := r.Verify(); err != nil {
		return nil, err
	}
	op, err := wallet.DecodeOp(r.Input)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	result, err := wallet.DecodeResult(r.Result)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	if result.Seq != r.Seq || result.Epoch != r.Epoch || result.Kind != op.Kind() || result.Effect != wallet.Applied {
		return nil, fmt.Errorf("record %d: its result is of another place or operation", r.Seq)
	}
	if err := c.checkOrigin(r, op); err != nil {
		return nil, err
	}
	c.hash, c.epoch, c.known = wallet.ChainHash(r.Prev, r.Leaf), r.Epoch, true
	c.next++
	return newFact(c.shard, r, op, result, c.hash), nil
}

// checkOrigin ties the first record to cluster, shard and epoch.
func (c *ChainReader) checkOrigin(r *wallet.Record, op wallet.Op) error {
	genesis, ok := op.(*wallet.Genesis)
	switch {
	case r.Seq != 1 && ok:
		return fmt.Errorf("record %d is a second genesis", r.Seq)
	case r.Seq != 1:
		return nil
	case !ok:
		return fmt.Errorf("record 1 is a %s, not the genesis", op.Kind())
	case genesis.Shard != c.shard:
		return fmt.Errorf("record 1 founds shard %d, not %d", genesis.Shard, c.shard)
	case r.Prev != wallet.Origin(genesis.Cluster, genesis.Shard, genesis.Epoch):
		return fmt.Errorf("record 1 does not begin at the origin of cluster %s", genesis.Cluster)
	}
	return nil
}

func newFact(shard uint32, r *wallet.Record, op wallet.Op, res *wallet.Result, hash wallet.Hash) *Fact {
	if res.Wallet.IsZero() {
		return nil
	}
	f := &Fact{
		Shard: shard, Epoch: r.Epoch, Seq: r.Seq, Hash: hash.String(), Kind: op.Kind(), Wallet: res.Wallet.String(),
		CostMinor: res.CostMinor, WinMinor: res.WinMinor, RoundWinMinor: res.RoundWinMinor, RoundOpen: res.RoundOpen,
		Resolved: res.Resolved, BalanceBeforeMinor: res.BalanceBeforeMinor, BalanceMinor: res.BalanceMinor, HeldNow: res.HeldMinor,
		WalletSeq: res.WalletSeq, Step: res.Step, Incident: res.Incident, Currency: res.Currency, ShardTimeMS: res.TimeMS,
	}
	if res.Session != 0 {
		f.Session = wallet.Ref{Wallet: res.Wallet, Number: res.Session}.String()
	}
	if res.Round != 0 {
		f.Round = wallet.Ref{Wallet: res.Wallet, Number: res.Round}.String()
	}
	if !res.Digest.IsZero() {
		f.ModuleDigest, f.DrawsDigest = res.Digest.String(), res.DrawsDigest.String()
	}
	if !f.fromOp(op) {
		return nil
	}
	return f
}

// fromOp takes over what only the operation says; false for one that does not
// touch a wallet's money, sessions or rounds.
func (f *Fact) fromOp(op wallet.Op) bool {
	switch o := op.(type) {
	case *wallet.OpenWallet:
		f.Class, f.Key = classWallet, f.Wallet
	case *wallet.Deposit:
		f.Class, f.Key, f.Operator, f.AmountMinor = classCash, o.TransactionID, o.Operator, o.AmountMinor
	case *wallet.Withdraw:
		f.Class, f.Key, f.Operator, f.AmountMinor = classCash, o.TransactionID, o.Operator, o.AmountMinor
	case *wallet.Reverse:
		f.Class, f.Key, f.Operator = classCash, o.TransactionID, o.Operator
	case *wallet.OpenSession:
		f.Class, f.Key = classOpen, o.Key
	case *wallet.Play:
		f.Class, f.Key, f.StakeMinor = classStep, stepKey(f.Session, o.Step), o.StakeMinor
	case *wallet.Incident:
		f.Class, f.Key, f.StakeMinor = classStep, stepKey(f.Session, o.Step), o.StakeMinor
	case *wallet.CloseSession:
		f.Class, f.Key = classClose, f.Session
	case *wallet.Resolve:
	default:
		return false
	}
	return true
}

func stepKey(session string, step uint64) string { return fmt.Sprintf("%s/%d", session, step) }

// classOf is the name space of a history record's key.
func classOf(kind string) string {
	switch kind {
	case history.KindOpenWallet:
		return classWallet
	case history.KindDeposit, history.KindWithdraw, history.KindReverse:
		return classCash
	case history.KindOpenSession:
		return classOpen
	case history.KindPlay:
		return classStep
	case history.KindCloseSession:
		return classClose
	}
	return ""
}
