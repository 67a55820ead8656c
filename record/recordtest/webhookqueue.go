package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

func (f *fixture) pending(jobIDs ...string) (ids []string) {
	f.Helper()
	due, err := f.record.PendingWebhooks(f.ctx, jobIDs...)
	if err != nil {
		f.Fatalf("PendingWebhooks: %v", err)
	}
	return taskNames(due)
}

func (f *fixture) unsentWebhooks(age time.Duration, limit int) []record.WebhookDue {
	f.Helper()
	due, err := f.record.UnsentWebhooks(f.ctx, age, limit)
	if err != nil {
		f.Fatalf("UnsentWebhooks: %v", err)
	}
	return due
}

func taskNames(due []record.WebhookDue) (ids []string) {
	for _, d := range due {
		ids = append(ids, d.Task.ID())
	}
	return ids
}

func (f *fixture) webhookSent(w job.Webhook) {
	f.Helper()
	if err := f.record.WebhooksEnqueued(f.ctx, w.Task()); err != nil {
		f.Fatalf("WebhooksEnqueued: %v", err)
	}
}

func webhookPending(f *fixture) {
	w, other := f.ended(), f.ended()
	f.wantEqual("the tasks", f.pending(w.JobID, newID(), "nonsense"), []string{w.Task().ID()})
	f.wantEqual("the tasks of both", len(f.pending(w.JobID, other.JobID)), 2)
	stale := w
	stale.Renewed = 3
	f.webhookSent(stale)
	f.wantEqual("the tasks after one of another name was put", f.pending(w.JobID), []string{w.Task().ID()})
	f.webhookSent(w)
	f.webhookSent(w)
	f.wantEqual("the tasks after it was put", f.pending(w.JobID), []string(nil))
	f.wantEqual("the webhook, as it was", f.webhook(w), w)
}

func webhookUnsent(f *fixture) {
	first, sent, second := f.ended(), f.ended(), f.ended()
	f.webhookSent(sent)
	f.wantEqual("before the age", len(f.unsentWebhooks(never, plenty)), 0)
	due := f.unsentWebhooks(0, 1)
	f.wantEqual("the first", taskNames(due), []string{first.Task().ID()})
	f.wantEqual("its time", due[0].At, first.NextAt)
	f.wantEqual("the next one", taskNames(f.unsentWebhooks(0, 1)), []string{second.Task().ID()})
	f.webhookSent(first)
	f.note(second, job.WebhookDelivered, 0)
	f.wantEqual("what is left", len(f.unsentWebhooks(0, plenty)), 0)
}

func webhookOverdue(f *fixture) {
	w, early, ended := f.ended(), f.ended(), f.ended()
	past := f.note(w, job.WebhookWaiting, -record.WebhookOverdue)
	f.note(early, job.WebhookWaiting, -record.WebhookOverdue/2)
	f.note(ended, job.WebhookFailed, -2*record.WebhookOverdue)

	want := past
	want.Renewed++
	f.wantEqual("what is overdue", taskNames(f.unsentWebhooks(never, plenty)), []string{want.Task().ID()})
	f.wantEqual("the webhook", f.webhook(w), want)
	f.wantEqual("at once afterwards", len(f.unsentWebhooks(never, plenty)), 0)
	f.wantEqual("its task", f.pending(w.JobID), []string{want.Task().ID()})
	f.webhookSent(past)
	f.wantEqual("its task, after the old one was put", f.pending(w.JobID), []string{want.Task().ID()})
	f.webhookSent(want)
	f.wantEqual("its task, after it was put", f.pending(w.JobID), []string(nil))
}

func webhookUntold(f *fixture) {
	untold := func() int {
		b, err := f.record.Backlog(f.ctx, never)
		if err != nil {
			f.Fatal(err)
		}
		return b.Untold
	}
	v, w := f.ended(), f.ended()
	f.wantEqual("at first", untold(), 2)
	f.webhookSent(v)
	f.wantEqual("after one was put", untold(), 1)
	f.note(w, job.WebhookDelivered, 0)
	f.wantEqual("after the other was delivered", untold(), 0)
}
