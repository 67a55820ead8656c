package service

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/sweep"
	"github.com/ai-worker/ai-worker/webhook"
)

// webhookDeadline is how long Cloud Tasks listens to the delivery of a webhook. It
// is above the time that one takes at most.
const webhookDeadline = webhook.DeliveryTimeout + 15*time.Second

// webhooks are the parts of the service that tell receivers. They implement
// handlers.Webhooks.
type webhooks struct {
	published *snapshot.Record
	queue     *enqueue.Webhooks

	// Without WEBHOOK_SECRET these are nil: nobody is told.
	checkURL  handlers.CheckURL
	deliverer handlers.WebhookDeliverer
}

// newWebhooks returns the parts that tell receivers. With a secret, published
// hands them the jobs of its transitions from then on. newWebhooks fails if
// WEBHOOK_SECRET cannot be used.
func newWebhooks(
	cfg config.Config, published *snapshot.Record, producer *enqueue.Producer, draining <-chan struct{}, log *slog.Logger,
) (*webhooks, error) {
	w := &webhooks{published: published, queue: producer.Webhooks()}
	if cfg.WebhookSecret == "" {
		return w, nil
	}
	secrets, err := webhook.ParseSecrets(cfg.WebhookSecret.Reveal())
	if err != nil {
		return nil, err
	}
	policy := webhook.NewPolicy(cfg.Dev.Loopback)
	published.SetTeller(w.queue)
	w.checkURL = policy.CheckURL
	w.deliverer = webhook.NewDeliverer(webhook.Config{
		Record: published, Queue: w.queue, Sender: webhook.NewSender(secrets, policy, nil),
		Schedule: webhook.DefaultSchedule(), Draining: draining, Log: log,
		Render: func(j job.Job) (json.RawMessage, error) {
			snap, err := published.Render(j)
			return snap.JSON, err
		},
	})
	return w, nil
}

// ofSweeps returns what sweeps put webhooks on their queue with, or nil if there is
// no such queue.
func (w *webhooks) ofSweeps(cfg config.Tasks) sweep.WebhookProducer {
	if cfg.WebhookQueue == "" {
		return nil
	}
	return w.queue
}

// Webhooks returns the webhooks of a job.
func (w *webhooks) Webhooks(ctx context.Context, jobID string) ([]job.Webhook, error) {
	return w.published.Webhooks(ctx, jobID)
}

// Replay makes a webhook wait again.
func (w *webhooks) Replay(ctx context.Context, jobID, id string) (job.Webhook, error) {
	return w.queue.Replay(ctx, jobID, id)
}
