package gamelogic

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"

	"github.com/edgereel/edgereel/gamelogic/meter"
)

// Module is one loaded game: compiled code, its manifest and its instances.
type Module struct {
	host     *Host
	digest   [32]byte
	manifest *Manifest
	profile  Profile
	engine   wazero.Runtime
	code     wazero.CompiledModule
	random   []byte          // what random_get gives, ProfileWASI
	data     []meter.Segment // that the first instance begins with, ProfileWASI
	starts   bool            // it has an _initialize to call, ProfileWASI
	globals  []string        // reserved export names of the mutable globals, the meter's last
	pristine snapshot        // of every instance before its first step
	io       uint32          // address of the I/O block

	minor                    uint32 // of the ABI
	advises                  bool   // it exports a strategy
	fuelPerStep, fuelPerInit int64
	simulators               int           // open ones; guarded by the host's mu
	gone                     chan struct{} // closed when Unload begins
	// idle and spare hold MaxPerModule tokens together: an instance that waits
	// for a step, or the right to build one. Whoever took a token owns what is
	// behind it until it is put back.
	idle  chan *instance
	spare chan struct{}
}

// Digest is SHA-256 of the module as its studio built it.
func (m *Module) Digest() [32]byte { return m.digest }

// Profile is the class of the module, by what it imports.
func (m *Module) Profile() Profile { return m.profile }

// Manifest is the module's own statement. It is shared: do not change it.
func (m *Module) Manifest() *Manifest { return m.manifest }

func newModule(ctx context.Context, h *Host, digest [32]byte, wasm []byte) (_ *Module, err error) {
	cache := meteredCache{h.cfg.CompileCacheDir}
	code, report, known := cache.get(digest)
	if !known {
		if code, report, err = metered(wasm); err != nil {
			return nil, err
		}
	}
	m := &Module{host: h, digest: digest, gone: make(chan struct{})}
	m.idle, m.spare = make(chan *instance, h.cfg.MaxPerModule), make(chan struct{}, h.cfg.MaxPerModule)
	m.globals = append(report.Globals, meter.FuelExport, meter.StackExport)
	m.profile, m.data = Profile(report.Profile), report.Data
	m.fuelPerStep, m.fuelPerInit = m.profile.budgets(&h.cfg)
	if m.profile == ProfileWASI {
		m.random = wasiStream(digest)
		_, m.starts = report.Exports["_initialize"]
	}
	if m.engine, err = h.engine(ctx, m.profile); err != nil {
		return nil, err
	}
	if m.code, err = m.engine.CompileModule(ctx, code); err != nil {
		return nil, fmt.Errorf("%w: compile: %w", ErrRefusedModule, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.code.Close(ctx))
		}
	}()
	if err = m.introduce(ctx); err != nil {
		return nil, err
	}
	for range h.cfg.MaxPerModule {
		m.spare <- struct{}{}
	}
	if !known {
		cache.put(digest, code, report)
	}
	return m, nil
}

// introduce starts a first instance, thrown away afterwards, and asks it for
// version and manifest. What it is before the first of these calls is the
// pristine snapshot of all others, which therefore need no start of their own.
func (m *Module) introduce(ctx context.Context) error {
	in, err := m.build(ctx)
	if err != nil {
		return err
	}
	defer in.close(ctx)
	for _, d := range m.data {
		if !in.mod.Memory().Write(d.Offset, d.Bytes) {
			return refuse("a data segment of %d bytes at %d lies outside the memory", len(d.Bytes), d.Offset)
		}
	}
	m.data = nil // part of the snapshot now
	if m.starts {
		if _, err := in.ask("_initialize"); err != nil {
			return err
		}
		in.pages = in.mem.Size() / pageSize
		in.fuel.Set(0)
		in.depth.Set(0)
		in.level = false
	}
	m.pristine = in.snapshot()
	if m.io, err = in.ask("edgereel_io"); err != nil {
		return err
	}
	if m.io%8 != 0 || uint64(m.io)+ioSize > uint64(in.mem.Size()) {
		return refuse("the I/O block at %d is misaligned or outside the memory", m.io)
	}
	if !in.restore(&m.pristine) {
		return refuse("edgereel_io grows the memory")
	}
	in.io = m.io
	minor, err := in.ask("edgereel_abi_1")
	if err != nil {
		return err
	}
	if minor > abiMinor {
		return refuse("ABI minor version %d, this host knows up to %d", minor, abiMinor)
	}
	m.minor, m.advises = minor, in.advise != nil
	if minor < 1 && in.advise != nil {
		return refuse("it exports edgereel_advise, which is ABI minor version 1, and says that it has version %d", minor)
	}
	n, err := in.ask("edgereel_manifest")
	if err != nil {
		return err
	}
	if n == 0 || n > outputSize {
		return refuse("a manifest of %d bytes", n)
	}
	b, ok := in.mem.Read(in.io+outputOffset, n)
	if !ok {
		return refuse("the manifest lies outside the memory")
	}
	m.manifest, err = ParseManifest(b)
	return err
}

// acquire takes a token and makes sure that an instance is behind it.
func (m *Module) acquire(ctx context.Context) (*instance, error) {
	select {
	case <-m.host.closing:
		return nil, ErrClosed
	case <-m.gone:
		return nil, ErrUnloaded
	default:
	}
	select {
	case in := <-m.idle: // before a further one is built: it is warm, and the others cost memory
		if err := ctx.Err(); err != nil {
			m.idle <- in
			return nil, fmt.Errorf("gamelogic: wait for an instance: %w", err)
		}
		return in, nil
	default:
	}
	select {
	case <-m.host.closing:
		return nil, ErrClosed
	case <-m.gone:
		return nil, ErrUnloaded
	case <-ctx.Done():
		return nil, fmt.Errorf("gamelogic: wait for an instance: %w", ctx.Err())
	case in := <-m.idle:
		return in, nil
	case <-m.spare:
	}
	in, err := m.instantiate(ctx)
	if err != nil {
		m.spare <- struct{}{}
		return nil, err
	}
	return in, nil
}

// release gives the token back, with the instance if it could be restored.
func (m *Module) release(ctx context.Context, in *instance, reusable bool) {
	if !reusable || !in.restore(&m.pristine) {
		in.close(ctx)
		m.spare <- struct{}{}
		return
	}
	m.idle <- in
}

// drain takes every token, which waits for the steps in flight, and frees what
// is behind them.
func (m *Module) drain(ctx context.Context) {
	for range cap(m.idle) {
		select {
		case in := <-m.idle:
			in.close(ctx)
		case <-m.spare:
		}
	}
	_ = m.code.Close(ctx)
}
