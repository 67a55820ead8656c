package openapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/webhook"
)

const (
	webhooksPath = jobPath + "/webhooks"
	replayPath   = webhooksPath + "/{webhook_id}/replay"
)

// webhooks are the webhooks of jobs.
type webhooks struct {
	record *snapshot.Record
	queue  *enqueue.Webhooks
}

func (w webhooks) Webhooks(ctx context.Context, jobID string) ([]job.Webhook, error) {
	return w.record.Webhooks(ctx, jobID)
}

func (w webhooks) Replay(ctx context.Context, jobID, id string) (job.Webhook, error) {
	return w.queue.Replay(ctx, jobID, id)
}

func checkURL(url string) error { return webhook.NewPolicy(false).CheckURL(url) }

func (f broken) Webhooks(context.Context, string) ([]job.Webhook, error) { return nil, f() }
func (f broken) Replay(context.Context, string, string) (job.Webhook, error) {
	return job.Webhook{}, f()
}

// askForWebhooks sends requests about what a job's receiver was told.
func (s *service) askForWebhooks() []exchange {
	s.Helper()
	created := s.send("with a receiver", http.MethodPost, generatePath,
		`{"prompt":"a","webhook":"https://example.com/hook","webhook_events":["job.canceled"]}`)
	id := created.id(s)
	s.ask("cancel", http.MethodPost, cancelPath, id)
	waiting := s.ask("webhooks", http.MethodGet, webhooksPath, id)
	var list struct{ Webhooks []struct{ ID string } }
	if err := json.Unmarshal([]byte(waiting.Body), &list); err != nil || len(list.Webhooks) != 1 {
		s.Fatalf("webhooks: %d %s", waiting.Status, waiting.Body)
	}
	hook := list.Webhooks[0].ID
	early := s.replay("a webhook that waits", id, hook)
	_, noted, err := s.record.NoteWebhook(s.Context(), job.WebhookNote{
		JobID: id, WebhookID: hook, State: job.WebhookFailed, Try: job.WebhookTry{
			Number: 1, StartedAt: time.Now().UTC(), Duration: time.Second, Status: http.StatusTeapot, Failure: job.WebhookStatus, Message: "It answered 418.",
		},
	})
	if err != nil || !noted {
		s.Fatalf("the try is noted: %t, error %v", noted, err)
	}
	return []exchange{
		created, waiting, early,
		s.ask("a webhook that failed", http.MethodGet, webhooksPath, id),
		s.replay("a replay", id, hook),
		s.replay("a long id", id, strings.Repeat("w", 201)),
		s.ask("no webhooks", http.MethodGet, webhooksPath, s.send("a job", http.MethodPost, generatePath, `{"prompt":"a"}`).id(s)),
	}
}

// replay asks for a webhook to be told again.
func (s *service) replay(name, id, hook string) exchange {
	s.Helper()
	e := s.ask(name, http.MethodPost, strings.Replace(replayPath, "{webhook_id}", hook, 1), id)
	e.Path = replayPath
	return e
}

// tooMany are requests of the tenant full past what it may ask for in a minute, and
// past what it may have held open.
func (s *service) tooMany() []exchange {
	s.Helper()
	key := "Bearer " + keys()["full"]
	ids := s.send("its jobs", http.MethodGet, jobsPath, "", "Authorization", key)
	var list struct {
		Jobs []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(ids.Body), &list); err != nil || len(list.Jobs) == 0 {
		s.Fatalf("its jobs: %d %s", ids.Status, ids.Body)
	}
	waiting := list.Jobs[0].ID
	return []exchange{
		s.untilRefused(func() exchange {
			return s.send("too many uploads", http.MethodPost, uploadsPath, `{"content_type":"image/png","bytes":1}`, "Authorization", key)
		}),
		s.untilRefused(func() exchange {
			e := s.ask("too many replays", http.MethodPost, strings.Replace(replayPath, "{webhook_id}", "msg_1", 1), waiting, "Authorization", key)
			e.Path = replayPath
			return e
		}),
		s.tooManyStreams(waiting, key),
	}
}

// untilRefused repeats a request until there were too many, and returns that.
func (s *service) untilRefused(send func() exchange) exchange {
	s.Helper()
	for range 10_000 {
		if e := send(); e.Status == http.StatusTooManyRequests {
			return e
		}
	}
	s.Fatal("10000 requests are not too many")
	return exchange{}
}

// tooManyStreams follows a job that waits until there are too many streams, and
// returns the last.
func (s *service) tooManyStreams(id, key string) exchange {
	s.Helper()
	ctx, hangUp := context.WithCancel(s.Context())
	defer hangUp()
	for range 1000 {
		begun := make(chan struct{}, 1)
		refused := make(chan exchange, 1)
		go func() {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, strings.ReplaceAll(eventsPath, "{id}", id), http.NoBody)
			r.Header.Set("Authorization", key)
			w := stream{connection{httptest.NewRecorder()}, begun}
			s.routes.ServeHTTP(w, r)
			e := exchange{
				Name: "too many streams", Method: "get", Path: eventsPath, Status: w.Code, Headers: make(map[string]string), Body: w.Body.String(),
			}
			for header := range w.Header() {
				e.Headers[strings.ToLower(header)] = w.Header().Get(header)
			}
			refused <- e
		}()
		select {
		case <-begun:
		case e := <-refused:
			return e
		}
	}
	s.Fatal("1000 streams are not too many")
	return exchange{}
}

// A stream is an answer that tells when it has begun.
type stream struct {
	connection

	begun chan struct{}
}

// Flush implements http.Flusher.
func (s stream) Flush() {
	s.ResponseRecorder.Flush()
	select {
	case s.begun <- struct{}{}:
	default:
	}
}
