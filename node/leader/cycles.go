package leader

import (
	"sync"
	"time"

	"github.com/edgereel/edgereel/wallet"
)

// cycles remembers until when wallets wait for their next round, in this node's
// own time, so that skew of the shard's time can only delay it (PROTOCOL 2). It
// holds about as many wallets as play within one cycle. The mutex guards all.
type cycles struct {
	mu    sync.Mutex
	until map[wallet.ID]time.Time
	// sweepAt is the size at which the past is dropped next.
	sweepAt int
}

const firstSweep = 1024

func (c *cycles) get(id wallet.ID) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.until[id]
	return until, ok
}

func (c *cycles) set(id wallet.ID, now, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.until) >= max(c.sweepAt, firstSweep) {
		for other, t := range c.until {
			if !now.Before(t) {
				delete(c.until, other)
			}
		}
		c.sweepAt = 2 * len(c.until)
	}
	c.until[id] = until
}
