//go:build !unix

package storage

import "os"

// tryLock leaves locking to bbolt where flock does not exist.
func tryLock(*os.File) (bool, error) { return true, nil }
