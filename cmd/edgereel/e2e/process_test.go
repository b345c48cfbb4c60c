//go:build unix

package e2e

import (
	"bytes"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one running program with what it printed.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{}
	err            error // set before done is closed
}

// output collects what a process prints while others read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// launch starts cmd. It is ended with the test if it has not ended before.
func launch(t *testing.T, cmd *exec.Cmd, atDeath syscall.Signal) *process {
	t.Helper()
	p := &process{cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	}
	// What a killed process started may hold its output open.
	cmd.WaitDelay = 10 * time.Second
	tie(cmd, atDeath)
	started := make(chan error)
	go func() {
		// The kernel ties a child to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end(t, atDeath) })
	return p
}

// end asks a process to end and, if it does not, makes it.
func (p *process) end(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if p.ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Signal(signal)
	if !p.await(30 * time.Second) {
		t.Errorf("process %d does not end on %s", p.pid(), signal)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) await(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// code is the exit code of an ended process, -1 for a killed one.
func (p *process) code() int {
	if p.err != nil && p.cmd.ProcessState == nil {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

func signalPID(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("send %s to process %d: %v", signal, pid, err)
	}
}

// kill ends a process at once and waits until it is gone, with its ports.
func kill(t *testing.T, pid int) {
	t.Helper()
	signalPID(t, pid, syscall.SIGKILL)
	eventually(t, 10*time.Second, text("a killed process is left"), func() bool { return gone(pid) })
}

// gone tells whether no process has this id.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
