package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Unsent implements record.Record. A task that it returns counts as handed out
// again.
func (r *Record) Unsent(ctx context.Context, age time.Duration, limit int) (tasks []job.Task, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		handedOut := func(i *image) time.Time { return i.HandedOutAt }
		for _, p := range r.page(limit, handedOut, func(i *image) bool { return i.unsent(now.Add(-micros(age))) }) {
			p.image.HandedOutAt = now
			tasks = append(tasks, p.image.Task)
			r.setJob(p.entry, c)
		}
		return nil
	})
	return tasks, err
}

// unsent reports whether the image waits for a task that was handed out by a
// time and is not known to be on a queue.
func (i *image) unsent(by time.Time) bool {
	return i.queued() && !i.Enqueued && !i.HandedOutAt.After(by)
}

// Unheard implements record.Record.
func (r *Record) Unheard(ctx context.Context, age time.Duration, limit int) (tasks []job.Task, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		unheard := func(i *image) bool { return i.queued() && i.placed() && !i.DueAt.After(now.Add(-micros(age))) }
		for _, p := range r.page(limit, dueAt, unheard) {
			p.image.DueAt = now
			tasks = append(tasks, p.image.Task)
			r.setJob(p.entry, c)
		}
		return nil
	})
	return tasks, err
}

func dueAt(i *image) time.Time { return i.DueAt }

// Reap implements record.Record. It moves all images of a job in one
// transition.
func (r *Record) Reap(
	ctx context.Context, grace time.Duration, limit int,
) (jobs []job.Job, tasks []job.Task, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		found := r.page(limit, dueAt, func(i *image) bool { return i.lapsed(now.Add(-micros(grace))) })
		slices.SortFunc(found, place.compareName)
		for _, p := range found {
			i := p.image
			r.endAttempt(p, job.OutcomeLost, true, job.Report{}, now, c)
			i.move(job.EventRequeue)
			i.redispatch(p.entry.Job.ID, i.Task.Lane, now)
			i.Ready, i.DueAt, i.Claim = true, now, ""
			tasks = append(tasks, i.Task)
			r.addLanes(c, i.Task.Lane)
		}
		for _, e := range entries(found) {
			e.raiseVersion(now)
			r.setJob(e, c)
			jobs = append(jobs, e.snapshot())
		}
		return nil
	})
	return jobs, tasks, err
}

// entries returns the jobs of images, each job once. The images must be in the
// order of their jobs.
func entries(found []place) []*entry {
	var all []*entry
	for _, p := range found {
		all = append(all, p.entry)
	}
	return slices.Compact(all)
}

// Expire implements record.Record. Its limit counts jobs: all images of one job
// fail together.
func (r *Record) Expire(ctx context.Context, reason job.Error, limit int) (jobs []job.Job, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		overdue := r.places(func(p place) bool { return p.overdue(now) })
		slices.SortFunc(overdue, func(p, q place) int {
			return cmp.Or(p.entry.Job.ExpiresAt.Compare(q.entry.Job.ExpiresAt), p.compareName(q))
		})
		expired := entries(overdue)
		expired = expired[:min(limit, len(expired))]
		for _, p := range overdue {
			if slices.Contains(expired, p.entry) {
				r.end(p, job.EventFail, &reason, now, c)
			}
		}
		slices.SortFunc(expired, func(e, f *entry) int { return cmp.Compare(e.Job.ID, f.Job.ID) })
		for _, e := range expired {
			e.raiseVersion(now)
			for _, p := range overdue {
				if p.entry == e {
					e.happen(job.WebhookImageFailed, p.image.Image.Index, now)
				}
			}
			r.setJob(e, c)
			jobs = append(jobs, e.snapshot())
		}
		return nil
	})
	return jobs, err
}

// overdue reports whether the image fails for its job's deadline: it waits, or
// its lease has run out.
func (p place) overdue(now time.Time) bool {
	return !p.entry.Job.ExpiresAt.After(now) && (p.image.queued() || p.image.lapsed(now))
}

// ExpireJob implements record.Record.
func (r *Record) ExpireJob(ctx context.Context, id string, reason job.Error) (j job.Job, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		e := r.jobs[id]
		if e == nil {
			return record.ErrNotFound
		}
		overdue := r.places(func(p place) bool { return p.entry == e && p.overdue(now) })
		for _, p := range overdue {
			r.end(p, job.EventFail, &reason, now, c)
		}
		if len(overdue) > 0 {
			e.raiseVersion(now)
			for _, p := range overdue {
				e.happen(job.WebhookImageFailed, p.image.Image.Index, now)
			}
			r.setJob(e, c)
		}
		j = e.snapshot()
		return nil
	})
	return j, err
}

// Retired implements record.Record.
func (r *Record) Retired(ctx context.Context, age time.Duration, limit int) (jobs []job.Job, err error) {
	err = r.view(ctx, func(now time.Time) error {
		ended := r.endedSince(time.Time{})
		slices.Reverse(ended) // the oldest first
		for _, e := range ended {
			if len(jobs) < limit && !e.Job.CompletedAt.After(now.Add(-micros(age))) {
				jobs = append(jobs, e.snapshot())
			}
		}
		return nil
	})
	return jobs, err
}

// endedSince returns the jobs that ended after a time, the latest first.
func (r *Record) endedSince(after time.Time) []*entry {
	var ended []*entry
	for _, e := range r.jobs {
		if e.ended() && e.Job.CompletedAt.After(after) {
			ended = append(ended, e)
		}
	}
	slices.SortFunc(ended, func(e, f *entry) int {
		return -cmp.Or(e.Job.CompletedAt.Compare(f.Job.CompletedAt), cmp.Compare(e.Job.ID, f.Job.ID))
	})
	return ended
}

// Delete implements record.Record.
func (r *Record) Delete(ctx context.Context, id string) error {
	return r.update(ctx, func(_ time.Time, c *change) error {
		switch e := r.jobs[id]; {
		case e == nil:
			return record.ErrNotFound
		case e.ended():
			r.deleteJob(e, c)
		}
		return nil
	})
}
