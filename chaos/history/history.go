// Package history records what clients did and saw: one JSON line per
// operation, with the times of one process's clock. It is the evidence the
// checkers work on, because totals alone prove nothing: a double spend balances.
//
// What it promises: a Writer that was closed without an error has written every
// record whole, and a Reader refuses a line it does not understand completely.
// It judges nothing.
//
// # Concurrency
//
// A Writer may be used by many goroutines; one goroutine of its own writes. A
// Reader belongs to one goroutine.
package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Schema numbers the form of a line.
const Schema = 1

// Kinds of operations in a history.
const (
	KindRead         = "read"
	KindOpenWallet   = "open_wallet"
	KindDeposit      = "deposit"
	KindWithdraw     = "withdraw"
	KindReverse      = "reverse"
	KindOpenSession  = "open_session"
	KindPlay         = "play"
	KindCloseSession = "close_session"
)

// Effects of an operation.
const (
	Applied             = "applied"
	NotApplied          = "not_applied"
	NotAppliedRetryable = "not_applied_retryable"
	Unknown             = "unknown"
)

// Record is one operation with all of its attempts. Amounts are minor units.
type Record struct {
	Schema int `json:"schema"`
	// CallNS and ReturnNS are nanoseconds since 1970 on a clock that never
	// steps within a history. The return of an unknown operation is when the
	// client gave up, not when it took effect.
	CallNS   int64  `json:"call_ns"`
	ReturnNS int64  `json:"return_ns"`
	Player   string `json:"player,omitempty"`
	Wallet   string `json:"wallet"`
	Kind     string `json:"kind"`
	// Key is what makes the operation idempotent: "<session>/<step>" of a step,
	// the transaction id of a cash operation, the session of a closing.
	Key    string `json:"key,omitempty"`
	Effect string `json:"effect"`
	Code   string `json:"code,omitempty"`

	StakeMinor  int64 `json:"stake_minor"`
	AmountMinor int64 `json:"amount_minor"`
	CostMinor   int64 `json:"cost_minor"`
	WinMinor    int64 `json:"win_minor"`
	// RoundWinMinor is the round's win so far; it is paid when RoundOpen is
	// false.
	RoundWinMinor int64 `json:"round_win_minor"`
	RoundOpen     bool  `json:"round_open"`
	BalanceMinor  int64 `json:"balance_minor"`

	WalletSeq uint64 `json:"wallet_seq"`
	Shard     uint32 `json:"shard"`
	Epoch     uint32 `json:"epoch"`
	ShardSeq  uint64 `json:"shard_seq"`
	ShardHash string `json:"shard_hash,omitempty"`

	Game         string `json:"game,omitempty"`
	Mode         string `json:"mode,omitempty"`
	Session      string `json:"session,omitempty"`
	Round        string `json:"round,omitempty"`
	Step         uint64 `json:"step,omitempty"`
	ModuleDigest string `json:"module_digest,omitempty"`
	DrawsDigest  string `json:"draws_digest,omitempty"`
	Incident     string `json:"incident,omitempty"`

	Node     string `json:"node,omitempty"`
	Attempts int    `json:"attempts"`
}

// Mutating tells whether the operation can change the ledger.
func (r *Record) Mutating() bool { return r.Kind != KindRead }

func (r *Record) check() error {
	switch {
	case r.Schema != Schema:
		return fmt.Errorf("schema %d, want %d", r.Schema, Schema)
	case r.Wallet == "":
		return errors.New("no wallet")
	case r.Mutating() && r.Key == "":
		return fmt.Errorf("a %s needs a key", r.Kind)
	case r.ReturnNS < r.CallNS:
		return errors.New("returned before it was called")
	}
	switch r.Kind {
	case KindRead, KindOpenWallet, KindDeposit, KindWithdraw, KindReverse, KindOpenSession, KindPlay, KindCloseSession:
	default:
		return fmt.Errorf("kind %q is not known", r.Kind)
	}
	switch r.Effect {
	case Applied, NotApplied, NotAppliedRetryable, Unknown:
		return nil
	}
	return fmt.Errorf("effect %q is not known", r.Effect)
}

// Writer appends records to a file, in the order Write was called.
type Writer struct {
	records chan Record
	done    chan struct{}
	once    sync.Once
	err     error // set by the goroutine before done is closed
}

// NewWriter starts writing to out, which the caller closes after the Writer.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{records: make(chan Record, 1024), done: make(chan struct{})}
	go w.run(out)
	return w
}

// Write takes a record; what goes wrong with it is reported by Close. It must
// not be called during or after Close.
func (w *Writer) Write(r Record) {
	r.Schema = Schema
	w.records <- r
}

// run flushes whenever nothing waits, so that a killed process has lost at most
// the operations of its last moment.
func (w *Writer) run(out io.Writer) {
	defer close(w.done)
	buffer := bufio.NewWriterSize(out, 64<<10)
	encoder := json.NewEncoder(buffer)
	var err error
	for r := range w.records {
		if err != nil {
			continue
		}
		if err = r.check(); err == nil {
			err = encoder.Encode(r)
		}
		if err == nil && len(w.records) == 0 {
			err = buffer.Flush()
		}
	}
	if err == nil {
		err = buffer.Flush()
	}
	w.err = err
}

// Close writes what is left.
func (w *Writer) Close() error {
	w.once.Do(func() { close(w.records) })
	<-w.done
	if w.err != nil {
		return fmt.Errorf("write history: %w", w.err)
	}
	return nil
}

// Read reads a whole history. A cut last line, an unknown field or kind is an
// error that names its line: a verdict on half a history would be worth nothing.
func Read(in io.Reader) ([]Record, error) {
	var records []Record
	reader := bufio.NewReaderSize(in, 64<<10)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return records, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read history: line %d is cut", number)
		}
		if err != nil {
			return nil, fmt.Errorf("read history: line %d: %w", number, err)
		}
		record, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("read history: line %d: %w", number, err)
		}
		records = append(records, record)
	}
}
