package push

import (
	"sync"
	"time"

	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
)

// forgetAfter is how long an uploaded blob waits for a push that is recorded.
const forgetAfter = 24 * time.Hour

// keeper knows which blobs may be deleted: those that no recorded release needs
// and no running push uses. mu guards both maps and is never held during I/O.
type keeper struct {
	store    *blobs.Store
	registry Registry
	now      func() time.Time

	mu      sync.Mutex
	using   map[blobs.Digest]int
	arrived map[blobs.Digest]time.Time
}

// newKeeper takes what is stored already for uploads of just now: nobody wrote
// down when they came.
func newKeeper(cfg *Config) (*keeper, error) {
	k := &keeper{store: cfg.Blobs, registry: cfg.Registry, now: cfg.Now, using: map[blobs.Digest]int{}, arrived: map[blobs.Digest]time.Time{}}
	all, err := cfg.Blobs.List()
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		k.arrived[d] = k.now()
	}
	return k, nil
}

// came notes that a blob was uploaded.
func (k *keeper) came(d blobs.Digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.arrived[d] = k.now()
}

// use keeps blobs from being deleted until the returned function is called.
func (k *keeper) use(digests ...blobs.Digest) func() {
	k.count(digests, 1)
	return sync.OnceFunc(func() { k.count(digests, -1) })
}

func (k *keeper) count(digests []blobs.Digest, by int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range digests {
		if k.using[d] += by; k.using[d] <= 0 {
			delete(k.using, d)
		}
	}
}

// discard deletes those of the blobs that nobody needs or uses.
func (k *keeper) discard(digests ...blobs.Digest) error {
	state := k.registry.State()
	if state.Seq() == 0 {
		return nil // this node has heard of nothing yet, and so of no need
	}
	needed := referenced(state)
	var free []blobs.Digest
	k.mu.Lock()
	for _, d := range digests {
		if !needed[d] && k.using[d] == 0 {
			free = append(free, d)
		}
		delete(k.arrived, d)
	}
	k.mu.Unlock()
	var failed error
	for _, d := range free {
		if err := k.store.Delete(d); err != nil {
			failed = err
		}
	}
	return failed
}

// sweep discards what was uploaded long ago and came to nothing.
func (k *keeper) sweep() error {
	limit := k.now().Add(-forgetAfter)
	var old []blobs.Digest
	k.mu.Lock()
	for d, at := range k.arrived {
		if at.Before(limit) && k.using[d] == 0 {
			old = append(old, d)
		}
	}
	k.mu.Unlock()
	if len(old) == 0 {
		return nil
	}
	return k.discard(old...)
}

// referenced are the blobs that recorded releases need. Of a rejected one only
// the report is kept, of a draft nothing: the next push brings it all again.
func referenced(s *registry.State) map[blobs.Digest]bool {
	kept := map[blobs.Digest]bool{}
	for _, r := range s.Releases("") {
		kept[blobs.Digest(r.Report)] = true
		if r.Phase != registry.Draft && r.Phase != registry.Rejected {
			kept[blobs.Digest(r.Module)], kept[blobs.Digest(r.Envelope)], kept[blobs.Digest(r.ParSheet)] = true, true, true
		}
	}
	return kept
}
