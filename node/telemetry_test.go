package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// admin asks a node's admin address.
func (c *cluster) admin(t *testing.T, i int, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.configs[i].Addresses.Admin+path, http.NoBody)
	must(t, err)
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	must(t, err)
	defer func() { must(t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(body)
}

// samples are the values of one scrape, by name with labels.
type samples map[string]float64

func (c *cluster) scrape(t *testing.T, i int) samples {
	t.Helper()
	status, body := c.admin(t, i, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("metrics answer %d %s", status, body)
	}
	all := samples{}
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		name, value, ok := cutLast(lines.Text())
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		must(t, err)
		all[name] = v
	}
	return all
}

func cutLast(line string) (name, value string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// sum adds up a metric over all labels that contain every given part.
func (s samples) sum(name string, labels ...string) float64 {
	total := 0.0
next:
	for sample, v := range s {
		if sample != name && !strings.HasPrefix(sample, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(sample, l) {
				continue next
			}
		}
		total += v
	}
	return total
}

func (c *cluster) sumAll(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	total := 0.0
	for i := range c.nodes {
		total += c.scrape(t, i).sum("edgereel_"+name, labels...)
	}
	return total
}

// testMetrics plays rounds it knows the outcome of and looks for exactly those.
func (c *cluster) testMetrics(t *testing.T) {
	p := c.newPlayer(t, "dora", "ap-south", 10_000)
	session := c.openSession(t, p, "harbor-lines", "dora")
	type counts struct{ rounds, steps, stakes, wins, refused float64 }
	read := func() counts {
		return counts{
			c.sumAll(t, "rounds_total", `game="harbor-lines"`, `mode="base"`), c.sumAll(t, "steps_total", `game="harbor-lines"`),
			c.sumAll(t, "stake_minor_total", `currency="EUR"`), c.sumAll(t, "win_minor_total", `currency="EUR"`),
			c.sumAll(t, "refusals_total", `code="bad_stake"`, `effect="not_applied"`),
		}
	}
	before := read()
	won := 0.0
	for step := range uint64(5) {
		req := &edgereelv1.PlayRequest{Wallet: p.wallet, Session: session, Step: step + 1, Mode: "base", StakeMinor: 200}
		for range 2 { // a repeat counts once
			res, err := c.plays(int(step)%3, p).Play(t.Context(), req)
			must(t, err)
			if step == res.GetStep()-1 && req.GetStakeMinor() > 0 {
				won += float64(res.GetWinMinor()) / 2
			}
		}
	}
	if _, err := c.plays(2, p).Play(t.Context(), &edgereelv1.PlayRequest{Wallet: p.wallet, Session: session, Step: 6, Mode: "base"}); err == nil {
		t.Fatal("a stake of nothing was taken")
	}
	after := read()
	got := counts{
		after.rounds - before.rounds, after.steps - before.steps, after.stakes - before.stakes, after.wins - before.wins, after.refused - before.refused,
	}
	if want := (counts{5, 5, 1000, won, 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	for i := range c.nodes {
		c.checkScrape(t, i)
	}
}

// checkScrape looks for what every node must show.
func (c *cluster) checkScrape(t *testing.T, i int) {
	t.Helper()
	s := c.scrape(t, i)
	if alive := s.sum("edgereel_members", `state="alive"`); alive != 3 {
		t.Errorf("node %d sees %v members alive", i, alive)
	}
	if n, took := s.sum("edgereel_fsync_seconds_count"), s.sum("edgereel_fsync_seconds_sum"); n == 0 || took <= 0 || took > 10*n {
		t.Errorf("node %d: %v syncs took %v s", i, n, took)
	}
	for shard := 1; shard <= 3; shard++ {
		label := fmt.Sprintf(`shard="%d"`, shard)
		if s.sum("edgereel_leader_changes_total", label) == 0 || s.sum("edgereel_shard_sequence", label) == 0 {
			t.Errorf("node %d: shard %d shows no leader or no sequence", i, shard)
		}
		if s.sum("edgereel_shard_leads", label) == 0 {
			continue
		}
		entries, ops := s.sum("edgereel_batch_operations_count", label), s.sum("edgereel_batch_operations_sum", label)
		commits, took := s.sum("edgereel_commit_seconds_count", label), s.sum("edgereel_commit_seconds_sum", label)
		if entries == 0 || ops < entries || commits != entries || took <= 0 || took > 10*commits {
			t.Errorf("node %d leads shard %d: %v entries of %v operations, %v commits in %v s", i, shard, entries, ops, commits, took)
		}
	}
}

// testTrace follows one spin through its spans, at every node: at least two of
// the three forward it to the leader.
func (c *cluster) testTrace(t *testing.T) {
	p := c.newPlayer(t, "emma", "eu-west", 10_000)
	session := c.openSession(t, p, "harbor-lines", "emma")
	forwarded := 0
	for i := range c.nodes {
		id := fmt.Sprintf("%031x%d", 0xabc, i+1)
		body := fmt.Sprintf(`{"wallet":%q,"session":%q,"step":"%d","mode":"base","stakeMinor":"100"}`, p.wallet, session, i+1)
		r := c.post(t, traced{c.http, "00-" + id + "-00f067aa0ba902b7-01"}, i, "PlayerService/Play", "Bearer "+p.token, body)
		if r.status != http.StatusOK {
			t.Fatalf("play answers %d %s", r.status, r.body)
		}
		eventually(t, "spans of one spin", func(context.Context) (any, error) {
			elsewhere, err := chain(c.flush(t), id, c.configs[i].Node)
			if elsewhere {
				forwarded++
			}
			return nil, err
		})
	}
	if forwarded < 2 {
		t.Errorf("%d of 3 spins were forwarded", forwarded)
	}
}

type traced struct {
	next   http.RoundTripper
	parent string
}

func (h traced) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Traceparent", h.parent)
	return h.next.RoundTrip(r)
}

// chain checks that a trace holds one span of each kind, each below the other,
// and tells whether the spin crossed the mesh.
func chain(spans map[string]tracetest.SpanStubs, trace, gatewayNode string) (forwarded bool, _ error) {
	type place struct {
		node string
		stub tracetest.SpanStub
	}
	found := map[string]place{}
	names := map[string]string{}
	for node, stubs := range spans {
		for _, s := range stubs {
			if s.SpanContext.TraceID().String() != trace {
				continue
			}
			names[s.SpanContext.SpanID().String()] = s.Name
			if at, twice := found[s.Name]; twice && s.Name != "forwarded" {
				return false, fmt.Errorf("span %s on %s and %s", s.Name, at.node, node)
			}
			found[s.Name] = place{node, s}
		}
	}
	above := "gateway"
	if _, forwarded = found["forwarded"]; forwarded {
		above = "forwarded"
		if found["evaluate"].node == gatewayNode {
			return forwarded, fmt.Errorf("evaluated on %s, which forwarded the call", gatewayNode)
		}
	}
	for name, parent := range map[string]string{"forwarded": "gateway", "evaluate": above, "commit": above, "apply": "commit"} {
		s, ok := found[name]
		if !ok && name == "forwarded" && !forwarded {
			continue
		}
		if got := names[s.stub.Parent.SpanID().String()]; !ok || got != parent {
			return forwarded, fmt.Errorf("span %s (found: %v) is below %q, want %q; all: %v", name, ok, got, parent, names)
		}
		if s.stub.EndTime.Before(s.stub.StartTime) {
			return forwarded, fmt.Errorf("span %s ends before it starts", name)
		}
	}
	if found["gateway"].node != gatewayNode {
		return forwarded, fmt.Errorf("the gateway's span is on %q", found["gateway"].node)
	}
	return forwarded, nil
}
