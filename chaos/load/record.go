package load

import (
	"fmt"
	"sync"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/client"
)

// Recorder turns finished calls into history records, one per operation: a
// call that is repeated because its effect was unknown stays one record. Give
// its Observe to the client. The mutex guards open.
type Recorder struct {
	write func(history.Record)

	mu sync.Mutex
	// open are the operations whose effect is still unknown, by wallet and key.
	open map[string]history.Record
}

// NewRecorder hands every record to write, which several goroutines may call.
func NewRecorder(write func(history.Record)) *Recorder {
	return &Recorder{write: write, open: map[string]history.Record{}}
}

// Observe takes a finished call. Calls that say nothing of a wallet are left out.
func (r *Recorder) Observe(call client.Call) {
	record, ok := FromCall(call)
	if !ok {
		return
	}
	name := record.Wallet + " " + record.Kind + " " + record.Key
	r.mu.Lock()
	if earlier, found := r.open[name]; found {
		record.CallNS, record.Attempts = earlier.CallNS, record.Attempts+earlier.Attempts
		// The earlier attempt may still commit: a later refusal speaks for its
		// own attempts only, whatever the client made of it.
		if record.Effect == history.NotAppliedRetryable || record.Effect == history.NotApplied && record.Code != "reversed" {
			record.Effect = history.Unknown
		}
		delete(r.open, name)
	}
	unknown := record.Effect == history.Unknown
	if unknown {
		r.open[name] = record
	}
	r.mu.Unlock()
	if !unknown {
		r.write(record)
	}
}

// Flush writes what stayed unknown. Nothing may be observed any more.
func (r *Recorder) Flush() {
	r.mu.Lock()
	left := r.open
	r.open = map[string]history.Record{}
	r.mu.Unlock()
	for _, record := range left {
		r.write(record)
	}
}

// FromCall gives a call its form in a history; false for calls that concern no
// wallet's money.
func FromCall(call client.Call) (history.Record, bool) {
	r := history.Record{
		Schema: history.Schema, Kind: call.Kind, Effect: history.Applied, Node: call.Node, Attempts: call.Attempts,
		CallNS: call.Began.UnixNano(), ReturnNS: call.Began.UnixNano() + call.Ended.Sub(call.Began).Nanoseconds(),
	}
	if call.Err != nil {
		r.Effect, r.Code = string(call.Err.Effect), call.Err.Code
	}
	if !request(&r, call) {
		return r, false
	}
	if call.Err == nil && !response(&r, call) {
		return r, false
	}
	return r, true
}

// request fills in what the caller decided.
func request(r *history.Record, call client.Call) bool {
	switch q := call.Request.(type) {
	case *edgereelv1.PlayRequest:
		r.Wallet, r.Key = q.GetWallet(), fmt.Sprintf("%s/%d", q.GetSession(), q.GetStep())
		r.StakeMinor, r.Mode, r.Session, r.Step = q.GetStakeMinor(), q.GetMode(), q.GetSession(), q.GetStep()
	case *edgereelv1.OpenSessionRequest:
		r.Wallet, r.Key, r.Game = q.GetWallet(), q.GetKey(), q.GetGame()
	case *edgereelv1.CloseSessionRequest:
		r.Wallet, r.Key, r.Session = q.GetWallet(), q.GetSession(), q.GetSession()
	case *edgereelv1.GetWalletRequest:
		r.Wallet = q.GetWallet()
		return !q.GetStale()
	case *edgereelv1.OperatorGetWalletRequest:
		r.Wallet = q.GetWallet()
		return !q.GetStale()
	case *edgereelv1.DepositRequest:
		r.Wallet, r.Key, r.AmountMinor = q.GetWallet(), q.GetTransactionId(), q.GetAmountMinor()
	case *edgereelv1.WithdrawRequest:
		r.Wallet, r.Key, r.AmountMinor = q.GetWallet(), q.GetTransactionId(), q.GetAmountMinor()
	case *edgereelv1.ReverseRequest:
		r.Wallet, r.Key = q.GetWallet(), q.GetTransactionId()
	default:
		return false
	}
	return true
}

// response fills in what the node answered.
func response(r *history.Record, call client.Call) bool {
	switch a := call.Response.(type) {
	case *edgereelv1.PlayResponse:
		r.CostMinor, r.WinMinor, r.RoundWinMinor, r.RoundOpen = a.GetCostMinor(), a.GetWinMinor(), a.GetRoundWinMinor(), a.GetRoundOpen()
		r.BalanceMinor, r.Round, r.Step = a.GetBalanceMinor(), a.GetRound(), a.GetStep()
		r.ModuleDigest, r.DrawsDigest, r.Incident = a.GetModuleDigest(), a.GetDrawsDigest(), a.GetIncident()
		place(r, a.GetPosition())
	case *edgereelv1.OpenSessionResponse:
		r.Session = a.GetSession().GetSession()
		place(r, a.GetPosition())
	case *edgereelv1.CloseSessionResponse:
		place(r, a.GetPosition())
	case *edgereelv1.CashResponse:
		r.BalanceMinor = a.GetBalanceMinor()
		place(r, a.GetPosition())
	case *edgereelv1.GetWalletResponse:
		place(r, a.GetPosition())
		r.BalanceMinor, r.WalletSeq = a.GetWallet().GetBalanceMinor(), a.GetWallet().GetWalletSeq()
		return !a.GetStale()
	case *edgereelv1.OperatorGetWalletResponse:
		place(r, a.GetPosition())
		r.BalanceMinor, r.WalletSeq = a.GetWallet().GetBalanceMinor(), a.GetWallet().GetWalletSeq()
		return !a.GetStale()
	default:
		return false
	}
	return true
}

func place(r *history.Record, p *edgereelv1.Position) {
	r.Shard, r.Epoch, r.ShardSeq, r.ShardHash, r.WalletSeq = p.GetShard(), p.GetEpoch(), p.GetShardSeq(), p.GetShardHash(), p.GetWalletSeq()
	if p.GetNode() != "" {
		r.Node = p.GetNode()
	}
}
