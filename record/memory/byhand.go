package memory

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// CancelByHand implements record.Operators.
func (r *Record) CancelByHand(ctx context.Context, id string, a record.Act) (j job.Job, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		e := r.jobs[id]
		switch {
		case e == nil:
			return record.ErrNotFound
		case e.ended():
			return record.ErrEnded
		}
		n := r.cancel(e, now, c)
		r.noteJob(a, id, map[string]string{"pictures": strconv.Itoa(n)}, now, c)
		j = e.snapshot()
		return nil
	})
	return j, err
}

// DeleteByHand implements record.Operators.
func (r *Record) DeleteByHand(ctx context.Context, id string, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		e := r.jobs[id]
		switch {
		case e == nil:
			return record.ErrNotFound
		case !e.ended():
			return record.ErrNotEnded
		}
		r.deleteJob(e, c)
		r.note(a, id, map[string]string{"tenant": e.Job.Tenant, "status": string(e.snapshot().Status)}, now, c)
		return nil
	})
}

// ReplayWebhookByHand implements record.Operators.
func (r *Record) ReplayWebhookByHand(ctx context.Context, jobID, id string, a record.Act) (w job.Webhook, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		e, h := r.hook(jobID, id)
		switch {
		case h == nil || e == nil:
			return record.ErrNotFound
		case h.waiting():
			return record.ErrWaiting
		}
		w = r.replay(e, h, now, c)
		r.note(a, jobID, map[string]string{"webhook": id}, now, c)
		return nil
	})
	return w, err
}

// noteCreated writes a job that is made by hand to the audit.
func (r *Record) noteCreated(d record.Draft, now time.Time, c *change) {
	if by := d.ByHand; by != nil {
		r.noteJob(by.Act, by.Of, map[string]string{"as": d.ID, "pictures": strconv.Itoa(d.Input.Count)}, now, c)
	}
}

// noteJob writes an act to the audit that may be a part of a bulk.
func (r *Record) noteJob(a record.Act, id string, detail map[string]string, now time.Time, c *change) {
	if a.Bulk != "" {
		detail["bulk"], a.Bulk = a.Bulk, ""
	}
	r.note(a, id, detail, now, c)
}

// Inspect implements record.Operators.
func (r *Record) Inspect(ctx context.Context, id string) (in record.Inspection, err error) {
	err = r.view(ctx, func(now time.Time) error {
		e := r.jobs[id]
		if e == nil {
			return record.ErrNotFound
		}
		in = record.Inspection{At: now, Job: r.get(e, now), Keyed: e.Key != "", Attempts: e.attempts()}
		for _, i := range e.Images {
			in.Places = append(in.Places, i.inspect())
		}
		for _, h := range r.hooksOf(id) {
			in.Webhooks = append(in.Webhooks, h.webhook())
		}
		for _, a := range slices.Backward(r.audit) {
			if a.Target == id && len(in.Acts) < record.MaxActs {
				in.Acts = append(in.Acts, a)
			}
		}
		return nil
	})
	return in, err
}

// inspect returns where the image is.
func (i *image) inspect() record.ImagePlace {
	p := record.ImagePlace{Model: i.Model, Lane: i.Task.Lane, Unsent: i.queued() && !i.Enqueued}
	if !i.queued() && i.ClaimLane != "" {
		p.Lane = i.ClaimLane
	}
	if i.Image.Status == job.StatusProcessing {
		p.LeaseEnds = i.DueAt
	}
	return p
}
