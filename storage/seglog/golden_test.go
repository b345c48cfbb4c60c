package seglog

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden segment anew")

// TestFormat_Golden: a segment of version 1 opens for ever, and the same calls
// write the same bytes.
func TestFormat_Golden(t *testing.T) {
	const file = "testdata/segment-v1.log"
	fs := newMemFS()
	cfg := memConfig(fs)
	cfg.Rand = bytes.NewReader(bytes.Repeat([]byte{7}, 1024))
	l := openTest(t, cfg)
	store(t, l.Group(1), 1, 4, 1)
	store(t, l.Group(2), 10, 11, 3)
	if err := l.Group(1).DeleteRange(4, 4); err != nil {
		t.Fatal(err)
	}
	store(t, l.Group(1), 4, 5, 2)
	if err := l.Group(1).DeleteRange(1, 1); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := fs.names[segmentName(1)].now
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the segment is not what version 1 writes")
	}
	old := newMemFS()
	old.names[segmentName(1)] = &memData{now: want}
	l = openTest(t, memConfig(old))
	if got := terms(t, l.Group(1)) + "| " + terms(t, l.Group(2)); got != "2:1 3:1 4:2 5:2 | 10:3 11:3 " {
		t.Fatalf("the golden segment holds %s", got)
	}
}
