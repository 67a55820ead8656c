package dashboard

import (
	"context"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Jobs is what is done with jobs besides reading them. What cannot be done fails
// with a *RefusedError.
type Jobs interface {
	// Render returns a job as its caller sees it, as JSON.
	Render(j job.Job) ([]byte, error)
	// Retry accepts a job that draws again what failed or was canceled. While one
	// has not ended, it returns that one.
	Retry(ctx context.Context, j job.Job, a record.Act) (job.Job, error)
	// Redraw accepts a job for the tenant of another one, with edits. It returns
	// the same one for the same key.
	Redraw(ctx context.Context, j job.Job, e Edits, a record.Act) (job.Job, error)
	// Replay makes a webhook wait again. It fails with record.ErrNotFound and
	// record.ErrWaiting.
	Replay(ctx context.Context, jobID, id string, a record.Act) error
	// Remove removes a job that has ended with all that is stored for it. It fails
	// with record.ErrNotFound and record.ErrNotEnded.
	Remove(ctx context.Context, j job.Job, a record.Act) error
}

// A RefusedError says why something cannot be done, and what to do about it.
type RefusedError struct{ Text string }

// Error returns the text.
func (e *RefusedError) Error() string { return "dashboard: " + e.Text }

// jobNamed returns how the form of an act on a job names a thing of the job.
func jobNamed(thing string) func(record.Inspection) (title, button, back string) {
	return func(in record.Inspection) (title, button, back string) {
		return thing + " " + shortID(in.Job.ID), thing, jobPath(in.Job.ID)
	}
}

func cancelJob() actOn[record.Inspection] {
	return actOn[record.Inspection]{
		action: record.ActionCancelJob, verb: "Cancel", code: "canceled", find: (*Dashboard).inspect, named: jobNamed("job"),
		check: func(_ *visit, in record.Inspection) error {
			if in.Job.Status.Terminal() {
				return record.ErrEnded
			}
			return nil
		},
		means: func(_ *Dashboard, _ *visit, in record.Inspection) (string, error) {
			p := in.Job.Progress()
			text := "What has not ended does: " + countOf(p.Queued, "picture") + " that wait, and " + countOf(p.Processing, "picture") +
				" being drawn, whose requests are cut and may be billed. "
			return text + countOf(p.Succeeded, "picture") + " that there are stay. The caller sees the job as canceled, or as what became of the rest.", nil
		},
		do: func(d *Dashboard, v *visit, in record.Inspection, a record.Act) (string, error) {
			_, err := d.options.Record.CancelByHand(v.r.Context(), in.Job.ID, a)
			return jobPath(in.Job.ID), err
		},
	}
}

func retryJob() actOn[record.Inspection] {
	return actOn[record.Inspection]{
		action: record.ActionRetryJob, verb: "Retry", code: "retried", find: (*Dashboard).inspect, named: jobNamed("job"),
		check: func(_ *visit, in record.Inspection) error {
			switch {
			case !in.Job.Status.Terminal():
				return record.ErrNotEnded
			case lostOf(in.Job) == 0:
				return errConflict("No picture of the job failed or was canceled.")
			}
			return nil
		},
		means: func(d *Dashboard, _ *visit, in record.Inspection) (string, error) {
			n := lostOf(in.Job)
			text := "A new job of tenant " + in.Job.Tenant + " draws " + countOf(n, "picture") + " again that failed or were canceled, with the same input"
			return text + d.listPrice(in.Job.Input.Model, in.Job.Input.ImageSize, n) + ". This job stays as it is.", nil
		},
		do: func(d *Dashboard, v *visit, in record.Inspection, a record.Act) (string, error) {
			again, err := d.options.Jobs.Retry(v.r.Context(), in.Job, a)
			return jobPath(again.ID), err
		},
	}
}

// lostOf returns how many pictures of a job failed or were canceled.
func lostOf(j job.Job) int {
	p := j.Progress()
	return p.Failed + p.Canceled
}

// listPrice says what pictures cost by list price, if that is known.
func (d *Dashboard) listPrice(model, size string, n int) string {
	price := d.priceOf(model, size)
	if price == 0 {
		return ""
	}
	return ", for " + dollars(price*int64(n)) + " by list price"
}

func replayWebhook() actOn[record.Inspection] {
	return actOn[record.Inspection]{
		action: record.ActionReplayWebhook, verb: "Replay", code: "replayed", find: (*Dashboard).inspect, named: jobNamed("webhook of job"),
		check: func(v *visit, in record.Inspection) error {
			w, err := webhookOf(v, in)
			if err == nil && w.State == job.WebhookWaiting {
				return record.ErrWaiting
			}
			return err
		},
		means: func(_ *Dashboard, v *visit, in record.Inspection) (string, error) {
			w, err := webhookOf(v, in)
			if err != nil {
				return "", err
			}
			to := ""
			if in.Job.Input.Webhook != nil {
				to = in.Job.Input.Webhook.URL
			}
			return "The receiver " + to + " is told of " + string(w.Event) + " again, under the same webhook-id, beginning with the first try.", nil
		},
		do: func(d *Dashboard, v *visit, in record.Inspection, a record.Act) (string, error) {
			w, err := webhookOf(v, in)
			if err != nil {
				return "", err
			}
			return jobPath(in.Job.ID), d.options.Jobs.Replay(v.r.Context(), in.Job.ID, w.ID, a)
		},
	}
}

// webhookOf returns the webhook that a path names.
func webhookOf(v *visit, in record.Inspection) (job.Webhook, error) {
	for _, w := range in.Webhooks {
		if w.ID == v.r.PathValue("webhook") {
			return w, nil
		}
	}
	return job.Webhook{}, errNotFound
}

func deleteJob() actOn[record.Inspection] {
	return actOn[record.Inspection]{
		action: record.ActionDeleteJob, verb: "Delete", code: "deleted", find: (*Dashboard).inspect, named: jobNamed("job"),
		check: func(_ *visit, in record.Inspection) error {
			if !in.Job.Status.Terminal() {
				return record.ErrNotEnded
			}
			return nil
		},
		means: func(_ *Dashboard, _ *visit, in record.Inspection) (string, error) {
			return "The job of tenant " + in.Job.Tenant + ", its " + countOf(in.Job.Progress().Succeeded, "stored picture") +
				" and its webhooks are removed. Nobody can bring them back. What it cost stays in the sums.", nil
		},
		do: func(d *Dashboard, v *visit, in record.Inspection, a record.Act) (string, error) {
			return Path + "/jobs", d.options.Jobs.Remove(v.r.Context(), in.Job, a)
		},
	}
}
