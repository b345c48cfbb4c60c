package seglog

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/edgereel/edgereel/storage"
)

// world is what all groups hold: entries by index, as strings.
type world map[uint32]map[uint64]string

func (w world) clone() world {
	c := world{}
	for id, m := range w {
		c[id] = maps.Clone(m)
	}
	return c
}

func (w world) extent(id uint32) extent {
	e := extent{}
	for i := range w[id] {
		if e.first == 0 || i < e.first {
			e.first = i
		}
		e.last = max(e.last, i)
	}
	return e
}

// String describes the world, empty logs left out.
func (w world) String() string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(w)) {
		for _, i := range slices.Sorted(maps.Keys(w[id])) {
			fmt.Fprintf(&b, "%d/%d=%.40s ", id, i, w[id][i])
		}
	}
	return b.String()
}

// apply is the naive meaning of a request.
func (w world) apply(r *request) {
	id := r.group.id
	if w[id] == nil {
		w[id] = map[uint64]string{}
	}
	if r.kind == opCut {
		for i := range w[id] {
			if i >= r.lo && i <= r.hi {
				delete(w[id], i)
			}
		}
		return
	}
	first, e := r.logs[0].Index, w.extent(id)
	for i := range w[id] {
		if i >= first || first > e.last+1 {
			delete(w[id], i)
		}
	}
	for _, l := range r.logs {
		w[id][l.Index] = fmt.Sprintf("%d:%s", l.Term, l.Data)
	}
}

// seen reads the whole log.
func seen(t interface{ Fatalf(string, ...any) }, l *Log, ids []uint32) world {
	w := world{}
	for _, id := range ids {
		g := l.Group(id)
		first, err1 := g.FirstIndex()
		last, err2 := g.LastIndex()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("extent of group %d: %v", id, err)
		}
		for i := first; i != 0 && i <= last; i++ {
			var e raft.Log
			if err := g.GetLog(i, &e); err != nil || e.Index != i {
				t.Fatalf("GetLog(%d) of group %d = %v, %v", i, id, e.Index, err)
			}
			if w[id] == nil {
				w[id] = map[uint64]string{}
			}
			w[id][i] = fmt.Sprintf("%d:%s", e.Term, e.Data)
		}
	}
	return w
}

var crashGroups = []uint32{1, 2, 3}

// crashRun drives a log through faults and crashes.
type crashRun struct {
	rt      *rapid.T
	rand    *rand.Rand
	fs      *memFS
	log     *Log
	sure    world      // what was acknowledged or seen after a restart
	unsure  []*request // queued later, in order, without an acknowledgement
	planned world      // sure plus unsure, from which the next requests are made
	version int
}

func (c *crashRun) config() Config {
	cfg := testConfig("memory")
	cfg.FS, cfg.SegmentBytes, cfg.CacheBytes = c.fs, 2<<10, 200
	return cfg
}

// request makes a random append, overwrite, gap or truncation.
func (c *crashRun) request() *request {
	id := crashGroups[c.rand.IntN(len(crashGroups))]
	if id == 3 && c.rand.IntN(8) > 0 {
		id = 1 // group 3 is nearly idle, so that its entries must be carried
	}
	e, g := c.planned.extent(id), c.log.Group(id)
	var r *request
	switch k := c.rand.IntN(10); {
	case k < 2 && e.first != 0 && id != 3:
		r = &request{kind: opCut, group: g, lo: e.first, hi: e.first + c.rand.Uint64N(e.len()+1)}
	case k == 2 && e.first != 0:
		r = &request{kind: opCut, group: g, lo: e.last - c.rand.Uint64N(min(e.len(), 3)), hi: e.last}
	default:
		at := e.last + 1
		switch {
		case k == 3 && e.first != 0:
			at = e.last - c.rand.Uint64N(min(e.len(), 3))
		case k == 4 && id != 3:
			at += c.rand.Uint64N(3)
		}
		var logs []*raft.Log
		for i := range 1 + c.rand.Uint64N(5) {
			c.version++
			data := fmt.Sprintf("%d-%s", c.version, strings.Repeat("x", c.rand.IntN(300)))
			logs = append(logs, &raft.Log{Index: at + i, Term: uint64(c.version), Data: []byte(data)})
		}
		var err error
		if r, err = g.encode(logs); err != nil {
			c.rt.Fatal(err)
		}
	}
	c.planned.apply(r)
	return r
}

// work queues some requests at once and waits for their results.
func (c *crashRun) work() {
	var queued []*request
	failed := false
	for range 1 + c.rand.IntN(4) {
		r := c.request()
		if err := c.log.enqueue(r); errors.Is(err, storage.ErrFailed) {
			failed = true // refused, so it is not in the log for certain
			break
		} else if err != nil {
			c.rt.Fatal(err)
		}
		queued = append(queued, r)
	}
	kick(c.log.wake)
	refused := false
	for _, r := range queued {
		err := <-r.result
		switch {
		case err == nil && refused:
			c.rt.Fatal("a request was acknowledged after one before it failed")
		case err == nil:
			c.sure.apply(r)
		default:
			if !errors.Is(err, storage.ErrFailed) {
				c.rt.Fatal(err)
			}
			failed, refused = true, true
			c.unsure = append(c.unsure, r)
		}
	}
	if failed {
		c.check() // what failed is not visible
		c.restart()
		return
	}
	c.check()
}

func (c *crashRun) check() {
	if got := seen(c.rt, c.log, crashGroups); got.String() != c.sure.String() {
		c.rt.Fatalf("log holds\n%v\nacknowledged is\n%v", got, c.sure)
	}
}

// restart kills the process, sometimes with a power loss, sometimes with faults
// while it opens again, and compares.
func (c *crashRun) restart() {
	c.log.Abandon()
	for try := 0; ; try++ {
		if c.rand.IntN(3) == 0 {
			c.fs = c.fs.exit()
		} else {
			c.fs = c.fs.crash(c.rand)
		}
		if try < 2 && c.rand.IntN(2) == 0 {
			c.failAt(c.rand.IntN(8))
		}
		l, err := Open(c.config())
		if err == nil {
			c.log = l
			break
		}
		if !errors.Is(err, errDisk) {
			c.rt.Fatalf("open after a crash: %v", err)
		}
	}
	got := seen(c.rt, c.log, crashGroups)
	state, candidates := c.sure.clone(), []string{c.sure.String()}
	for _, r := range c.unsure {
		if got.String() == state.String() {
			break
		}
		state.apply(r)
		candidates = append(candidates, state.String())
	}
	if got.String() != state.String() {
		c.rt.Fatalf("after the crash the log holds\n%v\nshould be one of\n%s", got, strings.Join(candidates, "\n"))
	}
	c.sure, c.unsure, c.planned = state, nil, state.clone()
	c.check()
}

// failAt lets the n-th change or sync from now fail, and all after it: with or
// without effect.
func (c *crashRun) failAt(n int) {
	persisted := c.rand.IntN(2) == 0
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	c.fs.fault = func(string, string) (bool, bool) {
		n--
		return n < 0, persisted && n == -1
	}
}

func TestLog_RandomCrashes(t *testing.T) {
	for range 8 {
		randomCrashes(t)
	}
}

func TestLong_RandomCrashes(t *testing.T) {
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("set EDGEREEL_LONG=1 to run")
	}
	for range 2000 { // the rarest fault found needed tens of thousands of runs
		randomCrashes(t)
	}
}

func randomCrashes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &crashRun{rt: rt, rand: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)), fs: newMemFS(), sure: world{}, planned: world{}}
		l, err := Open(c.config())
		if err != nil {
			rt.Fatal(err)
		}
		c.log = l
		defer func() { _ = c.log.Close() }()
		for _, what := range rapid.SliceOfN(rapid.IntRange(0, 9), 1, 60).Draw(rt, "steps") {
			switch {
			case what < 7:
				c.work()
			case what == 7:
				c.failAt(c.rand.IntN(20))
				c.work()
			case what == 8:
				c.restart()
			default:
				if err := c.log.Close(); err != nil && !errors.Is(err, errDisk) {
					rt.Fatal(err)
				}
				c.restart()
			}
		}
	})
}
