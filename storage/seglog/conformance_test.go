package seglog

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/edgereel/edgereel/storage"
	"github.com/edgereel/edgereel/storage/internal/logtest"
	"github.com/hashicorp/raft"
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

func TestGroup_Conformance(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		for _, cache := range []int{1, 300, 1 << 20} {
			t.Run(fmt.Sprintf("reopen=%v,cache=%d", reopen, cache), func(t *testing.T) {
				logtest.Conform(t, openPair(cache, 2<<10), reopen)
			})
		}
	}
}
