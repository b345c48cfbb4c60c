package storage

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/storage/internal/logtest"
)

func openGroup(cache int) logtest.Opener {
	return func(dir string) (logtest.Store, func(bool) error, error) {
		s, err := Open(Config{Dir: dir, Cluster: "c", Node: "n", CacheBytes: cache})
		if err != nil {
			return nil, nil, err
		}
		return s.Group(7), func(crash bool) error {
			if crash {
				s.Abandon()
				return nil
			}
			return s.Close()
		}, nil
	}
}

func TestGroup_Conformance(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		for _, cache := range []int{1, 300, 1 << 20} {
			t.Run(fmt.Sprintf("reopen=%v,cache=%d", reopen, cache), func(t *testing.T) {
				logtest.Conform(t, openGroup(cache), reopen)
			})
		}
	}
}

func TestGroup_RefusesHoles(t *testing.T) {
	s := openTest(t, t.TempDir())
	g := s.Group(1)
	storeLogs(t, g, 1, 10)
	if err := g.DeleteRange(3, 5); !errors.Is(err, ErrMiddle) {
		t.Fatalf("DeleteRange inside the log = %v", err)
	}
	if err := g.StoreLogs([]*raft.Log{{Index: 11}, {Index: 13}}); err == nil {
		t.Fatal("entries with a hole were stored")
	}
	if err := g.StoreLogs([]*raft.Log{{Index: 0}}); err == nil {
		t.Fatal("index 0 was stored")
	}
	storeLogs(t, g, 11, 11) // a refusal does not fail the store
	if !g.IsMonotonic() {
		t.Fatal("raft must remove the old log after a snapshot")
	}
}
