package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkpoint is the file of finished blocks, version 1.
type checkpoint struct {
	Version     int            `json:"checkpoint"`
	Module      string         `json:"module_digest"`
	Mode        string         `json:"mode"`
	StakeMinor  int64          `json:"stake_minor"`
	Seed        uint64         `json:"seed"`
	Rounds      uint64         `json:"rounds"`
	BlockRounds uint64         `json:"block_rounds"`
	Blocks      map[int]*block `json:"blocks"` // by their number
}

func (r *run) missing() []int {
	var list []int
	for i, b := range r.blocks {
		if b == nil {
			list = append(list, i)
		}
	}
	return list
}

func (r *run) header() checkpoint {
	digest := r.g.Digest()
	return checkpoint{
		Version: 1, Module: hex.EncodeToString(digest[:]), Mode: r.cfg.Mode, StakeMinor: r.cfg.StakeMinor,
		Seed: r.cfg.Seed, Rounds: r.cfg.Rounds, BlockRounds: BlockRounds,
	}
}

// resume takes over the finished blocks of a checkpoint, if there is one. A
// checkpoint of more or fewer rounds serves too, as far as its blocks are
// whole in both.
func (r *run) resume() error {
	if r.cfg.Checkpoint == "" {
		return nil
	}
	raw, err := os.ReadFile(r.cfg.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	var c checkpoint
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCheckpoint, r.cfg.Checkpoint, err)
	}
	want := r.header()
	if c.Version != want.Version || c.Module != want.Module || c.Mode != want.Mode || c.StakeMinor != want.StakeMinor ||
		c.Seed != want.Seed || c.BlockRounds != want.BlockRounds {
		return fmt.Errorf("%w: %s is of another simulation (module %.12s, mode %s, stake %d, seed %d)",
			ErrCheckpoint, r.cfg.Checkpoint, c.Module, c.Mode, c.StakeMinor, c.Seed)
	}
	for i, b := range c.Blocks {
		if b == nil || i < 0 || b.Rounds == 0 || b.Rounds > BlockRounds || len(b.Digest) != 64 {
			return fmt.Errorf("%w: %s: block %d is damaged", ErrCheckpoint, r.cfg.Checkpoint, i)
		}
		if _, err := hex.DecodeString(b.Digest); err != nil {
			return fmt.Errorf("%w: %s: block %d: %w", ErrCheckpoint, r.cfg.Checkpoint, i, err)
		}
		if i < len(r.blocks) && b.Rounds == r.size(i) {
			r.blocks[i] = b
			r.done += b.Rounds
		}
	}
	return nil
}

// save writes the checkpoint beside its place and moves it there, so that the
// file is whole at any moment.
func (r *run) save() error {
	if r.cfg.Checkpoint == "" {
		return nil
	}
	c := r.header()
	c.Blocks = make(map[int]*block)
	for i, b := range r.blocks {
		if b != nil {
			c.Blocks[i] = b
		}
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode the checkpoint: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(r.cfg.Checkpoint), ".checkpoint-*")
	if err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), r.cfg.Checkpoint)
	}
	if err != nil {
		return fmt.Errorf("write the checkpoint: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
