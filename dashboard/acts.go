package dashboard

import (
	"context"
	"errors"
	"net/http"

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

// A jobAct is something that is done to a job once somebody has said why.
type jobAct struct {
	action string // as the audit has it
	verb   string // of the button
	thing  string // likewise
	code   string // of what is said then
	// means says what happens then. It fails with a *problem if the act makes no
	// sense now.
	means func(d *Dashboard, v *visit, in record.Inspection) (string, error)
	// do does it, and returns where to go.
	do func(d *Dashboard, v *visit, in record.Inspection, a record.Act) (path string, err error)
}

// asks returns what serves the form of an act.
func asks(act func() jobAct) func(*Dashboard, *visit) error {
	return func(d *Dashboard, v *visit) error { return d.askForAct(v, act(), http.StatusOK, "", "") }
}

func (d *Dashboard) askForAct(v *visit, act jobAct, status int, reason, wrong string) error {
	in, err := d.inspect(v)
	if err != nil {
		return err
	}
	what, err := act.means(d, v, in)
	if err != nil {
		return err
	}
	d.write(v, status, page{name: "act", Title: act.verb + " " + act.thing + " " + shortID(in.Job.ID), Main: actForm{
		Verb: act.verb, Thing: act.thing, Path: v.r.URL.Path, Back: jobPath(in.Job.ID), What: what, Reason: reason, Wrong: wrong,
	}})
	return nil
}

// does returns what does an act.
func does(act func() jobAct) func(*Dashboard, *visit) error {
	return func(d *Dashboard, v *visit) error {
		act := act()
		reason, wrong := readReason(v.r)
		if wrong != "" {
			return d.askForAct(v, act, http.StatusUnprocessableEntity, reason, wrong)
		}
		d.jobs.forget() // it goes by what the job is now
		in, err := d.inspect(v)
		if err != nil {
			return err
		}
		if _, err := act.means(d, v, in); err != nil {
			return err
		}
		path, err := act.do(d, v, in, v.act(act.action, reason))
		d.forget() // what was read may be of before, also if somebody was faster
		if err != nil {
			return explained(err)
		}
		return v.redirect(path + "?done=" + act.code)
	}
}

// forget makes every page read anew.
func (d *Dashboard) forget() {
	d.overviews.forget()
	d.lists.forget()
	d.tallies.forget()
	d.jobs.forget()
	d.budgets.forget()
}

// explained returns what people are told of an error.
func explained(err error) error {
	refused, isRefused := errors.AsType[*RefusedError](err)
	_, isProblem := errors.AsType[*problem](err)
	switch {
	case isProblem:
		return err
	case isRefused:
		return errConflict(refused.Text)
	case errors.Is(err, record.ErrNotFound):
		return errNoJob
	case errors.Is(err, record.ErrEnded):
		return errConflict("The job has ended: it was faster, or somebody was.")
	case errors.Is(err, record.ErrNotEnded):
		return errConflict("The job has not ended. Cancel it first.")
	case errors.Is(err, record.ErrWaiting):
		return errConflict("The webhook waits for a try already.")
	}
	return errAway(err)
}

func cancelJob() jobAct {
	return jobAct{
		action: record.ActionCancelJob, verb: "Cancel", thing: "job", code: "canceled",
		means: func(_ *Dashboard, _ *visit, in record.Inspection) (string, error) {
			p := in.Job.Progress()
			if in.Job.Status.Terminal() {
				return "", explained(record.ErrEnded)
			}
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

func retryJob() jobAct {
	return jobAct{
		action: record.ActionRetryJob, verb: "Retry", thing: "job", code: "retried",
		means: func(d *Dashboard, _ *visit, in record.Inspection) (string, error) {
			p := in.Job.Progress()
			n := p.Failed + p.Canceled
			switch {
			case !in.Job.Status.Terminal():
				return "", explained(record.ErrNotEnded)
			case n == 0:
				return "", errConflict("No picture of the job failed or was canceled.")
			}
			text := "A new job of tenant " + in.Job.Tenant + " draws " + countOf(n, "picture") + " again that failed or were canceled, with the same input"
			return text + d.listPrice(in.Job.Input.Model, in.Job.Input.ImageSize, n) + ". This job stays as it is.", nil
		},
		do: func(d *Dashboard, v *visit, in record.Inspection, a record.Act) (string, error) {
			again, err := d.options.Jobs.Retry(v.r.Context(), in.Job, a)
			return jobPath(again.ID), err
		},
	}
}

// listPrice says what pictures cost by list price, if that is known.
func (d *Dashboard) listPrice(model, size string, n int) string {
	price := d.priceOf(model, size)
	if price == 0 {
		return ""
	}
	return ", for " + dollars(price*int64(n)) + " by list price"
}

func replayWebhook() jobAct {
	return jobAct{
		action: record.ActionReplayWebhook, verb: "Replay", thing: "webhook of job", code: "replayed",
		means: func(_ *Dashboard, v *visit, in record.Inspection) (string, error) {
			w, err := webhookOf(v, in)
			switch {
			case err != nil:
				return "", err
			case w.State == job.WebhookWaiting:
				return "", explained(record.ErrWaiting)
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

func deleteJob() jobAct {
	return jobAct{
		action: record.ActionDeleteJob, verb: "Delete", thing: "job", code: "deleted",
		means: func(_ *Dashboard, _ *visit, in record.Inspection) (string, error) {
			if !in.Job.Status.Terminal() {
				return "", explained(record.ErrNotEnded)
			}
			return "The job of tenant " + in.Job.Tenant + ", its " + countOf(in.Job.Progress().Succeeded, "stored picture") +
				" and its webhooks are removed. Nobody can bring them back. What it cost stays in the sums.", nil
		},
		do: func(d *Dashboard, v *visit, in record.Inspection, a record.Act) (string, error) {
			return Path + "/jobs", d.options.Jobs.Remove(v.r.Context(), in.Job, a)
		},
	}
}
