//go:build unix

package seglog

import (
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
)

type fsyncs struct{ commits int } // told by the writer alone

func (f *fsyncs) FsyncDone(time.Duration, int, int) { f.commits++ }

// opened is a store under measurement: a log per group.
type opened struct {
	group func(uint32) raft.LogStore
	close func() error
}

func openBolt(dir string, o storage.Observer) (opened, error) {
	s, err := storage.Open(storage.Config{Dir: dir, Cluster: "c", Node: "n", Observer: o})
	if err != nil {
		return opened{}, err
	}
	return opened{func(id uint32) raft.LogStore { return s.Group(id) }, s.Close}, nil
}

func openSegments(dir string, o storage.Observer) (opened, error) {
	l, err := Open(Config{Dir: filepath.Join(dir, "log"), Cluster: "c", Node: "n", Observer: o})
	if err != nil {
		return opened{}, err
	}
	return opened{func(id uint32) raft.LogStore { return l.Group(id) }, l.Close}, nil
}

// BenchmarkStoreLogs compares the two stores. One operation is an entry of 256
// bytes; a compaction every 16384 entries of a group keeps the logs short. TMPDIR
// says on which disk.
func BenchmarkStoreLogs(b *testing.B) {
	stores := []struct {
		name string
		open func(string, storage.Observer) (opened, error)
	}{{"bbolt", openBolt}, {"segments", openSegments}}
	for _, groups := range []int{1, 16} {
		for _, batch := range []int{1, 64, 1024} {
			for _, s := range stores {
				b.Run(fmt.Sprintf("groups=%d/batch=%d/store=%s", groups, batch, s.name), func(b *testing.B) {
					var o fsyncs
					st, err := s.open(b.TempDir(), &o)
					if err != nil {
						b.Fatal(err)
					}
					run(b, st, groups, batch)
					if err := st.close(); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(o.commits)/b.Elapsed().Seconds(), "commits/s")
				})
			}
		}
	}
}

func run(b *testing.B, st opened, groups, batch int) {
	before := cpu()
	b.ResetTimer()
	var wg sync.WaitGroup
	for id := range groups {
		share := b.N / groups
		if id < b.N%groups {
			share++
		}
		g := st.group(uint32(id + 1))
		wg.Go(func() { appendAll(b, g, share, batch) })
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N)/1000, "cpu-µs/entry")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func appendAll(b *testing.B, g raft.LogStore, n, batch int) {
	const keep = 16384
	data := make([]byte, 256)
	next, first := uint64(1), uint64(1)
	for n > 0 {
		logs := make([]*raft.Log, min(batch, n))
		for i := range logs {
			logs[i] = &raft.Log{Index: next, Term: 1, Data: data}
			next++
		}
		n -= len(logs)
		if err := g.StoreLogs(logs); err != nil {
			b.Error(err)
			return
		}
		if next-first >= 2*keep {
			if err := g.DeleteRange(first, next-keep-1); err != nil {
				b.Error(err)
				return
			}
			first = next - keep
		}
	}
}

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
