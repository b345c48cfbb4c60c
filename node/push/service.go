package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
)

// Registry keeps studios and releases; [registry.Service] does. Submit's errors
// are *registry.Refusal or *registry.Error, and after a nil error State holds
// the operation.
type Registry interface {
	State() *registry.State
	Submit(ctx context.Context, op registry.Op) (registry.Result, error)
	NewID() (string, error)
}

// Config is what a service is made of.
type Config struct {
	Blobs    *blobs.Store
	Registry Registry
	Gate     Gate
	// Rounds are simulated where a push names none, and MaxRounds bounds what
	// it may name; the defaults are 1,000,000 and 100,000,000.
	Rounds, MaxRounds uint64
	// FloorRTP is the least return of any mode that this cluster takes, a
	// decimal; empty is none.
	FloorRTP string
	// MaxWrites bounds the pieces being written at a time; the default is 8.
	MaxWrites int
	// Rand draws the seeds of checks: a module must not know its own.
	Rand io.Reader
	// Now is the clock that uploads are forgotten by; nil is the system's.
	Now    func() time.Time
	Logger *slog.Logger
}

// Defaults of Config.
const (
	DefaultRounds    = 1_000_000
	DefaultMaxRounds = 100_000_000
	DefaultMaxWrites = 8
)

const (
	// tellEvery is how long a stream is silent at most.
	tellEvery = 2 * time.Second
	// retryAfterMS is what a refused caller is asked to wait: a fraction of a
	// check, since nobody knows how long the running one takes.
	retryAfterMS = 5_000
)

// Service is a node's way in for modules. running and writing are semaphores.
type Service struct {
	cfg     Config
	running chan struct{}
	writing chan struct{}
	keep    *keeper
}

// New makes a service. It has nothing to be closed: every call ends with its
// context.
func New(cfg Config) (*Service, error) {
	if cfg.Blobs == nil || cfg.Registry == nil || cfg.Gate == nil || cfg.Rand == nil || cfg.Logger == nil {
		return nil, errors.New("open push: Blobs, Registry, Gate, Rand and Logger must be set")
	}
	if cfg.Rounds == 0 {
		cfg.Rounds = DefaultRounds
	}
	if cfg.MaxRounds == 0 {
		cfg.MaxRounds = DefaultMaxRounds
	}
	if cfg.MaxWrites == 0 {
		cfg.MaxWrites = DefaultMaxWrites
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	keep, err := newKeeper(&cfg)
	if err != nil {
		return nil, fmt.Errorf("open push: %w", err)
	}
	return &Service{cfg: cfg, running: make(chan struct{}, 1), writing: make(chan struct{}, cfg.MaxWrites), keep: keep}, nil
}
