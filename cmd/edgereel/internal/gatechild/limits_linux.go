package gatechild

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	prSetNoNewPrivs = 38
	// niceness leaves the processors to whoever serves players.
	niceness = 10
)

// limitAndStartAgain sets what the kernel keeps over an exec. All of it is
// inherited by the one thread that an exec leaves, which is why it is done
// before one, on a thread of its own.
func limitAndStartAgain(o Options, args []string) error {
	runtime.LockOSThread() // and never unlocked
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"processor time", syscall.RLIMIT_CPU, o.CPUSeconds},
		{"core files", syscall.RLIMIT_CORE, 0},
		{"written files", syscall.RLIMIT_FSIZE, 0},
		// Not the address space, of which the runtime reserves more than it
		// ever uses: what is mapped for writing.
		{"memory", syscall.RLIMIT_DATA, dataLimit(o.MemoryBytes)},
	} {
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("limit %s to %d: %w", l.name, l.most, err)
		}
	}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("give up new rights: %w", errno)
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness); err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	keepNoFiles()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return fmt.Errorf("start again: %w", syscall.Exec(program, append([]string{program}, args...), []string{}))
}

// keepNoFiles marks all files but the three to be closed by the exec: the node
// may have been started with some that nobody marked.
func keepNoFiles() {
	const closeRange, markOnly = 436, 4
	if _, _, errno := syscall.RawSyscall(closeRange, 3, uintptr(^uint32(0)), markOnly); errno == 0 {
		return
	}
	for fd := 3; fd < 1<<16; fd++ { // a kernel before 5.11
		syscall.CloseOnExec(fd)
	}
}

// closeDoor ends opening files, once the module is read. The runtime's own
// (for its timers) are opened first.
func closeDoor() error {
	timer := time.NewTimer(0)
	<-timer.C
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("limit open files: %w", err)
	}
	return nil
}
