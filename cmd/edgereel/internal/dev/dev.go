package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options are the flags of the verb and what a test replaces.
type Options struct {
	Data     string `help:"Keep everything in DIR and go on from there next time; without it a temporary folder is used and removed at the end." placeholder:"DIR" type:"path"`
	Fresh    bool   `help:"Begin anew in the folder given with --data. Its balances are lost."`
	BasePort int    `help:"First of six ports; without it free ones are chosen, and kept with --data." placeholder:"N"`
	Restart  bool   `help:"Start a node again after it ended, instead of showing how."`
	// ReadyTimeout bounds the start; 0 is 60 s.
	ReadyTimeout time.Duration `kong:"-"`
	// Out takes what is shown; nil is standard output.
	Out io.Writer `kong:"-"`
	// Executable is this program; empty is the running one.
	Executable string `kong:"-"`
}

// Run starts the cluster, shows how it goes and stops it when ctx ends or a
// signal (interrupt, terminate, hang-up) asks for it. Then it returns nil, unless the cluster never became ready.
func Run(ctx context.Context, o Options) error {
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = time.Minute
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Executable == "" {
		executable, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		o.Executable = executable
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	folder, err := openFolder(o, time.Now())
	if err != nil {
		return err
	}
	keep, err := runIn(ctx, folder.dir, o)
	return errors.Join(err, folder.close(keep))
}

// runIn runs the cluster in a folder. keep says that its logs are needed to
// understand the error.
func runIn(ctx context.Context, dir string, o Options) (keep bool, err error) {
	began := time.Now()
	l, err := prepare(dir, o.BasePort, began)
	if err != nil {
		return false, err
	}
	if err := checkPorts(l.state.Ports); err != nil {
		return false, fmt.Errorf("%w\nstop what uses it, or choose others with --base-port", err)
	}
	c := newCluster(o, l)
	defer c.close()
	if err := c.getReady(ctx); err != nil {
		if ctx.Err() != nil {
			return false, nil // stopped by hand while starting
		}
		return true, fmt.Errorf("the cluster did not get ready: %w\nlogs: %s", err, filepath.Join(dir, "nodes", "*", "node.log"))
	}
	c.showGuide(time.Since(began))
	c.watch(ctx)
	return false, nil
}

// folder is the data folder, locked for this process.
type folder struct {
	dir       string
	temporary bool
	lock      *os.File
}

const lockFile = "dev.lock"

func openFolder(o Options, now time.Time) (*folder, error) {
	f := &folder{dir: o.Data}
	if o.Data == "" {
		if err := f.makeTemporary(now); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(f.dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	f.dir = dir
	if f.lock, err = takeLock(dir); err != nil {
		return nil, err
	}
	if o.Fresh && !f.temporary {
		if err := empty(dir); err != nil {
			return nil, errors.Join(err, f.lock.Close())
		}
	}
	return f, nil
}

func takeLock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if !lock(file) {
		return nil, errors.Join(fmt.Errorf("%s is in use by another dev; stop that one or choose another --data", dir), file.Close())
	}
	return file, nil
}

// empty removes what a dev made, and nothing else.
func empty(dir string) error {
	for _, name := range []string{stateFile, "cluster.json", "ca", "keys", "nodes"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("empty data folder: %w", err)
		}
	}
	return nil
}

// makeTemporary makes a folder that is removed at the end, and removes those
// of runs that were killed.
func (f *folder) makeTemporary(now time.Time) error {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	base = filepath.Join(base, "edgereel", "dev")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	sweep(base, now)
	f.temporary = true
	if f.dir, err = os.MkdirTemp(base, "run-*"); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	return nil
}

// sweep removes temporary folders that no process holds. A young one may be
// about to be locked.
func sweep(base string, now time.Time) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !entry.IsDir() || !strings.HasPrefix(entry.Name(), "run-") || now.Sub(info.ModTime()) < time.Minute {
			continue
		}
		dir := filepath.Join(base, entry.Name())
		if file, err := takeLock(dir); err == nil {
			_ = os.RemoveAll(dir) // it will be tried again by the next run
			_ = file.Close()
		}
	}
}

// close removes a temporary folder unless it is needed.
func (f *folder) close(keep bool) error {
	var err error
	if f.temporary && !keep {
		err = os.RemoveAll(f.dir)
	}
	if closed := f.lock.Close(); err == nil {
		err = closed
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("close data folder: %w", err)
	}
	return nil
}
