package push

import (
	"os"
	"os/exec"
	"syscall"
)

// confine keeps the terminal's signals from the child and lets the kernel kill
// it when this process dies in any way. The rest it does itself.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// maxRSS is the most memory the process ever had, in bytes.
func maxRSS(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}
