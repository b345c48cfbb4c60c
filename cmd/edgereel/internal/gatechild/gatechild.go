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
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

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
	in   string
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
func (w *writer) tell(stage string, done, total uint64) {
	now := time.Now()
	if stage == w.in && now.Sub(w.told) < tellEvery && done < total {
		return
	}
	w.told, w.in = now, stage
	w.err = errors.Join(w.err, w.line(push.ChildLine{Stage: stage, Done: done, Total: total}))
}

func (w *writer) do(ctx context.Context, c *push.ChildJob) error {
	digest, err := hex.DecodeString(c.Digest)
	if err != nil || len(digest) != 32 {
		return fmt.Errorf("the job names the digest %q", c.Digest)
	}
	job := push.Job{Module: c.Module, Digest: [32]byte(digest), PAR: c.PAR, Rounds: c.Rounds, Seed: c.Seed, FloorRTP: c.FloorRTP}
	w.tell(string(gate.StageDecode), 0, 1)
	last, err := phase(ctx, c, job, w.tell)
	if refusal := (*push.Refusal)(nil); errors.As(err, &refusal) {
		last, err = push.ChildLine{Refused: refusal.Reason}, nil
	}
	if err := errors.Join(err, w.err); err != nil {
		return err
	}
	return w.line(last)
}

// phase runs one phase and gives the line it ends with.
func phase(ctx context.Context, c *push.ChildJob, job push.Job, tell func(string, uint64, uint64)) (push.ChildLine, error) {
	in := &push.InProcess{Workers: c.Workers, Loaded: closeDoor}
	switch c.Phase {
	case push.PhaseAdmit:
		a, err := in.Admit(ctx, job)
		return push.ChildLine{Admission: a}, err
	case push.PhaseProve:
		r, err := in.Prove(ctx, job, tell)
		if err != nil {
			return push.ChildLine{}, err
		}
		text, err := r.JSON()
		return push.ChildLine{Report: text}, err
	}
	return push.ChildLine{}, fmt.Errorf("the job has the unknown phase %q", c.Phase)
}
