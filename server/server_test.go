package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/worker"
)

func TestLogEntriesAreCloudLoggings(t *testing.T) {
	var out bytes.Buffer
	log := server.NewLogger(&out, slog.LevelInfo, "p")
	ctx := oteltrace.ContextWithSpanContext(t.Context(), oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
		TraceID: oteltrace.TraceID{1}, SpanID: oteltrace.SpanID{2},
	}))
	log.With("job_id", "j").WarnContext(ctx, "slow")
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"severity": "WARNING", "message": "slow", "job_id": "j",
		"logging.googleapis.com/trace":  "projects/p/traces/01000000000000000000000000000000",
		"logging.googleapis.com/spanId": "0200000000000000",
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %s", key, got[key], want)
		}
	}
}

// panicking is a deliverer with a bug.
type panicking struct{}

func (panicking) Deliver(context.Context, job.Task) (worker.Verdict, error) { panic("a bug") }

func TestPanicsAreAnsweredAndLogged(t *testing.T) {
	var out bytes.Buffer
	log := server.NewLogger(&out, slog.LevelError, "")
	oidc, err := server.NewOIDC(validator{payload(nil)}, server.OIDCConfig{Audience: audience, ServiceAccount: account}, log)
	if err != nil {
		t.Fatal(err)
	}
	h := server.New(server.Config{
		OIDC: oidc, Log: log, Tasks: &handlers.Tasks{Worker: panicking{}, Process: t.Context(), Log: log},
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, newDelivery(t, "Bearer signed"))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "a bug") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if !strings.Contains(out.String(), "a bug") || !strings.Contains(out.String(), "server_test.go") {
		t.Errorf("the log does not say what and where: %s", out.String())
	}
}

// Proxies in front may go by another header than the service does.
func TestTwoAuthorizationsAreNone(t *testing.T) {
	cfg := server.Config{Log: slog.New(slog.DiscardHandler), Jobs: &handlers.Jobs{}}
	cfg.Keys.Add("web", "key", 1)
	for _, second := range []string{"Bearer other", "Bearer key", ""} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/generate-images", strings.NewReader(aFox))
		r.Header["Authorization"] = []string{"Bearer key", second}
		w := httptest.NewRecorder()
		server.New(cfg).ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("beside %q: answered %d, want 401", second, w.Code)
		}
	}
}

func TestEveryAnswerKeepsItsType(t *testing.T) {
	h := server.New(server.Config{Log: slog.New(slog.DiscardHandler), Jobs: &handlers.Jobs{}})
	for path, want := range map[string]int{"/health": 200, "/openapi.json": 200, "/nowhere": 404, "/api/generate-images": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		if got := w.Header().Get("X-Content-Type-Options"); w.Code != want || got != "nosniff" {
			t.Errorf("%s: answered %d, want %d, with X-Content-Type-Options %q", path, w.Code, want, got)
		}
	}
}

// Without a dashboard, its address is one like any other that there is not.
func TestTheDashboardIsThereOnlyIfItIsEnabled(t *testing.T) {
	ask := func(cfg server.Config, path string) (int, string) {
		cfg.Log = slog.New(slog.DiscardHandler)
		w := httptest.NewRecorder()
		server.New(cfg).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody))
		return w.Code, w.Body.String()
	}
	there := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for _, path := range []string{"", "/", "/lanes", "/lanes/a/pause"} {
		_, unknown := ask(server.Config{}, "/nowhere")
		if code, text := ask(server.Config{}, server.DashboardPath+path); code != http.StatusNotFound || strings.Replace(text, server.DashboardPath+path, "/nowhere", 1) != unknown {
			t.Errorf("%s, not enabled: answered %d %s", path, code, text)
		}
		if code, _ := ask(server.Config{Dashboard: there}, server.DashboardPath+path); code != http.StatusTeapot {
			t.Errorf("%s, enabled: answered %d", path, code)
		}
	}
	if code, _ := ask(server.Config{Dashboard: there}, server.DashboardPath+"x"); code != http.StatusNotFound {
		t.Errorf("another address is answered %d", code)
	}
	if server.DashboardPath != dashboard.Path {
		t.Errorf("it is served at %s, and leads to %s", server.DashboardPath, dashboard.Path)
	}
}

// pipeListener accepts the connections that are handed to it.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, srv := net.Pipe()
			l.conns <- srv
			return client, nil
		},
	}}
}

// Cloud Run kills the process 10 s after SIGTERM. A delivery that takes longer
// than the first 7 s is told to put its work back; one that does not is left to
// end.
func TestRunDrains(t *testing.T) {
	for name, tt := range map[string]struct {
		work      time.Duration
		waits     bool // for its context, as a request that waits for a job does
		wantAfter time.Duration
		aborted   bool
	}{
		"waiting request is answered": {work: time.Hour, waits: true, wantAfter: 7 * time.Second, aborted: true},

		"short work ends by itself":  {work: 5 * time.Second, wantAfter: 5 * time.Second},
		"long work is told to stop":  {work: time.Hour, wantAfter: 8 * time.Second, aborted: true},
		"no work ends it right away": {work: 0, wantAfter: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, shutDown := context.WithCancel(t.Context())
				process, abort := context.WithCancel(t.Context())
				started := make(chan struct{})
				h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					close(started)
					if tt.waits {
						<-r.Context().Done()
						return
					}
					select {
					case <-time.After(tt.work):
					case <-process.Done():
						time.Sleep(time.Second) // putting it back takes a while
					}
				})
				ln := newPipeListener()
				ended := make(chan error, 1)
				go func() { ended <- server.Run(ctx, ln, h, abort, slog.New(slog.DiscardHandler)) }()
				if tt.work > 0 {
					go func() {
						if resp, err := ln.client().Get("http://test/"); err == nil {
							resp.Body.Close()
						}
					}()
					<-started
				}
				from := time.Now()
				shutDown()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				// Shutdown looks for the end of requests every half second.
				if took := time.Since(from); took < tt.wantAfter || took > tt.wantAfter+time.Second {
					t.Errorf("ended after %s, want %s", took, tt.wantAfter)
				}
				if got := process.Err() != nil; got != tt.aborted {
					t.Errorf("aborted: %v, want %v", got, tt.aborted)
				}
				abort()
			})
		})
	}
}
