package studio

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// watchEvery is how often files are looked at.
const watchEvery = 300 * time.Millisecond

// watch plays, and plays again after every change that can be built, until ctx
// ends. What does not build or does not play is said, and the next change is
// waited for.
func (x *tried) watch(ctx context.Context) error {
	log, last, again := &drawLog{}, [32]byte{}, false
	for {
		before, err := x.stamp()
		if err != nil {
			return err
		}
		if err := x.renew(ctx, log, &last); err != nil || ctx.Err() != nil {
			return err
		}
		after, err := x.stamp()
		if err != nil {
			return err
		}
		// What changed meanwhile may be an edit, which a build has to see, or what
		// every build writes, which it must not see for ever.
		if again = after != before && !again; again {
			continue
		}
		x.p.say("waiting for a change in %s", x.Watch)
		if err := x.change(ctx, after); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// renew builds and plays what came of it, if it is another module than the last
// one. Its error is one that no change of a file helps; nil when ctx ended.
func (x *tried) renew(ctx context.Context, log *drawLog, last *[32]byte) error {
	err := x.build(ctx)
	if err == nil {
		var file []byte
		if file, err = read(x.Module); err == nil {
			if digest := sha256.Sum256(file); digest != *last {
				*last = digest
				err = x.once(ctx, log)
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // the way to end it
	case errors.Is(err, ErrFlag), errors.Is(err, ErrUsage), errors.Is(err, ErrNoCompiler):
		return err
	case err != nil && !errors.Is(err, ErrNo):
		x.p.say("%v", err)
	}
	return nil
}

// findProject tells what is to be built, and by what. A module that is named as
// a folder is that folder's game.wasm.
func (x *tried) findProject() {
	dir := x.Watch
	if info, err := os.Stat(x.Module); err == nil && info.IsDir() {
		dir, x.Module = x.Module, filepath.Join(x.Module, "game.wasm")
		x.project = dir // if it is none, building says so
	}
	if _, err := detect(dir); dir != "" && err == nil {
		x.project = dir
	}
}

// build calls what builds, if anything does. What a compiler says is a
// person's to read.
func (x *tried) build(ctx context.Context) error {
	switch {
	case x.Build != "":
		command := exec.CommandContext(ctx, "sh", "-c", x.Build)
		command.Stdout, command.Stderr = x.p.Out, x.p.Out
		if err := command.Run(); err != nil {
			return fmt.Errorf("build by %q: %w", x.Build, err)
		}
	case x.project != "":
		_, err := Compile(ctx, x.project, x.Module, x.p.Out)
		return err
	}
	return nil
}

// change waits until the files are others than before.
func (x *tried) change(ctx context.Context, before stamp) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now, err := x.stamp()
		if err != nil {
			return err
		}
		if now != before {
			return nil
		}
	}
}

// stamp is the newest change among files, their number and their length: an
// editor that keeps old times still changes one of them.
type stamp struct {
	newest time.Time
	files  int
	bytes  int64
}

// stamp looks at what is watched. Names that begin with a dot and the folders
// of package managers and build products are not looked into; the module only
// where nothing builds it, else every build would be a change.
func (x *tried) stamp() (s stamp, err error) {
	module, err := filepath.Abs(x.Module)
	if err != nil {
		return s, fmt.Errorf("watch: %w", err)
	}
	root, err := filepath.Abs(x.Watch)
	if err != nil {
		return s, fmt.Errorf("watch: %w", err)
	}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed while looked at
		case err != nil:
			return err
		case e.IsDir() && path != root && skipped(e.Name()):
			return filepath.SkipDir
		case e.IsDir() || e.Name()[0] == '.' || (x.Build != "" || x.project != "") && path == module:
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		s.files++
		s.bytes += info.Size()
		if info.ModTime().After(s.newest) {
			s.newest = info.ModTime()
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("watch: %w", err)
	}
	return s, nil
}

func skipped(name string) bool {
	switch name {
	case "node_modules", "target", "build", "dist":
		return true
	}
	return name[0] == '.'
}
