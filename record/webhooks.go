package record

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// ErrWaiting means that a webhook is waiting for a try already.
var ErrWaiting = errors.New("record: the webhook is waiting already")

// WebhookOverdue is how long after the time of a webhook's next try its task is
// taken for gone. It is above the longest that a busy receiver puts a try off at
// a time.
const WebhookOverdue = time.Hour

// A WebhookDue is the task of a webhook's next try, with the time before which it
// must not be delivered.
type WebhookDue struct {
	Task job.WebhookTask
	At   time.Time
}

// A WebhookKeeper keeps the webhooks of jobs, and those of budgets.
//
// The statement that moves an image records its webhooks: those of the events in
// d.Input.Webhook.Events that it makes happen. A claim can start a job; Succeed,
// Fail and Expire end images; they and Cancel can end the job. Each event is
// recorded once. A new webhook is waiting, for a try that is due. Its task is not
// known to be on the queue. Delete removes the webhooks of the job.
//
// Webhooks of budgets are of no job: to all methods their job ID is the empty string,
// and they come without a job. See Budgets.Webhooks for what records them. One is
// recorded of a level of a period, as long as the same is allowed in it. RetireBudgets
// removes them. They are neither listed by Webhooks nor replayed.
type WebhookKeeper interface {
	// PendingWebhooks returns the tasks of the jobs' webhooks that wait, and
	// that are not known to be on the queue.
	PendingWebhooks(ctx context.Context, jobIDs ...string) ([]WebhookDue, error)

	// WebhooksEnqueued notes that tasks are on the queue. It does nothing for a
	// task that is not that of its webhook's next try.
	WebhooksEnqueued(ctx context.Context, tasks ...job.WebhookTask) error

	// Webhook returns a webhook, and its job as it is now, without Ahead. It
	// reports false if there is none.
	Webhook(ctx context.Context, jobID, id string) (hook job.Webhook, j job.Job, found bool, err error)

	// NoteWebhook notes how a try ended: it adds the try to the webhook's log,
	// sets its state and Tries, and returns when its next try is due: n.After
	// from now, or zero if it waits for none. The task of the next try counts
	// as on the queue: the delivery that made the try comes again until it is.
	//
	// It does so only if the webhook waits for the try of that number, and else
	// changes nothing and reports false. With job.WebhookGone, all waiting
	// webhooks of the job become gone, and no more are recorded for it. Of budgets,
	// only that one becomes gone.
	NoteWebhook(ctx context.Context, n job.WebhookNote) (nextAt time.Time, noted bool, err error)

	// Webhooks returns the webhooks of a job in the order in which they
	// happened, those of one moment by id. There are none of a job that is not
	// there.
	Webhooks(ctx context.Context, jobID string) ([]job.Webhook, error)

	// ReplayWebhook makes a webhook wait again, for the first try of a new
	// round, which is due and has a task that is not known to be on the queue.
	// It fails with ErrWaiting if the webhook waits already, and with
	// ErrNotFound if there is none.
	ReplayWebhook(ctx context.Context, jobID, id string) (job.Webhook, error)

	// UnsentWebhooks returns tasks of waiting webhooks: those that were handed
	// out at least age ago and are not known to be on the queue, and those
	// whose time came WebhookOverdue ago. These are new, in place of tasks that
	// may be gone. It returns limit of each kind at most, those that waited
	// longest first, and each again only after another age. Those of budgets are
	// kinds of their own, after those of jobs.
	UnsentWebhooks(ctx context.Context, age time.Duration, limit int) ([]WebhookDue, error)
}
