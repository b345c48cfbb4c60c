package sim

import (
	"testing"
	"time"

	"github.com/edgereel/edgereel/chaos/history"
)

func TestWaits(t *testing.T) {
	play := func(wallet, effect string, call, end time.Duration) history.Record {
		return history.Record{Wallet: wallet, Kind: history.KindPlay, Effect: effect, CallNS: int64(call), ReturnNS: int64(end)}
	}
	tests := map[string]struct {
		records []history.Record
		want    time.Duration
	}{
		"thinking does not count": {[]history.Record{play("a", history.Applied, 1, 3), play("a", history.Applied, 100, 104)}, 4},
		"a refusal does":          {[]history.Record{play("a", history.Applied, 1, 3), play("a", history.NotAppliedRetryable, 10, 12), play("a", history.Applied, 20, 25)}, 15},
		"an unknown step does":    {[]history.Record{play("a", history.Applied, 1, 3), play("a", history.Unknown, 10, 12), play("a", history.Applied, 20, 25)}, 15},
		"players are apart":       {[]history.Record{play("a", history.Applied, 1, 3), play("b", history.Applied, 2, 9), play("a", history.Applied, 10, 12)}, 7},
		"played on elsewhere":     {[]history.Record{play("a", history.Applied, 1, 50), play("a", history.Applied, 20, 23), play("a", history.Applied, 30, 32)}, 22},
	}
	for name, test := range tests {
		var r Result
		r.waits(test.records)
		if r.LongestGap != test.want {
			t.Errorf("%s: longest gap %d, want %d", name, r.LongestGap, test.want)
		}
	}
}
