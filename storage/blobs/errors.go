package blobs

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Refusals of a call.
var (
	// ErrNotFound says that no such blob is stored here.
	ErrNotFound = errors.New("blob is not stored here")
	// ErrBusy says that another call writes the same upload.
	ErrBusy = errors.New("another upload of the same blob is being written")
	// ErrTooLarge refuses a blob above the limit of one blob.
	ErrTooLarge = errors.New("blob is larger than this node takes")
	// ErrTooMany refuses an upload while unfinished ones fill their room.
	ErrTooMany = errors.New("too many unfinished uploads")
	// ErrClosed refuses calls after Close.
	ErrClosed = errors.New("blob store is closed")
)

// DigestError says that received bytes are not those of their name. Nothing was
// stored.
type DigestError struct {
	Want, Got Digest
	Size      int64
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("the %d bytes received have SHA-256 %s, not %s; send the blob again", e.Size, e.Got, e.Want)
}

// SizeError says that a blob ended early, or went on, against its stated size.
type SizeError struct {
	Digest    Digest
	Want, Got int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("blob %s was announced with %d bytes, not %d", e.Digest, e.Want, e.Got)
}

// OffsetError says where an upload goes on.
type OffsetError struct {
	Digest    Digest
	Want, Got int64
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("upload of %s goes on at offset %d, not %d", e.Digest, e.Want, e.Got)
}

// DamageError says that a stored file no longer has the bytes of its name. It
// was moved aside and the blob is no longer here.
type DamageError struct {
	Digest Digest
	// Got is the digest of the bytes that were found.
	Got Digest
	// File is where they are now.
	File string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("blob %s is damaged on disk (found %s); moved aside to %s", e.Digest, e.Got, e.File)
}

// Digest is the SHA-256 that names a blob.
type Digest [32]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads 64 hexadecimal digits in lower case.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	if len(text) != 2*len(d) {
		return d, fmt.Errorf("digest %q has %d characters, not %d", text, len(text), 2*len(d))
	}
	if _, err := hex.Decode(d[:], []byte(text)); err != nil {
		return d, fmt.Errorf("digest %q is not hexadecimal: %w", text, err)
	}
	if d.String() != text {
		return d, fmt.Errorf("digest %q has capital letters", text)
	}
	return d, nil
}
