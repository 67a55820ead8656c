package openapi_test

import (
	"context"
	"encoding/json"
	"net/http"
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
