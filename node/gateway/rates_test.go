package gateway

import (
	"fmt"
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRates(2, 3, func() time.Time { return now })
	take := func(owner string, want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := r.allow(owner); got != w {
				t.Errorf("call %d of %s: allowed %v", i, owner, got)
			}
		}
	}
	take("ann", true, true, true, false)
	take("bob", true) // has a rate of its own
	now = now.Add(500 * time.Millisecond)
	take("ann", true, false)
	now = now.Add(time.Hour)
	take("ann", true, true, true, false) // never more than the burst
	now = now.Add(-time.Hour)            // a clock that is set back gives nothing
	take("ann", false)
}

// TestRates_ForgetsTheIdle keeps memory to those who called of late, and gives
// nobody a fresh burst too early by forgetting it.
func TestRates_ForgetsTheIdle(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRates(0.001, 1, func() time.Time { return now })
	for i := range 1000 {
		r.allow(fmt.Sprint(i))
	}
	now = now.Add(idleBucket / 2)
	if r.allow("999") {
		t.Error("one call a burst, and a second one was let through")
	}
	now = now.Add(idleBucket/2 + time.Second)
	if r.allow("999"); len(r.buckets) != 1 {
		t.Errorf("%d owners are remembered", len(r.buckets))
	}
	if r.allow("999") {
		t.Error("an owner who keeps calling was forgotten")
	}
}
