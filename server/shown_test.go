package server_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/server"
)

// What a stranger sends is neither logged nor repeated at any length.
func TestWhatAStrangerSendsIsCut(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	for name, send := range map[string]func(*http.Request){
		"path":   func(r *http.Request) { r.URL.Path = "/" + strings.Repeat("\x00é", 10_000) },
		"method": func(r *http.Request) { r.Method = long },
		"task":   func(r *http.Request) { r.Header.Set("X-CloudTasks-TaskName", long) },
	} {
		var log bytes.Buffer
		h := server.New(server.Config{Log: slog.New(slog.NewJSONHandler(&log, nil)), Lanes: &handlers.Lanes{}})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/health", http.NoBody)
		send(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if n := w.Body.Len(); n > 4000 || log.Len() > 4000 {
			t.Errorf("%s: answered %d with %d bytes, and logged %d", name, w.Code, n, log.Len())
		}
	}
}
