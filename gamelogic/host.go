package gamelogic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// HostConfig says what a Host may run and how much it keeps.
type HostConfig struct {
	// Allow lists the SHA-256 of every module that may be loaded from the start;
	// Host.Allow adds others. Compiling a stranger's binary belongs behind the
	// admission of modules, so nothing else runs.
	Allow [][32]byte
	// CompileCacheDir keeps rewritten and compiled code between runs; empty means
	// none. What lies in it is executed as native code, without being checked
	// again: it must be as private as the binary, and is never copied to another
	// machine.
	CompileCacheDir string
	// FuelPerStep is what a step may cost; 0 means the default of the profile. It
	// decides which steps end as KindExhausted, so every node and every replay
	// of a round must use the same.
	FuelPerStep int64
	// FuelPerInit is what each export called while a module is loaded or an
	// instance is built may cost; 0 means the default of the profile.
	FuelPerInit int64
	// MaxPerModule bounds the instances of a module, and so its steps in
	// flight; 0 means twice GOMAXPROCS. A step waits for a free one.
	MaxPerModule int
	// Interpreter runs modules without compiling them, about fifty times
	// slower: the second opinion of a determinism check.
	Interpreter bool
}

// Fuel of a module that is given no other. A unit is about one instruction or
// 16 bytes moved; see package meter.
const (
	DefaultFuelPerStep = 1_000_000
	DefaultFuelPerInit = 10_000_000

	DefaultWASIFuelPerStep = 10_000_000
	DefaultWASIFuelPerInit = 50_000_000
)

// Host compiles modules and keeps their instances.
type Host struct {
	cfg     HostConfig
	engines map[Profile]wazero.Runtime // owned by whoever holds loading, after NewHost
	cache   wazero.CompilationCache    // nil without a directory
	loading chan struct{}              // capacity 1, held by the one Load or Unload at work
	closing chan struct{}              // closed when Close begins

	mu      sync.Mutex // guards what follows; held for map reads and writes only
	allow   map[[32]byte]bool
	modules map[[32]byte]*Module
	once    sync.Once
	done    error // result of Close, written once
}

// NewHost builds the engine and the draw functions. The caller closes it.
func NewHost(ctx context.Context, cfg HostConfig) (*Host, error) {
	if cfg.MaxPerModule < 0 {
		return nil, fmt.Errorf("gamelogic: MaxPerModule %d is negative", cfg.MaxPerModule)
	}
	if cfg.MaxPerModule == 0 {
		cfg.MaxPerModule = 2 * runtime.GOMAXPROCS(0)
	}
	if cfg.FuelPerStep < 0 || cfg.FuelPerInit < 0 {
		return nil, fmt.Errorf("gamelogic: fuel of %d per step and %d to start is negative", cfg.FuelPerStep, cfg.FuelPerInit)
	}
	h := &Host{
		cfg: cfg, allow: make(map[[32]byte]bool, len(cfg.Allow)),
		loading: make(chan struct{}, 1), closing: make(chan struct{}),
		engines: map[Profile]wazero.Runtime{}, modules: map[[32]byte]*Module{},
	}
	for _, d := range cfg.Allow {
		h.allow[d] = true
	}
	if cfg.CompileCacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(cfg.CompileCacheDir)
		if err != nil {
			return nil, fmt.Errorf("gamelogic: open the compile cache: %w", err)
		}
		h.cache = cache
	}
	if _, err := h.engine(ctx, ProfilePure); err != nil {
		return nil, errors.Join(err, h.closeEngines(ctx))
	}
	return h, nil
}

// engine is the one of a profile, built when it is first needed.
func (h *Host) engine(ctx context.Context, p Profile) (wazero.Runtime, error) {
	if e, ok := h.engines[p]; ok {
		return e, nil
	}
	rc := wazero.NewRuntimeConfig()
	if h.cfg.Interpreter {
		rc = wazero.NewRuntimeConfigInterpreter()
	}
	rc = rc.WithMemoryLimitPages(uint32(p.limits().MemoryPages)).WithCoreFeatures(p.features())
	if h.cache != nil {
		rc = rc.WithCompilationCache(h.cache)
	}
	e := wazero.NewRuntimeWithConfig(ctx, rc)
	err := exportDraws(ctx, e)
	if err == nil && p == ProfileWASI {
		err = exportWASI(ctx, e)
	}
	if err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	h.engines[p] = e
	return e, nil
}

// exportDraws builds the module that every guest can import from.
func exportDraws(ctx context.Context, engine wazero.Runtime) error {
	i32 := api.ValueTypeI32
	_, err := engine.NewHostModuleBuilder("edgereel").
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(hostDraw), []api.ValueType{i32}, []api.ValueType{i32}).
		Export("draw").
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(hostDrawMany), []api.ValueType{i32, i32, i32}, nil).
		Export("draw_many").
		Instantiate(ctx)
	if err != nil {
		return fmt.Errorf("gamelogic: build the draw functions: %w", err)
	}
	return nil
}

// Allow lets a module be loaded from now on. To allow is to trust: the digest
// must have passed the admission of modules.
func (h *Host) Allow(digest [32]byte) {
	h.mu.Lock()
	h.allow[digest] = true
	h.mu.Unlock()
}

func (h *Host) allowed(digest [32]byte) error {
	h.mu.Lock()
	ok := h.allow[digest]
	h.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: %s", ErrNotAllowed, hex.EncodeToString(digest[:]))
	}
	return nil
}

// Load admits, compiles and starts a module; the same bytes give the same
// *Module again. ErrNotAllowed for a digest that nobody allowed,
// ErrRefusedModule with the reason when the bytes are not ABI v1.
func (h *Host) Load(ctx context.Context, wasm []byte) (*Module, error) {
	digest := sha256.Sum256(wasm)
	if err := h.allowed(digest); err != nil {
		return nil, err
	}
	if err := h.takeLoading(ctx); err != nil {
		return nil, err
	}
	defer func() { <-h.loading }()
	if m := h.Module(digest); m != nil {
		return m, nil
	}
	if err := h.allowed(digest); err != nil { // unloaded while this waited
		return nil, err
	}
	m, err := newModule(ctx, h, digest, wasm)
	if err != nil {
		return nil, fmt.Errorf("load module %s: %w", hex.EncodeToString(digest[:6]), err)
	}
	h.mu.Lock()
	h.modules[digest] = m
	h.mu.Unlock()
	return m, nil
}

// takeLoading waits for the right to load and unload.
func (h *Host) takeLoading(ctx context.Context) error {
	select {
	case <-h.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("gamelogic: wait to load a module: %w", ctx.Err())
	case h.loading <- struct{}{}:
	}
	select {
	case <-h.closing: // the slot and the end were ready together
		<-h.loading
		return ErrClosed
	default:
		return nil
	}
}

// Unload takes a module off the list, waits for its steps in flight, which fuel
// keeps short, and frees its code and instances. Steps that come later, and
// those that waited for an instance, end with ErrUnloaded. A module that is not
// loaded is only taken off the list. ErrInUse, and nothing is changed, while a
// Simulator of it is open.
func (h *Host) Unload(ctx context.Context, digest [32]byte) error {
	if err := h.takeLoading(ctx); err != nil {
		return err
	}
	defer func() { <-h.loading }()
	h.mu.Lock()
	m := h.modules[digest]
	if m != nil && m.simulators > 0 {
		h.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrInUse, hex.EncodeToString(digest[:]))
	}
	delete(h.allow, digest)
	delete(h.modules, digest)
	h.mu.Unlock()
	if m != nil {
		close(m.gone)
		m.drain(context.WithoutCancel(ctx))
	}
	return nil
}

// simulates counts a Simulator of a module that is still loaded.
func (h *Host) simulates(m *Module) error {
	select {
	case <-h.closing:
		return ErrClosed
	default:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.modules[m.digest] != m {
		return ErrUnloaded
	}
	m.simulators++
	return nil
}

func (h *Host) simulated(m *Module) {
	h.mu.Lock()
	m.simulators--
	h.mu.Unlock()
}

// Module finds a loaded module by digest; nil when it is not loaded.
func (h *Host) Module(digest [32]byte) *Module {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.modules[digest]
}

// Close refuses new work, waits for the steps in flight and frees everything.
// Simulators must be closed before. It is idempotent.
func (h *Host) Close() error {
	h.once.Do(func() {
		close(h.closing)
		h.loading <- struct{}{} // waits for the Load in flight, keeps out the next
		h.mu.Lock()
		modules := h.modules
		h.modules = map[[32]byte]*Module{}
		h.mu.Unlock()
		ctx := context.Background()
		for _, m := range modules {
			m.drain(ctx)
		}
		h.done = h.closeEngines(ctx)
	})
	return h.done
}

func (h *Host) closeEngines(ctx context.Context) error {
	var err error
	for _, e := range h.engines {
		err = errors.Join(err, e.Close(ctx))
	}
	if h.cache != nil {
		err = errors.Join(err, h.cache.Close(ctx))
	}
	if err != nil {
		return fmt.Errorf("gamelogic: close the engine: %w", err)
	}
	return nil
}
