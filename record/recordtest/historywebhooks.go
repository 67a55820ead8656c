package recordtest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What random histories do to webhooks.

func (h *history) webhooks(*rapid.T) { h.compareWebhooks(latestOf(h, "job", h.jobs)) }

// compareWebhooks compares the webhooks of a job, and returns them.
func (h *history) compareWebhooks(jobID string) []job.Webhook {
	want, wantErr := h.spec.Webhooks(h.ctx, jobID)
	got, gotErr := h.real.Webhooks(h.ctx, jobID)
	same(h, want, wantErr, got, gotErr)
	wantDue, wantErr := h.spec.PendingWebhooks(h.ctx, jobID)
	gotDue, gotErr := h.real.PendingWebhooks(h.ctx, jobID)
	same(h, wantDue, wantErr, gotDue, gotErr)
	return want
}

// anyWebhook draws a webhook, as it is or as somebody knew it before.
func (h *history) anyWebhook() job.Webhook {
	w := latestOf(h, "webhook", h.compareWebhooks(latestOf(h, "job", h.jobs)))
	if w.Tries > 0 && rapid.IntRange(0, 5).Draw(h.T, "known before") == 0 {
		w.Tries--
	}
	if w.Renewed > 0 && rapid.IntRange(0, 5).Draw(h.T, "renewed since") == 0 {
		w.Renewed--
	}
	return w
}

// compareBudgetWebhooks compares the webhooks of budgets, and returns them.
func (h *history) compareBudgetWebhooks() (hooks []job.Webhook) {
	want, wantErr := h.spec.PendingWebhooks(h.ctx, "")
	got, gotErr := h.real.PendingWebhooks(h.ctx, "")
	same(h, want, wantErr, got, gotErr)
	for _, d := range want {
		if !slices.Contains(h.hooks, d.Task.WebhookID) {
			h.hooks = append(h.hooks, d.Task.WebhookID)
		}
	}
	for _, id := range h.hooks {
		if w := h.compareWebhook("", id); w.ID != "" {
			hooks = append(hooks, w)
		}
	}
	return hooks
}

func (h *history) noteBudgetWebhook(*rapid.T) {
	h.noteOne(latestOf(h, "webhook", h.compareBudgetWebhooks()))
}

func (h *history) noteWebhook(*rapid.T) { h.noteOne(h.anyWebhook()) }

// noteOne notes a try of a webhook, which may be none.
func (h *history) noteOne(w job.Webhook) {
	n := noteOf(w, draw(h, "state", job.WebhookWaiting, job.WebhookWaiting, job.WebhookDelivered, job.WebhookFailed, job.WebhookGone),
		draw(h, "after", time.Second, time.Minute, time.Hour))
	want, wantNoted, wantErr := h.spec.NoteWebhook(h.ctx, n)
	got, gotNoted, gotErr := h.real.NoteWebhook(h.ctx, n)
	same(h, want, wantErr, got, gotErr)
	same(h, wantNoted, nil, gotNoted, nil)
	h.compareWebhook(n.JobID, n.WebhookID)
}

// compareWebhook compares a webhook, and returns it, zero if there is none.
func (h *history) compareWebhook(jobID, id string) job.Webhook {
	wantHook, wantJob, wantFound, wantErr := h.spec.Webhook(h.ctx, jobID, id)
	gotHook, gotJob, gotFound, gotErr := h.real.Webhook(h.ctx, jobID, id)
	same(h, wantHook, wantErr, gotHook, gotErr)
	same(h, wantJob, nil, gotJob, nil)
	same(h, wantFound, nil, gotFound, nil)
	return wantHook
}

func (h *history) replayWebhook(*rapid.T) {
	w := h.anyWebhook()
	want, wantErr := h.spec.ReplayWebhook(h.ctx, w.JobID, w.ID)
	got, gotErr := h.real.ReplayWebhook(h.ctx, w.JobID, w.ID)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) webhooksSent(*rapid.T) {
	t := []job.WebhookTask{h.anyWebhook().Task(), h.anyWebhook().Task()}
	if hooks := h.compareBudgetWebhooks(); len(hooks) > 0 {
		t = append(t, latestOf(h, "webhook of a budget", hooks).Task())
	}
	same(h, 0, h.spec.WebhooksEnqueued(h.ctx, t...), 0, h.real.WebhooksEnqueued(h.ctx, t...))
}

func (h *history) unsentWebhooks(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.UnsentWebhooks(h.ctx, age, limit)
	got, gotErr := h.real.UnsentWebhooks(h.ctx, age, limit)
	same[[]record.WebhookDue](h, want, wantErr, got, gotErr)
}
