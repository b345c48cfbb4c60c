package storage

import (
	"errors"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"
)

// request is one durable change. The writer calls apply inside a transaction
// and publish after the commit.
type request struct {
	records int
	bytes   int
	// apply must check before it changes anything and return a refusal when it
	// cannot go on; any other error fails the store.
	apply   func(*bbolt.Tx) error
	publish func()
	result  chan error // one slot
}

// refusal is an error of one request that leaves the transaction whole.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// withEntry returns a copy of m with one more entry.
func withEntry(m map[string][]byte, key string, value []byte) (map[string][]byte, error) {
	total := 0
	for k, v := range m {
		total += len(k) + len(v) + 8
	}
	if total+len(key)+len(value) > maxKeyValueSize {
		return nil, refusal{fmt.Errorf("table would exceed %d bytes", maxKeyValueSize)}
	}
	next := maps.Clone(m)
	if next == nil {
		next = make(map[string][]byte)
	}
	next[key] = value
	return next, nil
}

// submit queues a request and waits until it is durable or refused.
func (s *Store) submit(r *request) error {
	r.result = make(chan error, 1)
	s.mu.Lock()
	if err := s.refusedLocked(); err != nil {
		s.mu.Unlock()
		return err
	}
	s.pending = append(s.pending, r)
	s.mu.Unlock()
	s.kick()
	return <-r.result
}

func (s *Store) refusedLocked() error {
	if s.closed {
		return ErrClosed
	}
	if s.failed != nil {
		return fmt.Errorf("%w: %w", ErrFailed, s.failed)
	}
	return nil
}

func (s *Store) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write is the writer goroutine: everything that queued up while one commit ran
// goes into the next. There is no linger: an idle disk starts at once.
func (s *Store) write() {
	for range s.wake {
		batch, stop := s.takePending()
		if err := s.commit(batch); err != nil {
			s.fail(err)
			return
		}
		if stop {
			close(s.done)
			return
		}
	}
}

func (s *Store) takePending() (batch []*request, stop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.pending = s.pending, nil
	if s.dropped {
		for _, r := range batch {
			r.result <- ErrClosed
		}
		batch = nil
	}
	return batch, s.closed
}

// commit writes one batch in one transaction, publishes it and answers the
// callers. An error fails the store.
func (s *Store) commit(batch []*request) error {
	if len(batch) == 0 {
		return nil
	}
	start := s.cfg.Now()
	tx, err := s.db.Begin(true)
	if err != nil {
		return answer(batch, err)
	}
	applied := batch[:0:0]
	records, bytes := 0, 0
	for _, r := range batch {
		err := r.apply(tx)
		var ref refusal
		if errors.As(err, &ref) {
			r.result <- ref.error
			continue
		}
		if err != nil {
			_ = tx.Rollback()
			return answer(batch, err)
		}
		applied = append(applied, r)
		records += r.records
		bytes += r.bytes
	}
	if len(applied) == 0 {
		return tx.Rollback()
	}
	if err := s.finish(tx); err != nil {
		return answer(applied, err)
	}
	for _, r := range applied {
		r.publish()
	}
	for _, r := range applied {
		r.result <- nil
	}
	if s.cfg.Observer != nil {
		s.cfg.Observer.FsyncDone(s.cfg.Now().Sub(start), records, bytes)
	}
	return nil
}

// finish commits through the configured CommitFunc. Once the store is
// abandoned nothing reaches the file any more, even if the CommitFunc was
// waiting at that moment.
func (s *Store) finish(tx *bbolt.Tx) error {
	committed := false
	err := s.cfg.Commit(s.abandoned, func() error {
		select {
		case <-s.abandoned:
			return ErrClosed
		default:
		}
		committed = true
		return tx.Commit()
	})
	if !committed {
		_ = tx.Rollback()
		if err == nil {
			err = errors.New("commit was skipped")
		}
	}
	return err
}

// answer gives err to every request that has no answer yet and returns it.
func answer(batch []*request, err error) error {
	out := ErrClosed
	if !errors.Is(err, ErrClosed) {
		out = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	for _, r := range batch {
		select {
		case r.result <- out:
		default: // refused before
		}
	}
	return err
}

// fail ends the writer. OnFatal runs last and may call Close or Abandon.
func (s *Store) fail(err error) {
	s.mu.Lock()
	abandoned := s.dropped
	s.failed = err
	batch := s.pending
	s.pending = nil
	s.mu.Unlock()
	_ = answer(batch, err)
	close(s.done)
	if abandoned {
		return
	}
	s.cfg.Logger.Error("commit failed, no more writes are taken", "file", nodeFileName, "error", err)
	if s.cfg.OnFatal != nil {
		s.cfg.OnFatal(err)
	}
}

// Close commits what is pending, stops the writer and releases the file. It is
// idempotent; calls after it are refused with ErrClosed.
func (s *Store) Close() error { return s.stop(false) }

// Abandon drops the Store as a crash of the process would: pending writes are
// refused, a commit that has begun either completes or does not, nothing is
// flushed, and every handle taken from this Store refuses reads and writes from
// now on, so that goroutines left over from the "dead" node cannot touch files
// that its successor has opened. The same folder can be opened again at once.
// It is meant for simulations; bbolt syncs in every commit, so the file holds
// exactly the completed commits.
func (s *Store) Abandon() { _ = s.stop(true) }

func (s *Store) stop(drop bool) error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.dropped = drop
		s.mu.Unlock()
		if drop {
			close(s.abandoned)
		}
		s.kick()
		<-s.done
		s.closeErr = s.db.Close()
	})
	return s.closeErr
}
