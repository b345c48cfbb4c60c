package telemetry

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

func newLogger(cfg Config) (*slog.Logger, error) {
	var level slog.Level
	if cfg.LogLevel != "" {
		if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
			return nil, fmt.Errorf("read log level %q: %w", cfg.LogLevel, err)
		}
	}
	handler := slog.NewJSONHandler(outputOf(cfg), &slog.HandlerOptions{Level: level})
	return slog.New(tracedHandler{handler}).With("cluster", cfg.Cluster, "node", cfg.Node, "region", cfg.Region), nil
}

// tracedHandler adds the ids of the span in a record's context.
type tracedHandler struct{ slog.Handler }

func (h tracedHandler) Handle(ctx context.Context, record slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, record) //nolint:wrapcheck // a handler's error is its caller's own
}

func (h tracedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedHandler{h.Handler.WithAttrs(attrs)}
}

func (h tracedHandler) WithGroup(name string) slog.Handler {
	return tracedHandler{h.Handler.WithGroup(name)}
}

// levelTrace is below slog's debug, as hashicorp's trace is.
const levelTrace = slog.LevelDebug - 4

// levelWords are how libraries that write to a standard logger mark a line.
var levelWords = map[string]slog.Level{
	"[TRACE]": levelTrace, "[DEBUG]": slog.LevelDebug, "[INFO]": slog.LevelInfo,
	"[WARN]": slog.LevelWarn, "[WARNING]": slog.LevelWarn, "[ERR]": slog.LevelError, "[ERROR]": slog.LevelError,
}

// StdLog lends logger to a library that wants a standard one. A line that
// begins with a level in brackets keeps that level, others are info.
func StdLog(logger *slog.Logger, component string) *log.Logger {
	return log.New(lineWriter{logger.With("component", component)}, "", 0)
}

type lineWriter struct{ log *slog.Logger }

func (w lineWriter) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelInfo
	if word, rest, ok := strings.Cut(text, " "); ok {
		if named, known := levelWords[word]; known {
			level, text = named, strings.TrimSpace(rest)
		}
	}
	w.log.Log(context.Background(), level, text) //nolint:sloglint // the library chose the text
	return len(line), nil
}
