package storage

import (
	"errors"
	"fmt"
	"strings"
)

// Refusals of a data folder; the wrapping text says what to do.
var (
	// ErrForeignCluster refuses the folder of another cluster.
	ErrForeignCluster = errors.New("data folder belongs to another cluster")
	// ErrForeignNode refuses the folder of another node.
	ErrForeignNode = errors.New("data folder belongs to another node")
	// ErrNewerFormat refuses files written by a newer version.
	ErrNewerFormat = errors.New("data was written by a newer version")
	// ErrLocked refuses a file that another process has open.
	ErrLocked = errors.New("data file is in use by another process")
	// ErrMissing refuses a folder that has lost its node file.
	ErrMissing = errors.New("node file is missing from a used data folder")
)

// Refusals of a call.
var (
	// ErrClosed refuses calls after Close or Abandon. A write refused by
	// Abandon may still have reached the disk.
	ErrClosed = errors.New("storage is closed")
	// ErrFailed refuses every write after a failed commit or fsync. The write
	// that met the failure may still have reached the disk.
	ErrFailed = errors.New("storage has failed and accepts no more writes")
	// ErrNotFound says that the journal holds no record of that sequence.
	ErrNotFound = errors.New("record not found")
	// ErrMiddle refuses a DeleteRange that would leave a hole in the log.
	ErrMiddle = errors.New("range lies inside the log")
)

// DamageError names a place whose bytes are not what was written. The node
// must not go on with this file: restore it or let the node rejoin as a new
// member.
type DamageError struct {
	File   string
	Group  uint32 // group or shard; 0 when the place belongs to none
	Index  uint64 // log index or journal sequence; 0 when unknown
	Offset int64  // byte offset in File; -1 when unknown
	Reason string
}

// Error implements error.
func (e *DamageError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is damaged", e.File)
	if e.Group != 0 {
		fmt.Fprintf(&b, ", group %d", e.Group)
	}
	if e.Index != 0 {
		fmt.Fprintf(&b, ", index %d", e.Index)
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, ", offset %d", e.Offset)
	}
	return b.String() + ": " + e.Reason
}

// DivergenceError says that a record already in the journal and a record that
// should be the same differ: replicas have diverged, and this one must halt.
type DivergenceError struct {
	Shard  uint32
	Seq    uint64
	Reason string
}

// Error implements error.
func (e *DivergenceError) Error() string {
	return fmt.Sprintf("journal of shard %d diverges at sequence %d: %s", e.Shard, e.Seq, e.Reason)
}
