package seglog

import (
	"errors"
	"os"
	"syscall"
)

// datasync leaves the time stamps alone: inside a preallocated file that saves
// a write of the file system's own journal.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if errors.Is(err, syscall.EINTR) {
			continue // not begun, so this is no second try of a failed sync
		}
		return os.NewSyscallError("fdatasync", err)
	}
}
