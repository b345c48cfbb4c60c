package leader

import (
	"errors"
	"sync"
	"time"

	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/wallet"
)

// Times of a module that this node lacks.
const (
	defaultModuleWait = 5 * time.Second
	fetchEvery        = time.Second
)

// lacking follows the modules that players asked for and this node cannot
// evaluate: it asks for each, and where one does not arrive in time it gives
// leadership to a node that may have it (PROTOCOL 16). The mutex guards waits.
type lacking struct {
	mu    sync.Mutex
	waits map[wallet.Hash]*wait
}

// wait is one module's: since when it is missed and when it was last asked for.
type wait struct{ since, asked time.Time }

// missed takes note of an evaluation that failed here. It returns at once.
func (s *Service) missed(digest wallet.Hash, err error) {
	if !errors.Is(err, rounds.ErrNoModule) && !errors.Is(err, rounds.ErrBudget) {
		return
	}
	now := s.cfg.Now()
	fetch, give := s.lacking.note(digest, now, s.cfg.ModuleWait)
	if fetch {
		s.cfg.Logger.Warn("a module is not at hand", "shard", s.cfg.Shard, "module", digest.String(), "error", err)
		// Another budget is no matter of bytes.
		if s.cfg.Fetch != nil && errors.Is(err, rounds.ErrNoModule) {
			s.cfg.Fetch(digest)
		}
	}
	if give && s.cfg.GiveAway != nil {
		s.cfg.Logger.Error("leadership is given away: a module did not arrive", "shard", s.cfg.Shard, "module", digest.String())
		s.cfg.GiveAway()
	}
}

// note says whether to ask for a module now, and whether it is overdue. After
// that the wait begins anew: a node that nobody relieved tries again.
func (l *lacking) note(digest wallet.Hash, now time.Time, patience time.Duration) (fetch, give bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits == nil {
		l.waits = map[wallet.Hash]*wait{}
	}
	w := l.waits[digest]
	if w == nil {
		w = &wait{since: now}
		l.waits[digest] = w
	}
	if w.asked.IsZero() || now.Sub(w.asked) >= fetchEvery {
		w.asked, fetch = now, true
	}
	if now.Sub(w.since) >= patience {
		w.since, give = now, true
	}
	return fetch, give
}

// found ends the wait for a module.
func (l *lacking) found(digest wallet.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waits, digest)
}
