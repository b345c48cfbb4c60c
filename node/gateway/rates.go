package gateway

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rates bounds the calls of each token's owner. The mutex guards buckets.
type rates struct {
	perSecond rate.Limit
	burst     int
	now       func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// idleBucket is how long an owner who does not call is remembered; after that
// its bucket would be full again anyway.
const idleBucket = time.Minute

func newRates(perSecond float64, burst int, now func() time.Time) *rates {
	return &rates{perSecond: rate.Limit(perSecond), burst: burst, now: now, buckets: map[string]*bucket{}, swept: now()}
}

func (r *rates) allow(owner string) bool {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.swept) > idleBucket {
		r.swept = now
		for name, b := range r.buckets {
			if now.Sub(b.used) > idleBucket {
				delete(r.buckets, name)
			}
		}
	}
	b := r.buckets[owner]
	if b == nil {
		b = &bucket{limiter: rate.NewLimiter(r.perSecond, r.burst)}
		r.buckets[owner] = b
	}
	b.used = now
	return b.limiter.AllowN(now, 1)
}
