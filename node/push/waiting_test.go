package push_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/node/push"
)

// waiting is a gate that waits for its context.
type waiting struct {
	push.InProcess
	begun chan struct{}
}

func (w *waiting) Prove(ctx context.Context, _ push.Job, tell func(string, uint64, uint64)) (*gate.Report, error) {
	tell("simulate", 1, 2)
	close(w.begun)
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestPush_OneAtATime: a second push is asked to come back while a check runs,
// and the check ends when nobody listens to it any more.
func TestPush_OneAtATime(t *testing.T) {
	w := &waiting{begun: make(chan struct{})}
	s := newStand(t, func(cfg *push.Config) { cfg.Gate = w })
	req := s.request(s.sign(s.statement(), studioKey))
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- s.push.Push(ctx, req, &stream{}) }()
	<-w.begun
	err := s.push.Push(t.Context(), req, &stream{})
	s.refused(err, later, "gate_busy")
	if api.DetailOf(err).GetRetryAfterMs() <= 0 || connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("%v", err)
	}
	cancel()
	s.refused(<-first, later, "check_stopped")
	if n := s.stored(); n != 3 {
		t.Errorf("%d blobs are stored, want those of the push that may go on", n)
	}
}

// TestPush_InUse: a push that is refused does not take away what another one is
// being checked by.
func TestPush_InUse(t *testing.T) {
	w := &waiting{begun: make(chan struct{})}
	s := newStand(t, func(cfg *push.Config) { cfg.Gate = w })
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	req := s.request(s.sign(s.statement(), studioKey))
	go func() { first <- s.push.Push(ctx, req, &stream{}) }()
	<-w.begun
	s.refused(s.push.Push(t.Context(), s.request(s.sign(s.statement(), noKey)), &stream{}), no, "unknown_key")
	if !s.blobs.Has(sha256.Sum256(s.wasm)) || !s.blobs.Has(sha256.Sum256(s.par)) || s.stored() != 3 {
		t.Errorf("%d blobs are stored, want the three of the running push", s.stored())
	}
	cancel()
	s.refused(<-first, later, "check_stopped")
}

// TestUploads_Forgotten: what came to nothing is deleted after a day, what is
// recorded never.
func TestUploads_Forgotten(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newStand(t, func(cfg *push.Config) { cfg.Now = func() time.Time { return now } })
	if err := s.push.Push(t.Context(), s.request(s.sign(s.statement(), studioKey)), &stream{}); err != nil {
		t.Fatal(err)
	}
	s.upload([]byte("nobody wants me"))
	now = now.Add(23 * time.Hour)
	s.upload([]byte("young"))
	if n := s.stored(); n != 6 {
		t.Errorf("%d blobs are stored after a day but an hour", n)
	}
	now = now.Add(2 * time.Hour)
	s.upload([]byte("younger"))
	if n := s.stored(); n != 6 || s.blobs.Has(sha256.Sum256([]byte("nobody wants me"))) {
		t.Errorf("%d blobs are stored after more than a day", n)
	}
}
