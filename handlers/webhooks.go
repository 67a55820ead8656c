package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/webhook"
)

// Webhooks are the webhooks of jobs.
type Webhooks interface {
	// Webhooks returns the webhooks of a job in the order in which they
	// happened.
	Webhooks(ctx context.Context, jobID string) ([]job.Webhook, error)
	// Replay makes a webhook wait again. It fails with record.ErrWaiting and
	// record.ErrNotFound.
	Replay(ctx context.Context, jobID, id string) (job.Webhook, error)
}

// A CheckURL returns an error that says what is wrong if no receiver at that URL
// would be called; see webhook.Policy.
type CheckURL func(url string) error

// checkWebhook returns who is told of the job, or nil.
func (c *checker) checkWebhook(r GenerateRequest, checkURL CheckURL) *job.Receiver {
	switch {
	case r.Webhook == "" && len(r.WebhookEvents) > 0:
		c.addFault("webhook_events", "needs webhook: say who is told")
		return nil
	case r.Webhook == "":
		return nil
	case checkURL == nil:
		c.addFault("webhook", "cannot be used: this service has no WEBHOOK_SECRET to sign with. Leave it out, or have that set")
		return nil
	}
	if err := checkURL(r.Webhook); err != nil {
		c.addFault("webhook", strings.TrimPrefix(err.Error(), "webhook "))
	}
	to := &job.Receiver{URL: r.Webhook, Events: job.EndEvents()}
	if len(r.WebhookEvents) > 0 {
		to.Events = slices.Compact(slices.Sorted(slices.Values(r.WebhookEvents)))
	}
	return to
}

// RegisterWebhooks adds the operation that shows the webhooks of a job to api.
func (h *Jobs) RegisterWebhooks(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "list-webhooks", Method: method, Path: path,
		Summary:     "See what a job's receiver was told",
		Description: "Each event with its tries, in the order in which they happened. The latest 30 tries of each are kept.",
		Metadata: answersWith(map[int]answer{
			http.StatusOK: answerOf[WebhookList]("The job's webhooks.", "Cache-Control"),
		}),
	}, telling(h, h.webhooks))
}

// RegisterReplay adds the operation that tells a receiver again to api.
func (h *Jobs) RegisterReplay(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "replay-webhook", Method: method, Path: path,
		Summary:       "Tell a job's receiver again",
		Description:   "Begins again with the first try, under the same webhook-id.",
		DefaultStatus: http.StatusAccepted,
		Metadata: answersWith(map[int]answer{
			http.StatusAccepted:            answerOf[WebhookResource]("The webhook, which waits again."),
			http.StatusConflict:            {},
			http.StatusUnprocessableEntity: {}, // as in a service that cannot sign
			http.StatusTooManyRequests:     {},
		}),
	}, telling(h, h.replay))
}

// WebhookList is the webhooks of a job.
type WebhookList struct {
	Webhooks []WebhookResource `json:"webhooks"`
}

// WebhookResource is a webhook as callers see it.
type WebhookResource struct {
	ID        string             `json:"id" doc:"Sent as webhook-id."`
	Event     string             `json:"event" enum:"job.started,image.succeeded,image.failed,job.succeeded,job.partial,job.failed,job.canceled"`
	Index     *int               `json:"index" doc:"Of the picture, with an event of one."`
	State     string             `json:"state" enum:"waiting,delivered,gone,failed"`
	CreatedAt time.Time          `json:"created_at" doc:"When it happened."`
	NextAt    *time.Time         `json:"next_at" doc:"When the next try is due."`
	Tries     []WebhookTryOutput `json:"tries" doc:"The latest 30, the oldest first."`
}

// WebhookTryOutput is a try to tell a receiver.
type WebhookTryOutput struct {
	Number     int       `json:"number" doc:"From 1, those of earlier rounds included."`
	StartedAt  time.Time `json:"started_at"`
	DurationMS int64     `json:"duration_ms"`
	Status     *int      `json:"status" doc:"Of the HTTP answer."`
	Failure    *string   `json:"failure" doc:"For programs; names are added, never changed."`
	Message    string    `json:"message,omitempty" doc:"For people."`
	Answer     string    `json:"answer,omitempty" doc:"The beginning of the answer."`
}

type webhooksInput struct {
	ID string `path:"id" doc:"The job's id."`
}

type webhooksOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         WebhookList
}

// webhooks serves GET /api/jobs/{id}/webhooks.
func (h *Jobs) webhooks(ctx context.Context, in *webhooksInput) (*webhooksOutput, error) {
	own, err := h.getOwn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	hooks, err := h.Webhooks.Webhooks(ctx, own.ID)
	if err != nil {
		return nil, err
	}
	out := &webhooksOutput{CacheControl: "private, no-cache", Body: WebhookList{Webhooks: make([]WebhookResource, len(hooks))}}
	for i, w := range hooks {
		out.Body.Webhooks[i] = webhookResource(w)
	}
	return out, nil
}

type replayInput struct {
	ID        string `path:"id" doc:"The job's id."`
	WebhookID string `path:"webhook_id" maxLength:"200" doc:"The webhook's id."`
}

type replayOutput struct {
	Body WebhookResource
}

// replay serves POST /api/jobs/{id}/webhooks/{webhook_id}/replay.
func (h *Jobs) replay(ctx context.Context, in *replayInput) (*replayOutput, error) {
	own, err := h.getOwn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if h.CheckURL == nil {
		return nil, huma.Error422UnprocessableEntity("This service has no WEBHOOK_SECRET to sign with. Have that set, and try again.")
	}
	if err := h.replays.take(own.Tenant); err != nil {
		return nil, err
	}
	hook, err := h.Webhooks.Replay(ctx, own.ID, in.WebhookID)
	if errors.Is(err, record.ErrNotFound) {
		return nil, huma.Error404NotFound("The job has no such webhook.")
	}
	if err != nil {
		return nil, err
	}
	return &replayOutput{Body: webhookResource(hook)}, nil
}

func webhookResource(w job.Webhook) WebhookResource {
	resource := WebhookResource{
		ID: w.ID, Event: string(w.Event), State: string(w.State), CreatedAt: w.At, Tries: make([]WebhookTryOutput, len(w.Log)),
	}
	if w.Event.OfImage() {
		resource.Index = &w.Index
	}
	if !w.NextAt.IsZero() {
		resource.NextAt = &w.NextAt
	}
	for i, t := range w.Log {
		resource.Tries[i] = WebhookTryOutput{
			Number: t.Number, StartedAt: t.StartedAt, DurationMS: t.Duration.Milliseconds(), Message: t.Message, Answer: t.Answer,
		}
		if t.Status != 0 {
			resource.Tries[i].Status = &t.Status
		}
		if t.Failure != "" {
			resource.Tries[i].Failure = (*string)(&t.Failure)
		}
	}
	return resource
}

// A WebhookDeliverer makes the try that a delivered task asks for. Its context
// ends when the process shuts down.
type WebhookDeliverer interface {
	Deliver(context.Context, job.WebhookTask) (webhook.Verdict, error)
}

// webhookAnswers returns what to answer Cloud Tasks for each verdict, as answers
// does.
func webhookAnswers() map[webhook.Verdict]int {
	return map[webhook.Verdict]int{
		webhook.VerdictDone:        http.StatusOK,
		webhook.VerdictAgain:       http.StatusConflict,
		webhook.VerdictUnavailable: http.StatusServiceUnavailable,
	}
}

// Webhook serves POST /tasks/webhook.
func (h *Tasks) Webhook(w http.ResponseWriter, r *http.Request) {
	ctx, release := follow(r.Context(), h.Process)
	defer release()
	t, ok := readTask(ctx, h, w, r, decodeWebhookTask)
	if !ok {
		return
	}
	if h.Webhooks == nil {
		h.Log.ErrorContext(ctx, "a webhook waits, and cannot be signed: WEBHOOK_SECRET is not set", "job_id", t.JobID, "webhook_id", t.WebhookID)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	verdict, err := h.Webhooks.Deliver(ctx, t)
	if err != nil {
		h.Log.ErrorContext(ctx, "delivery of a webhook failed", "error", err, "job_id", t.JobID, "webhook_id", t.WebhookID)
	}
	w.WriteHeader(webhookAnswers()[verdict])
}

func decodeWebhookTask(body io.Reader) (job.WebhookTask, error) {
	var b enqueue.WebhookBody
	if err := json.NewDecoder(body).Decode(&b); err != nil {
		return job.WebhookTask{}, fmt.Errorf("body: %w", err)
	}
	if _, err := uuid.Parse(b.JobID); err != nil && b.JobID != "" {
		return job.WebhookTask{}, fmt.Errorf("body: job_id: %w", err)
	}
	if b.WebhookID == "" || b.Try < 1 || b.PutOff < 0 || b.Renewed < 0 {
		return job.WebhookTask{}, fmt.Errorf("body: webhook_id %q, try %d, put_off %d or renewed %d is out of range", b.WebhookID, b.Try, b.PutOff, b.Renewed)
	}
	return b.Task(), nil
}
