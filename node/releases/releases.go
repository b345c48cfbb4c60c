package releases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/storage/blobs"
	"github.com/edgereel/edgereel/transport"
	"github.com/edgereel/edgereel/wallet"
)

// Registry is what is to be done; [registry.Service] is one.
type Registry interface {
	// Changed gives the present state and a channel that is closed with the
	// next one.
	Changed() (*registry.State, <-chan struct{})
	Leads() bool
	Submit(ctx context.Context, op registry.Op) (registry.Result, error)
}

// Fetcher brings blobs from other nodes; [transport.Bulk] does.
type Fetcher interface {
	Fetch(ctx context.Context, node string, digest [32]byte, offset int64, take func(size, offset int64, data []byte) error) error
}

// Shard is this node's replica of a shard; [consensus.Group] is one.
type Shard interface {
	Shard() uint32
	Leads() bool
	View(fn func(*wallet.Shard))
	Submit(ctx context.Context, task consensus.Task) (consensus.Answer, error)
}

// Metrics counts modules. Its methods return at once.
type Metrics interface {
	// Modules is told how many modules are loaded and how many are missing.
	Modules(loaded, missing int)
	// ModuleDamaged is told of every module or document whose file changed.
	ModuleDamaged()
}

// Builtin is a game that came with the program.
type Builtin struct {
	Wasm []byte
	// Par is its PAR sheet; empty where there is none.
	Par []byte
}

// BuiltinStudio owns the games that came with the program.
const BuiltinStudio = "edgereel"

// Config is what a service is made of. All fields but the last two are
// required.
type Config struct {
	Node     string
	Host     *gamelogic.Host
	Blobs    *blobs.Store
	Registry Registry
	Fetch    Fetcher
	// Peers lists the other nodes that are alive, those to be asked first first.
	Peers func() []string
	// Builtin are the games this program brings; they are loaded by New.
	Builtin []Builtin
	// MaxStakeMinor bounds the stakes of releases ordered by this node.
	MaxStakeMinor int64
	Now           func() time.Time
	Metrics       Metrics
	Logger        *slog.Logger
	// VerifyEvery is how often each file is compared with its digest; the
	// default is 24 h.
	VerifyEvery time.Duration
	// ModuleWait is how long a shard keeps its present release while a module
	// of the next one is not here; the default is 15 s.
	ModuleWait time.Duration
}

// Times of the service.
const (
	lookEvery     = time.Second
	installers    = 3
	fetchTimeout  = 10 * time.Minute
	retryLeast    = time.Second
	retryMost     = 30 * time.Second
	submitTimeout = 5 * time.Second
)

// Service holds a node's games and keeps its shards at the registry's word. mu
// guards the maps; it is never held during I/O.
type Service struct {
	cfg     Config
	builtin map[blobs.Digest][]byte
	founded []registry.Release

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{}

	mu      sync.Mutex
	loaded  map[blobs.Digest]*loaded
	wanted  map[blobs.Digest]bool
	have    map[blobs.Digest]bool
	trouble map[blobs.Digest]string
	shards  []Shard
}

// loaded is a game that steps can be played on.
type loaded struct {
	game gamelogic.Game
	// file is that of a table, kept open; nil for a module.
	file       *os.File
	verifiedAt time.Time
}

// New loads the games that came with the program. Start does the rest.
func New(ctx context.Context, cfg Config) (*Service, error) {
	switch {
	case cfg.Node == "" || cfg.Host == nil || cfg.Blobs == nil || cfg.Registry == nil || cfg.Fetch == nil || cfg.Peers == nil:
		return nil, errors.New("open releases: Node, Host, Blobs, Registry, Fetch and Peers must be set")
	case cfg.Now == nil || cfg.Metrics == nil || cfg.Logger == nil || cfg.MaxStakeMinor <= 0:
		return nil, errors.New("open releases: a clock, metrics, a logger and MaxStakeMinor must be set")
	}
	if cfg.VerifyEvery <= 0 {
		cfg.VerifyEvery = 24 * time.Hour
	}
	if cfg.ModuleWait <= 0 {
		cfg.ModuleWait = 15 * time.Second
	}
	s := &Service{
		cfg: cfg, builtin: map[blobs.Digest][]byte{}, wake: make(chan struct{}, 1),
		loaded: map[blobs.Digest]*loaded{}, wanted: map[blobs.Digest]bool{}, have: map[blobs.Digest]bool{}, trouble: map[blobs.Digest]string{},
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, b := range cfg.Builtin {
		if err := s.loadBuiltin(ctx, b); err != nil {
			s.cancel()
			return nil, fmt.Errorf("open releases: %w", err)
		}
	}
	return s, nil
}

// Start begins to install, to verify and to keep the shards at the registry's
// word.
func (s *Service) Start(shards []Shard) {
	s.mu.Lock()
	s.shards = shards
	s.mu.Unlock()
	s.wg.Go(func() { newInstaller(s).run(s.ctx) })
	s.wg.Go(func() { s.verify(s.ctx) })
	s.wg.Go(func() { s.found(s.ctx) })
	for _, shard := range shards {
		s.wg.Go(func() { newReconciler(s, shard).run(s.ctx) })
	}
}

// Close ends everything and waits for it. The host and the blobs are the
// caller's.
func (s *Service) Close() error {
	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	open := slices.Collect(maps.Values(s.loaded))
	s.loaded = map[blobs.Digest]*loaded{}
	s.mu.Unlock()
	var err error
	for _, l := range open {
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
	}
	return err
}

// Game gives a game that is loaded here, nil for any other.
func (s *Service) Game(digest [32]byte) gamelogic.Game {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.loaded[digest]; l != nil {
		return l.game
	}
	return nil
}

// Want asks for a game that a round needs. It returns at once.
func (s *Service) Want(digest wallet.Hash) {
	s.mu.Lock()
	fresh := !s.wanted[blobs.Digest(digest)]
	s.wanted[blobs.Digest(digest)] = true
	s.mu.Unlock()
	if fresh {
		s.look()
	}
}

// look has the installer look at once.
func (s *Service) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// OpenBulk serves blobs to other nodes.
func (s *Service) OpenBulk(digest [32]byte) (transport.BulkBlob, int64, error) {
	return BulkSource{s.cfg.Blobs}.OpenBulk(digest)
}

// BulkSource serves a store's blobs to other nodes.
type BulkSource struct{ Blobs *blobs.Store }

// OpenBulk opens a blob. Whoever fetches it verifies it.
func (b BulkSource) OpenBulk(digest [32]byte) (transport.BulkBlob, int64, error) {
	f, err := b.Blobs.Open(digest)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Module is how a game stands on this node.
type Module struct {
	Digest blobs.Digest
	Loaded bool
	// Trouble says why it is not loaded, or was not when last tried.
	Trouble string
	// Verified is when its file was last compared with its digest; zero for
	// what is not loaded.
	Verified time.Time
}

// Status lists what is loaded and what is missing, by digest.
func (s *Service) Status() []Module {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[blobs.Digest]Module{}
	for d, l := range s.loaded {
		all[d] = Module{Digest: d, Loaded: true, Verified: l.verifiedAt}
	}
	for d, text := range s.trouble {
		m := all[d]
		m.Digest, m.Trouble = d, text
		all[d] = m
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Module) int {
		return cmp.Compare(a.Digest.String(), b.Digest.String())
	})
}

// troubled notes what is wrong with a blob; an empty text says that nothing is.
func (s *Service) troubled(d blobs.Digest, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == "" {
		delete(s.trouble, d)
	} else {
		s.trouble[d] = text
	}
}

// replicas are those Start was given.
func (s *Service) replicas() []Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shards
}

// Builtins lists the games that came with the program, in their order.
func (s *Service) Builtins() []gamelogic.Game {
	var list []gamelogic.Game
	for _, r := range s.founded {
		if g := s.Game(r.Module); g != nil {
			list = append(list, g)
		}
	}
	return list
}
