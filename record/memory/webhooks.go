package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A hook is a webhook, with the task of its next try.
type hook struct {
	Webhook job.Webhook
	Sent    bool // the task is known to be on the queue
	// HandedOutAt is when a caller last got the task, to put it on the queue, or
	// when the task's time comes, if that is later.
	HandedOutAt time.Time
}

// wanted returns the events that the receiver of a new job is told of.
func wanted(in job.Input) []job.WebhookEvent {
	if in.Webhook == nil {
		return nil
	}
	return slices.Clone(in.Webhook.Events)
}

// happen records the webhook of an event that a transition has just made, if the
// job's receiver is told of it.
func (e *entry) happen(event job.WebhookEvent, index int, now time.Time) {
	if !slices.Contains(e.Events, event) {
		return
	}
	e.Hooks = append(e.Hooks, &hook{HandedOutAt: now, Webhook: job.Webhook{
		ID: job.WebhookID(e.Job.ID, event, index), JobID: e.Job.ID, Event: event, Index: index, At: now,
		Version: e.Job.Version, Status: e.snapshot().Status, State: job.WebhookWaiting, NextAt: now,
	}})
}

// waiting reports whether a try of the webhook is to come.
func (h *hook) waiting() bool { return h.Webhook.State == job.WebhookWaiting }

// due returns the task of the webhook's next try.
func (h *hook) due() record.WebhookDue {
	return record.WebhookDue{Task: h.Webhook.Task(), At: h.Webhook.NextAt}
}

// webhook returns a webhook in the form that callers of the record get.
func (h *hook) webhook() job.Webhook {
	w := h.Webhook
	w.Log = slices.Clone(w.Log)
	return w
}

// end ends what is to be told of an event.
func (h *hook) end(s job.WebhookState) { h.Webhook.State, h.Webhook.NextAt = s, time.Time{} }

// hook returns a webhook, or nil, and the entry of its job, nil for a budget's.
func (r *Record) hook(jobID, id string) (*entry, *hook) {
	if jobID == "" {
		return nil, r.budgetHooks[id]
	}
	e := r.jobs[jobID]
	if e == nil {
		return nil, nil
	}
	i := slices.IndexFunc(e.Hooks, func(h *hook) bool { return h.Webhook.ID == id })
	if i < 0 {
		return e, nil
	}
	return e, e.Hooks[i]
}

// PendingWebhooks implements record.Record.
func (r *Record) PendingWebhooks(ctx context.Context, jobIDs ...string) (due []record.WebhookDue, err error) {
	err = r.view(ctx, func(time.Time) error {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(jobIDs))) {
			for _, h := range r.hooksOf(id) {
				if h.waiting() && !h.Sent {
					due = append(due, h.due())
				}
			}
		}
		return nil
	})
	return due, err
}

// hooksOf returns the webhooks of a job, or those of budgets, in their order.
func (r *Record) hooksOf(jobID string) []*hook {
	var hooks []*hook
	if e := r.jobs[jobID]; jobID == "" {
		hooks = slices.Collect(maps.Values(r.budgetHooks))
	} else if e != nil {
		hooks = slices.Clone(e.Hooks)
	}
	return slices.SortedFunc(slices.Values(hooks), func(g, h *hook) int {
		return cmp.Or(g.Webhook.At.Compare(h.Webhook.At), cmp.Compare(g.Webhook.ID, h.Webhook.ID))
	})
}

// WebhooksEnqueued implements record.Record.
func (r *Record) WebhooksEnqueued(ctx context.Context, tasks ...job.WebhookTask) error {
	return r.update(ctx, func(_ time.Time, c *change) error {
		for _, t := range tasks {
			t.PutOff = 0
			if e, h := r.hook(t.JobID, t.WebhookID); h != nil && h.waiting() && h.Webhook.Task() == t && !h.Sent {
				h.Sent = true
				r.setHook(e, h, c)
			}
		}
		return nil
	})
}

// Webhook implements record.Record.
func (r *Record) Webhook(ctx context.Context, jobID, id string) (w job.Webhook, j job.Job, found bool, err error) {
	err = r.view(ctx, func(time.Time) error {
		e, h := r.hook(jobID, id)
		if h == nil {
			return nil
		}
		if w, found = h.webhook(), true; e != nil {
			j = e.snapshot()
		}
		return nil
	})
	return w, j, found, err
}

// NoteWebhook implements record.Record.
func (r *Record) NoteWebhook(ctx context.Context, n job.WebhookNote) (nextAt time.Time, noted bool, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		e, h := r.hook(n.JobID, n.WebhookID)
		if h == nil || !h.waiting() || h.Webhook.Tries != n.Try.Number-1 {
			return nil
		}
		h.Webhook.Tries = n.Try.Number
		log := slices.Concat(h.Webhook.Log, []job.WebhookTry{n.Try})
		h.Webhook.Log = log[max(0, len(log)-job.MaxWebhookLog):]
		switch h.end(n.State); n.State {
		case job.WebhookWaiting:
			nextAt = now.Add(micros(n.After))
			h.Webhook.NextAt, h.HandedOutAt, h.Sent = nextAt, nextAt, true
		case job.WebhookGone:
			e.silence()
		case job.WebhookDelivered, job.WebhookFailed:
		}
		noted = true
		r.setHook(e, h, c)
		return nil
	})
	return nextAt, noted, err
}

// silence ends all that is to be told of a job, and records no more. It does nothing to
// budgets.
func (e *entry) silence() {
	if e == nil {
		return
	}
	e.Events = nil
	for _, h := range e.Hooks {
		if h.waiting() {
			h.end(job.WebhookGone)
		}
	}
}

// Webhooks implements record.Record.
func (r *Record) Webhooks(ctx context.Context, jobID string) (all []job.Webhook, err error) {
	err = r.view(ctx, func(time.Time) error {
		if jobID == "" {
			return nil
		}
		for _, h := range r.hooksOf(jobID) {
			all = append(all, h.webhook())
		}
		return nil
	})
	return all, err
}

// ReplayWebhook implements record.Record.
func (r *Record) ReplayWebhook(ctx context.Context, jobID, id string) (w job.Webhook, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		e, h := r.hook(jobID, id)
		switch {
		case h == nil || e == nil:
			return record.ErrNotFound
		case h.waiting():
			return record.ErrWaiting
		}
		w = r.replay(e, h, now, c)
		return nil
	})
	return w, err
}

// replay makes a webhook wait for the first try of a new round.
func (r *Record) replay(e *entry, h *hook, now time.Time, c *change) job.Webhook {
	h.Webhook.State, h.Webhook.RoundFrom, h.Webhook.NextAt = job.WebhookWaiting, h.Webhook.Tries, now
	h.Webhook.Renewed++
	h.Sent, h.HandedOutAt = false, now
	r.setJob(e, c)
	return h.webhook()
}

// UnsentWebhooks implements record.Record. A task that it returns counts as
// handed out again.
func (r *Record) UnsentWebhooks(ctx context.Context, age time.Duration, limit int) (due []record.WebhookDue, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		for _, hooks := range [][]*hook{r.jobHooks(), r.hooksOf("")} {
			unsent := first(limit, hooks, func(h *hook) bool { return h.unsent(now.Add(-micros(age))) })
			overdue := first(limit, hooks, func(h *hook) bool {
				return h.Sent && !h.HandedOutAt.After(now.Add(-record.WebhookOverdue))
			})
			for _, h := range overdue {
				h.Webhook.Renewed++
				h.Sent = false
			}
			for _, h := range slices.Concat(unsent, overdue) {
				h.HandedOutAt = now
				due = append(due, h.due())
				r.setHook(r.jobs[h.Webhook.JobID], h, c)
			}
		}
		return nil
	})
	return due, err
}

// unsent reports whether the task was handed out by a time and is not known to be
// on the queue.
func (h *hook) unsent(by time.Time) bool { return h.waiting() && !h.Sent && !h.HandedOutAt.After(by) }

// jobHooks returns the webhooks of all jobs.
func (r *Record) jobHooks() (all []*hook) {
	for _, e := range r.jobs {
		all = append(all, e.Hooks...)
	}
	return all
}

// first returns the waiting ones of webhooks that pass a test, limit at most, those
// first whose task was handed out first.
func first(limit int, hooks []*hook, test func(*hook) bool) []*hook {
	var found []*hook
	for _, h := range hooks {
		if h.waiting() && test(h) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(g, h *hook) int {
		return cmp.Or(g.HandedOutAt.Compare(h.HandedOutAt),
			cmp.Compare(g.Webhook.JobID, h.Webhook.JobID), cmp.Compare(g.Webhook.ID, h.Webhook.ID))
	})
	return found[:min(limit, len(found))]
}
