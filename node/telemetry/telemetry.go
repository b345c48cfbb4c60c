package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	gometrics "github.com/hashicorp/go-metrics"
	gometricsprom "github.com/hashicorp/go-metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says who is telling, and where to.
type Config struct {
	Cluster, Node, Region string
	// Build is the version of this program.
	Build string
	// LogLevel is debug, info, warn or error; empty is info.
	LogLevel string
	// LogOutput takes the JSON lines; nil is standard output.
	LogOutput io.Writer
	// OTLPEndpoint is the URL of a collector, e.g. http://collector:4318; empty
	// sends no traces.
	OTLPEndpoint string
	// TraceRatio is the share of new traces that are recorded, 0 to 1. A trace
	// that a caller already records is always recorded.
	TraceRatio float64
	// Exporter replaces the OTLP exporter, for tests.
	Exporter sdktrace.SpanExporter
}

// Telemetry is one node's. Its fields are set once by New.
type Telemetry struct {
	Log      *slog.Logger
	Metrics  *Metrics
	Registry *prometheus.Registry
	// Tracer makes the node's own spans; libraries take TracerProvider.
	Tracer         trace.Tracer
	TracerProvider trace.TracerProvider
	// Propagator writes and reads the W3C trace context.
	Propagator propagation.TextMapPropagator
	Health     *Health

	provider *sdktrace.TracerProvider
}

// New makes a node's telemetry. It connects to nothing yet.
func New(cfg Config) (*Telemetry, error) {
	log, err := newLogger(cfg)
	if err != nil {
		return nil, err
	}
	exporter := cfg.Exporter
	if exporter == nil && cfg.OTLPEndpoint != "" {
		// New does not dial: an absent collector costs traces, not a start.
		exporter, err = otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(cfg.OTLPEndpoint))
		if err != nil {
			return nil, fmt.Errorf("make trace exporter: %w", err)
		}
	}
	provider := newProvider(cfg, exporter)
	registry := prometheus.NewRegistry()
	metrics, err := newMetrics(registry, cfg)
	if err != nil {
		return nil, errors.Join(err, provider.Shutdown(context.Background()))
	}
	return &Telemetry{
		Log:            log,
		Metrics:        metrics,
		Registry:       registry,
		Tracer:         provider.Tracer("github.com/edgereel/edgereel"),
		TracerProvider: provider,
		Propagator:     propagation.TraceContext{},
		Health:         NewHealth(),
		provider:       provider,
	}, nil
}

// newProvider gives a provider whose spans have ids even where no exporter
// will ever see them, so that logs can be followed across nodes.
func newProvider(cfg Config, exporter sdktrace.SpanExporter) *sdktrace.TracerProvider {
	ratio := cfg.TraceRatio
	if exporter == nil {
		ratio = 0
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "edgereel"),
			attribute.String("service.version", cfg.Build),
			attribute.String("service.instance.id", cfg.Node),
			attribute.String("service.namespace", cfg.Cluster),
			attribute.String("cloud.region", cfg.Region),
		)),
	}
	if exporter != nil {
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	return sdktrace.NewTracerProvider(options...)
}

// AdminMux serves /metrics and /healthz/{startup,ready,live}. The caller may
// add paths of its own. It asks for no authentication.
func (t *Telemetry) AdminMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{
		Registry:          t.Registry,
		EnableOpenMetrics: true,
		ErrorLog:          StdLog(t.Log, "metrics"),
	}))
	mux.Handle("GET /healthz/startup", t.Health.Startup)
	mux.Handle("GET /healthz/ready", t.Health.Ready)
	mux.Handle("GET /healthz/live", t.Health.Live)
	return mux
}

// GoMetricsSink takes the metrics of hashicorp's libraries into the registry.
// Those libraries report only to the sink their process installed with
// go-metrics' NewGlobal; that is for a main function to do, once.
func (t *Telemetry) GoMetricsSink() (gometrics.MetricSink, error) {
	sink, err := gometricsprom.NewPrometheusSinkFrom(gometricsprom.PrometheusOpts{
		Registerer: t.Registry,
		Expiration: 10 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("make metrics sink: %w", err)
	}
	return sink, nil
}

// Close sends what traces are left until ctx ends.
func (t *Telemetry) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send remaining traces: %w", err)
	}
	return nil
}

func runtimeCollectors() []prometheus.Collector {
	return []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
}

func outputOf(cfg Config) io.Writer {
	if cfg.LogOutput == nil {
		return os.Stdout
	}
	return cfg.LogOutput
}
