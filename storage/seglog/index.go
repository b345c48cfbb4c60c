package seglog

import "github.com/hashicorp/raft"

// loc is where an entry's record lies; length 0 means nowhere yet.
type loc struct {
	segment uint32
	offset  uint32
	length  uint32
}

// index says where the entries of a log lie: locs[i] is of entry first+i.
type index struct {
	first uint64
	locs  []loc
}

func (x *index) extent() extent {
	if len(x.locs) == 0 {
		return extent{}
	}
	return extent{x.first, x.first + uint64(len(x.locs)) - 1}
}

func (x *index) at(i uint64) loc { return x.locs[i-x.first] }

// resize gives the log another extent. release is told of every place that is
// no longer needed; entries that are new lie nowhere yet.
func (x *index) resize(to extent, release func(loc)) {
	now := x.extent()
	if now.first == 0 || to.first == 0 || to.first > now.last || to.last < now.first || to.first < now.first {
		for _, l := range x.locs {
			release(l)
		}
		x.first, x.locs = to.first, make([]loc, to.len())
		return
	}
	if to.last < now.last {
		keep := to.last - now.first + 1
		for _, l := range x.locs[keep:] {
			release(l)
		}
		x.locs = x.locs[:keep]
	}
	if to.first > now.first {
		n := to.first - now.first
		for _, l := range x.locs[:n] {
			release(l)
		}
		x.first, x.locs = to.first, x.locs[n:]
	}
	if to.last > now.last {
		x.locs = append(x.locs, make([]loc, to.last-now.last)...)
	}
}

// put moves an entry of the log to another place.
func (x *index) put(i uint64, l loc, release func(loc)) {
	release(x.at(i))
	x.locs[i-x.first] = l
}

// tailCache keeps the newest entries of a log, contiguous and within a budget
// of bytes, for the replication that reads them right after they are stored.
type tailCache struct {
	limit int
	bytes int
	logs  []raft.Log
}

func (c *tailCache) get(i uint64) (raft.Log, bool) {
	if len(c.logs) == 0 || i < c.logs[0].Index || i > c.logs[len(c.logs)-1].Index {
		return raft.Log{}, false
	}
	return c.logs[i-c.logs[0].Index], true
}

// store adds entries; what does not continue the cached ones replaces them.
func (c *tailCache) store(logs []raft.Log) {
	if n := len(c.logs); n > 0 && c.logs[n-1].Index+1 != logs[0].Index {
		c.trim(extent{c.logs[0].Index, logs[0].Index - 1})
		if n := len(c.logs); n > 0 && c.logs[n-1].Index+1 != logs[0].Index {
			c.drop(n)
		}
	}
	for i := range logs {
		c.logs = append(c.logs, logs[i])
		c.bytes += recordSize(&logs[i])
	}
	n := 0
	for over := c.bytes - c.limit; over > 0 && n < len(c.logs); n++ {
		over -= recordSize(&c.logs[n])
	}
	c.drop(n)
}

// trim removes what lies outside e.
func (c *tailCache) trim(e extent) {
	for n := len(c.logs); n > 0 && !e.has(c.logs[n-1].Index); n-- {
		if c.logs[n-1].Index < e.first {
			c.drop(n)
			return
		}
		c.bytes -= recordSize(&c.logs[n-1])
		c.logs[n-1] = raft.Log{}
		c.logs = c.logs[:n-1]
	}
	if n := len(c.logs); n > 0 && c.logs[0].Index < e.first {
		c.drop(int(e.first - c.logs[0].Index))
	}
}

// drop removes the oldest n entries.
func (c *tailCache) drop(n int) {
	for i := range n {
		c.bytes -= recordSize(&c.logs[i])
		c.logs[i] = raft.Log{} // let the record go
	}
	c.logs = c.logs[n:]
	if len(c.logs) == 0 {
		c.logs = nil
	}
}
