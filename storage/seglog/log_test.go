package seglog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
)

func entries(from, to, term uint64) []*raft.Log {
	var logs []*raft.Log
	for i := from; i <= to; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: term, Data: bytes.Repeat([]byte{byte(i), byte(term)}, int(50+i%50))})
	}
	return logs
}

func store(t testing.TB, g *Group, from, to, term uint64) {
	t.Helper()
	if err := g.StoreLogs(entries(from, to, term)); err != nil {
		t.Fatal(err)
	}
}

// terms describes a log as its terms.
func terms(t testing.TB, g *Group) string {
	t.Helper()
	first, _ := g.FirstIndex()
	last, _ := g.LastIndex()
	var b strings.Builder
	for i := first; i != 0 && i <= last; i++ {
		var l raft.Log
		if err := g.GetLog(i, &l); err != nil || !bytes.Equal(l.Data, entries(i, i, l.Term)[0].Data) {
			t.Fatalf("GetLog(%d) = %v, %v", i, l, err)
		}
		fmt.Fprintf(&b, "%d:%d ", i, l.Term)
	}
	return b.String()
}

func memConfig(fs *memFS) Config {
	cfg := testConfig("memory")
	cfg.FS, cfg.CacheBytes = fs, 1
	return cfg
}

// TestGroup_TruncationHazard: an older write completes after a truncation was
// queued. Its completion must not stand for the entries that replace it.
func TestGroup_TruncationHazard(t *testing.T) {
	for acknowledged := range 4 {
		t.Run(fmt.Sprint(acknowledged), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := newMemFS()
				cfg := memConfig(fs)
				release := make(chan struct{}, 9)
				var gated atomic.Bool
				cfg.Commit = func(abandoned <-chan struct{}, commit func() error) error {
					if gated.Load() {
						select {
						case <-release:
						case <-abandoned:
							return storage.ErrClosed
						}
					}
					return commit()
				}
				l := openTest(t, cfg)
				g := l.Group(1)
				store(t, g, 1, 7, 1)
				gated.Store(true)
				old, _ := g.encode(entries(8, 10, 1))
				next, _ := g.encode(entries(8, 8, 2))
				queue := []*request{old, {kind: opCut, group: g, lo: 8, hi: 10}, next}
				for _, r := range queue { // each in a batch of its own
					if err := l.enqueue(r); err != nil {
						t.Fatal(err)
					}
					kick(l.wake)
					synctest.Wait()
				}
				last := []uint64{7, 10, 8, 8}
				tail := []string{"7:1 ", "10:1 ", "8:2 ", "8:2 "}
				for i := range acknowledged {
					release <- struct{}{}
					synctest.Wait()
					for k, r := range queue {
						if durable := len(r.result) == 1; durable && i == 0 && k > 0 {
							t.Fatalf("request %d was acknowledged by the write before it", k)
						}
					}
				}
				if got, _ := g.LastIndex(); got != last[acknowledged] {
					t.Fatalf("last index is %d, should be %d", got, last[acknowledged])
				}
				l.Abandon()
				fs = fs.crash(rand.New(rand.NewPCG(1, 1)))
				if got := terms(t, openTest(t, memConfig(fs)).Group(1)); !strings.HasSuffix(got, " "+tail[acknowledged]) {
					t.Fatalf("after the crash the log is %s, should end in %s", got, tail[acknowledged])
				}
			})
		})
	}
}

// written is a log of three groups over several segments, without a mark of a
// clean close, and the segments that hold batches.
func written(t *testing.T) (*memFS, string, []string) {
	t.Helper()
	fs := newMemFS()
	cfg := memConfig(fs)
	l := openTest(t, cfg)
	for i := range uint64(20) {
		store(t, l.Group(1), i*3+1, i*3+3, 1)
		store(t, l.Group(2), i+1, i+1, 2)
	}
	want := terms(t, l.Group(1)) + terms(t, l.Group(2))
	var names []string
	for _, s := range l.order {
		names = append(names, s.name())
	}
	l.Abandon()
	return fs.exit(), want, names
}

func TestOpen_TornTail(t *testing.T) {
	fs, want, names := written(t)
	l := openTest(t, memConfig(fs.clone()))
	if got := terms(t, l.Group(1)) + terms(t, l.Group(2)); got != want || l.Report().Torn != 0 {
		t.Fatalf("log is\n%s (%v), should be\n%s", got, l.Report(), want)
	}
	at, seg := l.tail, l.order[len(l.order)-1]
	batch := append(make([]byte, batchHeader), appendCut(nil, 1, extent{})...)
	batch = append(batch, bytes.Repeat([]byte{opClose}, 2000)...)
	seg.head.sealBatch(batch, l.number, at)
	for _, torn := range [][2]int{{0, 1}, {0, 512}, {512, 1024}, {0, 2000}, {31, len(batch)}, {1024, len(batch)}} {
		fs := fs.clone()
		d := fs.names[names[len(names)-1]]
		part := make([]byte, len(batch))
		copy(part[torn[0]:torn[1]], batch[torn[0]:torn[1]])
		d.now = patch(d.now, at, part)
		for again := range 2 {
			l := openTest(t, memConfig(fs))
			if got := terms(t, l.Group(1)) + terms(t, l.Group(2)); got != want {
				t.Fatalf("torn at %v: log is\n%s should be\n%s", torn, got, want)
			}
			if l.Report().Torn != 1-again {
				t.Fatalf("torn at %v, opening %d: %+v", torn, again, l.Report())
			}
			store(t, l.Group(3), 1, 1, 9)
			l.Abandon()
			fs = fs.exit()
		}
	}
}

func TestOpen_RefusesDamage(t *testing.T) {
	fs, _, names := written(t)
	if len(names) < 3 {
		t.Fatalf("only segments %v", names)
	}
	l := openTest(t, memConfig(fs.clone()))
	end := l.tail
	l.Abandon()
	r := rand.New(rand.NewPCG(4, 4))
	refused := func(name string, change func(*memFS)) {
		t.Helper()
		fs := fs.clone()
		change(fs)
		l, err := Open(memConfig(fs))
		if err == nil {
			l.Abandon()
		}
		var d *storage.DamageError
		if !errors.As(err, &d) || d.File == "" {
			t.Fatalf("%s: Open = %v", name, err)
		}
	}
	for i, name := range names {
		size := int64(len(fs.names[name].now))
		if i == len(names)-1 {
			size = end
		}
		refused("cut off "+name, func(fs *memFS) { fs.names[name].now = fs.names[name].now[:size/2] })
		refused("renamed "+name, func(fs *memFS) {
			fs.names[names[0]], fs.names[name] = fs.names[name], fs.names[names[(i+1)%len(names)]]
		})
		if i < len(names)-1 { // losing the last is losing a tail; see Config.Existing and the peers' marks
			refused("without "+name, func(fs *memFS) { delete(fs.names, name) })
		}
		used := usedBytes(t, fs.names[name].now[:size])
		for range 300 {
			at := used[r.IntN(len(used))]
			refused(fmt.Sprintf("bit flipped at %d of %s", at, name), func(fs *memFS) { fs.names[name].now[at] ^= 1 << r.IntN(8) })
		}
		for k := 0; k < 40 && i < len(names)-1; k++ {
			at := used[r.IntN(len(used))] / sectorBytes * sectorBytes
			refused(fmt.Sprintf("sector lost at %d of %s", at, name), func(fs *memFS) { clear(fs.names[name].now[at : at+sectorBytes]) })
		}
	}
}

// usedBytes returns the offsets that a header or batch covers.
func usedBytes(t *testing.T, b []byte) (used []int) {
	head, err := decodeSegmentHead(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sectorBytes {
		used = append(used, i)
	}
	for off := int64(sectorBytes); off < int64(len(b)); {
		bh, err := head.decodeBatchHead(b[off:], off)
		if err != nil {
			return used
		}
		for i := range batchHeader + int64(bh.length) {
			used = append(used, int(off+i))
		}
		off += span(int(bh.length))
	}
	return used
}

func TestOpen_RefusesFolder(t *testing.T) {
	fs, _, names := written(t)
	newer := fs.clone()
	b := newer.names[names[0]].now[:sectorBytes]
	b[4] = formatVersion + 1
	copy(b[sectorBytes-crcSize:], headSum(b))
	other := func(f func(*Config)) Config {
		cfg := memConfig(fs.clone())
		f(&cfg)
		return cfg
	}
	for name, c := range map[string]struct {
		cfg  Config
		want error
	}{
		"cluster": {other(func(c *Config) { c.Cluster = "x" }), storage.ErrForeignNode},
		"node":    {other(func(c *Config) { c.Node = "x" }), storage.ErrForeignNode},
		"newer":   {memConfig(newer), storage.ErrNewerFormat},
		"lost":    {other(func(c *Config) { c.Existing, c.FS = true, newMemFS() }), storage.ErrMissing},
	} {
		if _, err := Open(c.cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: Open = %v", name, err)
		}
	}
}

func headSum(b []byte) []byte {
	sum := crcUpdate(0, b[:sectorBytes-crcSize])
	return []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
}

// TestLog_FaultTable: every kind of change, failing at its write or its fsync,
// with and without effect.
func TestLog_FaultTable(t *testing.T) {
	writes := map[string]func(*Log) error{
		"append":      func(l *Log) error { return l.Group(1).StoreLogs(entries(11, 11, 3)) },
		"first":       func(l *Log) error { return l.Group(9).StoreLogs(entries(1, 1, 3)) },
		"overwrite":   func(l *Log) error { return l.Group(1).StoreLogs(entries(5, 5, 3)) },
		"truncate":    func(l *Log) error { return l.Group(1).DeleteRange(6, 10) },
		"compact":     func(l *Log) error { return l.Group(1).DeleteRange(1, 5) },
		"replacement": func(l *Log) error { return l.Group(1).StoreLogs(entries(20, 20, 3)) },
	}
	state := func(l *Log) string { return terms(t, l.Group(1)) + "|" + terms(t, l.Group(9)) }
	for name, write := range writes {
		for _, what := range []string{"write", "sync"} {
			for _, persisted := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/persisted=%v", name, what, persisted), func(t *testing.T) {
					fs := newMemFS()
					var failing atomic.Bool
					var fatal atomic.Int32
					cfg := memConfig(fs)
					cfg.SegmentBytes = 64 << 10
					var l *Log
					closed := make(chan error, 1)
					cfg.OnFatal = func(err error) {
						if errors.Is(err, errDisk) {
							fatal.Add(1)
						}
						closed <- l.Close() // allowed from here
					}
					// The file written to; the preparer may be at work on the next.
					fs.fault = func(w, name string) (bool, bool) {
						return w == what && strings.HasPrefix(name, segmentName(1)) && failing.Load(), persisted
					}
					l = openTest(t, cfg)
					store(t, l.Group(1), 1, 10, 1)
					before := state(l)
					failing.Store(true)
					if err := write(l); !errors.Is(err, storage.ErrFailed) || !errors.Is(err, errDisk) {
						t.Fatalf("write = %v", err)
					}
					for again, w := range writes {
						if err := w(l); !errors.Is(err, storage.ErrFailed) && !errors.Is(err, storage.ErrClosed) {
							t.Fatalf("%s after the failure = %v", again, err)
						}
					}
					if err := <-closed; err != nil {
						t.Fatal(err)
					}
					if fatal.Load() != 1 {
						t.Fatalf("OnFatal was called %d times", fatal.Load())
					}
					after := fs.crash(rand.New(rand.NewPCG(1, 1)))
					if what == "write" { // a write without a sync may or may not survive a power loss
						after = fs.exit()
					}
					got := state(openTest(t, memConfig(after)))
					if (got != before) != persisted {
						t.Fatalf("after reopening %s, was %s", got, before)
					}
				})
			}
		}
	}
}

func TestLog_ReclaimsSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		cfg := memConfig(fs)
		l := openTest(t, cfg)
		store(t, l.Group(5), 1, 3, 1) // an idle group, whose entries are carried along
		for i := range uint64(400) {
			store(t, l.Group(1), i*5+1, i*5+5, 1)
			if i > 4 {
				if err := l.Group(1).DeleteRange(1, i*5-20); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait() // the cleaning runs beside the appends
		if n := fs.total(); n > 10*int(cfg.SegmentBytes) {
			t.Errorf("%d bytes are left of %d live ones", n, l.live)
		}
		want := terms(t, l.Group(1)) + terms(t, l.Group(5))
		l.Abandon()
		l = openTest(t, memConfig(fs.crash(rand.New(rand.NewPCG(3, 3)))))
		if got := terms(t, l.Group(1)) + terms(t, l.Group(5)); got != want {
			t.Fatalf("log is %s, should be %s", got, want)
		}
	})
}

func TestLog_HammerOnDisk(t *testing.T) {
	const groups, rounds = 6, 60
	dir := filepath.Join(t.TempDir(), "a", "log")
	cfg := testConfig(dir)
	cfg.CacheBytes, cfg.SegmentBytes = 2000, 32<<10
	l := openTest(t, cfg)
	var wg sync.WaitGroup
	for id := uint32(1); id <= groups; id++ {
		g := l.Group(id)
		wg.Go(func() {
			for r := range uint64(rounds) {
				store(t, g, r*5+1, r*5+5, r)
				if r%10 == 9 { // a conflict
					if err := g.DeleteRange(r*5-3, r*5+5); err != nil {
						t.Error(err)
					}
					store(t, g, r*5-3, r*5+5, r)
				}
			}
		})
		wg.Go(func() {
			for range rounds {
				first, _ := g.FirstIndex()
				last, _ := g.LastIndex()
				for _, i := range []uint64{first, (first + last) / 2, last} {
					var e raft.Log
					if err := g.GetLog(i, &e); err != nil && !errors.Is(err, raft.ErrLogNotFound) {
						t.Error(err)
					}
				}
			}
		})
		wg.Go(func() {
			for hi := uint64(5); hi <= 200; hi += 5 {
				first, _ := g.FirstIndex()
				if err := g.DeleteRange(first, hi); err != nil && !errors.Is(err, storage.ErrMiddle) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var want []string
	for id := range uint32(groups) {
		want = append(want, terms(t, l.Group(id+1)))
	}
	l.Abandon()
	l = openTest(t, cfg)
	for id := range uint32(groups) {
		if got := terms(t, l.Group(id+1)); got != want[id] {
			t.Fatalf("group %d is %s, should be %s", id+1, got, want[id])
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint16(512))
	fs := newMemFS()
	l, err := Open(memConfig(fs))
	if err != nil {
		f.Fatal(err)
	}
	store(f, l.Group(1), 1, 9, 1)
	l.Abandon()
	f.Fuzz(func(t *testing.T, junk []byte, at uint16) {
		fs := fs.clone()
		for _, d := range fs.names {
			d.now = patch(d.now, int64(at), junk)
		}
		if l, err := Open(memConfig(fs)); err == nil {
			_ = terms(t, l.Group(1))
			l.Abandon()
		}
	})
}

// FuzzDecodeOps feeds the decoder payloads whose checksum would be right.
func FuzzDecodeOps(f *testing.F) {
	b := appendRanges(nil, map[uint32]extent{1: {1, 9}}, []uint32{1})
	b = appendCut(b, 1, extent{1, 4})
	rec := appendRecord(nil, 1, entries(5, 5, 1)[0])
	b = appendEntries(b, opAppend, 1, 1, rec)
	b = appendEntries(b, opCarry, 1, 0, rec)
	f.Add(append(b, opClose))
	f.Fuzz(func(t *testing.T, p []byte) {
		ops, err := decodeOps(p)
		if err != nil {
			return
		}
		for _, o := range ops {
			for _, r := range o.records {
				if l, n, err := decodeRecord(p[r.at:], o.group); err != nil || n != int(r.length) || l.Index != r.index {
					t.Fatalf("record %+v does not lie where it was found: %v", r, err)
				}
			}
			if err := o.after.check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestOpen_RefusesLostSector: a sector is missing in the only segment, with
// acknowledged batches behind it. Only those tell that it was no torn write.
func TestOpen_RefusesLostSector(t *testing.T) {
	fs := newMemFS()
	cfg := memConfig(fs)
	cfg.SegmentBytes = 64 << 10
	l := openTest(t, cfg)
	for i := range uint64(20) {
		store(t, l.Group(1), i*12+1, i*12+12, 1)
	}
	seg, end := l.order[0], l.tail
	lastBatch := int64(0)
	for _, p := range l.Group(1).index.locs {
		lastBatch = max(lastBatch, int64(p.offset)/sectorBytes*sectorBytes)
	}
	l.Abandon()
	lost := 0
	for at := int64(sectorBytes); at < end; at += sectorBytes {
		fs := fs.clone()
		clear(fs.names[seg.name()].now[at : at+sectorBytes])
		l, err := Open(memConfig(fs))
		var d *storage.DamageError
		switch {
		case err == nil:
			l.Abandon()
			lost++
			if at < lastBatch-4*sectorBytes { // the last batch itself passes for a torn one
				t.Fatalf("sector at %d lost: the log opens as if nothing were missing", at)
			}
		case !errors.As(err, &d) || d.Offset > at:
			t.Fatalf("sector at %d lost: Open = %v", at, err)
		}
	}
	if lost == 0 {
		t.Error("a torn last batch was refused")
	}
}

// TestLog_CarryMeetsOverwrite: entries are overwritten and carried by requests
// that were queued together. The copies must not win.
func TestLog_CarryMeetsOverwrite(t *testing.T) {
	fs := newMemFS()
	l := openTest(t, memConfig(fs))
	g := l.Group(1)
	store(t, g, 1, 6, 1)
	store(t, g, 7, 40, 1)
	carried := g.liveIn(1)
	if ok, err := l.readRecords(carried, 1); !ok || err != nil || len(carried.indexes) < 6 {
		t.Fatal(ok, err, carried)
	}
	over, err := g.encode(entries(4, 5, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*request{over, carried} {
		if err := l.enqueue(r); err != nil {
			t.Fatal(err)
		}
	}
	kick(l.wake)
	for _, r := range []*request{over, carried} {
		if err := <-r.result; err != nil {
			t.Fatal(err)
		}
	}
	const want = "1:1 2:1 3:1 4:2 5:2 "
	if got := terms(t, g); got != want {
		t.Fatalf("log is %s, should be %s", got, want)
	}
	l.Abandon()
	l = openTest(t, memConfig(fs.exit()))
	if got := terms(t, l.Group(1)); got != want {
		t.Fatalf("after reopening the log is %s, should be %s", got, want)
	}
}

// TestOpen_TruncationWasNotSynced: the zeros over a torn tail are lost by a
// failed fsync, yet the next process sees them. It must not trust them: the
// torn bytes would come back behind batches of the next segment.
func TestOpen_TruncationWasNotSynced(t *testing.T) {
	fs, want, names := written(t)
	d := fs.names[names[len(names)-1]]
	probe := openTest(t, memConfig(fs.clone()))
	at := probe.tail
	probe.Abandon()
	d.now = patch(d.now, at, []byte("torn"))
	d.stable = slices.Clone(d.now)
	fs.fault = func(what, _ string) (bool, bool) { return what == "sync", false }
	if _, err := Open(memConfig(fs)); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	fs = fs.exit()
	l := openTest(t, memConfig(fs))
	for i := range uint64(8) { // too large for the rest: on to the next segments
		store(t, l.Group(3), i*30+1, i*30+30, 1)
	}
	l.Abandon()
	l = openTest(t, memConfig(fs.crash(rand.New(rand.NewPCG(1, 1)))))
	if got := terms(t, l.Group(1)) + terms(t, l.Group(2)); got != want {
		t.Fatalf("log is %s, should be %s", got, want)
	}
}
