package wallet

import "fmt"

// resultVersion numbers the encoding of a Result in the journal.
const resultVersion = 1

// leafVersion numbers the form of a leaf.
const leafVersion uint8 = 1

// Result is what one operation came to. Its encoded part is journaled and
// covered by the chain; a repeat of a key returns the first result.
type Result struct {
	Kind   Kind
	Effect Effect
	Code   Code

	Epoch  uint32
	Seq    uint64
	TimeMS int64

	Wallet             ID
	WalletSeq          uint64
	Currency           string
	Jurisdiction       string
	BalanceBeforeMinor int64
	BalanceMinor       int64
	HeldMinor          int64

	// CostMinor was debited, WinMinor credited or held by this step;
	// RoundWinMinor is the round's win so far.
	CostMinor     int64
	WinMinor      int64
	RoundWinMinor int64
	Game          string
	Session       uint64
	Round         uint64
	Step          uint64
	Nonce         uint64
	RoundOpen     bool
	NextActions   uint32
	Digest        Hash
	DrawsDigest   Hash

	Tombstone      bool
	ShortfallMinor int64
	Incident       string
	Commitment     Hash
	Seed           Hash
	Resolved       bool

	// The rest is not encoded: where the chain stands after the operation, the
	// salt of its leaf, a refusal's sentence and a read's answer.
	Hash   Hash
	Salt   Hash
	Detail string
	View   *View
	// Repeat says that the key was decided before.
	Repeat bool
}

// Refusal gives the error form of a result that was not applied, else nil.
func (r *Result) Refusal() *Refusal {
	if r.Effect == Applied {
		return nil
	}
	return &Refusal{Effect: r.Effect, Code: r.Code, Detail: r.Detail}
}

func (r *Result) encode(w *writer) {
	w.byte(resultVersion)
	w.byte(byte(r.Kind))
	w.byte(byte(r.Effect))
	w.string(string(r.Code))
	w.uint(uint64(r.Epoch))
	w.uint(r.Seq)
	w.int(r.TimeMS)
	w.id(r.Wallet)
	w.uint(r.WalletSeq)
	w.string(r.Currency)
	w.string(r.Jurisdiction)
	w.int(r.BalanceBeforeMinor)
	w.int(r.BalanceMinor)
	w.int(r.HeldMinor)
	w.int(r.CostMinor)
	w.int(r.WinMinor)
	w.int(r.RoundWinMinor)
	w.string(r.Game)
	w.uint(r.Session)
	w.uint(r.Round)
	w.uint(r.Step)
	w.uint(r.Nonce)
	w.bool(r.RoundOpen)
	w.uint(uint64(r.NextActions))
	w.hash(r.Digest)
	w.hash(r.DrawsDigest)
	w.bool(r.Tombstone)
	w.int(r.ShortfallMinor)
	w.string(r.Incident)
	w.hash(r.Commitment)
	w.hash(r.Seed)
	w.bool(r.Resolved)
}

func (r *Result) decode(rd *reader) {
	if v := rd.byte(); rd.err == nil && v != resultVersion {
		rd.fail(fmt.Errorf("result of version %d: %w", v, ErrUnsupported))
		return
	}
	r.Kind, r.Effect, r.Code = Kind(rd.byte()), Effect(rd.byte()), Code(rd.string())
	r.Epoch, r.Seq, r.TimeMS = rd.uint32(), rd.uint(), rd.int()
	r.Wallet, r.WalletSeq, r.Currency, r.Jurisdiction = rd.id(), rd.uint(), rd.string(), rd.string()
	r.BalanceBeforeMinor, r.BalanceMinor, r.HeldMinor = rd.int(), rd.int(), rd.int()
	r.CostMinor, r.WinMinor, r.RoundWinMinor, r.Game = rd.int(), rd.int(), rd.int(), rd.string()
	r.Session, r.Round, r.Step, r.Nonce = rd.uint(), rd.uint(), rd.uint(), rd.uint()
	r.RoundOpen, r.NextActions, r.Digest, r.DrawsDigest = rd.bool(), rd.uint32(), rd.hash(), rd.hash()
	r.Tombstone, r.ShortfallMinor, r.Incident = rd.bool(), rd.int(), rd.string()
	r.Commitment, r.Seed, r.Resolved = rd.hash(), rd.hash(), rd.bool()
}

// DecodeResult reads a result from a journal record.
func DecodeResult(b []byte) (*Result, error) {
	rd, r := &reader{b: b}, &Result{}
	r.decode(rd)
	if err := rd.done(); err != nil {
		return nil, fmt.Errorf("decode result: %w", err)
	}
	return r, nil
}

// Record is one operation as the journal keeps it.
type Record struct {
	Epoch  uint32
	Seq    uint64
	Prev   Hash
	Leaf   Hash
	Salt   Hash
	Input  []byte
	Result []byte
}

// Verify recomputes the record's leaf from its content and salt.
func (r *Record) Verify() error {
	if Leaf(leafVersion, r.Epoch, r.Seq, Commitment(r.Salt, r.Input, r.Result)) != r.Leaf {
		return fmt.Errorf("record %d: content does not match its leaf", r.Seq)
	}
	return nil
}
