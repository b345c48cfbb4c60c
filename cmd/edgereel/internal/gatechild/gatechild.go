// Package gatechild is the process a strange module is checked in: the verb
// gate-child, which nobody types.
//
// It promises to have set its limits before a byte of the module is read, and
// to tell on standard output, line by line, how far it is and how it ended. It
// starts twice: the first start takes the limits upon itself and then becomes
// the second, so that the whole Go runtime of the second lives within them.
//
// Of the node it knows nothing: it has no environment, no files but the three
// it was given and the one it reads, and it may not get rights it has not got.
package gatechild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/node/push"
)

// Options are the flags of the verb.
type Options struct {
	CPUSeconds  uint64 `name:"cpu-seconds" help:"Processor time." required:""`
	MemoryBytes uint64 `name:"memory-bytes" help:"Memory mapped for writing." required:""`
	// Limited marks the second start.
	Limited bool `help:"The limits are set."`
}

// tellEvery is the least time between two lines of progress.
const tellEvery = 100 * time.Millisecond

// Run is the verb. args is the command line of the second start, without the
// program and without --limited.
func Run(ctx context.Context, o Options, args []string, in io.Reader, out io.Writer) error {
	w := &writer{out: json.NewEncoder(out)}
	if !o.Limited {
		// It does not come back, or for a reason that no module has given.
		return w.line(push.ChildLine{Failed: limitAndStartAgain(o, append(args, "--limited")).Error()})
	}
	job, err := readJob(in)
	if err == nil {
		debug.SetMemoryLimit(job.MemoryBytes)
		err = w.do(ctx, job)
	}
	if err != nil {
		return w.line(push.ChildLine{Failed: err.Error()})
	}
	return nil
}

func readJob(in io.Reader) (*push.ChildJob, error) {
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	job := &push.ChildJob{}
	if err := d.Decode(job); err != nil {
		return nil, fmt.Errorf("read the job: %w", err)
	}
	if job.Version != push.ChildVersion {
		return nil, fmt.Errorf("the job has version %d, this program knows %d", job.Version, push.ChildVersion)
	}
	return job, nil
}

// writer writes lines. One goroutine.
type writer struct {
	out  *json.Encoder
	told time.Time
	in   gate.Stage
	err  error
}

func (w *writer) line(l push.ChildLine) error {
	l.Version = push.ChildVersion
	if err := w.out.Encode(l); err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	return nil
}

// tell writes progress, not too often.
func (w *writer) tell(stage gate.Stage, done, total uint64) {
	now := time.Now()
	if stage == w.in && now.Sub(w.told) < tellEvery && done < total {
		return
	}
	w.told, w.in = now, stage
	w.err = errors.Join(w.err, w.line(push.ChildLine{Stage: string(stage), Done: done, Total: total}))
}

func (w *writer) do(ctx context.Context, job *push.ChildJob) error {
	wasm, err := readModule(job)
	if err != nil {
		return err
	}
	if err := closeDoor(); err != nil {
		return err
	}
	w.tell(gate.StageDecode, 0, 1)
	switch job.Phase {
	case push.PhaseAdmit:
		return w.admit(ctx, wasm)
	case push.PhaseProve:
		return w.prove(ctx, job, wasm)
	}
	return fmt.Errorf("the job has the unknown phase %q", job.Phase)
}

func readModule(job *push.ChildJob) ([]byte, error) {
	f, err := os.Open(job.Module)
	if err != nil {
		return nil, fmt.Errorf("open the module: %w", err)
	}
	wasm, err := io.ReadAll(io.LimitReader(f, push.MaxModuleBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	if len(wasm) > push.MaxModuleBytes {
		return nil, fmt.Errorf("the module has more than %d bytes", push.MaxModuleBytes)
	}
	if sum := sha256.Sum256(wasm); hex.EncodeToString(sum[:]) != job.Digest {
		return nil, fmt.Errorf("the module has SHA-256 %x, want %s", sum, job.Digest)
	}
	return wasm, nil
}

// admit takes the module in as a node would.
func (w *writer) admit(ctx context.Context, wasm []byte) error {
	host, err := gamelogic.NewHost(ctx, gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
	if err != nil {
		return err
	}
	m, err := host.Load(ctx, wasm)
	if errors.Is(err, gamelogic.ErrRefusedModule) {
		_, reason, _ := strings.Cut(err.Error(), gamelogic.ErrRefusedModule.Error()+": ")
		return errors.Join(w.line(push.ChildLine{Refused: "a host would refuse the module: " + reason}), host.Close())
	}
	if err != nil {
		return errors.Join(err, host.Close())
	}
	return errors.Join(w.line(push.ChildLine{Manifest: m.Manifest()}), host.Close())
}

func (w *writer) prove(ctx context.Context, job *push.ChildJob, wasm []byte) error {
	r, err := gate.Check(ctx, gate.Config{
		Wasm: wasm, PAR: job.PAR, Rounds: job.Rounds, Seed: job.Seed, FloorRTP: job.FloorRTP, Workers: job.Workers, Progress: w.tell,
	})
	if err := errors.Join(err, w.err); err != nil {
		return err
	}
	text, err := r.JSON()
	if err != nil {
		return err
	}
	return w.line(push.ChildLine{Report: text})
}
