package sim

import (
	"runtime"
	"time"
)

// Watchdog calls hung with the stacks of all goroutines unless it is stopped
// within limit, in real time. A goroutine that waits while it holds a mutex
// stops a bubble's time for good and in silence; only the outside notices.
// Start and stop it outside of the bubble.
func Watchdog(limit time.Duration, hung func(stacks []byte)) (stop func()) {
	timer := time.AfterFunc(limit, func() {
		stacks := make([]byte, 16<<20)
		hung(stacks[:runtime.Stack(stacks, true)])
	})
	return func() { timer.Stop() }
}
