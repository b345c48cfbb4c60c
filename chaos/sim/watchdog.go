package sim

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Watchdog calls hung, once and with the stacks of all goroutines, when pulse
// was not called for as long as limit, in real time. A goroutine that waits
// while it holds a mutex stops a bubble's time for good and in silence; only the
// outside notices. Start and stop it outside of the bubble, and give pulse to
// Config.Pulse.
func Watchdog(limit time.Duration, hung func(stacks []byte)) (pulse, stop func()) {
	var beats atomic.Int64
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		look := time.NewTicker(limit)
		defer look.Stop()
		for seen := int64(-1); ; {
			select {
			case <-done:
				return
			case <-look.C:
			}
			now := beats.Load()
			if now == seen {
				stacks := make([]byte, 16<<20)
				hung(stacks[:runtime.Stack(stacks, true)])
				return
			}
			seen = now
		}
	}()
	var once atomic.Bool
	return func() { beats.Add(1) }, func() {
		if !once.Swap(true) {
			close(done)
		}
		<-stopped
	}
}
