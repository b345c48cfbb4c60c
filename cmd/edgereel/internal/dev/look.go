package dev

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgereel/edgereel/client"
)

const (
	lookEvery   = 400 * time.Millisecond
	lookTimeout = 700 * time.Millisecond
)

// look is one glance at all nodes.
type look struct {
	nodes [len(sites)]nodeLook
	// leads lists the shards a node leads, as the newest term says.
	leads map[string][]uint32
}

type nodeLook struct {
	answers, ready bool
	// reason is why it is not ready.
	reason string
	pid    int
}

// lookAround sends a look now and then until ctx ends.
func (c *cluster) lookAround(ctx context.Context, looks chan<- look) {
	callers := make([]*client.NodeCaller, len(sites))
	for i, s := range sites {
		// A node that cannot be asked leaves its view to the others.
		callers[i], _ = c.client.Node(s.node, c.file.OperatorToken)
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case looks <- c.lookOnce(ctx, callers):
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookOnce asks all nodes at once, because a dead one takes its time.
func (c *cluster) lookOnce(ctx context.Context, callers []*client.NodeCaller) look {
	var seen look
	views := make([]view, len(sites))
	var asks sync.WaitGroup
	for i := range sites {
		asks.Go(func() {
			seen.nodes[i] = c.askReady(ctx, i)
			if seen.nodes[i].answers && callers[i] != nil {
				views[i] = askLeads(ctx, callers[i])
			}
		})
	}
	asks.Wait()
	seen.leads = newest(views)
	return seen
}

// view is who leads what in the eyes of one node.
type view map[uint32]leader

type leader struct {
	node string
	term uint64
}

func askLeads(ctx context.Context, caller *client.NodeCaller) view {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	status, err := caller.Status(ctx)
	if err != nil {
		return nil
	}
	v := view{}
	for _, s := range status.GetShards() {
		v[s.GetShard()] = leader{node: s.GetLeader(), term: s.GetTerm()}
	}
	return v
}

// newest believes the view of the highest term: a node that was cut off still
// names the leader of its day.
func newest(views []view) map[string][]uint32 {
	best := view{}
	for _, v := range views {
		for shard, l := range v {
			if l.node != "" && l.term >= best[shard].term {
				best[shard] = l
			}
		}
	}
	leads := map[string][]uint32{}
	for shard, l := range best {
		leads[l.node] = append(leads[l.node], shard)
	}
	for _, shards := range leads {
		slices.Sort(shards)
	}
	return leads
}

// askReady asks a node's admin address.
func (c *cluster) askReady(ctx context.Context, i int) nodeLook {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.l.admin(i)+"/healthz/ready", nil)
	if err != nil {
		return nodeLook{reason: err.Error()}
	}
	response, err := c.admin.Do(request)
	if err != nil {
		return nodeLook{reason: "does not answer yet"}
	}
	defer response.Body.Close()
	answer := nodeLook{answers: true, ready: response.StatusCode == http.StatusOK, pid: readPID(c.l.pidFile(i))}
	var body struct {
		Reasons []struct{ Reason string }
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		answer.ready, answer.reason = false, "does not answer as a node does"
		return answer
	}
	var reasons []string
	for _, r := range body.Reasons {
		reasons = append(reasons, r.Reason)
	}
	answer.reason = strings.Join(reasons, "; ")
	return answer
}
