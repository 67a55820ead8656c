package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
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

	checkURL  handlers.CheckURL         // nil without WEBHOOK_SECRET: jobs have no receivers
	deliverer handlers.WebhookDeliverer // nil without BUDGET_WEBHOOK too: nobody is told
}

// newWebhooks returns the parts that tell receivers. With WEBHOOK_SECRET, published
// hands them the jobs of its transitions from then on. newWebhooks fails if
// that, or a setting of BUDGET_WEBHOOK, cannot be used.
func newWebhooks(
	cfg config.Config, published *snapshot.Record, producer *enqueue.Producer, draining <-chan struct{}, log *slog.Logger,
) (*webhooks, error) {
	w := &webhooks{published: published, queue: producer.Webhooks()}
	policy := webhook.NewPolicy(cfg.Dev.Loopback)
	sender, err := newSender("WEBHOOK_SECRET", cfg.WebhookSecret, policy)
	if err != nil {
		return nil, err
	}
	budgets, err := budgetReceiver(cfg, policy)
	switch {
	case err != nil:
		return nil, err
	case sender != nil:
		published.SetTeller(w.queue)
		w.checkURL = policy.CheckURL
	case budgets.Sender == nil:
		return w, nil
	}
	w.deliverer = webhook.NewDeliverer(webhook.Config{
		Record: published, Queue: w.queue, Sender: sender, Budgets: budgets,
		Schedule: webhook.DefaultSchedule(), Draining: draining, Log: log,
		Render: func(j job.Job) (json.RawMessage, error) {
			snap, err := published.Render(j)
			return snap.JSON, err
		},
	})
	return w, nil
}

// CheckWebhooks returns an error that names the setting of webhooks that cannot be used,
// if there is one.
func CheckWebhooks(cfg config.Config) error {
	policy := webhook.NewPolicy(cfg.Dev.Loopback)
	_, err := newSender("WEBHOOK_SECRET", cfg.WebhookSecret, policy)
	_, errOfBudgets := budgetReceiver(cfg, policy)
	return errors.Join(err, errOfBudgets)
}

// newSender returns what signs with a setting's secrets, and sends; nil if there are
// none.
func newSender(setting string, secret config.Secret, policy webhook.Policy) (*webhook.Sender, error) {
	if secret == "" {
		return nil, nil //nolint:nilnil // no sender is no error
	}
	secrets, err := webhook.ParseSecrets(setting, secret.Reveal())
	if err != nil {
		return nil, err
	}
	return webhook.NewSender(secrets, policy, nil), nil
}

// budgetReceiver returns who is told of budgets, or nobody.
func budgetReceiver(cfg config.Config, policy webhook.Policy) (webhook.Receiver, error) {
	if cfg.BudgetWebhook == "" {
		return webhook.Receiver{}, nil
	}
	if err := policy.CheckURL(cfg.BudgetWebhook); err != nil {
		return webhook.Receiver{}, fmt.Errorf("BUDGET_WEBHOOK %s", strings.TrimPrefix(err.Error(), "webhook "))
	}
	sender, err := newSender("BUDGET_WEBHOOK_SECRET", cfg.BudgetWebhookSecret, policy)
	return webhook.Receiver{URL: cfg.BudgetWebhook, Sender: sender}, err
}

// newBudgetBook returns the budgets that are set. With BUDGET_WEBHOOK, the webhooks of
// levels that they reach are put on their queue at once.
func newBudgetBook(cfg config.Config, queue func() *enqueue.Webhooks, log *slog.Logger) record.BudgetBook {
	book := record.BudgetBook{Budgets: cfg.Budgets, Log: log}
	if cfg.BudgetWebhook != "" {
		book.Tell = func() { queue().Tell(context.Background(), "") }
	}
	return book
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
