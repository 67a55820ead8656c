package server

import (
	"context"
	"io"
	"log/slog"

	oteltrace "go.opentelemetry.io/otel/trace"
)

// NewLogger returns a logger that writes entries in the form of Cloud Logging:
// JSON with severity and message, and with the trace of the request that they
// belong to. project is the Google Cloud project of the traces; if it is empty,
// only their IDs are written.
func NewLogger(w io.Writer, level slog.Leveler, project string) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: cloudNames})
	return slog.New(traceHandler{Handler: h, project: project})
}

// cloudNames gives an attribute the name that Cloud Logging expects, see
// https://cloud.google.com/logging/docs/structured-logging#special-payload-fields.
func cloudNames(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Key = "severity"
		if a.Value.String() == slog.LevelWarn.String() {
			a.Value = slog.StringValue("WARNING")
		}
	}
	return a
}

// traceHandler adds the trace of an entry's context.
type traceHandler struct {
	slog.Handler
	project string
}

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := oteltrace.SpanContextFromContext(ctx); sc.IsValid() {
		id := sc.TraceID().String()
		if h.project != "" {
			id = "projects/" + h.project + "/traces/" + id
		}
		r.AddAttrs(slog.String("logging.googleapis.com/trace", id),
			slog.String("logging.googleapis.com/spanId", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{Handler: h.Handler.WithAttrs(attrs), project: h.project}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{Handler: h.Handler.WithGroup(name), project: h.project}
}
