//go:build !unix

package studio

import "time"

// cpuTime is not known here; reports then say 0 rounds per CPU second.
func cpuTime() time.Duration { return 0 }
