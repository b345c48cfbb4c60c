package storage

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// TestStore_BitFlips flips single bits all over the file: the store must refuse
// it or show exactly what was stored.
func TestStore_BitFlips(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	storeLogs(t, s.Group(1), 1, 400)
	storeLogs(t, s.Group(2), 7, 30)
	if err := s.Group(1).DeleteRange(1, 50); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Group(1).SetUint64([]byte("CurrentTerm"), 8), s.Group(1).Set([]byte("LastVoteCand"), []byte("b")), s.SetMark("p", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	want := state(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, nodeFileName))
	if err != nil {
		t.Fatal(err)
	}
	refused, harmless := 0, 0
	rng := rand.New(rand.NewPCG(1, 2))
	offsets := make([]int, 0, 4000)
	for i := range 2 * 4096 { // headers and metas of the first two pages, densely
		if i%4096 < 100 {
			offsets = append(offsets, i)
		}
	}
	m, _ := parsePageMeta(good[16:])
	used := int(m.pages)
	for p := 2; p < used; p++ { // page headers
		for i := range 16 {
			offsets = append(offsets, p*4096+i)
		}
	}
	for range 800 {
		offsets = append(offsets, rng.IntN(used*4096))
	}
	for _, o := range offsets {
		bit := byte(1) << rng.IntN(8)
		bad := good
		bad[o] ^= bit
		l, err := load(nodeFileName, bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			var de *DamageError
			if !errors.As(err, &de) && !errors.Is(err, ErrNewerFormat) {
				t.Fatalf("offset %d: %v", o, err)
			}
			refused++
			bad[o] ^= bit
			continue
		}
		if l.torn {
			t.Fatalf("offset %d: a flipped bit passed for a torn write", o)
		}
		harmless++
		if harmless%20 != 0 { // opening is slow; the walk above is the same
			if len(l.groups) != 2 || l.groups[1].logRange != (logRange{51, 400}) || l.groups[2].logRange != (logRange{7, 30}) {
				t.Fatalf("offset %d: other logs were loaded", o)
			}
			bad[o] ^= bit
			continue
		}
		d := t.TempDir()
		if err := os.WriteFile(filepath.Join(d, nodeFileName), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		bad[o] ^= bit
		s := openTest(t, d)
		if got := state(t, s); got != want {
			t.Fatalf("offset %d: another state was loaded", o)
		}
		_ = s.Close()
	}
	t.Logf("%d flips refused, %d harmless", refused, harmless)
	if refused < 200 {
		t.Fatal("hardly any flip was refused")
	}
}

func TestStore_TornMetaAndShortFile(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	storeLogs(t, s.Group(1), 1, 3)
	_ = s.Close()
	path := filepath.Join(dir, nodeFileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m0, _ := parsePageMeta(good[16:])
	m1, _ := parsePageMeta(good[4096+16:])
	newest := 0
	if m1.txid > m0.txid {
		newest = 4096
	}
	torn := bytes.Clone(good)
	copy(torn[newest+16+32:], make([]byte, 32)) // the second half never arrived
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	if r := s.Report(); r.Torn != 1 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "torn") {
		t.Fatalf("report is %+v", r)
	}
	_ = s.Close()
	for _, size := range []int64{1, 4096, 8192, int64(max(m0.pages, m1.pages)-1) * 4096} {
		if err := os.WriteFile(path, good[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		var de *DamageError
		if _, err := Open(testConfig(dir)); !errors.As(err, &de) {
			t.Fatalf("file cut to %d bytes: %v", size, err)
		}
	}
}

func TestStore_DamageNamesGroupAndIndex(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig(dir)
	cfg.CacheBytes = 1
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := entry(5)
	l.Data = []byte("the payload to look for")
	storeLogs(t, s.Group(42), 1, 4)
	if err := s.Group(42).StoreLog(l); err != nil {
		t.Fatal(err)
	}
	storeLogs(t, s.Group(42), 6, 6)
	f, err := os.OpenFile(filepath.Join(dir, nodeFileName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; { // every copy: old pages hold some too
		n := bytes.Index(b[i:], l.Data)
		if n < 0 {
			break
		}
		i += n + 1
		if _, err := f.WriteAt([]byte{'T'}, int64(i-1)); err != nil {
			t.Fatal(err)
		}
	}
	var got raft.Log
	var de *DamageError
	if err := s.Group(42).GetLog(5, &got); !errors.As(err, &de) || de.Group != 42 || de.Index != 5 {
		t.Fatalf("GetLog = %v", err)
	}
	_ = s.Close()
	if _, err := Open(cfg); !errors.As(err, &de) || de.Group != 42 || de.Index != 5 {
		t.Fatalf("Open = %v", err)
	}
}
