package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/edgereel/edgereel/node/telemetry"
)

func newTelemetry(t *testing.T, cfg telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	cfg.Cluster, cfg.Node, cfg.Region = "dev", "eu-west-1", "eu-west"
	if cfg.LogOutput == nil {
		cfg.LogOutput = io.Discard
	}
	tel, err := telemetry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel
}

func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, fields)
	}
	return all
}

func TestLog_CarriesTheTrace(t *testing.T) {
	var out bytes.Buffer
	tel := newTelemetry(t, telemetry.Config{LogOutput: &out})
	ctx, span := tel.Tracer.Start(context.Background(), "gateway")
	if span.IsRecording() {
		t.Error("a span is recorded though nothing takes it")
	}
	tel.Log.With("shard", 1).InfoContext(ctx, "inside")
	span.End()
	tel.Log.Info("outside")
	tel.Log.Debug("too fine")
	got := lines(t, &out)
	if len(got) != 2 {
		t.Fatalf("%d lines, want 2", len(got))
	}
	if id := span.SpanContext().TraceID().String(); got[0]["trace_id"] != id || got[0]["span_id"] == nil || got[0]["shard"] != 1.0 {
		t.Errorf("inside the span: %v, want trace %s", got[0], id)
	}
	if got[1]["trace_id"] != nil || got[1]["node"] != "eu-west-1" || got[1]["region"] != "eu-west" {
		t.Errorf("outside a span: %v", got[1])
	}
	carrier := propagation.MapCarrier{}
	tel.Propagator.Inject(ctx, carrier)
	if !strings.Contains(carrier["traceparent"], span.SpanContext().TraceID().String()) {
		t.Errorf("the envelope has no trace: %v", carrier)
	}
}

func TestTraces_AreExportedAndClosed(t *testing.T) {
	defer goleak.VerifyNone(t)
	exporter := tracetest.NewInMemoryExporter()
	kept := &keepSpans{InMemoryExporter: exporter}
	tel, err := telemetry.New(telemetry.Config{Exporter: kept, TraceRatio: 1, LogOutput: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer.Start(context.Background(), "commit")
	span.End()
	if err := tel.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(kept.names) != 1 || kept.names[0] != "commit" {
		t.Errorf("exported %v, want the one span", kept.names)
	}
}

// keepSpans remembers names, because the exporter forgets spans at shutdown.
type keepSpans struct {
	*tracetest.InMemoryExporter
	names []string
}

func (k *keepSpans) Shutdown(ctx context.Context) error {
	for _, s := range k.GetSpans() {
		k.names = append(k.names, s.Name)
	}
	return k.InMemoryExporter.Shutdown(ctx)
}

func get(t *testing.T, handler http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestMetrics_AreServed(t *testing.T) {
	tel := newTelemetry(t, telemetry.Config{Build: "v0"})
	m := tel.Metrics
	m.Step("lines", "base", "EUR", true, 100, 250)
	m.Step("lines", "base", "EUR", false, 0, 50)
	m.Incident("lines")
	m.Refused("insufficient_funds", "not_applied")
	m.LeaderChanged(1, true)
	m.LeaderChanged(1, false)
	m.Evaluated("lines", time.Millisecond)
	m.Committed(1, 12, 3*time.Millisecond)
	m.Fsynced(2 * time.Millisecond)
	m.Shard(1, 77, 3)
	m.Queue(1, 5)
	m.Members(map[string]int{"alive": 2, "dead": 1})
	m.CertificateExpires(time.Unix(1_900_000_000, 0))
	sink, err := tel.GoMetricsSink()
	if err != nil {
		t.Fatal(err)
	}
	sink.IncrCounter([]string{"raft", "apply"}, 2)
	code, body := get(t, tel.AdminMux(), "/metrics")
	if code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	for _, want := range []string{
		`edgereel_rounds_total{game="lines",mode="base"} 1`,
		`edgereel_steps_total{game="lines",mode="base"} 2`,
		`edgereel_stake_minor_total{currency="EUR"} 100`,
		`edgereel_win_minor_total{currency="EUR"} 300`,
		`edgereel_incidents_total{game="lines"} 1`,
		`edgereel_refusals_total{code="insufficient_funds",effect="not_applied"} 1`,
		`edgereel_leader_changes_total{shard="1"} 2`,
		`edgereel_shard_leads{shard="1"} 0`,
		`edgereel_commit_seconds_count{shard="1"} 1`,
		`edgereel_batch_operations_sum{shard="1"} 12`,
		`edgereel_evaluate_seconds_count{game="lines"} 1`,
		`edgereel_fsync_seconds_count 1`,
		`edgereel_shard_sequence{shard="1"} 77`,
		`edgereel_shard_lag_entries{shard="1"} 3`,
		`edgereel_queue_operations{shard="1"} 5`,
		`edgereel_members{state="alive"} 2`,
		`edgereel_members{state="suspect"} 0`,
		`edgereel_certificate_expiry_seconds 1.9e+09`,
		`edgereel_build_info{build="v0",cluster="dev",node="eu-west-1",region="eu-west"} 1`,
		"raft_apply 2",
		"go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	// Two nodes in one process must not share a registry.
	other := newTelemetry(t, telemetry.Config{})
	if _, body := get(t, other.AdminMux(), "/metrics"); strings.Contains(body, `game="lines"`) {
		t.Error("another node serves this node's metrics")
	}
}

func TestMetrics_HistogramsAreNative(t *testing.T) {
	tel := newTelemetry(t, telemetry.Config{})
	tel.Metrics.Committed(1, 1, time.Millisecond)
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "edgereel_commit_seconds" {
			if h := f.GetMetric()[0].GetHistogram(); len(h.GetPositiveSpan()) == 0 || len(h.GetBucket()) == 0 {
				t.Error("want native and classic buckets")
			}
			return
		}
	}
	t.Error("no commit latency")
}

func TestHealth(t *testing.T) {
	tel := newTelemetry(t, telemetry.Config{})
	mux := tel.AdminMux()
	expect := func(path string, status int, reasons ...string) {
		t.Helper()
		code, body := get(t, mux, path)
		if code != status {
			t.Errorf("%s = %d, want %d: %s", path, code, status, body)
		}
		for _, reason := range reasons {
			if !strings.Contains(body, reason) {
				t.Errorf("%s says %s, want %q", path, body, reason)
			}
		}
	}
	expect("/healthz/startup", 503, `"name":"started"`, `"schema":1`)
	expect("/healthz/ready", 503, "starting")
	expect("/healthz/live", 200, `"reasons":[]`)
	tel.Health.Started()
	expect("/healthz/startup", 200)
	expect("/healthz/ready", 200)
	var quorum error
	tel.Health.Ready.Check("shard 1", func() error { return quorum })
	quorum = errors.New("no leader")
	expect("/healthz/ready", 503, `"name":"shard 1","reason":"no leader"`)
	expect("/healthz/live", 200)
	quorum = nil
	expect("/healthz/ready", 200)
	tel.Health.Draining()
	expect("/healthz/ready", 503, "draining")
	tel.Health.Live.Set("apply", errors.New("stopped"))
	expect("/healthz/live", 503, "stopped")
}

func TestHCLog_KeepsLevelsAndNames(t *testing.T) {
	var out bytes.Buffer
	tel := newTelemetry(t, telemetry.Config{LogOutput: &out, LogLevel: "debug"})
	raft := telemetry.HCLog(tel.Log, "raft")
	raft.Trace("too fine")
	raft.Debug("fine")
	raft.With("group", 2).Named("fsm").Warn("slow", "took", "1s")
	raft.Error("broken", "error", errors.New("disk"), "servers", hclog.Fmt("%+v", []int{1}), "took", time.Second)
	raft.Log(hclog.Off, "never")
	telemetry.StdLog(tel.Log, "gossip").Print("[WARN] memberlist: refuting")
	raft.StandardLogger(nil).Print("plain")
	got := lines(t, &out)
	want := []struct{ level, msg, component string }{
		{"DEBUG", "fine", "raft"},
		{"WARN", "slow", "raft.fsm"},
		{"ERROR", "broken", "raft"},
		{"WARN", "memberlist: refuting", "gossip"},
		{"INFO", "plain", "raft"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), out.String())
	}
	for i, w := range want {
		if got[i]["level"] != w.level || got[i]["msg"] != w.msg || got[i]["component"] != w.component {
			t.Errorf("line %d is %v, want %+v", i, got[i], w)
		}
	}
	if got[1]["group"] != 2.0 || got[1]["took"] != "1s" {
		t.Errorf("attributes are lost: %v", got[1])
	}
	if got[2]["error"] != "disk" || got[2]["servers"] != "[1]" || got[2]["took"] != "1s" {
		t.Errorf("values are not readable: %v", got[2])
	}
	if raft.IsTrace() || !raft.IsDebug() || raft.GetLevel() != hclog.Debug {
		t.Error("the level is not the logger's")
	}
}

func TestNew_Refuses(t *testing.T) {
	if _, err := telemetry.New(telemetry.Config{LogLevel: "loud"}); err == nil || !strings.Contains(err.Error(), "loud") {
		t.Errorf("unknown log level: %v", err)
	}
	// Nothing is dialed before there is something to send.
	newTelemetry(t, telemetry.Config{OTLPEndpoint: "http://127.0.0.1:1", LogLevel: slog.LevelInfo.String()})
}
