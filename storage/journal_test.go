package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

const testSegment = 8

func openJournalTest(t testing.TB, dir string) *Journal {
	t.Helper()
	j, err := OpenJournal(journalConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func journalConfig(dir string) JournalConfig {
	// A crash of the process alone keeps what was written, so most tests need no
	// real fsync; those that do check it set their own.
	skip := func(abandoned <-chan struct{}, _ func() error) error {
		select {
		case <-abandoned:
			return ErrClosed
		default:
			return nil
		}
	}
	return JournalConfig{Dir: dir, Shard: 3, SegmentRecords: testSegment, Fsync: skip}
}

// records returns the records from to to of one fixed chain.
func records(from, to uint64) []Record {
	prev := sha256.Sum256([]byte("origin"))
	var recs []Record
	for seq := uint64(1); seq <= to; seq++ {
		r := Record{
			Epoch: 1, Seq: seq, Prev: prev,
			Leaf: sha256.Sum256(fmt.Append(nil, "leaf", seq)), Salt: sha256.Sum256(fmt.Append(nil, "salt", seq)),
			Input: bytes.Repeat([]byte{byte(seq)}, int(seq%13)), Result: fmt.Append(nil, "result ", seq),
		}
		prev = r.Hash()
		if seq >= from {
			recs = append(recs, r)
		}
	}
	return recs
}

func appendAll(t testing.TB, j *Journal, from, to uint64) {
	t.Helper()
	if err := j.Append(records(from, to)); err != nil {
		t.Fatal(err)
	}
}

// checkJournal checks that the journal holds exactly 1 to last of the chain.
func checkJournal(t testing.TB, j *Journal, last uint64) {
	t.Helper()
	want := records(1, last)
	seq, hash := j.Last()
	if seq != last || last > 0 && hash != want[last-1].Hash() {
		t.Fatalf("journal ends at %d (%x), should end at %d", seq, hash, last)
	}
	n := 0
	err := j.Scan(0, last+5, func(r Record) error {
		if !sameRecord(r, want[n]) {
			return fmt.Errorf("record %d is %+v", r.Seq, r)
		}
		n++
		return nil
	})
	if err != nil || n != len(want) {
		t.Fatalf("scan found %d of %d records: %v", n, len(want), err)
	}
	for _, w := range want {
		if r, err := j.Get(w.Seq); err != nil || !sameRecord(r, w) {
			t.Fatalf("Get(%d) = %+v, %v", w.Seq, r, err)
		}
	}
	if _, err := j.Get(last + 1); !errors.Is(err, ErrNotFound) {
		t.Fatalf("Get beyond the end = %v", err)
	}
	if got := uint64(len(j.Sealed())); got != last/testSegment {
		t.Fatalf("%d sealed segments of %d records", got, last)
	}
}

func sameRecord(a, b Record) bool {
	return a.Epoch == b.Epoch && a.Seq == b.Seq && a.Prev == b.Prev && a.Leaf == b.Leaf && a.Salt == b.Salt &&
		bytes.Equal(a.Input, b.Input) && bytes.Equal(a.Result, b.Result)
}

func TestJournal_AppendReopenIdempotent(t *testing.T) {
	dir := t.TempDir()
	for last := uint64(1); last <= 3*testSegment+1; last++ {
		j := openJournalTest(t, dir)
		appendAll(t, j, max(1, last-min(last, 11)), last) // mostly a repetition
		checkJournal(t, j, last)
		if last%3 == 0 {
			j.Abandon(-1)
			if err := j.Append(records(last+1, last+1)); !errors.Is(err, ErrClosed) {
				t.Fatalf("append to an abandoned journal = %v", err)
			}
		} else if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	checkJournal(t, openJournalTest(t, dir), 3*testSegment+1)
}

func TestJournal_Refusals(t *testing.T) {
	j := openJournalTest(t, t.TempDir())
	appendAll(t, j, 1, 20)
	for _, seq := range []uint64{2, 20} { // sealed and not
		r := records(seq, seq)
		r[0].Result = []byte("another")
		var de *DivergenceError
		if err := j.Append(r); !errors.As(err, &de) || de.Shard != 3 || de.Seq != seq {
			t.Fatalf("append of another record %d = %v", seq, err)
		}
	}
	r := records(21, 21)
	r[0].Prev[0]++
	var de *DivergenceError
	if err := j.Append(r); !errors.As(err, &de) || de.Seq != 21 {
		t.Fatalf("append with another chain = %v", err)
	}
	if err := j.Append(records(22, 22)); err == nil {
		t.Fatal("a gap was accepted")
	}
	if err := j.Append([]Record{{Seq: 0}}); err == nil {
		t.Fatal("sequence 0 was accepted")
	}
	appendAll(t, j, 21, 21)
	checkJournal(t, j, 21)
}

// TestJournal_TornAtEveryByte cuts the unsealed file at every byte. Down to
// what was synced the tail is torn and truncated; below it, refused.
func TestJournal_TornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	j := openJournalTest(t, dir)
	appendAll(t, j, 1, testSegment+2)
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	synced := fileSize(t, dir, testSegment+1)
	appendAll(t, j, testSegment+3, testSegment+4)
	full := fileSize(t, dir, testSegment+1)
	j.Abandon(-1)
	for size := int64(0); size <= full; size++ {
		d := copyDir(t, dir)
		if err := os.Truncate(filepath.Join(d, segmentName(testSegment+1)), size); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(journalConfig(d))
		if size < synced {
			var de *DamageError
			if !errors.As(err, &de) || de.File != segmentName(testSegment+1) || de.Offset != size {
				t.Fatalf("cut to %d of %d synced bytes: %v", size, synced, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut to %d: %v", size, err)
		}
		last, _ := j.Last()
		if last < testSegment+2 || last > testSegment+4 {
			t.Fatalf("cut to %d: ends at %d", size, last)
		}
		whole := fileSize(t, d, testSegment+1) == size
		if r := j.Report(); (r.Torn == 0) != whole || len(r.Notes) != r.Torn {
			t.Fatalf("cut to %d: report %+v", size, r)
		}
		appendAll(t, j, last+1, testSegment+5)
		checkJournal(t, j, testSegment+5)
		_ = j.Close()
	}
}

// TestJournal_UnsyncedTornEverywhere has nothing synced: every cut is a torn
// tail, also in the middle of a seal.
func TestJournal_UnsyncedTornEverywhere(t *testing.T) {
	dir := t.TempDir()
	j := openJournalTest(t, dir)
	appendAll(t, j, 1, testSegment)
	j.Abandon(-1)
	for size := range fileSize(t, dir, 1) {
		d := copyDir(t, dir)
		if err := os.Truncate(filepath.Join(d, segmentName(1)), size); err != nil {
			t.Fatal(err)
		}
		j := openJournalTest(t, d)
		last, _ := j.Last()
		checkJournal(t, j, last)
		appendAll(t, j, last+1, testSegment+1)
		checkJournal(t, j, testSegment+1)
		if sealed := j.Sealed(); sealed[0] != sealedRef(t, dir) {
			t.Fatalf("cut to %d: sealed again as %+v", size, sealed[0])
		}
		_ = j.Close()
	}
}

func sealedRef(t testing.TB, dir string) SegmentRef {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	return SegmentRef{1, testSegment, sha256.Sum256(b[:len(b)-trailerSize]), int64(len(b))}
}

func fileSize(t testing.TB, dir string, first uint64) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, segmentName(first)))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestJournal_BitFlips flips one bit of every byte of a synced journal: it must
// be refused, or hold exactly what was written.
func TestJournal_BitFlips(t *testing.T) {
	dir := t.TempDir()
	j := openJournalTest(t, dir)
	appendAll(t, j, 1, 2*testSegment+3)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, first := range []uint64{1, testSegment + 1, 2*testSegment + 1} {
		path := filepath.Join(dir, segmentName(first))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			replace(t, path, bad)
			_, err := OpenJournal(journalConfig(dir))
			var de *DamageError
			if !errors.As(err, &de) && !errors.Is(err, ErrNewerFormat) {
				t.Fatalf("segment %d, byte %d: %v", first, i, err)
			}
			if de != nil && (de.File != segmentName(first) || de.Index == 0 || de.Offset < 0) {
				t.Fatalf("segment %d, byte %d is reported as %v", first, i, err)
			}
		}
		replace(t, path, good)
	}
	for _, name := range []string{segmentName(testSegment + 1), segmentName(2*testSegment + 1)} {
		d := copyDir(t, dir)
		if err := os.Remove(filepath.Join(d, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(journalConfig(d)); err == nil || !strings.Contains(err.Error(), "missing") {
			t.Fatalf("without %s: %v", name, err)
		}
	}
	checkJournal(t, openJournalTest(t, dir), 2*testSegment+3)
	other := journalConfig(dir)
	other.Shard = 4
	if _, err := OpenJournal(other); err == nil {
		t.Fatal("the journal of another shard was opened")
	}
}

func replace(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// install brings to up to the state of from at seq, as a snapshot install does.
func install(t testing.TB, from, to *Journal, seq uint64) error {
	t.Helper()
	refs, tail, err := from.At(seq)
	if err != nil {
		t.Fatal(err)
	}
	missing, err := to.Missing(refs)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range missing {
		r, err := from.OpenSegment(ref)
		if err != nil {
			t.Fatal(err)
		}
		err = to.InstallSegment(ref, r)
		_ = r.Close()
		if err != nil {
			return err
		}
	}
	return to.ResetTo(refs, tail)
}

func TestJournal_InstallBehindAndAhead(t *testing.T) {
	source := openJournalTest(t, t.TempDir())
	appendAll(t, source, 1, 5*testSegment+3)
	for _, have := range []uint64{0, 3, testSegment, testSegment + 3, 4*testSegment + 7} {
		for _, at := range []uint64{0, 2, testSegment, 2*testSegment + 5, 4 * testSegment, 5*testSegment + 3} {
			dir := t.TempDir()
			j := openJournalTest(t, dir)
			appendAll(t, j, 1, have)
			if err := install(t, source, j, at); err != nil {
				t.Fatalf("have %d, install %d: %v", have, at, err)
			}
			checkJournal(t, j, at)
			j.Abandon(0) // what was installed is durable
			j = openJournalTest(t, dir)
			checkJournal(t, j, at)
			appendAll(t, j, at+1, at+testSegment)
			checkJournal(t, j, at+testSegment)
			_ = j.Close()
		}
	}
	j := openJournalTest(t, t.TempDir())
	tail, err := source.Tail()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.InstallTail(tail); !errors.Is(err, ErrNotFound) {
		t.Fatalf("tail without its segments = %v", err)
	}
	if err := install(t, source, j, 5*testSegment); err != nil {
		t.Fatal(err)
	}
	if err := j.InstallTail(tail); err != nil {
		t.Fatal(err)
	}
	checkJournal(t, j, 5*testSegment+3)
}

func TestJournal_InstallRefusals(t *testing.T) {
	source := openJournalTest(t, t.TempDir())
	appendAll(t, source, 1, 2*testSegment+1)
	ref := source.Sealed()[1]
	b, err := os.ReadFile(source.path(ref.First))
	if err != nil {
		t.Fatal(err)
	}
	j := openJournalTest(t, t.TempDir())
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if err := j.InstallSegment(ref, bytes.NewReader(bad)); err == nil {
			t.Fatalf("byte %d flipped: installed", i)
		}
	}
	for _, r := range []io.Reader{bytes.NewReader(b[:len(b)-1]), bytes.NewReader(append(bytes.Clone(b), 0))} {
		if err := j.InstallSegment(ref, r); err == nil {
			t.Fatal("a segment of another size was installed")
		}
	}
	_, tail, _ := source.At(2*testSegment + 1)
	for i := range tail {
		bad := bytes.Clone(tail)
		bad[i] ^= 1
		if err := j.ResetTo(nil, bad); err == nil {
			t.Fatalf("byte %d of the tail flipped: accepted", i)
		}
	}
	diverged := openJournalTest(t, t.TempDir())
	recs := records(1, testSegment)
	recs[testSegment-1].Leaf[0]++
	if err := diverged.Append(recs[:testSegment-1]); err != nil {
		t.Fatal(err)
	}
	var de *DivergenceError
	if err := diverged.Append(recs[testSegment-1:]); err != nil {
		t.Fatal(err)
	}
	if err := install(t, source, diverged, 2*testSegment+1); !errors.As(err, &de) {
		t.Fatalf("install over another history = %v", err)
	}
	unsealed := openJournalTest(t, t.TempDir())
	recs = records(1, 2)
	recs[1].Salt[0]++
	if err := unsealed.Append(recs); err != nil {
		t.Fatal(err)
	}
	for _, at := range []uint64{2, 2*testSegment + 1} {
		if err := install(t, source, unsealed, at); !errors.As(err, &de) || de.Seq != 2 {
			t.Fatalf("install of %d over another record 2 = %v", at, err)
		}
	}
	if seq, _ := unsealed.Last(); seq != 2 {
		t.Fatal("a refused reset changed the journal")
	}
}

// TestJournal_CrashDuringReset copies the folder at every fsync-like step of a
// reset; each copy must open as the old journal or the new one.
func TestJournal_CrashDuringReset(t *testing.T) {
	source := openJournalTest(t, t.TempDir())
	appendAll(t, source, 1, 3*testSegment+2)
	for _, c := range []struct{ have, at uint64 }{{testSegment + 3, 3*testSegment + 2}, {3*testSegment + 1, testSegment + 1}, {2, 0}} {
		dir := t.TempDir()
		j := openJournalTest(t, dir)
		appendAll(t, j, 1, c.have)
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
		refs, tail, err := source.At(c.at)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range refs {
			r, err := source.OpenSegment(ref)
			if err == nil {
				err = j.InstallSegment(ref, r)
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Close()
		}
		old := copyDir(t, dir)
		plan := resetPlan{refs, tail}
		replaceNew(t, filepath.Join(old, resetName), seal(resetName, plan.encode()))
		// Every prefix of the steps: the plan alone, then one more file touched.
		after := copyDir(t, old)
		k := openJournalTest(t, after)
		checkJournal(t, k, c.at)
		_ = k.Close()
		names, err := os.ReadDir(old)
		if err != nil {
			t.Fatal(err)
		}
		for i := range names { // the new files up to i are in place already
			d := copyDir(t, old)
			for _, e := range names[:i+1] {
				if filepath.Ext(e.Name()) != ".seg" {
					continue
				}
				_ = os.Remove(filepath.Join(d, e.Name()))
				if b, err := os.ReadFile(filepath.Join(after, e.Name())); err == nil {
					replaceNew(t, filepath.Join(d, e.Name()), b)
				}
			}
			k := openJournalTest(t, d)
			checkJournal(t, k, c.at)
			_ = k.Close()
		}
	}
}

func replaceNew(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestJournal_FsyncFails(t *testing.T) {
	broken := errors.New("disk is broken")
	for _, persisted := range []bool{false, true} {
		for _, seal := range []bool{false, true} {
			dir := t.TempDir()
			failing, fatal := false, 0
			cfg := journalConfig(dir)
			cfg.OnFatal = func(error) { fatal++ }
			cfg.Fsync = func(_ <-chan struct{}, sync func() error) error {
				if failing && !persisted {
					return broken
				}
				if err := sync(); err != nil || !failing {
					return err
				}
				return broken
			}
			j, err := OpenJournal(cfg)
			if err != nil {
				t.Fatal(err)
			}
			appendAll(t, j, 1, 3)
			failing = true
			if seal {
				err = j.Append(records(4, testSegment))
			} else {
				err = j.Sync()
			}
			if !errors.Is(err, broken) || !errors.Is(err, ErrFailed) {
				t.Fatalf("seal=%v: %v", seal, err)
			}
			failing = false
			if err := errors.Join(j.Append(records(1, 1)), j.Sync()); !errors.Is(err, ErrFailed) || fatal != 1 {
				t.Fatalf("after the failure: %v, OnFatal called %d times", err, fatal)
			}
			j.Abandon(-1)
			j = openJournalTest(t, dir)
			last, _ := j.Last()
			checkJournal(t, j, last)
			appendAll(t, j, last+1, testSegment+1)
			checkJournal(t, j, testSegment+1)
		}
	}
}

// TestJournal_CrashLosesUnsynced runs in a bubble, as the simulation does.
func TestJournal_CrashLosesUnsynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for keep := int64(-1); keep < 700; keep += 37 {
			dir := t.TempDir()
			j := openJournalTest(t, dir)
			appendAll(t, j, 1, testSegment+1)
			if err := j.Sync(); err != nil {
				t.Fatal(err)
			}
			appendAll(t, j, testSegment+2, testSegment+4)
			j.Abandon(keep)
			j = openJournalTest(t, dir)
			last, _ := j.Last()
			if last < testSegment+1 || keep < 0 && last != testSegment+4 || keep == 0 && last != testSegment+1 {
				t.Fatalf("%d unsynced bytes kept: ends at %d", keep, last)
			}
			checkJournal(t, j, last)
			_ = j.Close()
		}
	})
}

func TestJournal_HammerReaders(t *testing.T) {
	const total = 60 * testSegment
	j := openJournalTest(t, t.TempDir())
	all := records(1, total)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				last, hash := j.Last()
				if last > 0 && last < total && hash != all[last].Prev {
					t.Errorf("Last(%d) has another hash", last)
				}
				for _, seq := range []uint64{last, last / 2, 1} {
					if r, err := j.Get(seq); seq > 0 && seq <= last && (err != nil || !sameRecord(r, all[seq-1])) {
						t.Errorf("Get(%d) = %v, %v", seq, r.Seq, err)
					}
				}
				if refs, tail, err := j.At(last); err != nil {
					t.Errorf("At(%d) = %d segments, %d bytes, %v", last, len(refs), len(tail), err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	wg.Go(func() {
		for {
			if err := j.Sync(); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := 0; i < total; i += 5 {
		if err := j.Append(all[i:min(i+5, total)]); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
	checkJournal(t, j, total)
}
