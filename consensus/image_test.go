package consensus

import (
	"bytes"
	"encoding/binary"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/edgereel/edgereel/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

func testImage() image {
	return image{
		shard: []byte("the shard"), tail: []byte("the tail"),
		segments: []storage.SegmentRef{{First: 1, Last: 64, Bytes: 1000, Digest: [32]byte{1}}, {First: 65, Last: 128, Bytes: 1001, Digest: [32]byte{2}}},
	}
}

func TestImage_Golden(t *testing.T) {
	img := testImage()
	path := filepath.Join("testdata", "image-v1.bin")
	if *update {
		if err := os.WriteFile(path, img.encode(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, img.encode()) {
		t.Error("version 1 is written in another way: snapshots of running clusters would not be read")
	}
	back, err := decodeImage(golden)
	if err != nil || !reflect.DeepEqual(back, img) {
		t.Errorf("read %+v, %v", back, err)
	}
}

func TestImage_Refuses(t *testing.T) {
	whole := testImage()
	b := whole.encode()
	for i := range b {
		bent := bytes.Clone(b)
		bent[i] ^= 0x40
		if _, err := decodeImage(bent); err == nil {
			t.Errorf("a bent byte %d passes", i)
		}
		if _, err := decodeImage(b[:i]); err == nil {
			t.Errorf("the first %d bytes pass", i)
		}
	}
	newer := bytes.Clone(b)
	newer[len(imageMagic)] = imageVersion + 1
	if _, err := decodeImage(reseal(newer)); err == nil {
		t.Error("a newer version passes")
	}
	longer := append(bytes.Clone(b[:len(b)-4]), 1, 2, 3, 0, 0, 0, 0)
	if _, err := decodeImage(reseal(longer)); err == nil {
		t.Error("bytes behind the tail pass")
	}
}

func reseal(b []byte) []byte {
	body := b[:len(b)-4]
	return binary.BigEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func FuzzImage(f *testing.F) {
	whole := testImage()
	empty := image{}
	f.Add(whole.encode())
	f.Add(empty.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		// Without its checksum a changed input would never get far.
		if len(b) > 4 {
			b = reseal(b)
		}
		img, err := decodeImage(b)
		if err != nil {
			return
		}
		if !bytes.Equal(img.encode(), b) {
			t.Errorf("%x is read but written in another way", b)
		}
	})
}
