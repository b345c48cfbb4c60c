package seglog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/storage/internal/logtest"
)

func testConfig(dir string) Config {
	return Config{Dir: dir, Cluster: "c", Node: "n", SegmentBytes: 4 << 10}
}

func openTest(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// pair is what raft gets: the log from here, the stable values from bbolt.
type pair struct {
	*Group
	raft.StableStore
}

func openPair(cache int, segment int64) logtest.Opener {
	return func(dir string) (logtest.Store, func(bool) error, error) {
		s, err := storage.Open(storage.Config{Dir: dir, Cluster: "c", Node: "n"})
		if err != nil {
			return nil, nil, err
		}
		cfg := testConfig(filepath.Join(dir, "log"))
		cfg.CacheBytes, cfg.SegmentBytes = cache, segment
		l, err := Open(cfg)
		if err != nil {
			return nil, nil, errors.Join(err, s.Close())
		}
		return pair{l.Group(7), s.Group(7)}, func(crash bool) error {
			if crash {
				l.Abandon()
				s.Abandon()
				return nil
			}
			return errors.Join(l.Close(), s.Close())
		}, nil
	}
}

// table is a stable store in memory.
type table map[string][]byte

func (t table) Set(k, v []byte) error              { t[string(k)] = append([]byte{}, v...); return nil }
func (t table) Get(k []byte) ([]byte, error)       { return t[string(k)], nil }
func (t table) SetUint64(k []byte, v uint64) error { return t.Set(k, fmt.Append(nil, v)) }
func (t table) GetUint64([]byte) (uint64, error)   { return 0, errors.ErrUnsupported }

// openMemory keeps the logs of all folders in memory; a crash loses power.
func openMemory(cache int) logtest.Opener {
	disks, tables := map[string]*memFS{}, map[string]table{}
	r := rand.New(rand.NewPCG(1, 2))
	return func(dir string) (logtest.Store, func(bool) error, error) {
		if disks[dir] == nil {
			disks[dir], tables[dir] = newMemFS(), table{}
		}
		cfg := testConfig(dir)
		cfg.FS, cfg.CacheBytes, cfg.SegmentBytes = disks[dir], cache, 2<<10
		l, err := Open(cfg)
		if err != nil {
			return nil, nil, err
		}
		return pair{l.Group(7), tables[dir]}, func(crash bool) error {
			if !crash {
				return l.Close()
			}
			l.Abandon()
			disks[dir] = disks[dir].crash(r)
			return nil
		}, nil
	}
}

func TestGroup_Conformance(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		for _, cache := range []int{1, 300, 1 << 20} {
			t.Run(fmt.Sprintf("reopen=%v,cache=%d", reopen, cache), func(t *testing.T) {
				logtest.Conform(t, openMemory(cache), reopen)
			})
		}
	}
}

// TestLong_ConformanceOnDisk is the same on real files, beside a real bbolt
// store.
func TestLong_ConformanceOnDisk(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("set EDGEREEL_LONG=1 to run")
	}
	for _, cache := range []int{1, 1 << 20} {
		logtest.Conform(t, openPair(cache, 2<<10), true)
	}
}
