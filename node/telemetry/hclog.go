package telemetry

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// HCLog lends logger to a hashicorp library under a component's name. Levels
// are mapped, trace below debug; the level is that of logger and cannot be set.
func HCLog(logger *slog.Logger, component string) hclog.Logger {
	return hcLogger{base: logger, log: logger.With("component", component), name: component}
}

// hcLogger is immutable. base lacks the attributes a rename replaces.
type hcLogger struct {
	base, log *slog.Logger
	name      string
	args      []any
}

func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Trace:
		return levelTrace
	case hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

func (l hcLogger) Log(level hclog.Level, msg string, args ...any) {
	if level == hclog.Off || !l.enabled(level) {
		return
	}
	l.log.Log(context.Background(), slogLevel(level), msg, readable(args)...) //nolint:sloglint // the library chose the text
}

// readable gives values as hclog prints them: deferred formats are carried
// out, and what has a text form keeps it instead of being taken apart as JSON.
func readable(args []any) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case hclog.Format:
			values[i] = arg
			if format, ok := first(v).(string); ok {
				values[i] = fmt.Sprintf(format, v[1:]...)
			}
		case error:
			values[i] = v
		case fmt.Stringer:
			values[i] = v.String()
		default:
			values[i] = arg
		}
	}
	return values
}

func first(values []any) any {
	if len(values) == 0 {
		return nil
	}
	return values[0]
}

func (l hcLogger) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l hcLogger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l hcLogger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l hcLogger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l hcLogger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l hcLogger) enabled(level hclog.Level) bool {
	return l.log.Enabled(context.Background(), slogLevel(level))
}

func (l hcLogger) IsTrace() bool { return l.enabled(hclog.Trace) }
func (l hcLogger) IsDebug() bool { return l.enabled(hclog.Debug) }
func (l hcLogger) IsInfo() bool  { return l.enabled(hclog.Info) }
func (l hcLogger) IsWarn() bool  { return l.enabled(hclog.Warn) }
func (l hcLogger) IsError() bool { return l.enabled(hclog.Error) }

func (l hcLogger) ImpliedArgs() []any { return l.args }
func (l hcLogger) Name() string       { return l.name }

func (l hcLogger) With(args ...any) hclog.Logger {
	l.args = append(append([]any(nil), l.args...), args...)
	l.log = l.log.With(readable(args)...)
	return l
}

func (l hcLogger) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

func (l hcLogger) ResetNamed(name string) hclog.Logger {
	l.name = name
	l.log = l.base.With("component", name).With(readable(l.args)...)
	return l
}

func (l hcLogger) SetLevel(hclog.Level) {}

func (l hcLogger) GetLevel() hclog.Level {
	for _, level := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn} {
		if l.enabled(level) {
			return level
		}
	}
	return hclog.Error
}

func (l hcLogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(nil), "", 0)
}

func (l hcLogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lineWriter{l.log} }
