package dev

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// exit says that a node's process ended.
type exit struct {
	site   int
	pid    int
	reason string
}

// start runs a node's process and reports its end on ended.
func start(executable string, l layout, i int, ended chan<- exit) (*os.Process, error) {
	out, err := os.OpenFile(l.logFile(i), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", sites[i].node, err)
	}
	cmd := exec.Command(executable, "node", "--config", l.configFile(i)) //nolint:noctx // it outlives the call and is stopped by signals
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = nodeEnvironment(os.Environ())
	detach(cmd)
	started := make(chan error)
	go func() {
		// The kernel ties a child's life to the thread that started it, so this
		// goroutine keeps its thread until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		reason := "ended with exit code 0"
		if err := cmd.Wait(); err != nil {
			reason = describe(cmd.ProcessState, err)
		}
		_ = out.Close()
		ended <- exit{site: i, pid: cmd.Process.Pid, reason: reason}
	}()
	if err := <-started; err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("start %s: %w", sites[i].node, err)
	}
	return cmd.Process, nil
}

func describe(s *os.ProcessState, err error) string {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("killed by signal %d (%s)", int(status.Signal()), status.Signal())
	}
	return "ended: " + err.Error()
}

// nodeEnvironment drops variables that would give all three nodes one name or
// port. Those about telemetry, limits and timers may hold for all of them.
func nodeEnvironment(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		rest, ours := strings.CutPrefix(variable, "EDGEREEL_")
		section, _, _ := strings.Cut(rest, "_")
		if !ours || section == "TELEMETRY" || section == "LIMITS" || section == "RAFT" {
			kept = append(kept, variable)
		}
	}
	return kept
}

// lastLines gives the end of a node's log, for an error that explains itself.
func lastLines(path string, n int) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // only read
	var lines []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if lines = append(lines, "  "+scanner.Text()); len(lines) > n {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}
