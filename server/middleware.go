package server

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/ai-worker/ai-worker/handlers"
)

// trace puts every request into the trace that its caller names (W3C Trace
// Context), or into a new one. Tasks carry it on, so that all log entries of a
// job belong together.
func trace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		if !oteltrace.SpanContextFromContext(ctx).IsValid() {
			ctx = oteltrace.ContextWithSpanContext(ctx, newSpanContext())
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func newSpanContext() oteltrace.SpanContext {
	var cfg oteltrace.SpanContextConfig
	_, _ = rand.Read(cfg.TraceID[:]) // never fails
	_, _ = rand.Read(cfg.SpanID[:])
	return oteltrace.NewSpanContext(cfg)
}

// accessLog logs every request once it is answered, but logs health checks as
// debugging unless they fail.
func accessLog(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			started := time.Now()
			defer func() {
				level := slog.LevelInfo
				if r.URL.Path == "/health" && ww.Status() < http.StatusBadRequest {
					level = slog.LevelDebug
				}
				log.LogAttrs(r.Context(), level, "request",
					slog.String("method", shown(r.Method)), slog.String("path", shown(r.URL.Path)),
					slog.Int("status", ww.Status()), slog.Int("bytes", ww.BytesWritten()),
					slog.Float64("seconds", time.Since(started).Seconds()),
					slog.String("task", shown(r.Header.Get("X-CloudTasks-TaskName"))))
			}()
			next.ServeHTTP(ww, r)
		})
	}
}

// recoverer answers 500 if a handler panics, and logs the stack.
func recoverer(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				log.ErrorContext(r.Context(), "panic", "path", shown(r.URL.Path), "panic", v, "stack", string(debug.Stack()))
				handlers.WriteProblem(w, http.StatusInternalServerError, "The service failed; this is its own fault.")
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// keepType tells browsers to take every answer for what its Content-Type says.
// A text of a caller's that stands in an answer is then never run as a script.
func keepType(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
