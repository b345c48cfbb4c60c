//go:build !unix

package bench

import "time"

// cpuTime falls back on the clock on the wall.
func cpuTime() time.Duration { return time.Duration(time.Now().UnixNano()) }
