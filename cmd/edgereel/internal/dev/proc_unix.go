//go:build unix && !linux

package dev

import (
	"os"
	"os/exec"
	"syscall"
)

// detach keeps the terminal's Ctrl-C from the child, which this process stops
// itself. Only Linux kills the child when this process is killed.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// thaw lets a process that was frozen (SIGSTOP) hear its signals.
func thaw(p *os.Process) { _ = p.Signal(syscall.SIGCONT) }

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// lock takes a folder for this process; false when another one has it. The
// kernel gives it back when the file is closed.
func lock(file *os.File) bool {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
