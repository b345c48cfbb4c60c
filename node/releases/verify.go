package releases

import (
	"context"
	"errors"
	"time"

	"github.com/edgereel/edgereel/storage/blobs"
)

// verify compares each stored blob with its digest once a day, by the injected
// clock, one after the other.
func (s *Service) verify(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	// Documents were verified when they came; modules at every start.
	last := s.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.cfg.Now().Sub(last) >= s.cfg.VerifyEvery {
			last = s.cfg.Now()
			s.VerifyAll(ctx)
		}
	}
}

// VerifyAll compares every stored blob with its digest now. A game whose file
// changed is stopped and fetched anew.
func (s *Service) VerifyAll(ctx context.Context) {
	list, err := s.cfg.Blobs.List()
	if err != nil {
		s.cfg.Logger.Error("stored blobs not verified", "error", err)
		return
	}
	good := 0
	for _, d := range list {
		if ctx.Err() != nil {
			return
		}
		err := s.cfg.Blobs.Verify(d)
		switch {
		case err == nil:
			good++
			s.mu.Lock()
			if l := s.loaded[d]; l != nil {
				l.verifiedAt = s.cfg.Now()
			}
			s.mu.Unlock()
		case s.damaged(d, err):
			if err := s.stop(ctx, d); err != nil {
				s.cfg.Logger.Error("a damaged game runs on", "digest", d.String(), "error", err)
			}
		default:
			s.cfg.Logger.Warn("a stored blob cannot be read", "digest", d.String(), "error", err)
		}
	}
	s.lost(list)
	s.cfg.Logger.Info("stored blobs verified", "good", good, "of", len(list))
	s.look()
}

// lost has blobs fetched anew whose files are gone; what is loaded of them goes
// on, since its bytes were right.
func (s *Service) lost(list []blobs.Digest) {
	here := map[blobs.Digest]bool{}
	for _, d := range list {
		here[d] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.have {
		if !here[d] {
			delete(s.have, d)
		}
	}
}

// damaged tells everybody of a file that changed; false where an error is about
// something else.
func (s *Service) damaged(d blobs.Digest, err error) bool {
	var damage *blobs.DamageError
	if !errors.As(err, &damage) {
		return false
	}
	s.cfg.Metrics.ModuleDamaged()
	s.troubled(d, damage.Error())
	s.mu.Lock()
	delete(s.have, d)
	s.mu.Unlock()
	s.cfg.Logger.Error("a stored blob is damaged: it is not used on this node until another node delivers it", "digest", d.String(), "error", err)
	return true
}
