package snapshot

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A Teller puts the webhooks of jobs on their queue that are not there yet. It
// must be bounded in time, since transitions wait for it. It does not fail: what
// it leaves out, the sweep finds.
type Teller interface {
	Tell(ctx context.Context, jobIDs ...string)
}

// SetTeller makes r hand jobs to t, each after a transition of which its receiver
// wants to be told. It must be called before r is used.
func (r *Record) SetTeller(t Teller) { r.teller = t }

// tell hands jobs to the teller after a transition: those whose receivers want to be told
// of its event, or of the job's end if it ended. It does nothing if err is set, since
// there was no transition then.
func (r *Record) tell(ctx context.Context, err error, event job.WebhookEvent, jobs ...job.Job) {
	if err != nil || r.teller == nil {
		return
	}
	var ids []string
	for _, j := range jobs {
		if to := j.Input.Webhook; to.Wants(event) || to.Wants(job.EndedEvent(j.Status)) {
			ids = append(ids, j.ID)
		}
	}
	if len(ids) > 0 {
		r.teller.Tell(ctx, ids...)
	}
}

// The methods below are no transitions.

// PendingWebhooks implements record.Record.
func (r *Record) PendingWebhooks(ctx context.Context, jobIDs ...string) ([]record.WebhookDue, error) {
	return r.record.PendingWebhooks(ctx, jobIDs...)
}

// WebhooksEnqueued implements record.Record.
func (r *Record) WebhooksEnqueued(ctx context.Context, tasks ...job.WebhookTask) error {
	return r.record.WebhooksEnqueued(ctx, tasks...)
}

// Webhook implements record.Record.
func (r *Record) Webhook(ctx context.Context, jobID, id string) (job.Webhook, job.Job, bool, error) {
	return r.record.Webhook(ctx, jobID, id)
}

// NoteWebhook implements record.Record.
func (r *Record) NoteWebhook(ctx context.Context, n job.WebhookNote) (time.Time, bool, error) {
	return r.record.NoteWebhook(ctx, n)
}

// Webhooks implements record.Record.
func (r *Record) Webhooks(ctx context.Context, jobID string) ([]job.Webhook, error) {
	return r.record.Webhooks(ctx, jobID)
}

// ReplayWebhook implements record.Record.
func (r *Record) ReplayWebhook(ctx context.Context, jobID, id string) (job.Webhook, error) {
	return r.record.ReplayWebhook(ctx, jobID, id)
}

// UnsentWebhooks implements record.Record.
func (r *Record) UnsentWebhooks(ctx context.Context, age time.Duration, limit int) ([]record.WebhookDue, error) {
	return r.record.UnsentWebhooks(ctx, age, limit)
}
