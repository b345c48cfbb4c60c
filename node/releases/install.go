package releases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/wallet"
)

// installer brings what is missing. Its goroutine owns all fields; workers tell
// it of their end through done.
type installer struct {
	*Service
	busy  map[blobs.Digest]bool
	retry map[blobs.Digest]attempt
	done  chan installed
}

// attempt is when a failed install is tried again, and how long it waited.
type attempt struct {
	at   time.Time
	wait time.Duration
}

type installed struct {
	digest blobs.Digest
	err    error
}

func newInstaller(s *Service) *installer {
	return &installer{Service: s, busy: map[blobs.Digest]bool{}, retry: map[blobs.Digest]attempt{}, done: make(chan installed, installers)}
}

func (in *installer) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		state, changed := in.cfg.Registry.Changed()
		in.begin(ctx, state)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-in.wake:
		case <-tick.C:
		case d := <-in.done:
			in.end(d)
		}
	}
}

// begin starts what is missing, modules before documents, as far as there are
// workers.
func (in *installer) begin(ctx context.Context, state *registry.State) {
	load, keep := in.missing(state)
	in.mu.Lock()
	count := len(in.loaded)
	in.mu.Unlock()
	in.cfg.Metrics.Modules(count, len(load))
	now := time.Now()
	start := func(d blobs.Digest, load bool) {
		if len(in.busy) >= installers || in.busy[d] || now.Before(in.retry[d].at) {
			return
		}
		in.busy[d] = true
		in.wg.Go(func() { in.done <- installed{d, in.install(ctx, d, load)} })
	}
	for _, d := range load {
		start(d, true)
	}
	for _, d := range keep {
		start(d, false)
	}
}

// missing lists the games that are not loaded, and the blobs that are not
// stored.
func (in *installer) missing(state *registry.State) (load, keep []blobs.Digest) {
	need := in.needed(state)
	hold := state.Hold()
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, d := range need {
		if in.loaded[d] == nil && !slices.Contains(load, d) {
			load = append(load, d)
		}
	}
	for _, d := range hold.Blobs {
		if !in.have[blobs.Digest(d)] && !slices.Contains(load, blobs.Digest(d)) {
			keep = append(keep, blobs.Digest(d))
		}
	}
	return load, keep
}

// needed lists the games this node should have loaded: those rounds wait for,
// those its shards pin, those of releases.
func (s *Service) needed(state *registry.State) []blobs.Digest {
	var all []blobs.Digest
	s.mu.Lock()
	for d := range s.wanted {
		all = append(all, d)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b blobs.Digest) int { return slices.Compare(a[:], b[:]) })
	for _, shard := range s.replicas() {
		shard.View(func(sh *wallet.Shard) {
			for _, d := range sh.Pinned() {
				all = append(all, blobs.Digest(d))
			}
		})
	}
	for _, d := range state.Hold().Modules {
		all = append(all, blobs.Digest(d))
	}
	return all
}

func (in *installer) end(d installed) {
	delete(in.busy, d.digest)
	if d.err == nil {
		delete(in.retry, d.digest)
		in.troubled(d.digest, "")
		return
	}
	wait := min(max(2*in.retry[d.digest].wait, retryLeast), retryMost)
	in.retry[d.digest] = attempt{at: time.Now().Add(wait), wait: wait}
	if in.ctx.Err() == nil {
		in.troubled(d.digest, d.err.Error())
		in.cfg.Logger.Warn("a blob is not here yet", "digest", d.digest.String(), "error", d.err, "again_in", wait)
	}
}

// install stores a blob, unless it is here, and loads a game.
func (s *Service) install(ctx context.Context, d blobs.Digest, load bool) error {
	if err := s.Ensure(ctx, d); err != nil {
		return err
	}
	if load {
		if err := s.load(ctx, d); err != nil {
			s.damaged(d, err)
			return err
		}
		s.mu.Lock()
		delete(s.wanted, d)
		s.mu.Unlock()
		s.cfg.Logger.Info("game loaded", "digest", d.String())
	}
	s.mu.Lock()
	s.have[d] = true
	s.mu.Unlock()
	return nil
}

// Ensure has a blob stored on this node: it is here, or came with the program,
// or is fetched from the first node that has it.
func (s *Service) Ensure(ctx context.Context, d blobs.Digest) error {
	if s.cfg.Blobs.Has(d) {
		return nil
	}
	if data, ok := s.builtin[d]; ok {
		return s.cfg.Blobs.Put(d, int64(len(data)), bytes.NewReader(data)) //nolint:wrapcheck // it says what it did
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	peers := s.cfg.Peers()
	var errs error
	for _, node := range peers {
		err := s.fetchFrom(ctx, node, d)
		if err == nil {
			s.cfg.Logger.Info("blob fetched", "digest", d.String(), "from", node)
			return nil
		}
		errs = errors.Join(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(fmt.Errorf("none of %d nodes delivered blob %s", len(peers), d), errs)
}

// fetchFrom goes on where an earlier fetch broke, from whichever node.
func (s *Service) fetchFrom(ctx context.Context, node string, d blobs.Digest) error {
	offset, stored := s.cfg.Blobs.Next(d)
	if stored {
		return nil
	}
	err := s.cfg.Fetch.Fetch(ctx, node, d, offset, func(size, offset int64, data []byte) error {
		_, _, err := s.cfg.Blobs.Append(d, size, offset, data)
		return err //nolint:wrapcheck // the store's own error
	})
	var size *blobs.SizeError
	if errors.Is(err, blobs.ErrTooMany) || errors.Is(err, blobs.ErrBusy) || errors.As(err, &size) {
		// Studios' uploads must not keep a node from its games.
		return s.fetchWhole(ctx, node, d)
	}
	if err == nil && !s.cfg.Blobs.Has(d) {
		return fmt.Errorf("%s delivered blob %s in part", node, d)
	}
	return err
}

// fetchWhole fetches without an unfinished upload.
func (s *Service) fetchWhole(ctx context.Context, node string, d blobs.Digest) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	sizes := make(chan int64, 1)
	fetched := make(chan error, 1)
	s.wg.Go(func() {
		told := false
		err := s.cfg.Fetch.Fetch(ctx, node, d, 0, func(size, _ int64, data []byte) error {
			if !told {
				told = true
				sizes <- size
			}
			_, err := w.Write(data)
			return err //nolint:wrapcheck // the pipe's own error
		})
		_ = w.CloseWithError(err)
		fetched <- err
	})
	var err error
	select {
	case size := <-sizes:
		err = s.cfg.Blobs.Put(d, size, r)
		// The writer waits for a reader that has seen enough.
		_ = r.Close()
		cancel()
		if ferr := <-fetched; err != nil {
			err = errors.Join(err, ferr)
		}
	case err = <-fetched:
	}
	return err
}
