package memory

import (
	"cmp"
	"context"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Create implements record.Record.
func (r *Record) Create(ctx context.Context, d record.Draft) (j job.Job, tasks []job.Task, err error) {
	if err := r.noteLimits(ctx, d.Budgets); err != nil {
		return job.Job{}, nil, err
	}
	var crossed crossings
	if err := r.noteRefusals(ctx, d, &crossed); err != nil {
		return job.Job{}, nil, err
	}
	err = r.update(ctx, func(now time.Time, c *change) error {
		e, err := r.recorded(d)
		switch {
		case err != nil:
			return err
		case e == nil:
			if err := r.checkRoom(d); err != nil {
				return err
			}
			if e, err = r.insert(d, now, &crossed, c); err != nil {
				return err
			}
			r.noteCreated(d, now, c)
		}
		j, tasks = e.snapshot(), e.pending()
		return nil
	})
	crossed.tell(d.Budgets)
	return j, tasks, err
}

// checkRoom fails if too many images would wait, or if a budget refuses the job.
func (r *Record) checkRoom(d record.Draft) error {
	if err := d.CheckWaiting(r.waitingOf(d.Tenant)); err != nil {
		return err
	}
	if _, _, refusing := d.Fit(r.rooms(d.Budgets)); refusing != "" {
		return &record.BudgetError{Scope: refusing}
	}
	return nil
}

// insert records a job, and moves its tenant's finish tag behind its last image.
func (r *Record) insert(d record.Draft, now time.Time, crossed *crossings, c *change) (*entry, error) {
	if r.jobs[d.ID] != nil {
		return nil, errExists
	}
	class := class{d.DrawnBy(), priority(d)}
	name := tenantName{class, d.Tenant}
	tag := r.startTag(name)
	fits, heldBy, _ := d.Fit(r.rooms(d.Budgets))
	e, err := newEntry(d, fits, heldBy, tag, now)
	if err != nil {
		return nil, err
	}
	for _, i := range e.Images[:fits] {
		r.reserve(i, d.Budgets, c)
	}
	var leftOut int64
	if fits < d.Input.Count {
		leftOut = d.PriceMicros
	}
	r.cross(d.Budgets, leftOut, crossed, c)
	r.setJob(e, c)
	r.setTenant(name, tenant{Finish: tag + float64(d.Input.Count)/d.Weight, Weight: d.Weight}, c)
	for _, t := range e.pending() {
		r.addLanes(c, t.Lane)
	}
	return e, nil
}

// startTag returns the start tag of a tenant's next image: its finish tag, or the
// virtual time if that is greater. A finish tag that is further away than the
// images explain that still wait is one of images that were canceled or expired.
// They cost their tenant no turn.
func (r *Record) startTag(name tenantName) float64 {
	virtual := r.turns[name.Class]
	t, known := r.tenants[name]
	if !known {
		return virtual
	}
	return max(virtual, min(t.Finish, virtual+float64(r.waiting(name)+1)/t.Weight))
}

// waiting returns how many images of a tenant wait.
func (r *Record) waiting(name tenantName) int {
	return len(r.places(func(p place) bool {
		return p.image.queued() && p.tenant() == name
	}))
}

// waitingOf returns how many images of a tenant wait, of all classes.
func (r *Record) waitingOf(tenant string) int {
	return len(r.places(func(p place) bool { return p.image.queued() && p.entry.Job.Tenant == tenant }))
}

// Recorded implements record.Record.
func (r *Record) Recorded(ctx context.Context, d record.Draft) (j job.Job, err error) {
	err = r.view(ctx, func(time.Time) error {
		e, err := r.recorded(d)
		switch {
		case err != nil:
			return err
		case e == nil:
			return cmp.Or(r.checkRoom(d), record.ErrNotFound)
		}
		j = e.snapshot()
		return nil
	})
	return j, err
}

// recorded returns the job that stands in the way of a new one for d, or nil.
func (r *Record) recorded(d record.Draft) (*entry, error) {
	if e, err := r.byKey(d); e != nil || err != nil {
		return e, err
	}
	if d.Input.Retry == nil {
		return nil, nil //nolint:nilnil // no job is no error
	}
	for _, e := range r.open {
		if retry := e.Job.Input.Retry; retry != nil && retry.Of == d.Input.Retry.Of {
			return e, nil
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// byKey returns the job that was recorded for d's idempotency key, or nil.
func (r *Record) byKey(d record.Draft) (*entry, error) {
	if d.IdempotencyKey == "" {
		return nil, nil //nolint:nilnil // no job is no error
	}
	e := r.jobs[r.keys[keyName{d.Tenant, d.IdempotencyKey}]]
	if e != nil && e.Fingerprint != d.Fingerprint {
		return nil, record.ErrIdempotencyMismatch
	}
	return e, nil
}

// pending returns the tasks that the job's waiting images hold and that are not
// known to be on a queue. After an exchange such a task may have another
// image's name.
func (e *entry) pending() []job.Task {
	var tasks []job.Task
	for _, i := range e.Images {
		if i.queued() && !i.Enqueued {
			tasks = append(tasks, i.Task)
		}
	}
	return tasks
}

// Enqueued implements record.Record. It looks for the task and not for the
// image of that name, because a delivery may have exchanged their tasks
// meanwhile.
func (r *Record) Enqueued(ctx context.Context, tasks ...job.Task) error {
	return r.update(ctx, func(_ time.Time, c *change) error {
		for _, t := range tasks {
			if p, held := r.holder(t); held && !p.image.Enqueued {
				p.image.Enqueued = true
				r.setJob(p.entry, c)
			}
		}
		return nil
	})
}
