package memory

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Succeed implements record.Record.
func (r *Record) Succeed(ctx context.Context, claim record.Claim, s record.Success) (job.Job, error) {
	return r.finish(ctx, claim, job.EventSucceed, func(p place, now time.Time, c *change) {
		r.endAttempt(p, job.OutcomeSucceeded, true, claim.Report, now, c)
		img, bill := &p.image.Image, claim.Report.Bill
		img.CompletedAt, img.Object, img.CostMicros, img.BoundMicros = now, s.Object, bill.CostMicros, bill.BoundMicros
		r.settle(p.image, c)
	})
}

// Fail implements record.Record.
func (r *Record) Fail(ctx context.Context, claim record.Claim, reason job.Error) (job.Job, error) {
	return r.finish(ctx, claim, job.EventFail, func(p place, now time.Time, c *change) {
		r.endAttempt(p, endReason(&reason), true, claim.Report, now, c)
		p.image.Image.CompletedAt, p.image.Image.Error = now, &reason
		p.image.Image.BilledMicros += claim.Report.Bill.BoundMicros
		r.settle(p.image, c)
	})
}

// Requeue implements record.Record.
func (r *Record) Requeue(ctx context.Context, claim record.Claim, q record.Requeue) (job.Job, job.Task, error) {
	if q.Covers(claim) {
		if err := r.noteLimits(ctx, q.Budgets); err != nil {
			return job.Job{}, job.Task{}, err
		}
	}
	var crossed crossings
	j, err := r.finish(ctx, claim, job.EventRequeue, func(p place, now time.Time, c *change) {
		i := p.image
		r.endAttempt(p, endReason(q.Reason), !q.GiveBack, claim.Report, now, c)
		if q.GiveBack {
			i.Image.Attempts--
		}
		i.Image.Error = copyError(q.Reason)
		i.Image.BilledMicros += claim.Report.Bill.BoundMicros
		if q.Covers(claim) {
			if full := r.cover(i, q, &crossed, c); full != "" {
				i.hold(p.entry, full, now)
				return
			}
		}
		i.redispatch(p.entry.Job.ID, q.Lane, now)
		i.Ready, i.DueAt = q.After <= 0, now.Add(micros(q.After))
		r.addLanes(c, q.Lane)
	})
	if err == nil {
		crossed.tell(q.Budgets)
	}
	if err != nil || j.Images[claim.Index].HeldBy != "" {
		return j, job.Task{}, err
	}
	return j, claim.NextTask(q.Lane), nil
}

func copyError(e *job.Error) *job.Error {
	if e == nil {
		return nil
	}
	kept := *e
	return &kept
}

// finish ends a claim by an event, and makes the changes of set. If the same
// claim has ended so already, that counts as done: the answer to the first call
// may have been lost on its way.
func (r *Record) finish(
	ctx context.Context, claim record.Claim, event job.Event, set func(p place, now time.Time, c *change),
) (j job.Job, err error) {
	to, err := job.StatusProcessing.Next(event)
	if err != nil {
		return job.Job{}, err
	}
	err = r.update(ctx, func(now time.Time, c *change) error {
		if p, same := r.lastClaimed(claim); same && p.image.Image.Status == to {
			j = p.entry.snapshot()
			return nil
		}
		p, err := r.claimed(claim)
		if err != nil {
			return err
		}
		p.image.move(event)
		set(p, now, c)
		p.entry.raiseVersion(now)
		p.entry.happen("image."+job.WebhookEvent(to), p.image.Image.Index, now)
		r.setJob(p.entry, c)
		j = p.entry.snapshot()
		return nil
	})
	return j, err
}

// Cancel implements record.Record.
func (r *Record) Cancel(ctx context.Context, id string) (j job.Job, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		e := r.jobs[id]
		if e == nil {
			return record.ErrNotFound
		}
		r.cancel(e, now, c)
		j = e.snapshot()
		return nil
	})
	return j, err
}

// cancel ends the images of a job that have not ended, and returns how many.
func (r *Record) cancel(e *entry, now time.Time, c *change) int {
	open := e.openImages()
	if len(open) == 0 {
		return 0
	}
	for _, i := range open {
		r.end(place{e, i}, job.EventCancel, nil, now, c)
	}
	e.raiseVersion(now)
	r.setJob(e, c)
	return len(open)
}
