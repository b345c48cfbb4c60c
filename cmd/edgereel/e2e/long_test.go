//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/edgereel/edgereel/chaos/history"
)

const (
	longKills   = 20
	longFreezes = 5
	longPlayers = 6
	longThaws   = 8
	// freezeTime is longer than any election, shorter than patience.
	freezeTime = 4 * time.Second
	devStarts  = 5
	// gapTargetMS and devTargetMS are promised for a LAN. A miss is reported:
	// how busy the machine was says more about it than the program does.
	gapTargetMS = 1500
	devTargetMS = 5000
)

// figures is the report of the long test.
type figures struct {
	Schema     int      `json:"schema"`
	How        string   `json:"how"`
	CPUs       int      `json:"cpus"`
	OS         string   `json:"os"`
	Go         string   `json:"go"`
	Load       string   `json:"load_average,omitempty"`
	DevStartMS []int64  `json:"dev_start_ms"`
	DevMedian  int64    `json:"dev_start_median_ms"`
	Kills      []fault  `json:"kills"`
	Freezes    []fault  `json:"freezes"`
	KillMedian int64    `json:"kill_gap_median_ms"`
	KillWorst  int64    `json:"kill_gap_max_ms"`
	LeadMedian int64    `json:"leader_kill_gap_median_ms"`
	Frozen     int64    `json:"freeze_gap_median_ms"`
	Rejoin     int64    `json:"rejoin_gap_median_ms"`
	Play       played   `json:"play"`
	Verify     verdict  `json:"verify"`
	Missed     []string `json:"missed"`
}

const howMeasured = "Three nodes, six players (two at home in each region), their client and the test on one machine over loopback; " +
	"no delay is added. A gap is the time between two consecutive acknowledgements of one player, from the history; " +
	"gap_ms is the longest one of any player that overlaps the time from the fault until every player has played on, " +
	"rejoin_gap_ms the longest one until the node has caught up. " +
	"A dev start is from the start of the process to cluster.json, with an empty folder."

// fault is one kill or freeze with its consequences.
type fault struct {
	Number int    `json:"number"`
	Node   string `json:"node"`
	// Leads are the shards that the node led, Answered the share of the last
	// hundred steps that came from it.
	Leads       []uint32 `json:"leads"`
	Answered    int      `json:"answered_percent"`
	GapMS       int64    `json:"gap_ms"`
	RejoinGapMS int64    `json:"rejoin_gap_ms"`
	CaughtUpMS  int64    `json:"caught_up_ms"`

	at, playedOn, over time.Time
}

// Twenty regions die in a row under play, each of the three in turn, each
// started again and caught up before the next; then the busiest leader freezes
// five times. In the end
// every acknowledged operation is in the ledger of three equal replicas.
func TestLongRegionKills(t *testing.T) {
	needLong(t)
	report := &figures{
		Schema: 1, How: howMeasured, CPUs: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Missed: []string{},
	}
	for range devStarts {
		report.DevStartMS = append(report.DevStartMS, timeDevStart(t))
	}
	c := startCluster(t, t.TempDir())
	p := c.play(math.MaxInt32, longPlayers)
	for number := range longKills {
		report.Kills = append(report.Kills, c.killOne(p, number))
	}
	for number := range longFreezes {
		report.Freezes = append(report.Freezes, c.freezeOne(p, number))
	}
	report.Load = loadAverage()
	// Stopped by hand it says that rounds are missing.
	signalPID(t, p.pid(), syscall.SIGINT)
	report.Play = p.finish(1)
	c.awaitNoLag()
	report.Verify = c.verify(p, report.Play)
	c.stop()
	report.measure(p.look())
	report.write(t)
}

// The race that TestThawedLeaderSaysNothingOld runs, more often.
func TestLongThawedLeader(t *testing.T) {
	needLong(t)
	thawLeader(t, longThaws)
}

func needLong(t *testing.T) {
	t.Helper()
	if os.Getenv("EDGEREEL_LONG") == "" {
		t.Skip("takes minutes: set EDGEREEL_LONG=1")
	}
}

// timeDevStart is how long dev takes until players can play.
func timeDevStart(t *testing.T) int64 {
	t.Helper()
	program(t) // built before
	began := time.Now()
	c := startCluster(t, t.TempDir())
	info, err := os.Stat(filepath.Join(c.dir, "cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	c.stop()
	return info.ModTime().Sub(began).Milliseconds()
}

// strike notes how the cluster was before a fault of a node; without a name it
// takes the one that leads the most.
func (c *cluster) strike(p *playing, number int, name string) fault {
	c.t.Helper()
	p.awaitSteps(longPlayers, 30, time.Now())
	if name == "" {
		name, _ = c.busiestLeader(p)
	}
	f := fault{Number: number + 1, Node: name, Leads: []uint32{}}
	for shard, l := range c.awaitLeads() {
		if l.node == name {
			f.Leads = append(f.Leads, shard)
		}
	}
	slices.Sort(f.Leads)
	f.at = time.Now()
	return f
}

func (c *cluster) killOne(p *playing, number int) fault {
	c.t.Helper()
	f := c.strike(p, number, c.file.Nodes[number%len(c.file.Nodes)].Node)
	kill(c.t, c.pidOf(f.Node))
	p.awaitSteps(longPlayers, 3, f.at)
	f.playedOn = time.Now()
	c.startNode(f.Node)
	c.awaitCaughtUp(f.Node)
	f.over = time.Now()
	c.t.Logf("kill %d of %s: played on after %d ms, caught up after %d ms more", f.Number, f.Node,
		f.playedOn.Sub(f.at).Milliseconds(), f.over.Sub(f.playedOn).Milliseconds())
	return f
}

func (c *cluster) freezeOne(p *playing, number int) fault {
	c.t.Helper()
	f := c.strike(p, number, "")
	pid := c.pidOf(f.Node)
	signalPID(c.t, pid, syscall.SIGSTOP)
	thaw := time.NewTimer(freezeTime)
	defer thaw.Stop()
	<-thaw.C
	signalPID(c.t, pid, syscall.SIGCONT)
	p.awaitSteps(longPlayers, 3, f.at)
	f.playedOn = time.Now()
	c.awaitCaughtUp(f.Node)
	f.over = time.Now()
	c.t.Logf("freeze %d of %s: over after %d ms", f.Number, f.Node, f.over.Sub(f.at).Milliseconds())
	return f
}

// measure takes the gaps from the history.
func (r *figures) measure(records []history.Record) {
	acks := map[string][]history.Record{}
	for i := range records {
		if records[i].Effect == history.Applied && records[i].Kind == history.KindPlay {
			acks[records[i].Wallet] = append(acks[records[i].Wallet], records[i])
		}
	}
	for _, list := range acks {
		slices.SortFunc(list, func(a, b history.Record) int { return int(a.ReturnNS - b.ReturnNS) })
	}
	for _, faults := range [][]fault{r.Kills, r.Freezes} {
		for i := range faults {
			f := &faults[i]
			f.GapMS = longestGap(acks, f.at, f.playedOn)
			f.RejoinGapMS = longestGap(acks, f.playedOn, f.over)
			f.CaughtUpMS = f.over.Sub(f.playedOn).Milliseconds()
			f.Answered = answeredBy(records, f.Node, f.at)
		}
	}
	var all, leaders, frozen, rejoin []int64
	for _, f := range r.Kills {
		all, rejoin = append(all, f.GapMS), append(rejoin, f.RejoinGapMS)
		if len(f.Leads) > 0 {
			leaders = append(leaders, f.GapMS)
		}
	}
	for _, f := range r.Freezes {
		frozen = append(frozen, f.GapMS)
	}
	r.KillMedian, r.LeadMedian, r.Frozen, r.Rejoin = median(all), median(leaders), median(frozen), median(rejoin)
	r.KillWorst, r.DevMedian = slices.Max(all), median(r.DevStartMS)
	if r.KillMedian > gapTargetMS {
		r.Missed = append(r.Missed, fmt.Sprintf("median gap %d ms, promised %d", r.KillMedian, gapTargetMS))
	}
	if r.DevMedian > devTargetMS {
		r.Missed = append(r.Missed, fmt.Sprintf("dev ready after %d ms, promised %d", r.DevMedian, devTargetMS))
	}
}

// longestGap is the longest time between two acknowledgements of one player
// that overlaps a period, in milliseconds.
func longestGap(acks map[string][]history.Record, from, to time.Time) int64 {
	var longest int64
	for _, list := range acks {
		for i := 1; i < len(list); i++ {
			began, ended := list[i-1].ReturnNS, list[i].ReturnNS
			if ended >= from.UnixNano() && began <= to.UnixNano() {
				longest = max(longest, ended-began)
			}
		}
	}
	return longest / int64(time.Millisecond)
}

// answeredBy is the share of the last hundred steps before a moment that one
// node answered.
func answeredBy(records []history.Record, node string, before time.Time) int {
	const of = 100
	count, own := 0, 0
	for i := len(records) - 1; i >= 0 && count < of; i-- {
		if r := &records[i]; r.Kind == history.KindPlay && r.ReturnNS < before.UnixNano() {
			count++
			if r.Node == node {
				own++
			}
		}
	}
	return own * 100 / max(count, 1)
}

// median is the middle one, the higher of two, 0 of nothing.
func median(values []int64) int64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func loadAverage() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "" // not a Linux
	}
	return strings.Join(strings.Fields(string(content))[:3], " ")
}

func (r *figures) write(t *testing.T) {
	t.Helper()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAULT\tNODE\tLED\tANSWERED\tGAP\tREJOIN GAP\tCAUGHT UP")
	row := func(kind string, f fault) {
		fmt.Fprintf(w, "%s %d\t%s\t%v\t%d %%\t%d ms\t%d ms\t%d ms\n", kind, f.Number, f.Node, f.Leads, f.Answered, f.GapMS, f.RejoinGapMS, f.CaughtUpMS)
	}
	for _, f := range r.Kills {
		row("kill", f)
	}
	for _, f := range r.Freezes {
		row("freeze", f)
	}
	_ = w.Flush()
	t.Logf("%s\n%s\n%d CPUs, load average %s\nlongest gap of a kill: median %d ms, worst %d ms; of those that led a shard: median %d ms; "+
		"of a freeze: median %d ms; at a rejoin: median %d ms\ndev ready: median %d ms of %v\nmissed: %q",
		r.How, table.String(), r.CPUs, r.Load, r.KillMedian, r.KillWorst, r.LeadMedian, r.Frozen, r.Rejoin, r.DevMedian, r.DevStartMS, r.Missed)
	path := os.Getenv("EDGEREEL_REPORT")
	if path == "" {
		return
	}
	content, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(content, '\n'), 0o600)
	}
	if err != nil {
		t.Errorf("write the report: %v", err)
	}
}

func TestGapsOfPlayers(t *testing.T) {
	at := func(ms ...int64) []history.Record {
		var list []history.Record
		for _, m := range ms {
			list = append(list, history.Record{ReturnNS: m * int64(time.Millisecond)})
		}
		return list
	}
	acks := map[string][]history.Record{"a": at(0, 10, 500, 510, 2000), "b": at(0, 300, 400, 510, 520)}
	for _, test := range []struct{ from, to, want int64 }{{20, 30, 490}, {505, 508, 110}, {502, 509, 110}, {511, 512, 1490}, {2001, 2002, 0}} {
		if got := longestGap(acks, time.UnixMilli(test.from), time.UnixMilli(test.to)); got != test.want {
			t.Errorf("from %d to %d: %d, want %d", test.from, test.to, got, test.want)
		}
	}
	if got := median([]int64{9, 1, 4, 3}); got != 4 {
		t.Errorf("median %d", got)
	}
}
