package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Claim implements record.Record.
func (r *Record) Claim(ctx context.Context, req record.ClaimRequest) (claim record.Claim, err error) {
	if uuid.Validate(req.Task.JobID) != nil {
		return record.Claim{}, record.ErrNothingDue // no such task was ever handed out
	}
	err = r.update(ctx, func(now time.Time, c *change) error {
		if err := r.checkUsable(req.Task.Lane, now); err != nil {
			return err
		}
		probation := !r.lanes[req.Task.Lane].Since.IsZero()
		p, err := r.pick(req, probation, now)
		if err != nil {
			return err
		}
		r.exchange(p, req.Task, now, c)
		r.advanceVirtualTime(p, c)
		claim = r.take(p, req, now, c)
		claim.Probation = probation
		return nil
	})
	return claim, err
}

// pick chooses the image whose turn it is. It chooses among the images that any
// slot of the model may take, and the image that this delivery was for. With
// the task, the time of that image has come, even if it waits for a later time,
// or if it was claimed and its lease has run out. If it is of another model, there
// is nothing to choose. On probation, another image than those that have struck
// finds out whether the lane works.
func (r *Record) pick(req record.ClaimRequest, probation bool, now time.Time) (place, error) {
	if holder, held := r.holder(req.Task); held && holder.image.Model != req.Model {
		return place{}, holder.notOf(req.Model)
	}
	last := func(p place) bool { return probation && p.image.struck() }
	probed := probation && r.probed(req.Task.Lane, now)
	due := r.places(func(p place) bool {
		anybodys := p.image.queued() && p.image.Ready && p.image.Model == req.Model && !last(p)
		own := p.image.holds(req.Task) && (p.image.queued() || p.image.lapsed(now))
		return anybodys || own && (!probed || !last(p))
	})
	if len(due) > 0 {
		return slices.MinFunc(due, func(p, q place) int {
			return cmp.Or(compareBool(last(p), last(q)), p.compare(q))
		}), nil
	}
	if _, held := r.holder(req.Task); held {
		return place{}, record.ErrHeld // under a lease, or it waits for a probe; otherwise it would be due
	}
	return place{}, record.ErrNothingDue
}

// probed reports whether an image is being worked on that was claimed on the
// lane's probation.
func (r *Record) probed(lane string, now time.Time) bool {
	return len(r.places(func(p place) bool {
		i := p.image
		return i.Image.Status == job.StatusProcessing && !i.lapsed(now) &&
			i.Task.Lane == lane && !i.Image.StartedAt.Before(r.lanes[lane].Until)
	})) > 0
}

// exchange gives p's task to the image that holds the delivered one, so that
// every waiting image still has a task that is to come. What is known of the
// task goes with it. If that image waited for a time that has come, it becomes
// ready: the task that it waited for is now another image's.
func (r *Record) exchange(p place, delivered job.Task, now time.Time, c *change) {
	holder, held := r.holder(delivered)
	if !held || holder == p {
		return
	}
	h := holder.image
	h.Task, h.HandedOutAt, h.Enqueued = p.image.Task, p.image.HandedOutAt, p.image.Enqueued
	h.Ready = h.Ready || !h.DueAt.After(now)
	r.setJob(holder.entry, c)
}

// advanceVirtualTime sets the virtual time to the start tag of a claimed image. It never
// sets it back: an image that was put back has an old tag.
func (r *Record) advanceVirtualTime(p place, c *change) {
	if class := p.class(); p.image.StartTag > r.turns[class] {
		r.setTurn(class, p.image.StartTag, c)
	}
}

// take gives p to the claimant, together with the delivered task.
func (r *Record) take(p place, req record.ClaimRequest, now time.Time, c *change) record.Claim {
	e, i := p.entry, p.image
	if i.Image.Status == job.StatusProcessing { // under a lease that has run out
		r.endAttempt(p, job.OutcomeLost, true, job.Report{}, now, c)
	}
	i.move(job.EventClaim)
	i.Claims++
	i.ClaimLane = req.Task.Lane
	i.Claim = uuid.NewString()
	i.DueAt = now.Add(micros(req.Lease))
	i.Task, i.Enqueued = req.Task, true
	i.Image.Attempts++
	i.Image.StartedAt, i.Image.Error = now, nil
	first := e.Job.StartedAt.IsZero()
	if first {
		e.Job.StartedAt = now
	}
	e.raiseVersion(now)
	if first {
		e.happen(job.WebhookJobStarted, 0, now)
	}
	r.setJob(e, c)
	return record.Claim{
		Token: i.Claim, Job: e.snapshot(), Index: i.Image.Index, Dispatch: i.Dispatch, Number: i.Claims, Reclaimed: i.Claims > 1,
		Struck: i.struck(),
	}
}

// claimed returns the claim's image. It fails with record.ErrClaimLost if the
// claim is lost.
func (r *Record) claimed(c record.Claim) (place, error) {
	p, ok := r.lastClaimed(c)
	if !ok || p.image.Image.Status != job.StatusProcessing {
		return place{}, record.ErrClaimLost
	}
	return p, nil
}

// lastClaimed returns the claim's image if no other claim of it was made since.
func (r *Record) lastClaimed(c record.Claim) (place, bool) {
	e := r.jobs[c.Job.ID]
	if e == nil || c.Index >= len(e.Images) || e.Images[c.Index].Claim != c.Token {
		return place{}, false
	}
	return place{e, e.Images[c.Index]}, true
}

// Renew implements record.Record.
func (r *Record) Renew(ctx context.Context, claim record.Claim, lease time.Duration) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		p, err := r.claimed(claim)
		if err != nil {
			return err
		}
		p.image.DueAt = now.Add(micros(lease))
		r.setJob(p.entry, c)
		return nil
	})
}
