package storage

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// The golden files were written by version 1 and must be readable for ever.
// EDGEREEL_WRITE_GOLDEN=1 writes them anew, which only a new version may do,
// under a new name.
const (
	goldenNode    = "testdata/node-v1.db"
	goldenSegment = "testdata/segment-v1.seg"
	goldenTail    = "testdata/tail-v1.bin"
)

func TestGolden_Version1(t *testing.T) {
	if os.Getenv("EDGEREEL_WRITE_GOLDEN") != "" {
		writeGolden(t)
	}
	dir := t.TempDir()
	copyFile(t, goldenNode, filepath.Join(dir, nodeFileName))
	s := openTest(t, dir)
	checkLogs(t, s.Group(1), 3, 40)
	checkLogs(t, s.Group(0xABCDEF), 0, 0)
	term, err := s.Group(1).GetUint64([]byte("CurrentTerm"))
	vote, err2 := s.Group(0xABCDEF).Get([]byte("LastVoteCand"))
	mark, ok := s.Mark("peer/b")
	if errors.Join(err, err2) != nil || term != 77 || string(vote) != "node-b" || !ok || string(mark) != "seen" || s.Boot() != 3 {
		t.Fatalf("term %d, vote %q, mark %q, boot %d, %v, %v", term, vote, mark, s.Boot(), err, err2)
	}

	jdir := t.TempDir()
	copyFile(t, goldenSegment, filepath.Join(jdir, segmentName(1)))
	j := openJournalTest(t, jdir)
	checkJournal(t, j, testSegment)
	tail, err := os.ReadFile(goldenTail)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.InstallTail(tail); err != nil {
		t.Fatal(err)
	}
	checkJournal(t, j, testSegment+3)

	// Writing the same records gives the same bytes: replicas compare digests.
	fresh := openJournalTest(t, t.TempDir())
	appendAll(t, fresh, 1, testSegment+3)
	got, err := os.ReadFile(fresh.path(1))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(goldenSegment)
	if err != nil {
		t.Fatal(err)
	}
	again, err := fresh.Tail()
	if err != nil || !bytes.Equal(got, want) || !bytes.Equal(again, tail) {
		t.Fatalf("the same records are written otherwise than by version 1 (%v)", err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func writeGolden(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	s := openTest(t, dir)
	storeLogs(t, s.Group(1), 1, 40)
	err := errors.Join(
		s.Group(1).DeleteRange(1, 2),
		s.Group(1).SetUint64([]byte("CurrentTerm"), 77),
		s.Group(0xABCDEF).Set([]byte("LastVoteCand"), []byte("node-b")),
		s.SetMark("peer/b", []byte("seen")),
		s.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(goldenNode)
	src, err := bbolt.Open(filepath.Join(dir, nodeFileName), 0o600, boltOptions())
	if err != nil {
		t.Fatal(err)
	}
	dst, err := bbolt.Open(goldenNode, 0o644, &bbolt.Options{NoFreelistSync: true}) // without room to grow: small
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bbolt.Compact(dst, src, 0), src.Close(), dst.Close()); err != nil {
		t.Fatal(err)
	}
	j := openJournalTest(t, t.TempDir())
	appendAll(t, j, 1, testSegment+3)
	tail, err := j.Tail()
	if err == nil {
		err = os.WriteFile(goldenTail, tail, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(goldenSegment)
	b, err := os.ReadFile(j.path(1))
	if err == nil {
		err = os.WriteFile(goldenSegment, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
