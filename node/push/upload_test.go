package push_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// TestUploadChunk goes on where it broke, and refuses what is no piece.
func TestUploadChunk(t *testing.T) {
	s := newStand(t, nil)
	b := []byte("twelve bytes")
	sum := sha256.Sum256(b)
	digest := hex.EncodeToString(sum[:])
	piece := func(digest string, size, offset uint64, data string) (*edgereelv1.UploadChunkResponse, error) {
		return s.push.UploadChunk(t.Context(), &edgereelv1.UploadChunkRequest{Digest: digest, Size: size, Offset: offset, Data: []byte(data)})
	}
	for _, c := range []struct {
		offset uint64
		data   string
		next   uint64
		stored bool
	}{{4, "ve", 0, false}, {0, "twel", 4, false}, {0, "twel", 4, false}, {6, "x", 4, false}, {4, "ve bytes", 12, true}, {0, "again", 12, true}} {
		res, err := piece(digest, 12, c.offset, c.data)
		if err != nil || res.GetNextOffset() != c.next || res.GetStored() != c.stored {
			t.Errorf("%q at %d: %v, %v", c.data, c.offset, res, err)
		}
	}
	other := strings.Repeat("a", 64)
	for _, c := range []struct {
		digest       string
		size, offset uint64
		data, code   string
	}{
		{"x", 4, 0, "data", "invalid"},
		{other, 0, 0, "", "invalid"},
		{other, 4, 5, "", "invalid"},
		{other, 1 << 40, 0, "x", "blob_too_large"},
		{other, 4, 0, "datadata", "size_mismatch"},
		{other, 4, 0, "data", "digest_mismatch"},
	} {
		_, err := piece(c.digest, c.size, c.offset, c.data)
		s.refused(err, no, c.code)
	}
	if n := s.stored(); n != 1 {
		t.Errorf("%d blobs are stored", n)
	}
}
