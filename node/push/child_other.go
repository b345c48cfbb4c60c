//go:build !linux

package push

import (
	"os"
	"os/exec"
)

func confine(*exec.Cmd) {}

func maxRSS(*os.ProcessState) int64 { return 0 }
