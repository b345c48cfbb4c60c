package push

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/edgereel/edgereel/gamelogic/gate"
)

// Limits are those of one phase of a child process.
type Limits struct {
	// CPU is processor time of all its threads, in whole seconds.
	CPU time.Duration
	// MemoryBytes is what it may have mapped for writing.
	MemoryBytes int64
	// Wall ends a child that neither works nor ends.
	Wall time.Duration
}

// AdmitLimits are those of an admission where no others are configured.
func AdmitLimits() Limits {
	return Limits{CPU: 10 * time.Second, MemoryBytes: 1 << 30, Wall: 5 * time.Minute}
}

// ProveLimits are those of a proof where no others are configured.
func ProveLimits() Limits {
	return Limits{CPU: 30 * time.Minute, MemoryBytes: 3 << 30, Wall: 2 * time.Hour}
}

const (
	// maxLine bounds a line of a child; a report is the longest.
	maxLine = 64 << 20
	// keepStderr is how much of a crash is looked at.
	keepStderr = 64 << 10
	// cpuGrain is how much earlier than its limit the kernel may end a process.
	cpuGrain = time.Second
)

// Child is a [Gate] that runs every phase in a process of its own: the kernel
// holds it to its limits, it has an empty environment, an empty folder to be
// in, no files but its three pipes, and dies with this process. Its fields are
// read only.
type Child struct {
	// Command is the program and what comes before the phase's flags; nil is
	// this program with the verb gate-child.
	Command []string
	// Admission and Proof are the limits of the phases; a zero field is that of
	// AdmitLimits or ProveLimits.
	Admission, Proof Limits
	// Workers play at the same time; 0 is half of the processors, because
	// players need the others.
	Workers int
}

var _ Gate = (*Child)(nil)

// Admit runs the phase of that name.
func (c *Child) Admit(ctx context.Context, job Job) (*Admission, error) {
	last, err := c.run(ctx, PhaseAdmit, c.Admission.or(AdmitLimits()), job, func(string, uint64, uint64) {})
	if err != nil {
		return nil, err
	}
	if last.Admission == nil || last.Admission.Manifest == nil {
		return nil, errors.New("check a module: the admission ended without a manifest")
	}
	return last.Admission, nil
}

// Prove runs the phase of that name.
func (c *Child) Prove(ctx context.Context, job Job, tell func(string, uint64, uint64)) (*gate.Report, error) {
	last, err := c.run(ctx, PhaseProve, c.Proof.or(ProveLimits()), job, tell)
	if err != nil {
		return nil, err
	}
	r, err := gate.ParseReport(last.Report)
	if err != nil {
		return nil, fmt.Errorf("check a module: %w", err)
	}
	return r, nil
}

func (l Limits) or(d Limits) Limits {
	if l.CPU == 0 {
		l.CPU = d.CPU
	}
	if l.MemoryBytes == 0 {
		l.MemoryBytes = d.MemoryBytes
	}
	if l.Wall == 0 {
		l.Wall = d.Wall
	}
	return l
}

// run runs one phase and gives the line it ended with.
func (c *Child) run(ctx context.Context, phase string, l Limits, job Job, tell func(string, uint64, uint64)) (*ChildLine, error) {
	timed, cancel := context.WithTimeout(ctx, l.Wall)
	defer cancel()
	dir, err := os.MkdirTemp("", "edgereel-gate-*")
	if err != nil {
		return nil, fmt.Errorf("check a module: make an empty folder: %w", err)
	}
	defer func() { _ = os.Remove(dir) }() // it is empty, or somebody wants to know what is in it
	input, err := json.Marshal(ChildJob{
		Version: ChildVersion, Phase: phase, Module: job.Module, Digest: hex.EncodeToString(job.Digest[:]), PAR: job.PAR,
		Rounds: job.Rounds, Seed: job.Seed, FloorRTP: job.FloorRTP, Workers: c.workers(), MemoryBytes: l.MemoryBytes / 4 * 3,
	})
	if err != nil {
		return nil, fmt.Errorf("check a module: %w", err)
	}
	cmd, err := c.command(timed, l)
	if err != nil {
		return nil, fmt.Errorf("check a module: %w", err)
	}
	stderr := &head{}
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stderr = dir, []string{}, bytes.NewReader(input), stderr
	cmd.WaitDelay = 5 * time.Second
	p := &phaseRun{phase: phase, limits: l, tell: tell, stage: string(gate.StageDecode)}
	err = p.start(cmd)
	if err != nil {
		return nil, fmt.Errorf("check a module: start %s: %w", cmd.Path, err)
	}
	return p.ended(ctx, timed, cmd.ProcessState, stderr.text())
}

func (c *Child) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

func (c *Child) command(ctx context.Context, l Limits) (*exec.Cmd, error) {
	line := c.Command
	if line == nil {
		program, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		line = []string{program, "gate-child"}
	}
	line = append(line[:len(line):len(line)], "--cpu-seconds", strconv.FormatInt(int64(l.CPU/time.Second), 10), "--memory-bytes", strconv.FormatInt(l.MemoryBytes, 10))
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	confine(cmd)
	return cmd, nil
}

// phaseRun is one child from its start to its end. Its goroutine is the only
// one that touches it until start returns.
type phaseRun struct {
	phase  string
	limits Limits
	tell   func(string, uint64, uint64)

	stage   string // the last it was heard in
	last    *ChildLine
	garbled error
	waited  error
}

// start runs the command to its end; the error says that it never began.
func (p *phaseRun) start(cmd *exec.Cmd) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	done := make(chan error)
	go func() {
		// The kernel ties a child's life to the thread that started it, so this
		// goroutine keeps its thread until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			done <- err
			return
		}
		p.garbled = p.listen(out)
		if p.garbled != nil {
			_ = cmd.Process.Kill() // nobody reads what it has to say
		}
		p.waited = cmd.Wait()
		done <- nil
	}()
	return <-done
}

// listen reads the child's lines until it closes its output.
func (p *phaseRun) listen(out io.Reader) error {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var line ChildLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("read a line of the child: %w", err)
		}
		if line.Version != ChildVersion {
			return fmt.Errorf("the child speaks version %d, this node %d: the program was replaced while the node runs; start the node again", line.Version, ChildVersion)
		}
		if line.Stage != "" {
			p.stage = line.Stage
			p.tell(line.Stage, line.Done, line.Total)
			continue
		}
		p.last = &line
	}
	return lines.Err()
}

// ended says what became of the child: its last line, a refusal of the module,
// or a fault of this machine.
func (p *phaseRun) ended(asked, timed context.Context, s *os.ProcessState, stderr string) (*ChildLine, error) {
	const what = "check a module: %w"
	cpu := s.UserTime() + s.SystemTime()
	switch l := p.last; {
	case asked.Err() != nil:
		return nil, fmt.Errorf(what, context.Cause(asked))
	case s.Success() && l != nil && l.Refused != "":
		return nil, &Refusal{Stage: p.stage, Reason: l.Refused}
	case s.Success() && l != nil && l.Failed != "":
		return nil, fmt.Errorf(what, errors.New(l.Failed))
	case s.Success() && l != nil && p.garbled == nil:
		return l, nil
	case cpu+cpuGrain >= p.limits.CPU:
		return nil, p.refuse("took more than %d seconds of processor time %s", int64(p.limits.CPU/time.Second), p.doing())
	case timed.Err() != nil:
		return nil, p.refuse("was not done within %s %s", p.limits.Wall, p.doing())
	case outOfMemory(stderr) || maxRSS(s) >= p.limits.MemoryBytes/10*9:
		return nil, p.refuse("took more than %d MiB of memory %s", p.limits.MemoryBytes>>20, p.doing())
	case p.garbled != nil:
		return nil, fmt.Errorf(what, p.garbled)
	case killedFromOutside(s):
		// Below all of its limits: somebody else needed the memory, or an
		// operator ended it. That says nothing about the module.
		return nil, fmt.Errorf(what, fmt.Errorf("the child process was ended from outside (%s)", s))
	}
	return nil, p.refuse("crashed the check %s (%s): %s", p.doing(), s, firstLine(stderr))
}

func (p *phaseRun) refuse(format string, args ...any) error {
	return &Refusal{Stage: p.stage, Reason: "the module " + fmt.Sprintf(format, args...)}
}

func (p *phaseRun) doing() string {
	if p.phase == PhaseAdmit {
		return "to be decoded, compiled and started"
	}
	return fmt.Sprintf("in the stage %q of its check", p.stage)
}

func killedFromOutside(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGTERM)
}

// outOfMemory recognises how a Go program ends that is refused memory.
func outOfMemory(stderr string) bool {
	for _, sign := range []string{"out of memory", "cannot allocate memory", "failed to create new OS thread"} {
		if bytes.Contains([]byte(stderr), []byte(sign)) {
			return true
		}
	}
	return false
}

func firstLine(text string) string {
	line, _, _ := bytes.Cut([]byte(text), []byte("\n"))
	if len(line) == 0 {
		return "it said nothing"
	}
	return string(line[:min(len(line), 200)])
}

// head keeps the first part of what a child says when it crashes.
type head struct{ b []byte }

func (t *head) Write(b []byte) (int, error) {
	t.b = append(t.b, b[:min(len(b), keepStderr-len(t.b))]...)
	return len(b), nil
}

func (t *head) text() string { return string(t.b) }
