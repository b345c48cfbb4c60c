//go:build unix

// Package cputime tells what processor time this process has used, where the
// system says so.
package cputime

import (
	"syscall"
	"time"
)

// Used is the processor time of this process so far; 0 where it is not known.
func Used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
