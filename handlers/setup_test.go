package handlers_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/storage"
	"github.com/ai-worker/ai-worker/sweep"
	"github.com/ai-worker/ai-worker/webhook"
)

const (
	webKey   = "web-key-0123456789"
	otherKey = "other-key-0123456789"
	poorKey  = "poor-key-0123456789" // of a tenant with limits
)

type bundle struct {
	t      testing.TB
	url    string
	routes http.Handler // what is served at url
	record *snapshot.Record
	kept   *memory.Record // what record is on
	jobs   *handlers.Jobs
	inputs *enqueuetest.Inputs
}

// told is what the API does to webhooks.
type told struct {
	*snapshot.Record

	queue *enqueue.Webhooks
}

func (t told) Replay(ctx context.Context, jobID, id string) (job.Webhook, error) {
	return t.queue.Replay(ctx, jobID, id)
}

// setup serves the API on a record, a Redis, and a queue that delivers nothing.
func setup(t testing.TB) *bundle {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	client, err := redis.NewClient("redis://"+miniredis.RunT(t).Addr(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	kept := memory.New()
	published := snapshot.NewRecord(kept, client, snapshot.Renderer{
		Lanes: []snapshot.Lane{{Name: "a", Models: []string{"banana"}, RPM: 60}}, Now: func() time.Time { return now },
		BaseURL:  "https://api.example.com",
		ImageURL: func(key string) (string, error) { return "https://pictures.example.com/" + key, nil },
	}, log)
	inputs := &enqueuetest.Inputs{}
	lanes := []lane.Lane{
		{Name: "a", Model: "banana", RPM: 60, Concurrency: 5, Queue: "projects/p/locations/l/queues/a"},
		{Name: "c", Model: "cherry", RPM: 10, Concurrency: 1, Queue: "projects/p/locations/l/queues/c"},
	}
	cfg := server.Config{Version: "test", Log: log, Lanes: &handlers.Lanes{Lanes: lanes, Record: published, Log: log}, Jobs: &handlers.Jobs{
		Producer: enqueue.New(enqueue.Config{
			Record: published, Queue: &enqueuetest.Queue{}, Inputs: inputs, Lanes: lanes,
			Process: context.Background(), Log: log,
		}),
		Snapshots: published, Record: published, Log: log, CheckURL: webhook.NewPolicy(false).CheckURL,
		Remover:  &sweep.Sweeper{Record: published, Objects: noObjects{}},
		Uploader: storage.NewR2(storage.Config{Endpoint: "https://s3.example.com", AccessKeyID: "id", SecretAccessKey: "secret", Bucket: "b"}),
		Models: []job.Model{
			{
				Name: "banana", ImageSizes: []string{"1K", "2K"}, AspectRatios: []string{"1:1", "16:9"},
				MaxInputImages: 2, Prices: map[string]int64{"1K": 34_000},
			},
			{Name: "cherry"},
		},
	}}
	cfg.Jobs.Webhooks = told{published, cfg.Jobs.Producer.(*enqueue.Producer).Webhooks()}
	cfg.Keys.Add("web", webKey, 1)
	cfg.Keys.Add("other", otherKey, 1)
	cfg.Keys.Add("poor", poorKey, 1)
	cfg.Keys.Limit("poor", handlers.Limits{MaxWaiting: 16, MaxCostMicros: 70_000})
	routes := server.New(cfg)
	srv := httptest.NewServer(routes)
	t.Cleanup(srv.Close)
	return &bundle{t: t, url: srv.URL, routes: routes, record: published, kept: kept, jobs: cfg.Jobs, inputs: inputs}
}

// noObjects is a bucket that is empty.
type noObjects struct{ sweep.Objects }

func (noObjects) RemoveJob(context.Context, job.Job) error { return nil }

// An answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   string
}

// now is the service's time when it estimates.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// do sends a request as the tenant web, unless headers say otherwise.
func (b *bundle) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+webKey)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{code: resp.StatusCode, header: resp.Header, body: string(text)}
}

func (b *bundle) generate(body string, headers ...string) answer {
	b.t.Helper()
	return b.do(http.MethodPost, "/api/generate-images", body, headers...)
}

// job returns the answer's body as a job.
func (a answer) job(t testing.TB) snapshot.JobResource {
	t.Helper()
	var j snapshot.JobResource
	decode(t, a.body, &j)
	return j
}

// A problem is an error as RFC 9457 has it.
type problem struct {
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []fault `json:"errors"`
}

type fault struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// problem returns the answer's body as a problem. The answer must have the
// code.
func (a answer) problem(t testing.TB, code int) problem {
	t.Helper()
	var p problem
	decode(t, a.body, &p)
	if a.code != code || p.Status != code {
		t.Errorf("got status %d with problem %+v, want %d", a.code, p, code)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q is no problem's", got)
	}
	return p
}

func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// lease is longer than any test.
const lease = time.Hour
