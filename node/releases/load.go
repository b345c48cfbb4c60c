package releases

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/table"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/node/rounds"
	"github.com/edgereel/edgereel/storage/blobs"
)

// loadBuiltin takes in a game that came with the program. Its bytes are stored
// like any other's, so that nodes of another build can fetch them.
func (s *Service) loadBuiltin(ctx context.Context, b Builtin) error {
	d := blobs.Digest(sha256.Sum256(b.Wasm))
	s.builtin[d] = b.Wasm
	if err := s.cfg.Blobs.Put(d, int64(len(b.Wasm)), bytes.NewReader(b.Wasm)); err != nil {
		return err
	}
	var sheet registry.Digest
	if len(b.Par) > 0 {
		sheet = sha256.Sum256(b.Par)
		s.builtin[blobs.Digest(sheet)] = b.Par
		if err := s.cfg.Blobs.Put(blobs.Digest(sheet), int64(len(b.Par)), bytes.NewReader(b.Par)); err != nil {
			return err
		}
	}
	if err := s.load(ctx, d); err != nil {
		// A file that changed since the last run; the program has the bytes.
		if err := s.restore(ctx, d); err != nil {
			return err
		}
	}
	r := ReleaseOf(s.Game(d), int64(len(b.Wasm)))
	r.Studio, r.ParSheet = BuiltinStudio, sheet
	s.founded = append(s.founded, r)
	return nil
}

// restore stores and loads a builtin game anew.
func (s *Service) restore(ctx context.Context, d blobs.Digest) error {
	if err := s.cfg.Blobs.Put(d, int64(len(s.builtin[d])), bytes.NewReader(s.builtin[d])); err != nil {
		return err
	}
	return s.load(ctx, d)
}

// ReleaseOf fills in what a game says of itself; studio, key, documents and
// history are the caller's to add.
func ReleaseOf(game gamelogic.Game, size int64) registry.Release {
	man := game.Manifest()
	build := rounds.Build(game)
	r := registry.Release{
		Game: man.ID, Version: man.Release, Family: man.Family, Variant: man.Variant,
		Kind: "wasm", Module: game.Digest(), ModuleBytes: size,
		MeterVersion: build.MeterVersion, FuelPerStep: build.FuelPerStep, StakeMultipleMinor: man.StakeMultipleMinor,
	}
	switch g := game.(type) {
	case *gamelogic.Module:
		r.Profile = string(g.Profile())
	case *table.Game:
		r.Kind = "table"
	}
	for _, m := range man.Modes {
		r.Modes = append(r.Modes, registry.Mode{
			ID: m.ID, Name: m.Name, CostX100: m.CostX100, RTP: m.RTP, HitFrequency: m.HitFrequency, MaxWinX: m.MaxWinX,
		})
	}
	return r
}

// load verifies a stored blob and makes it playable.
func (s *Service) load(ctx context.Context, d blobs.Digest) error {
	l, err := s.open(ctx, d)
	if err != nil {
		return err
	}
	l.verifiedAt = s.cfg.Now()
	s.mu.Lock()
	old := s.loaded[d]
	if old == nil {
		s.loaded[d] = l
	}
	s.have[d] = true
	s.mu.Unlock()
	if old != nil && l.file != nil {
		return l.file.Close()
	}
	return nil
}

// tableHead is enough of a file to tell a table.
const tableHead = 64

func (s *Service) open(ctx context.Context, d blobs.Digest) (*loaded, error) {
	f, err := s.cfg.Blobs.Open(d)
	if err != nil {
		return nil, err
	}
	head := make([]byte, tableHead)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("read blob %s: %w", d, err), f.Close())
	}
	if !table.Is(head[:n]) {
		if err := f.Close(); err != nil {
			return nil, err
		}
		return s.openModule(ctx, d)
	}
	if err := s.cfg.Blobs.Verify(d); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	g, err := table.Open(f, info.Size(), d)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open table %s: %w", d, err), f.Close())
	}
	return &loaded{game: g, file: f}, nil
}

func (s *Service) openModule(ctx context.Context, d blobs.Digest) (*loaded, error) {
	wasm, err := s.cfg.Blobs.Read(d)
	if err != nil {
		return nil, err
	}
	s.cfg.Host.Allow(d)
	m, err := s.cfg.Host.Load(ctx, wasm)
	if err != nil {
		return nil, err
	}
	return &loaded{game: m}, nil
}

// stop takes a game off this node: steps that come later find none. A table's
// file stays open for the steps under way; the runtime closes it after them.
func (s *Service) stop(ctx context.Context, d blobs.Digest) error {
	s.mu.Lock()
	l := s.loaded[d]
	delete(s.loaded, d)
	delete(s.have, d)
	s.mu.Unlock()
	if l == nil || l.file != nil {
		return nil
	}
	if err := s.cfg.Host.Unload(ctx, d); err != nil {
		return fmt.Errorf("stop module %s: %w", d, err)
	}
	return nil
}
