package server_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/server"
)

// HEAD works where GET does, OPTIONS everywhere, and what else does not work
// says what does (RFC 9110, sections 9.3.2, 9.3.7 and 15.5.6).
func TestMethods(t *testing.T) {
	cfg := server.Config{Log: slog.New(slog.DiscardHandler), Jobs: &handlers.Jobs{}}
	cfg.Keys.Add("web", "key", 1)
	h := server.New(cfg)
	const reading, posting = "GET, HEAD, OPTIONS", "POST, OPTIONS"
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"HEAD", "/health", 200, ""},
		{"HEAD", "/openapi.json", 200, ""},
		{"HEAD", "/api/jobs/x", 401, ""},
		{"HEAD", "/nowhere", 404, ""},
		{"HEAD", "/api/generate-images", 405, posting},
		{"OPTIONS", "/health", 204, reading},
		{"OPTIONS", "/api/jobs", 204, reading},
		{"OPTIONS", "/api/jobs/x", 204, "GET, HEAD, DELETE, OPTIONS"},
		{"OPTIONS", "/api/jobs/x/cancel", 204, posting},
		{"OPTIONS", "/nowhere", 404, ""},
		{"PUT", "/health", 405, reading},
		{"BREW", "/health", 405, reading},
		{"BREW", "/nowhere", 404, ""},
		{"GET", "/api/generate-images", 405, posting},
		{"GET", "/api/jobs/x/cancel", 405, posting},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, http.NoBody))
		if w.Code != tt.status || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: answered %d, Allow: %q, want %d, %q",
				tt.method, tt.path, w.Code, w.Header().Get("Allow"), tt.status, tt.allow)
		}
	}
}

// A caller who asks first sends no body that is refused without it.
func TestExpectContinue(t *testing.T) {
	for name, tt := range map[string]struct {
		head string
		want []int
	}{
		"key":              {"POST /api/generate-images HTTP/1.1" + withKey + "\nExpect: 100-continue", []int{100, 422}},
		"no key":           {"POST /api/generate-images HTTP/1.1\nExpect: 100-continue", []int{401}},
		"no path":          {"POST /nowhere HTTP/1.1\nExpect: 100-continue", []int{404}},
		"expects no other": {"POST /api/generate-images HTTP/1.1" + withKey + "\nExpect: coffee", []int{417}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln, end := listen(t)
				defer end()
				if diff := cmp.Diff(tt.want, ln.expect(t, tt.head)); diff != "" {
					t.Errorf("statuses (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// expect sends a head, and a body once the server says to go on. It returns the
// statuses that come back.
func (l *pipeListener) expect(t *testing.T, head string) (statuses []int) {
	t.Helper()
	client, srv := net.Pipe()
	defer client.Close()
	l.conns <- srv
	fmt.Fprint(client, crlf(head+"\nHost: test\nConnection: close\nContent-Type: application/json\nContent-Length: 2"))
	r := bufio.NewReader(client)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, resp.StatusCode)
		if resp.StatusCode >= http.StatusOK {
			_, _ = io.Copy(io.Discard, resp.Body)
			return statuses
		}
		fmt.Fprint(client, "{}")
	}
}
