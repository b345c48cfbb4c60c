//go:build unix

package storage

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the advisory lock that bbolt takes again on the same handle,
// so that the file can be checked before bbolt maps it.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
