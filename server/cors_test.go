package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/server"
)

// corsHeaders returns the headers of an answer by which browsers let pages of
// other origins in.
func corsHeaders(h http.Header) map[string]string {
	got := make(map[string]string)
	for name := range h {
		if name == "Vary" || strings.HasPrefix(name, "Access-Control-") {
			got[name] = strings.Join(h[name], "|")
		}
	}
	return got
}

// Pages of listed origins may read jobs, and nothing else.
func TestOrigins(t *testing.T) {
	const app = "https://app.example.com"
	read := map[string]string{
		"Vary": "Origin", "Access-Control-Allow-Origin": app,
		"Access-Control-Expose-Headers": "ETag, Preference-Applied, Retry-After, WWW-Authenticate",
	}
	preflight := map[string]string{
		"Vary": "Origin", "Access-Control-Allow-Origin": app, "Access-Control-Allow-Methods": "GET, HEAD",
		"Access-Control-Allow-Headers": "Authorization, If-None-Match, Last-Event-ID, Prefer", "Access-Control-Max-Age": "7200",
	}
	refused, none := map[string]string{"Vary": "Origin"}, map[string]string{}
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, "a fox")
		get := "/api/jobs/" + s.job.ID
		for _, tt := range []struct {
			method, path, origin, asks string
			code                       int
			want                       map[string]string
		}{
			{http.MethodGet, get, app, "", 200, read},
			{http.MethodHead, get + "/events", app, "", 200, read},
			{http.MethodGet, "/api/jobs/x", app, "", 404, read}, // a page may see what is wrong
			{http.MethodOptions, get, app, "GET", 204, preflight},
			{http.MethodOptions, get + "/events", app, "GET", 204, preflight},
			{http.MethodGet, get, "https://evil.example.com", "", 200, refused},
			{http.MethodGet, get, "https://app.example.com.evil.example.com", "", 200, refused},
			{http.MethodGet, get, "null", "", 200, refused},
			{http.MethodGet, get, "", "", 200, refused},
			{http.MethodOptions, get, "https://evil.example.com", "GET", 204, refused},
			{http.MethodOptions, get + "/cancel", app, "POST", 204, none},
			{http.MethodPost, get + "/cancel", app, "", 200, none},
			{http.MethodOptions, "/api/generate-images", app, "POST", 204, none},
			{http.MethodGet, "/openapi.json", app, "", 200, none},
			{http.MethodGet, "/nowhere", app, "", 404, none},
		} {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, http.NoBody)
			for name, value := range map[string]string{"Origin": tt.origin, "Access-Control-Request-Method": tt.asks, "Authorization": "Bearer key"} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			<-s.left
			if diff := cmp.Diff(tt.want, corsHeaders(w.Header())); diff != "" || w.Code != tt.code {
				t.Errorf("%s %s of %q: answered %d, want %d (-want +got):\n%s", tt.method, tt.path, tt.origin, w.Code, tt.code, diff)
			}
		}
		end()
		time.Sleep(time.Minute)
	})
}

// Without the setting there is no such header at all.
func TestNoOrigins(t *testing.T) {
	h := server.New(server.Config{Log: slog.New(slog.DiscardHandler), Jobs: &handlers.Jobs{}})
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		r := httptest.NewRequestWithContext(t.Context(), method, "/api/jobs/x", http.NoBody)
		r.Header.Set("Origin", "https://app.example.com")
		r.Header.Set("Access-Control-Request-Method", "GET")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := corsHeaders(w.Header()); len(got) > 0 {
			t.Errorf("%s: %v", method, got)
		}
	}
}
