// Package logtest is the conformance suite of the log stores: the bbolt store
// and the segment log must behave alike.
package logtest

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// Store is what the conformance suite asks of an implementation.
type Store interface {
	raft.LogStore
	raft.StableStore
}

// Opener opens the store kept in a folder; shut releases it in the way
// named by crash.
type Opener func(dir string) (s Store, shut func(crash bool) error, err error)

// model is the naive store that an implementation is compared with.
type model struct {
	logs        map[uint64]raft.Log
	first, last uint64
	stable      map[string]string
}

func (m *model) store(l raft.Log) {
	switch {
	case m.first == 0 || l.Index > m.last+1 || l.Index < m.first:
		m.logs = map[uint64]raft.Log{}
		m.first = l.Index
	}
	for i := l.Index; i <= m.last; i++ {
		delete(m.logs, i)
	}
	m.logs[l.Index], m.last = l, l.Index
}

func (m *model) delete(lo, hi uint64) {
	for i := lo; i <= hi; i++ {
		delete(m.logs, i)
	}
	m.first, m.last = 0, 0
	for i := range m.logs {
		if m.first == 0 || i < m.first {
			m.first = i
		}
		m.last = max(m.last, i)
	}
}

// Conform runs random operations against the model, reopening (cleanly or by a
// crash) as one of them.
func Conform(t *testing.T, open Opener, reopenEveryStep bool) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		s, shut, err := open(dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = shut(false) }()
		m := &model{logs: map[uint64]raft.Log{}, stable: map[string]string{}}
		reopen := func(rt *rapid.T) {
			if err := shut(rapid.Bool().Draw(rt, "crash")); err != nil {
				rt.Fatal(err)
			}
			if s, shut, err = open(dir); err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) { appendSome(rt, s, m, m.last+1) },
			"gap":    func(rt *rapid.T) { appendSome(rt, s, m, m.last+rapid.Uint64Range(1, 9).Draw(rt, "gap")) },
			"overwrite": func(rt *rapid.T) {
				if m.first == 0 {
					rt.Skip()
				}
				appendSome(rt, s, m, rapid.Uint64Range(m.first, m.last).Draw(rt, "at"))
			},
			"prefix": func(rt *rapid.T) {
				if m.first == 0 {
					rt.Skip()
				}
				deleteBoth(rt, s, m, m.first, rapid.Uint64Range(m.first, m.last+3).Draw(rt, "to"))
			},
			"suffix": func(rt *rapid.T) {
				if m.first == 0 {
					rt.Skip()
				}
				deleteBoth(rt, s, m, rapid.Uint64Range(m.first, m.last).Draw(rt, "from"), m.last)
			},
			"outside": func(rt *rapid.T) { deleteBoth(rt, s, m, m.last+1, m.last+5) },
			"stable": func(rt *rapid.T) {
				k, v := rapid.SampledFrom([]string{"CurrentTerm", "LastVoteTerm", "a"}).Draw(rt, "k"), rapid.String().Draw(rt, "v")
				if err := s.Set([]byte(k), []byte(v)); err != nil {
					rt.Fatal(err)
				}
				m.stable[k] = v
			},
			"reopen": reopen,
			"": func(rt *rapid.T) {
				if reopenEveryStep {
					reopen(rt)
				}
				compare(rt, s, m)
			},
		})
	})
}

func appendSome(rt *rapid.T, s Store, m *model, at uint64) {
	n := rapid.IntRange(1, 12).Draw(rt, "n")
	var logs []*raft.Log
	for i := range n {
		l := raft.Log{
			Index: at + uint64(i),
			Term:  rapid.Uint64().Draw(rt, "term"),
			Type:  raft.LogType(rapid.IntRange(0, 5).Draw(rt, "type")),
		}
		if b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "data"); len(b) > 0 {
			l.Data = b
		}
		if b := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(rt, "ext"); len(b) > 0 {
			l.Extensions = b
		}
		if rapid.Bool().Draw(rt, "stamped") {
			l.AppendedAt = time.Unix(0, rapid.Int64Range(1, 1<<61).Draw(rt, "at"))
		}
		logs = append(logs, &l)
	}
	if err := s.StoreLogs(logs); err != nil {
		rt.Fatal(err)
	}
	for _, l := range logs {
		c := *l
		c.Data, c.Extensions = append([]byte(nil), l.Data...), append([]byte(nil), l.Extensions...)
		m.store(c)
		clear(l.Data) // a store that kept the caller's buffer is found out
	}
}

func deleteBoth(rt *rapid.T, s Store, m *model, lo, hi uint64) {
	if err := s.DeleteRange(lo, hi); err != nil {
		rt.Fatal(err)
	}
	m.delete(lo, hi)
}

func compare(t interface{ Fatalf(string, ...any) }, s Store, m *model) {
	first, err1 := s.FirstIndex()
	last, err2 := s.LastIndex()
	if err1 != nil || err2 != nil || first != m.first || last != m.last {
		t.Fatalf("log is %d to %d (%v, %v), should be %d to %d", first, last, err1, err2, m.first, m.last)
	}
	lo := uint64(0)
	if m.first > 3 {
		lo = m.first - 3
	}
	for i := lo; i <= m.last+3; i++ {
		var got raft.Log
		err := s.GetLog(i, &got)
		want, ok := m.logs[i]
		if !ok {
			if err != raft.ErrLogNotFound { //nolint:errorlint // raft compares with ==
				t.Fatalf("GetLog(%d) = %v, should be not found", i, err)
			}
			continue
		}
		if err != nil || !Same(got, want) {
			t.Fatalf("GetLog(%d) = %v, %v, should be %v", i, got, err, want)
		}
	}
	for _, k := range []string{"CurrentTerm", "LastVoteTerm", "a", "never"} {
		got, err := s.Get([]byte(k))
		if err != nil || string(got) != m.stable[k] {
			t.Fatalf("Get(%q) = %q, %v, should be %q", k, got, err, m.stable[k])
		}
	}
}

// Same compares two entries by value.
func Same(a, b raft.Log) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && a.AppendedAt.Equal(b.AppendedAt) &&
		string(a.Data) == string(b.Data) && string(a.Extensions) == string(b.Extensions)
}
