package e2e

import (
	"os/exec"
	"syscall"
)

// tie lets the kernel end a child whose test is gone, killed by a time limit
// for instance.
func tie(cmd *exec.Cmd, signal syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: signal}
}
