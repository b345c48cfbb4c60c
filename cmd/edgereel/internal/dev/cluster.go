package dev

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
)

const (
	// stopTime is what the nodes have for their planned stop.
	stopTime = 10 * time.Second
	// restartDelay lets a death be seen before its repair.
	restartDelay = 2 * time.Second
)

// cluster is the three processes and what was last seen of them. It belongs to
// the goroutine of Run; others report by the channels.
type cluster struct {
	o      Options
	l      layout
	nodes  [len(sites)]nodeState
	ended  chan exit
	file   clusterfile.File
	client *client.Client
	admin  *http.Client
	games  []string
}

// nodeState is one node as it was last shown.
type nodeState struct {
	process *os.Process
	pid     int
	// running: the process exists. adopted: it was started by hand.
	running, adopted bool
	// up is what was shown: joined or back, as opposed to lost.
	up, everUp bool
	silent     int
	restartAt  time.Time
	leads      []uint32
}

func newCluster(o Options, l layout) *cluster {
	return &cluster{
		o: o, l: l,
		// Each process ends once, and a restart waits for the end before it.
		ended: make(chan exit, 2*len(sites)),
		admin: &http.Client{Timeout: lookTimeout},
	}
}

func (c *cluster) start(i int) error {
	process, err := start(c.o.Executable, c.l, i, c.ended)
	if err != nil {
		return err
	}
	n := &c.nodes[i]
	n.process, n.pid, n.running, n.adopted, n.restartAt = process, process.Pid, true, false, time.Time{}
	return nil
}

// getReady starts the nodes and returns when players can play.
func (c *cluster) getReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.ReadyTimeout, fmt.Errorf("not within %s", c.o.ReadyTimeout))
	defer cancel()
	for i := range sites {
		if err := c.start(i); err != nil {
			return err
		}
	}
	if err := c.awaitNodes(ctx); err != nil {
		return err
	}
	// The processes may end while the wallets are opened.
	funded := make(chan error, 1)
	go func() { funded <- c.fund(ctx) }()
	select {
	case err := <-funded:
		if err != nil {
			return err
		}
	case e := <-c.ended:
		cancel()
		<-funded //nolint:errcheck // the node's end is the cause; this only waits
		return c.endedEarly(e)
	}
	return c.writeFile()
}

// awaitNodes waits until every node says that it is ready.
func (c *cluster) awaitNodes(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var waiting []string
		for i, s := range sites {
			if answer := c.askReady(ctx, i); !answer.ready {
				waiting = append(waiting, s.node+": "+answer.reason)
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		select {
		case e := <-c.ended:
			return c.endedEarly(e)
		case <-ctx.Done():
			return fmt.Errorf("%w; waiting for %s", context.Cause(ctx), strings.Join(waiting, ", "))
		case <-tick.C:
		}
	}
}

func (c *cluster) endedEarly(e exit) error {
	c.nodes[e.site].running = false
	text := fmt.Sprintf("%s %s before it was ready", sites[e.site].node, e.reason)
	if tail := lastLines(c.l.logFile(e.site), 5); tail != "" {
		text += "; the end of its log:\n" + tail
	}
	return errors.New(text)
}

func (c *cluster) writeFile() error {
	c.file.CA = c.l.caFile()
	c.file.Nodes = nil
	for i, s := range sites {
		c.file.Nodes = append(c.file.Nodes, clusterfile.Node{
			Node: s.node, Region: s.region, PID: c.nodes[i].pid, API: c.l.public(i), Admin: c.l.admin(i),
		})
	}
	if err := clusterfile.Write(c.l.clusterFile(), &c.file); err != nil {
		return err
	}
	// Without a home folder the verbs need --cluster; nothing else is lost.
	_ = clusterfile.Remember(c.l.clusterFile())
	return nil
}

// watch shows what happens until ctx ends.
func (c *cluster) watch(ctx context.Context) {
	looking, stopLooking := context.WithCancel(ctx)
	looks := make(chan look)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		c.lookAround(looking, looks)
	}()
	defer func() {
		stopLooking()
		<-looked
	}()
	for {
		select {
		case e := <-c.ended:
			c.nodeEnded(e)
		case seen := <-looks:
			c.compare(seen, time.Now())
		case <-ctx.Done():
			c.show("", "stopping")
			return
		}
	}
}

func (c *cluster) nodeEnded(e exit) {
	n := &c.nodes[e.site]
	if n.pid != e.pid {
		return // another process has taken its place already
	}
	n.running, n.up, n.leads = false, false, nil
	c.show(sites[e.site].node, "lost: process %d %s", e.pid, e.reason)
	if c.o.Restart {
		n.restartAt = time.Now().Add(restartDelay)
		return
	}
	c.showMore("start it again: %s", c.nodeCommand(e.site))
}

// compare shows what changed since the last look.
func (c *cluster) compare(seen look, now time.Time) {
	for i := range sites {
		n, s := &c.nodes[i], seen.nodes[i]
		c.adopt(i, s)
		if !n.restartAt.IsZero() && now.After(n.restartAt) {
			c.restart(i, now)
		}
		switch {
		case s.answers:
			n.silent = 0
		case n.running:
			n.silent++
		}
		switch {
		case s.ready && !n.up && (n.running || n.adopted):
			word := "joined"
			if n.everUp {
				word = fmt.Sprintf("back (pid %d)", n.pid)
			}
			n.up, n.everUp = true, true
			c.show(sites[i].node, "%s", word)
		case n.up && n.silent >= 3:
			n.up, n.leads = false, nil
			c.show(sites[i].node, "lost: process %d does not answer", n.pid)
			c.showMore("if it is frozen: kill -CONT %d", n.pid)
		}
	}
	c.compareLeads(seen)
}

func (c *cluster) restart(i int, now time.Time) {
	err := c.start(i)
	if err == nil {
		err = c.writeFile()
	} else {
		c.nodes[i].restartAt = now.Add(restartDelay)
	}
	if err != nil {
		c.show(sites[i].node, "restart: %v", err)
	}
}

// adopt takes over a node that was started by hand in place of a lost one, so
// that it is listed and stopped with the others.
func (c *cluster) adopt(i int, s nodeLook) {
	n := &c.nodes[i]
	if n.adopted && !alive(n.pid) {
		n.running, n.adopted, n.up, n.leads = false, false, false, nil
		c.show(sites[i].node, "lost: process %d has ended", n.pid)
		c.showMore("start it again: %s", c.nodeCommand(i))
		return
	}
	if n.running || !s.answers || s.pid == 0 || s.pid == n.pid || !alive(s.pid) {
		return
	}
	process, err := os.FindProcess(s.pid)
	if err != nil {
		return
	}
	n.process, n.pid, n.running, n.adopted, n.silent, n.restartAt = process, s.pid, true, true, 0, time.Time{}
	if err := c.writeFile(); err != nil {
		c.show("", "%v", err)
	}
}

// close stops all processes and waits for their end.
func (c *cluster) close() {
	if c.client != nil {
		_ = c.client.Close()
	}
	c.admin.CloseIdleConnections()
	_ = os.Remove(c.l.clusterFile())
	for i := range c.nodes {
		if n := &c.nodes[i]; n.running {
			_ = n.process.Signal(syscall.SIGTERM)
			thaw(n.process)
		}
	}
	if !c.awaitEnd(stopTime) {
		for i := range c.nodes {
			if n := &c.nodes[i]; n.running {
				c.show(sites[i].node, "did not stop within %s and is killed", stopTime)
				_ = n.process.Kill()
			}
		}
		c.awaitEnd(stopTime)
	}
}

// awaitEnd waits until no process is left, and says whether that was so in time.
func (c *cluster) awaitEnd(limit time.Duration) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left := false
		for i := range c.nodes {
			n := &c.nodes[i]
			if n.adopted && !alive(n.pid) {
				n.running, n.adopted = false, false
			}
			left = left || n.running
		}
		if !left {
			return true
		}
		select {
		case e := <-c.ended:
			if n := &c.nodes[e.site]; n.pid == e.pid {
				n.running = false
			}
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
}

// readPID gives the process that a node's folder says it has, 0 for none.
func readPID(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// self is how a newcomer calls this program.
func (c *cluster) self() string {
	if strings.Contains(c.o.Executable, "go-build") {
		return "go run ./cmd/edgereel"
	}
	return c.o.Executable
}

func (c *cluster) nodeCommand(i int) string {
	return c.self() + " node --config " + c.l.configFile(i)
}
