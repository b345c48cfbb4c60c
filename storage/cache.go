package storage

import "github.com/hashicorp/raft"

// tailCache keeps the newest entries of a log, contiguous and within a budget
// of bytes, for the replication that reads them right after they are stored.
type tailCache struct {
	limit int
	bytes int
	logs  []raft.Log
}

func (c *tailCache) get(index uint64) (raft.Log, bool) {
	if len(c.logs) == 0 || index < c.logs[0].Index || index > c.logs[len(c.logs)-1].Index {
		return raft.Log{}, false
	}
	return c.logs[index-c.logs[0].Index], true
}

// store appends entries; what does not continue the tail replaces it.
func (c *tailCache) store(recs []encoded) {
	first := recs[0].log.Index
	if n := len(c.logs); n > 0 && c.logs[n-1].Index+1 != first {
		if first > c.logs[n-1].Index || first <= c.logs[0].Index {
			c.drop(n)
		} else {
			c.truncate(first)
		}
	}
	for i := range recs {
		c.logs = append(c.logs, recs[i].log)
		c.bytes += logSize(&recs[i].log)
	}
	n := 0
	for over := c.bytes - c.limit; over > 0 && n < len(c.logs); n++ {
		over -= logSize(&c.logs[n])
	}
	c.drop(n)
}

// trim removes what lies outside r.
func (c *tailCache) trim(r logRange) {
	if len(c.logs) == 0 {
		return
	}
	if r.first == 0 || r.first > c.logs[len(c.logs)-1].Index || r.last < c.logs[0].Index {
		c.drop(len(c.logs))
		return
	}
	if r.last < c.logs[len(c.logs)-1].Index {
		c.truncate(r.last + 1)
	}
	if r.first > c.logs[0].Index {
		c.drop(int(r.first - c.logs[0].Index))
	}
}

// truncate removes the entries from index on.
func (c *tailCache) truncate(index uint64) {
	keep := index - c.logs[0].Index
	for i := keep; i < uint64(len(c.logs)); i++ {
		c.bytes -= logSize(&c.logs[i])
		c.logs[i] = raft.Log{}
	}
	c.logs = c.logs[:keep]
}

// drop removes the oldest n entries.
func (c *tailCache) drop(n int) {
	for i := range n {
		c.bytes -= logSize(&c.logs[i])
		c.logs[i] = raft.Log{} // let the record go
	}
	c.logs = c.logs[n:]
	if len(c.logs) == 0 {
		c.logs = nil
	}
}
