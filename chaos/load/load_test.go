package load

import (
	"slices"
	"testing"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/chaos/history"
	"github.com/edgereel/edgereel/client"
)

func playCall(step uint64, failed *client.Error) client.Call {
	began := time.Unix(100, int64(step))
	call := client.Call{
		Kind: "play", Request: &edgereelv1.PlayRequest{Wallet: "w", Session: "w-1", Step: step, StakeMinor: 100, Mode: "base"},
		Node: "asked", Attempts: 2, Began: began, Ended: began.Add(3 * time.Millisecond), Err: failed,
	}
	if failed == nil {
		call.Response = &edgereelv1.PlayResponse{
			CostMinor: 100, WinMinor: 250, BalanceMinor: 1150, RoundWinMinor: 250, Round: "w-4", Step: step, ModuleDigest: "m", DrawsDigest: "d",
			Position: &edgereelv1.Position{Shard: 2, Epoch: 1, ShardSeq: 9, ShardHash: "h", WalletSeq: 5, Node: "answered"},
		}
	}
	return call
}

func collect() (*Recorder, *[]history.Record) {
	var records []history.Record
	return NewRecorder(func(r history.Record) { records = append(records, r) }), &records
}

func TestRecorder_AcknowledgedStep(t *testing.T) {
	recorder, records := collect()
	recorder.Observe(playCall(3, nil))
	recorder.Flush()
	want := history.Record{
		Schema: 1, CallNS: 100_000_000_003, ReturnNS: 100_003_000_003, Wallet: "w", Kind: "play", Key: "w-1/3", Effect: "applied",
		StakeMinor: 100, CostMinor: 100, WinMinor: 250, RoundWinMinor: 250, BalanceMinor: 1150, WalletSeq: 5, Shard: 2, Epoch: 1,
		ShardSeq: 9, ShardHash: "h", Mode: "base", Session: "w-1", Round: "w-4", Step: 3, ModuleDigest: "m", DrawsDigest: "d",
		Node: "answered", Attempts: 2,
	}
	if len(*records) != 1 || (*records)[0] != want {
		t.Errorf("records %+v, want %+v", *records, want)
	}
}

// TestRecorder_RepeatedKey writes one record for all calls of a key, and never
// a refusal while an attempt may still commit.
func TestRecorder_RepeatedKey(t *testing.T) {
	unknown := &client.Error{Effect: client.Unknown, Code: "no_answer"}
	refused := &client.Error{Effect: client.NotApplied, Code: "insufficient_funds"}
	reversed := &client.Error{Effect: client.NotApplied, Code: "reversed"}
	tests := map[string]struct {
		calls    []*client.Error
		effect   string
		attempts int
	}{
		"answered at last":       {[]*client.Error{unknown, unknown, nil}, history.Applied, 6},
		"never answered":         {[]*client.Error{unknown, unknown}, history.Unknown, 4},
		"refused at once":        {[]*client.Error{refused}, history.NotApplied, 2},
		"refused after unknown":  {[]*client.Error{unknown, refused}, history.Unknown, 4},
		"reversed after unknown": {[]*client.Error{unknown, reversed}, history.NotApplied, 4},
	}
	for name, test := range tests {
		recorder, records := collect()
		for _, failed := range test.calls {
			recorder.Observe(playCall(1, failed))
		}
		recorder.Flush()
		if len(*records) != 1 || (*records)[0].Effect != test.effect || (*records)[0].Attempts != test.attempts {
			t.Errorf("%s: %+v", name, *records)
		}
	}
}

func TestRecorder_LeavesOutWhatMovesNoMoney(t *testing.T) {
	recorder, records := collect()
	for _, call := range []client.Call{
		{Kind: "list_games", Request: &edgereelv1.ListGamesRequest{}, Response: &edgereelv1.ListGamesResponse{}},
		{Kind: "read", Request: &edgereelv1.GetWalletRequest{Wallet: "w", Stale: true}, Response: &edgereelv1.GetWalletResponse{Stale: true}},
		// Asked for a linearizable read, got a replica's.
		{Kind: "read", Request: &edgereelv1.GetWalletRequest{Wallet: "w"}, Response: &edgereelv1.GetWalletResponse{Stale: true}},
	} {
		recorder.Observe(call)
	}
	recorder.Flush()
	if len(*records) != 0 {
		t.Errorf("records %+v", *records)
	}
}

func TestTally(t *testing.T) {
	tally := newTally()
	for i := range 100 {
		tally.add(history.Record{Kind: history.KindPlay, Effect: history.Applied, CostMinor: 10, WinMinor: 4, ReturnNS: int64(i+1) * 1e6})
	}
	tally.add(history.Record{Kind: history.KindPlay, Effect: history.Unknown})
	tally.add(history.Record{Kind: history.KindDeposit, Effect: history.NotApplied})
	tally.add(history.Record{Kind: history.KindOpenSession, Effect: history.Applied})
	tally.add(history.Record{Kind: history.KindRead, Effect: history.Applied})
	tally.player(client.Stats{Failovers: 2, LongestGap: time.Second})
	tally.player(client.Stats{Failovers: 1, LongestGap: time.Millisecond})
	want := Result{
		Steps: 100, Acknowledged: 101, Refused: 1, Unknown: 1, StakeTotalMinor: 1000, WinTotalMinor: 400,
		P50MS: 50, P99MS: 99, Failovers: 3, LongestGapMS: 1000,
	}
	if got := tally.result(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestRun_RefusesNonsense(t *testing.T) {
	for _, cfg := range []Config{{}, {Game: "g", Rounds: 1}, {Game: "g", Seats: []Seat{{}}}, {Rounds: 1, Seats: []Seat{{}}}} {
		if _, err := Run(t.Context(), cfg); err == nil {
			t.Errorf("%+v was played", cfg)
		}
	}
}

func TestChoose_OnlyOffered(t *testing.T) {
	cfg := Config{Seed: 3}
	p := newPlayer(&cfg, 0)
	seen := map[uint32]bool{}
	for range 200 {
		seen[p.choose(0b1010_0100)] = true
	}
	if got := len(seen); got != 3 || !seen[2] || !seen[5] || !seen[7] {
		t.Errorf("chose %v", seen)
	}
	var first, second []uint32
	a, b := newPlayer(&cfg, 1), newPlayer(&cfg, 1)
	for range 10 {
		first, second = append(first, a.choose(0xff)), append(second, b.choose(0xff))
	}
	if !slices.Equal(first, second) {
		t.Errorf("the same seed chose %v and %v", first, second)
	}
}

func TestPlayer_StopsAtAFrozenRound(t *testing.T) {
	if frozen(&edgereelv1.Round{Round: "w-1", Frozen: true}) == nil {
		t.Error("a frozen round cannot be played on")
	}
	if err := frozen(&edgereelv1.Round{Round: "w-1"}); err != nil {
		t.Error(err)
	}
}
