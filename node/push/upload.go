package push

import (
	"context"
	"errors"
	"fmt"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/storage/blobs"
)

// UploadChunk takes one piece of a blob. A piece at the wrong offset is
// answered with the right one, so that a broken upload goes on where it was.
func (s *Service) UploadChunk(_ context.Context, req *edgereelv1.UploadChunkRequest) (*edgereelv1.UploadChunkResponse, error) {
	digest, err := blobs.ParseDigest(req.GetDigest())
	if err != nil {
		return nil, invalid("%s", err)
	}
	if req.GetSize() == 0 || req.GetSize() > 1<<62 || req.GetOffset() > req.GetSize() {
		return nil, invalid("a piece at offset %d of a blob of %d bytes is none", req.GetOffset(), req.GetSize())
	}
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	default:
		return nil, busy("upload_busy", 200, "this node writes %d pieces already", cap(s.writing))
	}
	next, stored, err := s.cfg.Blobs.Append(digest, int64(req.GetSize()), int64(req.GetOffset()), req.GetData())
	if err != nil {
		return uploadError(err)
	}
	if stored {
		s.keep.came(digest)
		if err := s.keep.sweep(); err != nil {
			s.cfg.Logger.Warn("old uploads are still stored", "error", err)
		}
	}
	return &edgereelv1.UploadChunkResponse{NextOffset: uint64(next), Stored: stored}, nil
}

func uploadError(err error) (*edgereelv1.UploadChunkResponse, error) {
	var offset *blobs.OffsetError
	var size *blobs.SizeError
	var digest *blobs.DigestError
	switch {
	case errors.As(err, &offset):
		return &edgereelv1.UploadChunkResponse{NextOffset: uint64(offset.Want)}, nil
	case errors.As(err, &digest):
		return nil, refuse("digest_mismatch", "Read the file again and upload it under its SHA-256.", "%s", digest)
	case errors.As(err, &size):
		return nil, refuse("size_mismatch", "Announce the size of the whole file with every piece.", "%s", size)
	case errors.Is(err, blobs.ErrTooLarge):
		return nil, refuse("blob_too_large", "Make it smaller, or ask the operator for a higher limit.", "%s", err)
	case errors.Is(err, blobs.ErrBusy):
		return nil, busy("upload_busy", 200, "somebody else uploads the same blob")
	case errors.Is(err, blobs.ErrTooMany):
		return nil, busy("too_many_uploads", retryAfterMS, "%s", blobs.ErrTooMany)
	}
	return nil, fault("upload_failed", fmt.Errorf("store a piece: %w", err))
}
