package doctor_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/api/idtoken"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/sweep"
)

// noRedirects returns a client that follows no redirects, as Cloud Tasks
// follows none.
func noRedirects() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// examineWorker examines the worker at an address that an emulator delivers to.
func examineWorker(t *testing.T, address string) []doctor.Finding {
	t.Helper()
	return examine(t, doctor.Worker(doctor.Delivery{
		WorkerURL: address, SweepPath: "/tasks/sweep", Emulator: true, HTTP: noRedirects(),
	}))
}

// startWorker starts a worker that gives these answers to GET /health and POST
// /tasks/sweep, and returns its address.
func startWorker(t *testing.T, health int, body string, sweep int) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://elsewhere.example.com/")
		w.WriteHeader(health)
		_, _ = io.WriteString(w, body)
	})
	mux.HandleFunc("POST /tasks/sweep", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.Header.Get("Authorization"), ".SIGNATURE_REMOVED_BY_GOOGLE") {
			t.Error("it did not try what a private worker believes")
		}
		if sweep == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(sweep)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestWorker(t *testing.T) {
	t.Parallel()
	const healthy = `{"status":"healthy"}`
	for name, tt := range map[string]struct {
		health int
		body   string
		sweep  int
		want   want
	}{
		"in order":             {200, healthy, 401, want{doctor.OK, "worker", "is healthy, and refuses deliveries", ""}},
		"private on Cloud Run": {403, "<html>", 403, want{doctor.OK, "worker", "is private", ""}},
		"private, 401":         {401, "", 401, want{doctor.OK, "worker", "is private", ""}},
		"open to all":          {200, healthy, 200, want{doctor.Failed, "worker", "accepts deliveries that are not signed", "the program refuses them"}},
		"open, and empty":      {200, healthy, 204, want{doctor.Failed, "worker", "accepts deliveries that are not signed", ""}},
		"an API only":          {200, healthy, 404, want{doctor.Failed, "worker", "takes no deliveries", "ROLE=worker"}},
		"broken deliveries":    {200, healthy, 500, want{doctor.Failed, "worker", "not signed with 500", "logs read"}},
		"cut off":              {200, healthy, 0, want{doctor.Failed, "worker", "does not answer a delivery", "logs read"}},
		"another service":      {200, "<html>hello", 401, want{doctor.Failed, "worker", "is not this service", "WORKER_URL"}},
		"nothing there":        {404, "", 401, want{doctor.Failed, "worker", "/health answers 404", "WORKER_URL"}},
		"broken":               {500, "", 401, want{doctor.Failed, "worker", "/health answers 500", "logs read"}},
		"moved":                {301, "", 401, want{doctor.Failed, "worker", "redirects", "WORKER_URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, examineWorker(t, startWorker(t, tt.health, tt.body, tt.sweep)), tt.want)
		})
	}
}

// The worker trusts that Cloud Run has checked each token, but anybody can
// reach it.
func TestWorkerThatShouldBePrivate(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	oidc, err := server.NewOIDC(nobodyValidates{}, server.OIDCConfig{
		Audience: "https://worker.example.com", ServiceAccount: "tasks@p.iam.gserviceaccount.com", BehindCloudRun: true,
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(server.New(server.Config{
		OIDC: oidc, Log: log, Lanes: &handlers.Lanes{}, Tasks: &handlers.Tasks{Sweeper: noSweep{}, Log: log},
	}))
	t.Cleanup(srv.Close)
	expect(t, examine(t, doctor.Worker(doctor.Delivery{
		WorkerURL: srv.URL, SweepPath: "/tasks/sweep", Emulator: true, HTTP: noRedirects(),
		Audience: "https://worker.example.com", Account: "tasks@p.iam.gserviceaccount.com",
	})), want{doctor.Failed, "worker", "accepts deliveries that are not signed", "must be private"})
}

type nobodyValidates struct{}

func (nobodyValidates) Validate(context.Context, string, string) (*idtoken.Payload, error) {
	return nil, errors.New("not signed")
}

type noSweep struct{}

func (noSweep) Sweep(context.Context) (sweep.Swept, error) { return sweep.Swept{}, nil }

func (noSweep) SweepDaily(context.Context) (sweep.Swept, error) { return sweep.Swept{}, nil }

func TestWorkerOutOfReach(t *testing.T) {
	t.Parallel()
	expect(t, examineWorker(t, "http://"+nobody(t)), want{doctor.Failed, "worker", "does not answer: dial tcp", "WORKER_URL"})
}

func TestWorkerWhereCloudTasksCannotDeliver(t *testing.T) {
	t.Parallel()
	for address, w := range map[string]want{
		"http://worker.example.com":       {doctor.Failed, "worker", "to https:// only", "gcloud run services describe"},
		"https://localhost:8080":          {doctor.Failed, "worker", "cannot reach from the net", "CLOUD_TASKS_ENDPOINT"},
		"https://127.0.0.1":               {doctor.Failed, "worker", "cannot reach from the net", ""},
		"https://10.1.2.3":                {doctor.Failed, "worker", "cannot reach from the net", ""},
		"https://worker.local":            {doctor.Failed, "worker", "cannot reach from the net", ""},
		"https://[fe80::1]":               {doctor.Failed, "worker", "cannot reach from the net", ""},
		"https://no-such-service.invalid": {doctor.Failed, "worker", "does not answer", "WORKER_URL"}, // the address has the right form
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			expect(t, examine(t, doctor.Worker(doctor.Delivery{WorkerURL: address, SweepPath: "/tasks/sweep", HTTP: noRedirects()})), w)
		})
	}
}
