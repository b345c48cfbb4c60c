//go:build unix && !linux

package e2e

import (
	"os/exec"
	"syscall"
)

// tie does nothing where the kernel cannot do it.
func tie(*exec.Cmd, syscall.Signal) {}
